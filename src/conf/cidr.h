/*
 * Address blocks such as 10.96.0.0/12 and 2001:db8::/32, as text of a configuration. Used by
 * conf/zonekey.h for reverse zones and by plugins (acl, prefer). Pure; owns nothing.
 */
#pragma once

#include "base/str.h"

struct cidr {
	uint8_t addr[16]; /* 4 bytes used for IPv4; bits behind the prefix are zero */
	uint8_t bits; /* length of the prefix */
	bool is_v6;
};

/* An address without a mask (bits is 32 or 128). 0, or -EINVAL. */
int cidr_parse_ip(struct str text, struct cidr *out);
/* ADDRESS/BITS; bits behind the prefix are cleared. 0, or -EINVAL. */
int cidr_parse(struct str text, struct cidr *out);
/* cidr_parse() or cidr_parse_ip(), whichever the text looks like. 0, or -EINVAL. */
int cidr_parse_any(struct str text, struct cidr *out);
/* True when the address (4 or 16 bytes in network order, as is_v6 says) lies in the block. */
bool cidr_has(const struct cidr *c, const uint8_t *addr, bool is_v6);
