#include "conf/cidr.h"

#include <arpa/inet.h>
#include <errno.h>

#include "base/num.h"

int cidr_parse_ip(struct str text, struct cidr *out)
{
	char copy[INET6_ADDRSTRLEN + 1];

	*out = (struct cidr){.bits = 32};
	if (text.len == 0 || text.len >= sizeof(copy) || memchr(text.at, '\0', text.len) != NULL)
		return -EINVAL;
	memcpy(copy, text.at, text.len);
	copy[text.len] = '\0';
	if (inet_pton(AF_INET, copy, out->addr) == 1)
		return 0;
	out->bits = 128;
	out->is_v6 = true;
	return inet_pton(AF_INET6, copy, out->addr) == 1 ? 0 : -EINVAL;
}

static void clear_host_bits(struct cidr *c)
{
	for (unsigned i = c->bits; i < (c->is_v6 ? 128u : 32u); i++)
		c->addr[i / 8] &= (uint8_t) ~(0x80u >> i % 8);
}

int cidr_parse(struct str text, struct cidr *out)
{
	struct str rest = text, ip = str_cut(&rest, '/');
	uint32_t bits;

	if (rest.at == NULL || rest.len > 3 || cidr_parse_ip(ip, out) != 0 ||
	        num_u32(rest, out->bits, &bits) != 0)
		return -EINVAL;
	out->bits = (uint8_t)bits;
	clear_host_bits(out);
	return 0;
}

int cidr_parse_any(struct str text, struct cidr *out)
{
	bool has_mask = text.len > 0 && memchr(text.at, '/', text.len) != NULL;

	return has_mask ? cidr_parse(text, out) : cidr_parse_ip(text, out);
}

bool cidr_has(const struct cidr *c, const uint8_t *addr, bool is_v6)
{
	size_t whole = c->bits / 8;
	uint8_t mask = (uint8_t)(0xff00u >> c->bits % 8);

	if (c->is_v6 != is_v6 || memcmp(c->addr, addr, whole) != 0)
		return false;
	return c->bits % 8 == 0 || ((c->addr[whole] ^ addr[whole]) & mask) == 0;
}
