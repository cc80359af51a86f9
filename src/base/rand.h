/*
 * Random numbers. rand_u64() is fast and fit for rotation and table seeds; rand_secure() is
 * for message IDs, cookies and everything that an attacker would like to guess.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Fast, of this thread, seeded from the kernel (xoshiro256**). */
uint64_t rand_u64(void);
/* Uniform in [0, n), n > 0, from rand_u64(). */
uint32_t rand_below(uint32_t n);
/* Unpredictable bytes from the kernel, read 4 KiB at a time for each thread. */
void rand_secure(void *out, size_t n);
/* 16 unpredictable bits, for a message ID. */
uint16_t rand_secure_u16(void);
/* Make rand_u64() of this thread repeatable; for tests and simulations. */
void rand_seed(uint64_t seed);
