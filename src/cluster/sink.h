/*
 * What the decoders of API answers (json_stream.h, pb.h) report, whatever the encoding. The
 * callbacks may be called many times for one piece of input; what they get lives in an arena
 * that is emptied when they return. Unset callbacks are skipped.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "cluster/object.h"

enum event_type { EVENT_ADDED, EVENT_MODIFIED, EVENT_DELETED };

/* A Kubernetes Status: the body of an error answer, or the object of an ERROR event. */
struct api_status {
	int code; /* HTTP code, such as 410; 0: absent */
	const char *reason; /* "Expired", "Forbidden", ...; "" if absent */
	const char *message; /* for a person; "" if absent; not made safe for a log */
	uint32_t retry_after_s; /* details.retryAfterSeconds */
	const char *continue_token; /* metadata.continue of a 410 on a paged list; NULL: none */
};

/* metadata of a list. */
struct list_meta {
	const char *version; /* resourceVersion as sent; "" if absent */
	const char *continue_token; /* NULL: this was the last page */
	uint64_t remaining; /* remainingItemCount */
};

struct object_sink {
	void *arg;
	/*
	 * An item of a list (EVENT_ADDED) or an event of a watch. o->kind can be OBJECT_NONE: then
	 * only name, ns and version are set. A DELETED object may have nothing but its name.
	 */
	void (*on_object)(void *arg, enum event_type type, const struct object *o);
	/* A BOOKMARK: all up to version was sent; is_initial_end: the initial state is complete. */
	void (*on_bookmark)(void *arg, const char *version, bool is_initial_end);
	/* A Status instead of a list, or an ERROR event. */
	void (*on_status)(void *arg, const struct api_status *status);
	/* A list was complete and well-formed to its closing brace. */
	void (*on_list_end)(void *arg, const struct list_meta *meta);
	/* Something was left out: an object without a usable name, an unknown event type. */
	void (*on_skipped)(void *arg, const char *why);
};

/* Report something that was left out, and why. */
void sink_skipped(const struct object_sink *sink, const char *why);
/*
 * Report the object that a decoder made with rc: 0, -EBADMSG (it has no usable name, and is
 * skipped), or another errno, which is given back.
 */
int sink_decoded(
        const struct object_sink *sink, int rc, enum event_type type, const struct object *o);
/* Report a bookmark; without a version it is skipped. */
void sink_bookmark(const struct object_sink *sink, const char *version, bool is_initial_end);
/* Report a Status. */
void sink_status(const struct object_sink *sink, const struct api_status *status);
/* Report that a list was complete. */
void sink_list_end(const struct object_sink *sink, const struct list_meta *meta);
