/*
 * Server cookies (RFC 7873, RFC 9018): an answer carries the client's cookie and ours, which
 * proves on the next query that the client's address is not forged. Stateless: SipHash of the
 * client cookie, our header and the address, under a secret.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COOKIE_CLIENT 8
#define COOKIE_FULL 24

/* The current secret, and the one before it, which is still accepted during a roll-over. */
struct cookie_secrets {
	uint8_t current[16];
	uint8_t previous[16];
	bool has_previous;
};

/* Who sent it: 4 or 16 octets of address. */
struct cookie_client {
	const uint8_t *addr;
	size_t addr_len;
};

/*
 * Make the 24 octets for the client cookie at client8 in out; now_s are seconds since 1970, of
 * which the low 32 bits count (RFC 9018 4.3).
 */
void cookie_make(uint8_t out[COOKIE_FULL], const uint8_t secret[16], const uint8_t client8[8],
	struct cookie_client from, uint32_t now_s);

enum cookie_state {
	COOKIE_BAD,   /* not ours, too old or from the future: send a new one */
	COOKIE_RENEW, /* good, but older than half an hour: send a new one */
	COOKIE_GOOD,
};

/* Check the len octets (client and server part) that a client sent (RFC 9018 4.3, 5). */
enum cookie_state cookie_check(const struct cookie_secrets *s, const uint8_t *cookie, size_t len,
	struct cookie_client from, uint32_t now_s);
