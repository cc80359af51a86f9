#include "log/format.h"

#include <ctype.h>
#include <stdio.h>

#include "core/metadata.h"
#include "dns/rr.h"

#define PREFIX "[INFO] "

/* A line under construction. */
struct line {
	char *at;
	size_t len, cap;
	struct query *q;
	uint64_t took_ns;
};

static void add(struct line *l, const char *p, size_t n)
{
	size_t room = l->cap - l->len;

	if (n > room)
		n = room;
	memcpy(l->at + l->len, p, n);
	l->len += n;
}

static void add_text(struct line *l, const char *s)
{
	add(l, s, strlen(s));
}

static void add_number(struct line *l, uint64_t v)
{
	char digits[20];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + v % 10);
	while ((v /= 10) != 0);
	add(l, digits + at, sizeof(digits) - at);
}

static void add_ipv4(struct line *l, const union addr *a)
{
	size_t n;
	const uint8_t *ip = addr_ip(a, &n);

	for (size_t i = 0; i < 4; i++) {
		add_number(l, ip[i]);
		add(l, ".", i < 3 ? 1 : 0);
	}
}

/* An IP address, IPv6 in brackets. */
static void add_ip(struct line *l, const union addr *a)
{
	char text[ADDR_TEXT_MAX];

	if (a->sa.sa_family == AF_INET) {
		add_ipv4(l, a);
	} else if (a->sa.sa_family == AF_INET6) {
		add(l, "[", 1);
		add_text(l, addr_ip_to_text(text, a));
		add(l, "]", 1);
	} else {
		add(l, "-", 1);
	}
}

static void put_remote(struct line *l)
{
	add_ip(l, &l->q->client);
}

static void put_local(struct line *l)
{
	add_ip(l, &l->q->local);
}

static void put_port(struct line *l)
{
	add_number(l, addr_port(&l->q->client));
}

static void put_id(struct line *l)
{
	add_number(l, l->q->msg.id);
}

static void put_opcode(struct line *l)
{
	add_number(l, l->q->msg.opcode);
}

static void put_type(struct line *l)
{
	char text[16];

	add_text(l, rr_type_text(l->q->msg.qtype, text));
}

static void put_class(struct line *l)
{
	char text[16];

	add_text(l, rr_class_text(l->q->msg.qclass, text));
}

/* In lower case, as CoreDNS has it; control characters come out as \DDD. */
static void put_name(struct line *l)
{
	char text[NAME_TEXT_MAX];

	add(l, text, name_to_text(text, l->q->folded));
}

static void put_proto(struct line *l)
{
	add_text(l, l->q->transport == TRANSPORT_UDP ? "udp" : "tcp");
}

static void put_size(struct line *l)
{
	add_number(l, l->q->wire_len);
}

static void put_do(struct line *l)
{
	add_text(l, l->q->msg.edns.wants_dnssec ? "true" : "false");
}

static void put_bufsize(struct line *l)
{
	unsigned offered = l->q->msg.edns.is_present ? l->q->msg.edns.udp_size : 0;

	if (l->q->transport != TRANSPORT_UDP)
		offered = 65535;
	add_number(l, offered < 512 ? 512 : offered);
}

static void put_rcode(struct line *l)
{
	char text[16];

	add_text(l, rcode_text(l->q->answer.rcode, text));
}

static void put_rflags(struct line *l)
{
	const struct answer *a = &l->q->answer;
	uint16_t asked = l->q->msg.flags;
	bool may_be_authentic = (asked & FLAG_AD) != 0 || l->q->msg.edns.wants_dnssec;

	add_text(l, "qr");
	if (a->is_authoritative)
		add_text(l, ",aa");
	if (a->is_truncated || a->is_full)
		add_text(l, ",tc");
	if ((asked & FLAG_RD) != 0)
		add_text(l, ",rd");
	if (a->has_recursion || l->q->chain->has_forwarder)
		add_text(l, ",ra");
	if (a->is_authentic && may_be_authentic)
		add_text(l, ",ad");
	if ((asked & FLAG_CD) != 0)
		add_text(l, ",cd");
}

static void put_rsize(struct line *l)
{
	add_number(l, answer_size(&l->q->answer, &l->q->msg));
}

/* Seconds with as many digits as needed, as Go writes them: 0.00003799s. */
static void put_duration(struct line *l)
{
	uint64_t fraction = l->took_ns % 1000000000u;
	char digits[10];
	size_t n = 9;

	add_number(l, l->took_ns / 1000000000u);
	if (fraction > 0) {
		for (size_t i = 9; i > 0; i--, fraction /= 10)
			digits[i] = (char)('0' + fraction % 10);
		digits[0] = '.';
		while (digits[n] == '0')
			n--;
		add(l, digits, n + 1);
	}
	add(l, "s", 1);
}

/* A value of metadata; what others wrote must not begin lines of its own. */
static void put_metadata(struct line *l, struct str key)
{
	struct str value;
	char escape[5];

	if (!metadata_get(l->q, key, &value))
		value = STR("-");
	for (size_t i = 0; i < value.len; i++) {
		uint8_t c = (uint8_t)value.at[i];

		if (c >= ' ' && c < 127) {
			add(l, value.at + i, 1);
			continue;
		}
		snprintf(escape, sizeof(escape), "\\%03u", c);
		add(l, escape, 4);
	}
}

/* Keys count from 1; those with '>' are taken in any case. */
static const struct {
	const char *name;
	void (*put)(struct line *l);
} keys[] = {
	{"{remote}", put_remote},
	{"{port}", put_port},
	{"{local}", put_local},
	{"{type}", put_type},
	{"{class}", put_class},
	{"{name}", put_name},
	{"{proto}", put_proto},
	{"{size}", put_size},
	{"{rcode}", put_rcode},
	{"{rsize}", put_rsize},
	{"{duration}", put_duration},
	{"{>id}", put_id},
	{"{>opcode}", put_opcode},
	{"{>do}", put_do},
	{"{>bufsize}", put_bufsize},
	{"{>rflags}", put_rflags},
};

#define KEY_METADATA (ARRAY_LEN(keys) + 1)

static unsigned find_key(struct str word)
{
	if (word.len > 3 && word.at[1] == '/')
		return KEY_METADATA;
	for (unsigned i = 0; i < ARRAY_LEN(keys); i++) {
		struct str name = str_from(keys[i].name);

		if (word.at[1] == '>' ? str_eq_nocase(word, name) : str_eq(word, name))
			return i + 1;
	}
	return 0;
}

static void add_piece(struct format *f, struct str literal, unsigned key)
{
	if (literal.len > 0 || key != 0)
		vec_push(&f->pieces, (struct format_piece){literal, key});
}

/* The word in braces at the start of rest, or an empty one. */
static struct str braced(struct str rest)
{
	const char *end = rest.at[0] == '{' ? memchr(rest.at, '}', rest.len) : NULL;

	return (struct str){rest.at, end == NULL ? 0 : (size_t)(end - rest.at) + 1};
}

/* True when a person meant it to be replaced: braces are also in texts that are JSON. */
static bool is_word(struct str word)
{
	for (size_t i = 1; i + 1 < word.len; i++)
		if (strchr("<>_-/.%$", word.at[i]) == NULL && !isalnum((unsigned char)word.at[i]))
			return false;
	return word.len > 2;
}

struct str format_next_unknown(struct str *rest)
{
	while (rest->len > 0) {
		struct str word = braced(*rest);
		size_t step = is_word(word) ? word.len : 1;
		bool is_known = str_is(word, "{common}") || str_is(word, "{combined}") ||
				(word.len > 0 && find_key(word) != 0);

		*rest = (struct str){rest->at + step, rest->len - step};
		if (step > 1 && !is_known)
			return word;
	}
	return (struct str){NULL, 0};
}

void format_init(struct format *f, const char *text)
{
	struct str rest = str_from(text);
	size_t plain = 0; /* octets before rest that are literal */

	while (rest.len > 0) {
		struct str word = braced(rest);
		unsigned key = word.len > 0 ? find_key(word) : 0;
		bool is_common = str_is(word, "{common}"), is_combined = str_is(word, "{combined}");

		if (key == 0 && !is_common && !is_combined) {
			rest = (struct str){rest.at + 1, rest.len - 1};
			plain++;
			continue;
		}
		add_piece(f, (struct str){rest.at - plain, plain}, 0);
		plain = 0;
		if (key != 0)
			add_piece(f, (struct str){word.at + 2, word.len - 3}, key);
		else
			format_init(f, is_common ? FORMAT_COMMON : FORMAT_COMBINED);
		rest = (struct str){rest.at + word.len, rest.len - word.len};
	}
	add_piece(f, (struct str){rest.at - plain, plain}, 0);
}

void format_fini(struct format *f)
{
	vec_free(&f->pieces);
}

void format_want(const struct format *f, struct chain *c)
{
	vec_for_each(&f->pieces, p)
		if (p->key == KEY_METADATA)
			metadata_want(c, p->literal);
}

size_t format_write(
	const struct format *f, struct query *q, uint64_t took_ns, char out[FORMAT_LINE_MAX])
{
	struct line l = {out, 0, FORMAT_LINE_MAX - 1, q, took_ns};

	add(&l, PREFIX, sizeof(PREFIX) - 1);
	vec_for_each(&f->pieces, p) {
		if (p->key == 0)
			add(&l, p->literal.at, p->literal.len);
		else if (p->key == KEY_METADATA)
			put_metadata(&l, p->literal);
		else
			keys[p->key - 1].put(&l);
	}
	out[l.len++] = '\n';
	return l.len;
}

struct str format_metadata_key(const struct format *f, size_t i)
{
	const struct format_piece *p = &f->pieces.at[i];

	return p->key == KEY_METADATA ? p->literal : (struct str){NULL, 0};
}

size_t format_word(
	const char *word, struct query *q, uint64_t took_ns, char *out, size_t room)
{
	struct line l = {out, 0, room, q, took_ns};
	unsigned key = find_key(str_from(word));

	if (key != 0 && key != KEY_METADATA)
		keys[key - 1].put(&l);
	return l.len;
}
