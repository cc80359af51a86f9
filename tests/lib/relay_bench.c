#include "relay_bench.h"

#include <errno.h>
#include <stdio.h>

#include "base/must.h"
#include "dns/name.h"
#include "dns/rr.h"
#include "dns/wire.h"

struct server servers[SERVERS_MAX];
struct relay_stats stats[SERVERS_MAX];
struct relay *relay;
struct relay_totals totals;
struct relay_config config;
const uint8_t good_ip[4] = {10, 0, 0, 1}, bad_ip[4] = {6, 6, 6, 6};
struct fake_sent last_sent;

/* --- an upstream that does as its script says --- */

static size_t question_end(const uint8_t *query)
{
	return MSG_HEADER + name_len(query + MSG_HEADER) + 4;
}

static size_t start_reply(uint8_t *out, const uint8_t *query, uint16_t flags)
{
	size_t n = question_end(query);

	memcpy(out, query, n);
	put16(out + 2, (uint16_t)(FLAG_QR | FLAG_RD | FLAG_RA | flags));
	memset(out + 6, 0, 6);
	return n;
}

static size_t add_rr(
        uint8_t *out, size_t at, const char *owner, uint16_t type, const void *rdata, size_t n)
{
	struct name name;

	if (owner == NULL) {
		put16(out + at, 0xc00c);
		at += 2;
	} else {
		must(name_from_text(&name, str_from(owner), NULL) == 0);
		memcpy(out + at, name.wire, name.len);
		at += name.len;
	}
	put16(out + at, type);
	put16(out + at + 2, CLASS_IN);
	put32(out + at + 4, 300);
	put16(out + at + 8, (uint16_t)n);
	memcpy(out + at + 10, rdata, n);
	return at + 10 + n;
}

static size_t good(uint8_t *out, const uint8_t *query, const uint8_t *ip)
{
	size_t n = start_reply(out, query, 0);

	put16(out + 6, 1);
	return add_rr(out, n, NULL, TYPE_A, ip, 4);
}

/* The good answer with something that is cleaned away, or an OPT record. */
static size_t with_more(uint8_t *out, const uint8_t *query, const char *word)
{
	size_t n = good(out, query, good_ip);

	if (strcmp(word, "ttl") == 0) {
		put32(out + n - 10, 0x80000001u);
	} else if (strcmp(word, "opt") == 0) {
		put16(out + 10, 1);
		n = add_rr(out, n, ".", TYPE_OPT, "\0\12\0\2ab", 6);
	} else if (strcmp(word, "sixty") == 0) {
		put16(out + 6, 60);
		for (unsigned i = 1; i < 60; i++)
			n = add_rr(out, n, NULL, TYPE_A, good_ip, 4);
	} else { /* extra */
		put16(out + 6, 2);
		put16(out + 8, 1);
		n = add_rr(out, n, "evil.example", TYPE_A, bad_ip, 4);
		n = add_rr(out, n, "org", TYPE_NS, "\4evil\7example", 14);
	}
	return n;
}

/* Replies that say no. */
static const struct {
	const char *word;
	uint16_t flags;
} refusals[] = {
        {"servfail", RCODE_SERVFAIL},
        {"refused", RCODE_REFUSED},
        {"notimp", RCODE_NOTIMP},
        {"nxdomain", RCODE_NXDOMAIN},
        {"nodata", RCODE_NOERROR},
        {"formerr", RCODE_FORMERR},
        {"tc", FLAG_TC},
};

/* A server that does not know our EDNS, in the one or the other way. */
static size_t without_edns(uint8_t *out, const uint8_t *query, const char *word)
{
	size_t n;

	if (get16(query + 10) == 0)
		return good(out, query, good_ip);
	if (strcmp(word, "noedns") == 0)
		return start_reply(out, query, RCODE_FORMERR);
	n = start_reply(out, query, 0);
	put16(out + 10, 1);
	n = add_rr(out, n, ".", TYPE_OPT, "", 0);
	out[n - 6] = 1; /* BADVERS is 16 */
	return n;
}

/* A reply that must not be believed. */
static size_t make_bad(uint8_t *out, const uint8_t *query, const char *word)
{
	size_t n = good(out, query, bad_ip);

	if (strcmp(word, "wrongid") == 0)
		out[0] ^= 0x55;
	else if (strcmp(word, "wrongq") == 0)
		out[MSG_HEADER + 1] ^= 1;
	else if (strcmp(word, "wrongtype") == 0)
		out[question_end(query) - 3] ^= 1;
	else if (strcmp(word, "qr0") == 0)
		out[2] &= 0x7f;
	else if (strcmp(word, "notify") == 0)
		out[2] |= OPCODE_NOTIFY << 3;
	else if (strcmp(word, "malformed") == 0)
		put16(out + n - 6, 400);
	else if (strcmp(word, "loop") == 0)
		put16(out + question_end(query), (uint16_t)(0xc000 | question_end(query)));
	else if (strcmp(word, "header") == 0)
		put16(out + question_end(query), 0xc000);
	else if (strcmp(word, "short") == 0)
		return 3;
	else if (strcmp(word, "empty") == 0)
		return 0;
	else
		fail_msg("unknown word %s", word);
	return n;
}

static bool is_one_of(const char *word, const char *list)
{
	struct str rest = str_from(list), one;

	while ((one = str_word(&rest)).len > 0)
		if (str_eq(one, str_from(word)))
			return true;
	return false;
}

size_t make(uint8_t *out, const uint8_t *query, const char *word)
{
	if (strcmp(word, "ok") == 0)
		return good(out, query, good_ip);
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++)
		if (strcmp(word, refusals[i].word) == 0)
			return start_reply(out, query, refusals[i].flags);
	if (is_one_of(word, "ttl opt sixty extra"))
		return with_more(out, query, word);
	if (is_one_of(word, "noedns badvers"))
		return without_edns(out, query, word);
	if (strcmp(word, "bareformerr") == 0) {
		start_reply(out, query, RCODE_FORMERR);
		put16(out + 4, 0);
		return MSG_HEADER;
	}
	return make_bad(out, query, word);
}

/* What the kernel reports in place of a reply; 0: nothing. */
static int kernel_error(const char *word)
{
	static const struct {
		const char *word;
		int error;
	} rows[] = {
	        {"icmp", -ECONNREFUSED},
	        {"eperm", -EPERM},
	        {"nonet", -ENETUNREACH},
	        {"nobufs", -ENOBUFS},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(rows[i].word, word) == 0)
			return rows[i].error;
	return 0;
}

/* One word: NAME, NAME@DELAY, drop, or two joined by + (the second 50 ms later). */
static void act_udp(const struct fake_sent *sent, const char *word)
{
	uint8_t out[RELAY_DATAGRAM_MAX];
	char name[32];
	unsigned delay = 1;
	const char *plus = strchr(word, '+');

	if (plus != NULL) {
		snprintf(name, sizeof(name), "%.*s", (int)(plus - word), word);
		act_udp(sent, name);
		snprintf(name, sizeof(name), "%s@51", plus + 1);
		act_udp(sent, name);
		return;
	}
	sscanf(word, "%31[a-z0-9]@%u", name, &delay);
	if (strcmp(name, "drop") == 0)
		return;
	if (kernel_error(name) != 0)
		fake_error(sent, delay, kernel_error(name));
	else
		fake_reply(sent, delay, out, make(out, sent->data, name));
}

static size_t framed(uint8_t *out, const uint8_t *query, const char *word)
{
	size_t n = make(out + 2, query, word);

	put16(out, (uint16_t)n);
	return n + 2;
}

static void act_tcp(struct server *s, const struct fake_sent *sent, const char *word)
{
	uint8_t out[4096];
	unsigned cut;
	size_t n;

	if (strcmp(word, "close") == 0) {
		fake_error(sent, 1, 0);
	} else if (strcmp(word, "reset") == 0) {
		fake_error(sent, 1, -ECONNRESET);
	} else if (strcmp(word, "refuse") == 0) {
		fake_error(sent, 1, -ECONNREFUSED);
	} else if (strcmp(word, "zero") == 0) {
		fake_reply(sent, 1, "\0\0", 2);
	} else if (sscanf(word, "cut%u", &cut) == 1) {
		framed(out, sent->data, "ok");
		fake_reply(sent, 1, out, cut);
		fake_error(sent, 2, -ECONNRESET);
	} else if (strcmp(word, "last") == 0) {
		n = framed(out, sent->data, "ok");
		fake_reply(sent, 1, out, n);
		fake_error(sent, 1, 0);
	} else if (strcmp(word, "bytes") == 0) {
		n = framed(out, sent->data, "ok");
		for (size_t i = 0; i < n; i++)
			fake_reply(sent, 1 + i, out + i, 1);
	} else if (strcmp(word, "glue") == 0) {
		s->carry_len = framed(s->carry, sent->data, "ok");
	} else if (strcmp(word, "drop") != 0) {
		memcpy(out, s->carry, s->carry_len);
		n = framed(out + s->carry_len, sent->data, word);
		fake_reply(sent, 1, out, s->carry_len + n);
		s->carry_len = 0;
	}
}

bool is_probe(const struct fake_sent *sent)
{
	return sent->data[MSG_HEADER] == 0 && sent->data[MSG_HEADER + 2] == TYPE_NS;
}

static void on_send(const struct fake_sent *sent)
{
	struct server *s = &servers[addr_port(&sent->to) - 53];
	struct str rest = str_from(sent->is_tcp ? s->tcp : s->udp), word = {0}, next;
	unsigned i = sent->is_tcp ? s->tcp_count : s->udp_count;
	char text[64];

	if (is_probe(sent)) {
		fake_net.udp_sent -= !sent->is_tcp;
		fake_net.tcp_sent -= sent->is_tcp;
	} else {
		s->udp_count += !sent->is_tcp;
		s->tcp_count += sent->is_tcp;
	}
	for (unsigned k = 0; k <= i && (next = str_word(&rest)).len > 0; k++)
		word = next;
	snprintf(text, sizeof(text), "%.*s", (int)word.len, word.at);
	if (sent->is_tcp)
		act_tcp(s, sent, text);
	else
		act_udp(sent, text);
}

/* --- asking --- */

void set_up(unsigned n)
{
	struct relay_target targets[SERVERS_MAX] = {0};

	fake_net_reset();
	fake_net.on_send = on_send;
	memset(stats, 0, sizeof(stats));
	memset(&totals, 0, sizeof(totals));
	relay = relay_new(&fake_host, &totals);
	fake_net_own(relay);
	relay_config_init(&config);
	config.policy = RELAY_SEQUENTIAL;
	for (unsigned i = 0; i < n; i++) {
		addr_from_text(&targets[i].addr, STR("192.0.2.1"), (uint16_t)(53 + i));
		targets[i].stats = &stats[i];
	}
	relay_set(relay, &config, targets, n);
}

void tear_down(void)
{
	relay_free(relay);
	fake_net_reset();
}

size_t make_query(uint8_t *out, struct msg *m, const char *name, uint16_t type)
{
	struct name n;

	must(name_from_text(&n, str_from(name), NULL) == 0);
	memset(out, 0, MSG_HEADER);
	put16(out, 0x1234);
	put16(out + 2, FLAG_RD);
	put16(out + 4, 1);
	memcpy(out + MSG_HEADER, n.wire, n.len);
	put16(out + MSG_HEADER + n.len, type);
	put16(out + MSG_HEADER + n.len + 2, CLASS_IN);
	must(msg_parse(m, out, MSG_HEADER + n.len + 4u) == MSG_ANSWER);
	return MSG_HEADER + n.len + 4u;
}

void on_reply(struct relay_waiter *w, const struct relay_reply *reply)
{
	struct asked *a = (struct asked *)w;

	assert_false(a->is_done);
	a->is_done = true;
	a->done_ms = fake_now_ms();
	a->rcode = reply->rcode;
	a->ede = reply->ede;
	a->is_truncated = reply->is_truncated;
	a->is_authentic = reply->is_authentic;
	a->error = reply->error;
	a->len = reply->message == NULL ? 0 : reply->len;
	if (reply->message != NULL)
		memcpy(a->message, reply->message, reply->len);
}

void ask(struct asked *a, const char *name)
{
	uint8_t wire[512];
	struct msg m;

	a->is_done = false;
	a->waiter.on_reply = on_reply;
	make_query(wire, &m, name, TYPE_A);
	relay_ask(relay, wire, &m, &a->waiter);
}

const char *outcome(const struct asked *a)
{
	static char text[64];
	char rcode[16];

	if (!a->is_done)
		return "nothing";
	snprintf(text, sizeof(text), "%s%s%s", rcode_text(a->rcode, rcode),
	        a->is_truncated ? " TC" : "",
	        a->len == 0 || get16(a->message + 6) == 0          ? ""
	        : memcmp(a->message + a->len - 4, good_ip, 4) == 0 ? " good"
	                                                           : " BAD");
	return text;
}

void one_question(const char *udp, const char *tcp)
{
	memset(servers, 0, sizeof(servers));
	servers[0].udp = udp;
	servers[0].tcp = tcp;
	set_up(1);
}

void keep_sent(const struct fake_sent *sent)
{
	if (!is_probe(sent))
		last_sent = *sent;
}
