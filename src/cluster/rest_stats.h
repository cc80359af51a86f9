/*
 * What is told of requests to the API server, as client-go's metrics have it: how many there were
 * by status, and how long their answers took to begin. Part of source_api, on its loop.
 */
#pragma once

#include <stdint.h>

/* Bounds of the histogram of the time from a request to the head of its answer, in seconds. */
#define REST_BOUNDS {.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
#define REST_BOUNDS_LEN 11
/* Different status codes that are told apart; a server has a dozen. */
#define REST_CODES 24u

struct rest_stats {
	/* The first is for requests without an answer, status 0; n is 0 behind the last one. */
	struct {
		unsigned status;
		uint64_t n;
	} codes[REST_CODES];
	uint64_t durations[REST_BOUNDS_LEN + 1]; /* not cumulative; the last is +Inf */
	uint64_t duration_ms;                    /* sum of all */
};

/* Count a request that ended without an answer. */
void rest_stats_failed(struct rest_stats *s);
/* Count an answer with its HTTP status, whose head came took_ms after the request. */
void rest_stats_answered(struct rest_stats *s, unsigned status, uint64_t took_ms);
/* Requests so far. */
uint64_t rest_stats_total(const struct rest_stats *s);
