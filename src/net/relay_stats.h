/*
 * What one worker counts about one upstream server. Only that worker writes; scrapes read.
 *
 * Lifetime: an array of one a worker is made with the upstream's entry in the forward plugin,
 * and outlives every relay that uses the server.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define RELAY_BUCKETS 17u /* 0.00025 * 2^i seconds for i < 16, and above */
#define RELAY_RCODES 7u /* 0 to 5, others */

/* Why a reply was ignored. */
enum relay_bad {
	BAD_SHORT, /* less than a header */
	BAD_QR, /* not a reply */
	BAD_OPCODE, /* not QUERY */
	BAD_ID, /* nothing with that ID is outstanding on the socket */
	BAD_QUESTION, /* another question */
	BAD_MALFORMED, /* records cannot be read, or a pointer loops */
	BAD_REASONS,
};

struct relay_stats {
	uint64_t count[RELAY_RCODES][RELAY_BUCKETS];
	uint64_t sum_ns[RELAY_RCODES];
	uint64_t bad[BAD_REASONS];
	uint64_t sends_udp, sends_tcp;
	uint64_t probe_failures;
	uint64_t cache_hits_udp, cache_misses_udp; /* socket was open already, had to be opened */
	uint64_t cache_hits_tcp, cache_misses_tcp;
	uint64_t in_use; /* how many relays of the worker have the server */
	uint64_t is_down; /* gauge: 1 while the health probe fails */
} __attribute__((aligned(64)));

/* Text of a reason, as the metric's label. */
const char *relay_bad_text(enum relay_bad reason);

/* Add v to a counter that only this thread writes. */
static inline void stat_add(uint64_t *p, uint64_t v)
{
	__atomic_store_n(p, *p + v, __ATOMIC_RELAXED);
}

/* Read a counter of another thread. */
static inline uint64_t stat_read(const uint64_t *p)
{
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}
