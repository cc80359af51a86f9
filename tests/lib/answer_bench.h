/*
 * A bench for the encoder: a question, an answer to fill, and what ldns reads from the octets
 * that answer_encode() wrote.
 */
#pragma once

#include <stdbool.h>

#include "base/arena.h"
#include "base/str.h"
#include "dns/answer.h"
#include "dns/name.h"
#include "dns/rr.h"
#include "dns/wire.h"

struct answer_bench {
	struct arena arena;
	struct answer answer;
	struct answer_env env; /* a stream without limit, until a test changes it */
	struct msg msg;
	struct buf text;
	uint8_t *out; /* exactly env.limit octets while it encodes */
	size_t len, out_size;
};

/* Ask name for type A in class IN, with an OPT when edns is given (NULL: none). */
void bench_open(struct answer_bench *b, const char *name, const struct edns *edns);
/* Free everything. */
void bench_close(struct answer_bench *b);
/* A set of n records of type in the arena: addresses counted up from 0, or targets at them. */
struct rrset *bench_set(struct answer_bench *b, uint16_t type, unsigned n);
/* A set with one RDATA of n octets. */
struct rrset *bench_single(struct answer_bench *b, uint16_t type, const void *rdata, size_t n);
/* Encode; fails the test when ldns does not read the octets, or they exceed the limit. */
void bench_encode(struct answer_bench *b);
/*
 * The answer as text: "NOERROR aa tc\n", then "answer", "authority" or "additional" and the record
 * on a line each; EDNS is the line "opt ...".
 */
const char *bench_text(struct answer_bench *b);
/* The count of section 0..2 in the header that was written. */
unsigned bench_count(const struct answer_bench *b, unsigned section);
