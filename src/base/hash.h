/*
 * Keyed hashes. hash_bytes() is for tables whose keys outsiders choose (names); siphash24() is
 * the PRF of DNS cookies (RFC 9018 4.4).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t hash_mix(uint64_t a, uint64_t b)
{
	unsigned __int128 m = (unsigned __int128)a * b;

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

/* Up to eight bytes as a little number. */
static inline uint64_t hash_tail(const uint8_t *p, size_t n)
{
	uint64_t v = 0;
	uint32_t lo, hi;

	if (n >= 4) {
		memcpy(&lo, p, 4);
		memcpy(&hi, p + n - 4, 4);
		return (uint64_t)lo << 32 | hi;
	}
	for (size_t i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

/*
 * 64-bit hash of n bytes under seed (random for each process). A folded multiply of 16 bytes a
 * step; not cryptographic, but collisions cannot be prepared without the seed.
 */
static inline uint64_t hash_bytes(uint64_t seed, const void *data, size_t n)
{
	const uint8_t *p = data;
	uint64_t h = seed ^ 0x9e3779b97f4a7c15u, a, b, left = n;

	for (; left > 16; left -= 16, p += 16) {
		memcpy(&a, p, 8);
		memcpy(&b, p + 8, 8);
		h = hash_mix(a ^ 0xa0761d6478bd642fu ^ h, b ^ 0xe7037ed1a0b428dbu);
	}
	a = hash_tail(p, left > 8 ? 8 : left);
	b = left > 8 ? hash_tail(p + 8, left - 8) : 0;
	h = hash_mix(a ^ 0x8ebc6af09c88c6e3u ^ h, b ^ 0x589965cc75374cc3u ^ h);
	return hash_mix(h ^ n, 0x1d8e4e27c47d124fu ^ seed);
}

/* SipHash-2-4 of n bytes under a 16-byte key. */
uint64_t siphash24(const uint8_t key[16], const void *data, size_t n);
