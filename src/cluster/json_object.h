/*
 * One cluster object, event or list header from JSON text that is complete in memory. Used by
 * json_stream.c for API answers and by yaml.c for manifests. Texts of the result live in the
 * arena.
 */
#pragma once

#include "base/arena.h"
#include "cluster/sink.h"

/*
 * Decode text into o. The kind is what the object says, or expected when it says nothing (items
 * of a list do not). An object of a kind that is of no use here gives 0 with o->kind OBJECT_NONE.
 * 0; -EINVAL or -E2BIG: no JSON, o is unusable; -EBADMSG: no usable name, see o->problem.
 */
int json_object_decode(
        struct arena *a, struct str text, enum object_kind expected, struct object *o);
/*
 * Decode an object like json_object_decode() and report it to sink, as skipped when it has no
 * usable name. 0, -EINVAL or -E2BIG.
 */
int json_item_decode(struct arena *a, struct str text, enum object_kind expected,
        enum event_type type, const struct object_sink *sink);
/*
 * Decode a frame of a watch, {"type": ..., "object": ...}, and report it to sink. 0, or -EINVAL
 * when it is no JSON.
 */
int json_event_decode(struct arena *a, struct str text, enum object_kind expected,
        const struct object_sink *sink);
/* Decode metadata of a list. 0 or -EINVAL. */
int json_list_meta_decode(struct arena *a, struct str text, struct list_meta *out);
/* Decode a Status object: an error answer's body. 0, or -EINVAL when it is something else. */
int json_status_decode(struct arena *a, struct str text, struct api_status *out);
