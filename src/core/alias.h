/*
 * Answering with an alias: its CNAME record, and what its target answers through the whole chain
 * of plugins. For plugins whose data has aliases, called from query hooks.
 */
#pragma once

#include "core/query.h"

/*
 * Answer q at an alias: cname is its set of one record, borrowed. Questions for CNAME and ANY are
 * for the alias itself (RFC 1034 4.3.2): DONE. For others the target is asked for: WAIT, and the
 * outcome is that of the last name (RFC 6604), or only the alias when no plugin takes the target.
 * A chain of aliases without end is SERVFAIL. The answer is authoritative.
 */
enum verdict alias_answer(struct query *q, const struct rrset *cname);
