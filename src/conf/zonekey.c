#include "conf/zonekey.h"

#include <errno.h>
#include <stdio.h>

#include "base/must.h"
#include "base/num.h"
#include "conf/cidr.h"

static const struct {
	const char *name;
	uint16_t port;
} schemes[] = {
        [SCHEME_DNS] = {"dns", 53},
        [SCHEME_TLS] = {"tls", 853},
        [SCHEME_QUIC] = {"quic", 853},
        [SCHEME_GRPC] = {"grpc", 443},
        [SCHEME_HTTPS] = {"https", 443},
        [SCHEME_HTTPS3] = {"https3", 443},
};

const char *scheme_name(enum scheme s)
{
	return schemes[s].name;
}

uint16_t scheme_port(enum scheme s, uint16_t dns_port)
{
	return s == SCHEME_DNS ? dns_port : schemes[s].port;
}

int scheme_cut(struct str *rest, enum scheme *out)
{
	const char *mark = rest->len == 0 ? NULL : memmem(rest->at, rest->len, "://", 3);
	struct str name;

	*out = SCHEME_DNS;
	if (mark == NULL)
		return 0;
	name = (struct str){rest->at, (size_t)(mark - rest->at)};
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		if (!str_eq_nocase(name, str_from(schemes[i].name)))
			continue;
		*out = (enum scheme)i;
		*rest = (struct str){mark + 3, rest->len - name.len - 3};
		return 0;
	}
	return -EINVAL;
}

/* Octets of one label or one dot at the front of *rest. */
struct octet {
	uint8_t value;
	bool is_dot; /* the end of a label */
};

static int read_escape(struct str *rest, uint8_t *out)
{
	uint32_t v;

	if (rest->len < 1)
		return -EINVAL;
	if (rest->at[0] < '0' || rest->at[0] > '9') {
		*out = (uint8_t)rest->at[0];
		*rest = (struct str){rest->at + 1, rest->len - 1};
		return 0;
	}
	if (rest->len < 3 || num_u32((struct str){rest->at, 3}, 255, &v) != 0)
		return -EINVAL;
	*out = (uint8_t)v;
	*rest = (struct str){rest->at + 3, rest->len - 3};
	return 0;
}

static int read_octet(struct str *rest, struct octet *out)
{
	char c = rest->at[0];

	*rest = (struct str){rest->at + 1, rest->len - 1};
	*out = (struct octet){.value = (uint8_t)c, .is_dot = c == '.'};
	return c == '\\' ? read_escape(rest, &out->value) : 0;
}

static size_t write_octet(char *to, uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		c = (uint8_t)(c + 'a' - 'A');
	if (c <= ' ' || c > '~')
		return (size_t)sprintf(to, "\\%03u", c);
	if (strchr(".\\\"();@$", c) != NULL) {
		to[0] = '\\';
		to[1] = (char)c;
		return 2;
	}
	to[0] = (char)c;
	return 1;
}

static int name_error(struct str text, struct err *e, const char *why)
{
	return err_set(e, -EINVAL, "zone is not a valid domain name: '%.*s' %s", (int)text.len,
	        text.at, why);
}

int zone_normalise(struct str text, char out[ZONE_TEXT_MAX], struct err *e)
{
	struct str rest = text;
	size_t n = 0, label = 0, wire = 1;
	struct octet c;

	if (text.len == 0 || str_is(text, ".")) {
		memcpy(out, ".", 2);
		return 0;
	}
	while (rest.len > 0) {
		if (read_octet(&rest, &c) != 0)
			return name_error(text, e, "has a bad \\ escape");
		if (c.is_dot && label == 0)
			return name_error(text, e, "has an empty label");
		wire += label == 0 ? 2 : !c.is_dot;
		if (wire > 255)
			return err_set(
			        e, -EINVAL, "specified zone is too long: %.40s... > 255", text.at);
		label = c.is_dot ? 0 : label + 1;
		if (label > 63)
			return name_error(text, e, "has a label of more than 63 octets");
		if (c.is_dot)
			out[n++] = '.';
		else
			n += write_octet(out + n, c.value);
	}
	if (label > 0)
		out[n++] = '.';
	out[n] = '\0';
	return 0;
}

/* The reverse zone of the first bits of addr, which are a whole number of octets or nibbles. */
static const char *reverse_zone(const struct cidr *c, unsigned bits, struct arena *a)
{
	char text[80];
	size_t n = 0;

	if (c->is_v6)
		for (unsigned i = bits / 4; i-- > 0;)
			n += (size_t)sprintf(text + n, "%x.",
			        i % 2 == 0 ? c->addr[i / 2] >> 4 : c->addr[i / 2] & 15);
	else
		for (unsigned i = bits / 8; i-- > 0;)
			n += (size_t)sprintf(text + n, "%u.", c->addr[i]);
	snprintf(text + n, sizeof(text) - n, "%s", c->is_v6 ? "ip6.arpa." : "in-addr.arpa.");
	return arena_str(a, text);
}

/* The reverse zones of a block: its own when it ends at a label, else all at the next label. */
static void expand_cidr(const struct cidr *c, struct arena *a, struct zone_names *out)
{
	unsigned step = c->is_v6 ? 4 : 8;
	unsigned bits = (c->bits + step - 1) / step * step;
	unsigned count = 1u << (bits - c->bits);
	struct cidr sub = *c;

	for (unsigned i = 0; i < count; i++) {
		if (bits > 0) {
			unsigned shift = step == 4 && bits % 8 == 4 ? 4 : 0;
			size_t last = (bits - 1) / 8;

			sub.addr[last] = (uint8_t)(c->addr[last] | i << shift);
		}
		vec_push(&out->list, reverse_zone(&sub, bits, a));
	}
}

/* Text that is meant as an address block but is none, and would make an absurd name. */
static bool is_bad_cidr(struct str text)
{
	struct str rest = text, ip = str_cut(&rest, '/');
	struct cidr c;

	return cidr_parse_ip(ip, &c) == 0 && (rest.at != NULL || c.is_v6);
}

int zone_expand(struct str text, struct arena *a, struct zone_names *out, struct err *e)
{
	char name[ZONE_TEXT_MAX];
	struct cidr c;
	int rc;

	if (cidr_parse(text, &c) == 0) {
		expand_cidr(&c, a, out);
		return 0;
	}
	if (is_bad_cidr(text))
		return err_set(e, -EINVAL,
		        "'%.*s' is no valid address block: write ADDRESS/BITS, such as "
		        "10.96.0.0/12",
		        (int)text.len, text.at);
	rc = zone_normalise(text, name, e);
	if (rc == 0)
		vec_push(&out->list, (const char *)arena_str(a, name));
	return rc;
}

/* Cut ":port" from the end of *rest. A port that is missing leaves *port as it is. */
static int cut_port(struct str *rest, uint16_t *port, bool *has_port, struct err *e)
{
	const char *colon = rest->len == 0 ? NULL : memrchr(rest->at, ':', rest->len);
	struct str digits;
	struct cidr c;

	*has_port = false;
	if (colon == NULL || cidr_parse_any(*rest, &c) == 0)
		return 0;
	digits = (struct str){colon + 1, rest->len - (size_t)(colon + 1 - rest->at)};
	if (digits.len == 0)
		return err_set(e, -EINVAL, "expecting data after last colon: \"%.*s\"",
		        (int)rest->len, rest->at);
	if (num_u16(digits, UINT16_MAX, port) != 0 || *port == 0)
		return err_set(e, -EINVAL, "'%.*s' is no port: expected 1 to 65535",
		        (int)digits.len, digits.at);
	rest->len = (size_t)(colon - rest->at);
	*has_port = true;
	return 0;
}

int zone_key_parse(
        struct str text, uint16_t dns_port, struct arena *a, struct zone_keys *out, struct err *e)
{
	struct zone_names names = {0};
	struct zone_key key = {0};
	struct str rest = text;
	int rc = scheme_cut(&rest, &key.scheme);

	if (rc != 0)
		return err_set(e, rc,
		        "unknown scheme in '%.*s': expected dns, tls, quic, grpc, https or https3",
		        (int)text.len, text.at);
	key.port = scheme_port(key.scheme, dns_port);
	rc = cut_port(&rest, &key.port, &key.has_port, e);
	if (rc == 0)
		rc = zone_expand(rest, a, &names, e);
	vec_for_each (&names.list, zone) {
		key.zone = *zone;
		vec_push(&out->list, key);
	}
	vec_free(&names.list);
	return rc;
}
