/*
 * The serial of a zone whose content changes by itself, and the changes that led to it.
 *
 * The serial is the unix time of the last visible change. It never goes back, also not over a
 * reload, when it is kept in a struct zone_serial of the shared registry. A change in the same
 * second as the one before does not move it, unless a transfer has seen the zone in between: one
 * serial never stands for two contents that a client can have.
 *
 * Changes are kept, once asked for, as records that went and came, up to ZONE_HISTORY_MAX octets;
 * the oldest are forgotten. Plugins report each one and commit at the end of a turn. Control
 * thread.
 */
#pragma once

#include "base/vec.h"
#include "core/transfer.h"

struct shared;

#define ZONE_HISTORY_MAX (4u << 20)

struct zone_serial {
	uint32_t value;
	bool is_seen; /* a transfer has it, so that the next change needs another */
};

/* Up to `end` in the log the changes lead to the serial. */
struct zone_mark {
	uint32_t serial;
	size_t end;
};

struct zone_history {
	struct zone_serial *serial; /* in the shared registry, or own */
	struct zone_serial own;
	struct shared *shared;
	bool is_changed; /* since the last commit */
	bool keeps_changes;
	uint32_t committed; /* the serial that content is published with */
	uint32_t base; /* what the log leads on from */
	struct buf log; /* '-' or '+' and a record, again and again */
	VEC(struct zone_mark) marks;
};

/* Begin; the serial goes on from that of the zone of that name in shared (may be NULL). */
void zone_history_init(struct zone_history *h, struct shared *shared, const struct name *zone);
/* Free it. */
void zone_history_fini(struct zone_history *h);
/* Keep changes from now on. */
void zone_history_keep(struct zone_history *h);
/* The zone has changed, nobody says how: older changes are forgotten. */
void zone_history_touch(struct zone_history *h);
/*
 * Records of the zone have changed from one row to another; equal rows are no change. When changes
 * are not kept, it is enough to call zone_history_note().
 */
void zone_history_change(
	struct zone_history *h, const struct buf *before, const struct buf *after);
/* The zone has changed; for when changes are not kept. */
void zone_history_note(struct zone_history *h);
/* End of a turn, at unix time now_s. True when the serial moved: publish a new SOA record. */
bool zone_history_commit(struct zone_history *h, uint32_t now_s);
/* The same for a zone whose content comes with a serial of its own. */
void zone_history_commit_as(struct zone_history *h, uint32_t serial);
/* The serial now. */
uint32_t zone_history_serial(const struct zone_history *h);
/* A transfer has the present content: the next change gets another serial. */
void zone_history_see(struct zone_history *h);
/*
 * For struct plugin_transfer.changes: what changed since, as one difference sequence. soa is that
 * of now, of the zone with the wire name zone. NULL when it is not known any more.
 */
struct zone_image *zone_history_changes(
	struct zone_history *h, const uint8_t *zone, const struct rrset *soa, uint32_t since);
