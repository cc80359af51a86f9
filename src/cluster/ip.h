/*
 * A binary IP address without port or zone, as cluster objects hold it. Plain value: copy it,
 * compare it with ip_eq().
 */
#pragma once

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/str.h"

#define IP_TEXT_SIZE 46

struct ip {
	uint8_t len; /* 4, 16, or 0: no address */
	uint8_t bytes[16]; /* network order; unused ones are zero */
};

/*
 * Read canonical or non-canonical text ("10.0.0.1", "fd00::1"). 0, or -EINVAL for anything else:
 * leading zeros in IPv4, zones, and IPv4-mapped IPv6, which names one host in two families.
 */
int ip_parse(struct str text, struct ip *out);
/* Write the text of ip into out (IP_TEXT_SIZE bytes) and return out; "" for no address. */
const char *ip_text(const struct ip *ip, char *out);
/* True when no host can have it: unspecified (0.0.0.0, ::), multicast, or broadcast. */
bool ip_is_unusable(const struct ip *ip);

/* True for the same family and bytes. */
static inline bool ip_eq(const struct ip *a, const struct ip *b)
{
	return a->len == b->len && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* The order of addresses: IPv4 first, then by their bytes. As memcmp(). */
static inline int ip_compare(const struct ip *a, const struct ip *b)
{
	uint32_t x, y;

	if (a->len != b->len)
		return a->len - b->len;
	memcpy(&x, a->bytes, sizeof(x));
	memcpy(&y, b->bytes, sizeof(y));
	if (x != y)
		return ntohl(x) < ntohl(y) ? -1 : 1;
	return memcmp(a->bytes + sizeof(x), b->bytes + sizeof(x), sizeof(a->bytes) - sizeof(x));
}
