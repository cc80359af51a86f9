/*
 * dns64: addresses of IPv6 made from those of IPv4 (RFC 6147), for clients behind a NAT64.
 * setup.c reads the directive, embed.c makes addresses (RFC 6052), dns64.c answers.
 *
 * Lifetime: built in setup, read-only afterwards but for the counter; freed in teardown.
 */
#pragma once

#include "plugin.h"

struct dns64 {
	struct cidr prefix; /* 32, 40, 48, 56, 64 or 96 bits */
	bool translates_all; /* also names that have addresses of IPv6 */
	bool allows_ipv4; /* also for clients that ask over IPv4 */
	struct counters *counters; /* one: answers that were translated */
	char *server;
};

/* Read the directive (setup.c). */
int dns64_setup(struct setup *s, struct err *e);
/* True when a prefix may have that many bits (RFC 6052 2.2). */
bool dns64_is_length(unsigned bits);
/* The address for an address of IPv4: prefix, the four octets around octet 8, zeros (2.2). */
void dns64_embed(uint8_t out[16], const struct cidr *prefix, const uint8_t ip[4]);
