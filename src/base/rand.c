#include "base/rand.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/random.h>

#include "base/must.h"

static _Thread_local uint64_t state[4];
static _Thread_local bool is_seeded;

static void read_kernel(void *out, size_t n)
{
	uint8_t *p = out;

	while (n > 0) {
		ssize_t got = getrandom(p, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		must(got > 0);
		p += got;
		n -= (size_t)got;
	}
}

static uint64_t rotl(uint64_t x, int k)
{
	return x << k | x >> (64 - k);
}

uint64_t rand_u64(void)
{
	uint64_t result, t;

	if (__builtin_expect(!is_seeded, 0)) {
		read_kernel(state, sizeof(state));
		is_seeded = true;
	}
	result = rotl(state[1] * 5, 7) * 9;
	t = state[1] << 17;
	state[2] ^= state[0];
	state[3] ^= state[1];
	state[1] ^= state[2];
	state[0] ^= state[3];
	state[2] ^= t;
	state[3] = rotl(state[3], 45);
	return result;
}

uint32_t rand_below(uint32_t n)
{
	return (uint32_t)(((rand_u64() >> 32) * (uint64_t)n) >> 32);
}

void rand_seed(uint64_t seed)
{
	for (int i = 0; i < 4; i++) {
		uint64_t z = seed += 0x9e3779b97f4a7c15u;

		z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
		z = (z ^ z >> 27) * 0x94d049bb133111ebu;
		state[i] = z ^ z >> 31;
	}
	is_seeded = true;
}

void rand_secure(void *out, size_t n)
{
	static _Thread_local uint8_t pool[4096];
	static _Thread_local size_t left;

	if (n > sizeof(pool)) {
		read_kernel(out, n);
		return;
	}
	if (left < n) {
		read_kernel(pool, sizeof(pool));
		left = sizeof(pool);
	}
	left -= n;
	memcpy(out, pool + left, n);
	memset(pool + left, 0, n);
}

uint16_t rand_secure_u16(void)
{
	uint16_t v;

	rand_secure(&v, sizeof(v));
	return v;
}
