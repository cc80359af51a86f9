/*
 * SHA-512 (FIPS 180-4) in one pass over pieces: the fingerprint of a configuration, which CoreDNS
 * logs as `Running configuration SHA512` and shows in a metric. Not used for secrets. Pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct sha512 {
	uint64_t state[8];
	uint64_t total; /* bytes added */
	uint8_t block[128];
};

/* Start a hash. */
void sha512_init(struct sha512 *h);
/* Add n bytes. */
void sha512_add(struct sha512 *h, const void *data, size_t n);
/* Finish and write the 64 bytes; h must be started again before its next use. */
void sha512_end(struct sha512 *h, uint8_t out[64]);
