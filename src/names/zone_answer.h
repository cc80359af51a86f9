/*
 * Answers of a zone: alias chains, wildcards, referrals, negative answers (RFC 1034 4.3.2, 2308,
 * 4592, 6604, 6672, 8482). Runs on workers for plugins that serve a tree; adds references to the
 * tree's sets, so the tree must stay borrowed until the answer is encoded.
 */
#pragma once

#include "dns/answer.h"
#include "names/tree.h"

/* Aliases followed in one answer; more are a loop or a mistake. */
#define ZONE_CHAIN_MAX 10u

enum zone_outcome {
	ZONE_ANSWERED, /* the answer is complete */
	ZONE_MISS, /* the question's own name does not exist; the answer is a full NXDOMAIN */
	ZONE_LEAVES, /* an alias leads out of the zone, to *target */
	ZONE_FAILED, /* an alias loop: SERVFAIL */
};

struct zone_question {
	const uint8_t *name; /* as asked: stands in the query's buffer */
	const uint8_t *folded; /* the same in lower case */
	uint16_t type;
	bool wants_dnssec;
};

/*
 * Answer a question for a name in the zone of t into a, which is empty. With ZONE_LEAVES, *target
 * is the wire name that the last alias in the answer points to (in the RDATA of its set).
 */
enum zone_outcome zone_answer(const struct tree *t, const struct zone_question *question,
        struct answer *a, const uint8_t **target);
