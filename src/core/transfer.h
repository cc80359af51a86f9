/*
 * What a plugin with authority for zones offers to the plugin `transfer`, so that whole zones can
 * be handed to other servers (AXFR, RFC 5936; IXFR, RFC 1995): struct plugin.transfer points to
 * its struct plugin_transfer.
 *
 * A small plugin needs three functions: the names of its zones, the serial of one, and an image of
 * one, for which it appends all records to a row (dns/records.h) and calls zone_image_flat(). One
 * with much data makes an image of its own that is walked in steps. Serials come from
 * core/zone_history.h, which can keep the changes for IXFR, too.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ref.h"
#include "base/str.h"
#include "dns/name.h"
#include "dns/records.h"

struct zone_image;
struct zone_list;

/* Octets that a step of a walk appends, about. */
#define ZONE_WALK_STEP (16u << 10)

/* A place in a walk over an image; zeroed: the start. The numbers are the image's own. */
struct zone_cursor {
	size_t unit, part, at;
};

struct zone_image_ops {
	/*
	 * Append about ZONE_WALK_STEP octets of records (one step at least) from the cursor on and
	 * move it; false when there is nothing left, and nothing was appended. The SOA record is
	 * left out. Any thread; the work of a call is bounded.
	 */
	bool (*walk)(const struct zone_image *image, struct zone_cursor *c, struct buf *row);
	/* The last reference is gone: free all but the struct's soa. Any thread. */
	void (*fini)(struct zone_image *image);
};

/*
 * A zone as it was at one serial. Embed it first in a larger struct.
 *
 * Lifetime: referenced, by any thread; immutable. What it points to is its own or referenced, and
 * nothing of its plugin's instance.
 */
struct zone_image {
	struct ref ref;
	const struct zone_image_ops *ops;
	struct rrset *soa;
	uint32_t serial;
};

struct plugin_transfer {
	/* Add the zones that the instance may hand out. After setup; control thread. */
	void (*zones)(const void *instance, struct zone_list *out);
	/*
	 * The serial that the zone has now; false when the zone cannot be handed out yet (not
	 * loaded, not synchronised). Cheap: it is asked for every second. Control thread.
	 */
	bool (*serial)(void *instance, const struct name *zone, uint32_t *serial);
	/*
	 * The zone as it is now, to be given back with zone_image_unref(); NULL when it cannot be
	 * handed out yet. Two images with one serial must have the same content. Control thread.
	 */
	struct zone_image *(*image)(void *instance, const struct name *zone);
	/*
	 * Optional: the changes from the serial `since` to the present one, as a walk over what
	 * stands between the first and the last SOA record of an IXFR answer (RFC 1995 4). NULL
	 * when they are not known. Control thread.
	 */
	struct zone_image *(*changes)(void *instance, const struct name *zone, uint32_t since);
	/* Optional: keep changes of the zone from now on; called in start(). Control thread. */
	void (*keep_changes)(void *instance, const struct name *zone);
};

/* Begin an image with one reference: the caller's; soa is copied. */
void zone_image_init(struct zone_image *image, const struct zone_image_ops *ops,
	const struct rrset *soa);
/* One more reference. */
struct zone_image *zone_image_ref(struct zone_image *image);
/* One reference fewer; the last one frees it. NULL is ignored. Any thread. */
void zone_image_unref(struct zone_image *image);
/* An image of the records in a row, whose memory it takes; soa is copied. */
struct zone_image *zone_image_flat(const struct rrset *soa, struct buf *row);
/* The serial in an SOA set. */
uint32_t zone_soa_serial(const struct rrset *soa);
/* True when serial a is newer than b (RFC 1982 3.2). */
bool zone_serial_is_newer(uint32_t a, uint32_t b);
