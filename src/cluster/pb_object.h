/*
 * Kubernetes objects, and the messages around them, from protobuf that is complete in memory: the
 * counterpart of json_object.h, with the same checks (build.h) and the same results. Used by
 * pb_stream.c, and by source_api.c for error answers. Texts of the result live in the arena.
 *
 * Field numbers are those of generated.proto in k8s.io/api and k8s.io/apimachinery, checked
 * against answers of a real API server (tests/data/apiserver).
 */
#pragma once

#include "base/arena.h"
#include "cluster/sink.h"

#define PB_MAGIC "k8s" /* with its NUL the first four bytes of everything that is encoded */
#define PB_MAGIC_SIZE 4u

/* runtime.Unknown: what stands around every object. Texts point into the input. */
struct pb_unknown {
	struct str api_version, kind; /* typeMeta */
	struct str raw; /* the object */
	struct str content_encoding; /* empty: raw is plain */
};

/*
 * Decode the object in raw, whose type is known from elsewhere. An object of a kind that is of no
 * use here (OBJECT_NONE) has its metadata only. 0; -EINVAL: no protobuf, o is unusable; -EBADMSG:
 * no usable name, see o->problem.
 */
int pb_object_decode(struct arena *a, struct str raw, enum object_kind kind, struct object *o);
/*
 * Decode an object like pb_object_decode() and report it to sink, as skipped when it has no
 * usable name. 0 or -EINVAL.
 */
int pb_item_decode(struct arena *a, struct str raw, enum object_kind kind, enum event_type type,
        const struct object_sink *sink);
/* Decode a WatchEvent and report it to sink. 0, or -EINVAL when it is none. */
int pb_event_decode(struct arena *a, struct str message, enum object_kind expected,
        const struct object_sink *sink);
/* Decode a ListMeta. 0 or -EINVAL. */
int pb_list_meta_decode(struct arena *a, struct str message, struct list_meta *out);
/* Decode the typeMeta of an Unknown into api_version and kind. 0 or -EINVAL. */
int pb_type_decode(struct str message, struct pb_unknown *out);
/* Take "k8s\0" and an Unknown apart. 0, or -EINVAL when text is something else or encoded again. */
int pb_unknown_decode(struct str text, struct pb_unknown *out);
/* Decode the raw of a Status. 0 or -EINVAL. */
int pb_status_raw_decode(struct arena *a, struct str raw, struct api_status *out);
/* Decode a whole body that is a Status: an error answer. 0, or -EINVAL when it is something else.
 */
int pb_status_decode(struct arena *a, struct str text, struct api_status *out);
