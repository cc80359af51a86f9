#include <string.h>

#include "core/metadata.h"
#include "dns/wire.h"
#include "rewrite/rewrite.h"

#define OPT_FIXED 11u
#define CODE_NSID 3u
#define CODE_SUBNET 8u

void subject_read_options(struct subject *s, const struct query *q)
{
	const struct edns *edns = &q->msg.edns;
	size_t from = edns->offset + OPT_FIXED;

	s->has_edns = edns->is_present;
	s->options_len = edns->is_present && edns->end > from ? edns->end - from : 0;
	memcpy(s->options, q->buf + from, s->options_len);
}

/* The option with that code: its offset, and *len with its head; or the end. */
static size_t find_option(const struct subject *s, uint16_t code, size_t *len)
{
	size_t at = 0;

	while (at + 4 <= s->options_len) {
		*len = 4u + get16(s->options + at + 2);
		if (*len > s->options_len - at)
			break;
		if (get16(s->options + at) == code)
			return at;
		at += *len;
	}
	*len = 0;
	return s->options_len;
}

static void remove_option(struct subject *s, size_t at, size_t len)
{
	memmove(s->options + at, s->options + at + len, s->options_len - at - len);
	s->options_len -= len;
}

static void add_option(struct subject *s, uint16_t code, const uint8_t *data, size_t n)
{
	if (s->options_len + 4 + n > sizeof(s->options) / 2)
		return; /* a question that long is none of a client's */
	put16(s->options + s->options_len, code);
	put16(s->options + s->options_len + 2, (uint16_t)n);
	memcpy(s->options + s->options_len + 4, data, n);
	s->options_len += 4 + n;
	s->has_edns = true;
}

/* Family, prefix lengths and the octets of the prefix (RFC 7871 6). */
static size_t write_subnet(uint8_t *out, const struct edns_rule *r, const union addr *client)
{
	size_t n;
	const uint8_t *ip = addr_ip(client, &n);
	uint8_t bits = n == 4 ? r->bits4 : r->bits6;
	size_t octets = (bits + 7u) / 8;

	put16(out, n == 4 ? 1 : 2);
	out[2] = bits;
	out[3] = 0;
	memcpy(out + 4, ip, octets);
	if (bits % 8 != 0)
		out[4 + octets - 1] &= (uint8_t)(0xff << (8 - bits % 8));
	return 4 + octets;
}

static size_t write_addr(uint8_t *out, const union addr *a)
{
	size_t n;
	const uint8_t *ip = addr_ip(a, &n);

	memcpy(out, ip, n);
	return n;
}

static size_t write_port(uint8_t *out, const union addr *a)
{
	put16(out, addr_port(a));
	return 2;
}

/* What {variable} is for this question: addresses and numbers in octets, names as text. */
static size_t write_variable(uint8_t *out, const struct subject *s, const char *variable)
{
	const struct query *q = s->query;
	const char *protocol = q->transport == TRANSPORT_UDP ? "udp" : "tcp";

	if (strcmp(variable, "qname") == 0) {
		size_t n = s->name_len < REWRITE_VALUE_MAX ? s->name_len : REWRITE_VALUE_MAX;

		memcpy(out, s->name, n);
		return n;
	}
	if (strcmp(variable, "qtype") == 0) {
		put16(out, s->type);
		return 2;
	}
	if (strcmp(variable, "client_ip") == 0)
		return write_addr(out, &q->client);
	if (strcmp(variable, "client_port") == 0)
		return write_port(out, &q->client);
	if (strcmp(variable, "server_ip") == 0)
		return write_addr(out, &q->local);
	if (strcmp(variable, "server_port") == 0)
		return write_port(out, &q->local);
	memcpy(out, protocol, 3);
	return 3;
}

/* A value of metadata; none is an option without data, as in CoreDNS. */
static size_t write_label(uint8_t *out, const struct subject *s, struct str label)
{
	struct str value = {"", 0};

	metadata_get(s->query, label, &value);
	if (value.len > REWRITE_VALUE_MAX)
		value.len = REWRITE_VALUE_MAX;
	if (value.len > 0)
		memcpy(out, value.at, value.len);
	return value.len;
}

static size_t write_value(uint8_t *out, const struct subject *s, const struct edns_rule *r)
{
	if (r->kind == EDNS_SUBNET)
		return write_subnet(out, r, &s->query->client);
	if (r->kind == EDNS_NSID)
		return 0;
	if (r->variable != NULL)
		return write_variable(out, s, r->variable);
	if (r->label.len > 0)
		return write_label(out, s, r->label);
	memcpy(out, r->data, r->len);
	return r->len;
}

bool subject_edit_options(struct subject *s, const struct edns_rule *r)
{
	uint16_t code = r->kind == EDNS_NSID     ? CODE_NSID
	                : r->kind == EDNS_SUBNET ? CODE_SUBNET
	                                         : r->code;
	uint8_t value[REWRITE_VALUE_MAX];
	size_t len, at = find_option(s, code, &len);
	bool is_there = len > 0;

	if ((r->action == EDNS_REPLACE || r->action == EDNS_UNSET) && !is_there)
		return false;
	if (r->action == EDNS_APPEND && is_there && r->kind != EDNS_LOCAL)
		return false; /* one is all that may be there */
	if (is_there && r->action != EDNS_APPEND)
		remove_option(s, at, len);
	if (r->action != EDNS_UNSET)
		add_option(s, code, value, write_value(value, s, r));
	s->is_changed = true;
	return true;
}
