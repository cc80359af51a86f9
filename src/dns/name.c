#include "dns/name.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/must.h"

/* One octet of a label in presentation form; advances *text. -1 for a bad escape. */
static int read_octet(struct str *text)
{
	unsigned v = 0;

	if (text->at[0] != '\\') {
		v = (uint8_t)text->at[0];
		*text = (struct str){text->at + 1, text->len - 1};
		return (int)v;
	}
	if (text->len < 2)
		return -1;
	if (text->at[1] < '0' || text->at[1] > '9') {
		v = (uint8_t)text->at[1];
		*text = (struct str){text->at + 2, text->len - 2};
		return (int)v;
	}
	if (text->len < 4)
		return -1;
	for (int i = 1; i <= 3; i++) {
		if (text->at[i] < '0' || text->at[i] > '9')
			return -1;
		v = v * 10 + (unsigned)(text->at[i] - '0');
	}
	*text = (struct str){text->at + 4, text->len - 4};
	return v > 255 ? -1 : (int)v;
}

static int read_label(struct name *n, struct str *text, struct err *e)
{
	size_t start = n->len;
	int octet;

	n->len++;
	while (text->len > 0 && text->at[0] != '.') {
		octet = read_octet(text);
		if (octet < 0)
			return err_set(e, -EINVAL, "bad escape in domain name");
		if (n->len - start > NAME_MAX_LABEL)
			return err_set(e, -EINVAL, "label of domain name is longer than 63 octets");
		if (n->len >= NAME_MAX_OCTETS - 1)
			return err_set(e, -EINVAL, "domain name is longer than 255 octets");
		n->wire[n->len++] = (uint8_t)octet;
	}
	if (n->len - start == 1)
		return err_set(e, -EINVAL, "domain name has an empty label");
	n->wire[start] = (uint8_t)(n->len - start - 1);
	return 0;
}

int name_from_text(struct name *n, struct str text, struct err *e)
{
	n->len = 0;
	if (text.len == 0)
		return err_set(e, -EINVAL, "domain name is empty");
	if (str_is(text, "."))
		text.len = 0;
	while (text.len > 0) {
		int rc = read_label(n, &text, e);

		if (rc != 0)
			return rc;
		if (text.len > 0)
			text = (struct str){text.at + 1, text.len - 1};
	}
	n->wire[n->len++] = 0;
	return 0;
}

size_t name_to_text(char *out, const uint8_t *wire)
{
	char *p = out;

	if (*wire == 0)
		*p++ = '.';
	while (*wire != 0) {
		unsigned left = *wire++;

		for (; left > 0; left--, wire++) {
			if (*wire <= 32 || *wire > 126) {
				p += snprintf(p, 5, "\\%03u", *wire);
				continue;
			}
			if (memchr(".\\\"();@$", *wire, 8) != NULL)
				*p++ = '\\';
			*p++ = (char)*wire;
		}
		*p++ = '.';
	}
	*p = '\0';
	return (size_t)(p - out);
}

size_t name_len(const uint8_t *wire)
{
	const uint8_t *p = wire;

	while (*p != 0)
		p += *p + 1;
	return (size_t)(p - wire) + 1;
}

unsigned name_labels(const uint8_t *wire)
{
	unsigned n = 0;

	for (; *wire != 0; wire += *wire + 1)
		n++;
	return n;
}

size_t name_check(const uint8_t *wire, size_t max)
{
	size_t at = 0;

	if (max > NAME_MAX_OCTETS)
		max = NAME_MAX_OCTETS;
	while (at < max && wire[at] != 0) {
		if (wire[at] > NAME_MAX_LABEL)
			return 0;
		at += wire[at] + 1u;
	}
	return at < max ? at + 1 : 0;
}

static uint8_t fold(uint8_t c)
{
	return (uint8_t)(c - 'A') < 26 ? (uint8_t)(c | 0x20) : c;
}

/* Eight octets at a time: set 0x20 in each byte between 'A' and 'Z'. */
static uint64_t fold8(uint64_t v)
{
	const uint64_t ones = 0x0101010101010101u;
	uint64_t low7 = v & (0x7f * ones);
	uint64_t ge_a = low7 + (0x80 - 'A') * ones;
	uint64_t gt_z = low7 + (0x80 - 'Z' - 1) * ones;
	uint64_t is_upper = (ge_a ^ gt_z) & ~v & (0x80 * ones);

	return v | is_upper >> 2;
}

void name_fold(uint8_t *dst, const uint8_t *src, size_t len)
{
	uint64_t v;

	for (; len >= 8; len -= 8, src += 8, dst += 8) {
		memcpy(&v, src, 8);
		v = fold8(v);
		memcpy(dst, &v, 8);
	}
	for (size_t i = 0; i < len; i++)
		dst[i] = fold(src[i]);
}

static bool same_folded(const uint8_t *a, const uint8_t *b, size_t n)
{
	uint64_t u, v;

	for (; n >= 8; n -= 8, a += 8, b += 8) {
		memcpy(&u, a, 8);
		memcpy(&v, b, 8);
		if (u != v && fold8(u) != fold8(v))
			return false;
	}
	for (size_t i = 0; i < n; i++)
		if (fold(a[i]) != fold(b[i]))
			return false;
	return true;
}

bool name_equal(const uint8_t *a, const uint8_t *b)
{
	size_t n = name_len(a);

	return n == name_len(b) && same_folded(a, b, n);
}

bool name_is_under(const uint8_t *name, const uint8_t *zone)
{
	unsigned a = name_labels(name), b = name_labels(zone);

	return a >= b && name_equal(name_skip(name, a - b), zone);
}

const uint8_t *name_skip(const uint8_t *wire, unsigned skip)
{
	while (skip-- > 0 && *wire != 0)
		wire += *wire + 1;
	return wire;
}

int name_append(struct name *a, const uint8_t *b)
{
	size_t n = name_len(b), at = a->len == 0 ? 0 : a->len - 1u;

	if (at + n > NAME_MAX_OCTETS)
		return -ENAMETOOLONG;
	memcpy(a->wire + at, b, n);
	a->len = (uint8_t)(at + n);
	return 0;
}

void name_set(struct name *n, const uint8_t *wire)
{
	n->len = (uint8_t)name_len(wire);
	memcpy(n->wire, wire, n->len);
}

int name_prepend(struct name *n, struct str label)
{
	if (label.len == 0 || label.len > NAME_MAX_LABEL ||
		n->len + label.len + 1 > NAME_MAX_OCTETS)
		return -ENAMETOOLONG;
	memmove(n->wire + label.len + 1, n->wire, n->len);
	n->wire[0] = (uint8_t)label.len;
	memcpy(n->wire + 1, label.at, label.len);
	n->len = (uint8_t)(n->len + label.len + 1);
	return 0;
}

void name_from_addr(struct name *n, int family, const uint8_t *addr)
{
	char text[80], *p = text;

	if (family == AF_INET) {
		p += snprintf(p, sizeof(text), "%u.%u.%u.%u.in-addr.arpa", addr[3], addr[2],
		        addr[1], addr[0]);
	} else {
		for (int i = 15; i >= 0; i--)
			p += snprintf(p, 5, "%x.%x.", addr[i] & 15u, addr[i] >> 4);
		p += snprintf(p, 9, "ip6.arpa");
	}
	must(name_from_text(n, (struct str){text, (size_t)(p - text)}, NULL) == 0);
}

/* Decimal label 0..255 without leading zeros. */
static bool read_octet_label(const uint8_t *label, uint8_t *out)
{
	unsigned v = 0;

	if (label[0] < 1 || label[0] > 3 || (label[0] > 1 && label[1] == '0'))
		return false;
	for (unsigned i = 1; i <= label[0]; i++) {
		if (label[i] < '0' || label[i] > '9')
			return false;
		v = v * 10 + label[i] - '0';
	}
	*out = (uint8_t)v;
	return v < 256;
}

static int read_nibble_label(const uint8_t *label)
{
	uint8_t c = fold(label[1]);

	if (label[0] != 1)
		return -1;
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int read_v4(const uint8_t *wire, uint8_t addr[16])
{
	for (int i = 3; i >= 0; i--, wire += *wire + 1)
		if (!read_octet_label(wire, &addr[i]))
			return 0;
	return name_equal(wire, (const uint8_t *)"\7in-addr\4arpa") ? 4 : 0;
}

static int read_v6(const uint8_t *wire, uint8_t addr[16])
{
	for (int i = 0; i < 32; i++, wire += *wire + 1) {
		int v = read_nibble_label(wire);

		if (v < 0)
			return 0;
		if (i % 2 == 0)
			addr[15 - i / 2] = (uint8_t)v;
		else
			addr[15 - i / 2] = (uint8_t)(addr[15 - i / 2] | v << 4);
	}
	return name_equal(wire, (const uint8_t *)"\3ip6\4arpa") ? 16 : 0;
}

int name_to_addr(const uint8_t *wire, uint8_t addr[16])
{
	switch (name_labels(wire)) {
	case 6: return read_v4(wire, addr);
	case 34: return read_v6(wire, addr);
	default: return 0;
	}
}

int name_to_prefix(const uint8_t *wire, uint8_t addr[16], unsigned *bits)
{
	unsigned labels = name_labels(wire), n = labels < 2 ? 0 : labels - 2;
	bool is_v4 = name_equal(name_skip(wire, n), (const uint8_t *)"\7in-addr\4arpa");

	memset(addr, 0, 16);
	*bits = n * (is_v4 ? 8 : 4);
	if (n == 0 || n > (is_v4 ? 4 : 32))
		return 0;
	if (!is_v4 && !name_equal(name_skip(wire, n), (const uint8_t *)"\3ip6\4arpa"))
		return 0;
	for (; n > 0; n--, wire += *wire + 1) {
		int nibble = is_v4 ? 0 : read_nibble_label(wire);

		if (nibble < 0 || (is_v4 && !read_octet_label(wire, &addr[n - 1])))
			return 0;
		if (!is_v4)
			addr[(n - 1) / 2] |= (uint8_t)(n % 2 == 1 ? nibble << 4 : nibble);
	}
	return is_v4 ? 4 : 16;
}
