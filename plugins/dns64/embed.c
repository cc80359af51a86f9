#include <string.h>

#include "dns64/dns64.h"

#define OCTET_U 8u /* bits 64 to 71 are zero in every format */

bool dns64_is_length(unsigned bits)
{
	return bits == 96 || (bits >= 32 && bits <= 64 && bits % 8 == 0);
}

void dns64_embed(uint8_t out[16], const struct cidr *prefix, const uint8_t ip[4])
{
	unsigned at = prefix->bits / 8;

	memset(out, 0, 16);
	memcpy(out, prefix->addr, at);
	for (unsigned i = 0; i < 4; i++, at++) {
		if (at == OCTET_U)
			at++;
		out[at] = ip[i];
	}
}
