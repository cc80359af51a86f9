/*
 * One resource record from its text, as a line of a zone file without directives: for plugins whose
 * records are made of templates. ldns reads it.
 */
#pragma once

#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "dns/name.h"

struct text_rr {
	struct name owner;
	uint16_t type, rr_class;
	uint32_t ttl;
	const uint8_t *rdata; /* in the arena; names uncompressed */
	uint16_t rdlength;
};

#define ZONEFILE_RR_TTL 3600u /* where none is written */

/*
 * Read "OWNER [TTL] [CLASS] TYPE RDATA", in parentheses over several lines if need be; what comes
 * behind the first record does not count. 0, or -EINVAL with a sentence in e.
 */
int zonefile_rr(struct str text, struct arena *a, struct text_rr *out, struct err *e);
