/*
 * apisim: a simulated Kubernetes API server for tests. One process, one world of objects with a
 * global resourceVersion, a ring of past events, and faults that tests switch on through a
 * control port. Threads (one a connection, from libmicrohttpd) share the world under its lock.
 *
 * Its answers are modelled on those recorded in tests/data/apiserver.
 */
#pragma once

#include <jansson.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "base/vec.h"

/* Objects sorted by key; the list holds references. */
struct object_list {
	VEC(struct object *) all;
};

/* What a list of all was answered with: the next one at the same version takes the same bytes. */
struct body {
	unsigned refs; /* under the world's lock */
	uint64_t rv;
	bool protobuf;
	char *selectors; /* labels and fields as asked for */
	struct buf bytes;
};

/* A resource that the server knows. */
struct kind {
	char *group; /* "" for core */
	char *version;
	char *plural;
	char *name; /* "Service" */
	char *list_api; /* "v1" or "discovery.k8s.io/v1" */
	const char *bookmark; /* what follows metadata in a bookmark of this kind */
	const struct message *message; /* its protobuf; NULL: there is only JSON */
	bool namespaced;
	bool absent; /* fault: 404 */
	bool forbidden; /* fault: 403 */
	struct object_list objects;
	pthread_cond_t changed; /* also that there is something for its watches to do */
	struct body *kept[2]; /* of a list, of the initial events of a watch; or NULL */
	uint64_t lists, watches, streams; /* requests seen; streams: watches that begin with a list */
	uint64_t first_stream_ms, last_stream_ms; /* when streams came; 0: never */
};

/* One version of an object. Immutable; events, lists and watches hold references. */
struct object {
	unsigned refs; /* under the world's lock */
	uint64_t rv;
	char *key; /* "namespace/name", "/name" when cluster-wide */
	char *namespace, *name, *uid, *phase;
	json_t *labels; /* object or NULL */
	char *json; /* without kind and apiVersion: {"metadata":... */
	size_t len;
	struct buf protobuf; /* the same, when the kind has that */
};

/* One change: old NULL: added; now NULL: deleted. */
struct event {
	struct kind *kind;
	struct object *old, *now;
	uint64_t rv;
	bool hidden; /* fault: watches never see it */
};

/* Answer count matching requests with this instead (-1: until cleared). */
struct fault {
	char resource[64]; /* "": any */
	char verb[8]; /* "list", "watch", "": any */
	int status, count;
	int retry_after; /* -1: no header */
	bool html;
};

enum watchlist_mode { WATCHLIST_SERVE, WATCHLIST_REFUSE, WATCHLIST_IGNORE };

struct world {
	pthread_mutex_t lock;
	pthread_cond_t changed; /* stalled or stopping */
	VEC(struct kind *) kinds;
	uint64_t rv, compacted; /* events up to compacted are forgotten */
	struct event *ring; /* event seq is at ring[seq % ring_size] */
	uint64_t ring_size, seq_first, seq_next;
	VEC(struct fault) faults;
	VEC(char *) tokens;
	bool need_auth, need_cert;
	enum watchlist_mode watchlist;
	bool stalled;
	bool stopping;
	long cut_after; /* -1: off; cut the next watch after that many bytes */
	char cut_resource[64];
	unsigned hide; /* changes to hide from watches */
	uint64_t lag_rv; /* fault: the caches are no newer than this; 0: they are */
	uint64_t bookmark_ms;
	uint64_t pace; /* bytes a ms of one large list, as a real server encodes; 0: at once */
	struct watch *watch_list;
	unsigned watch_count;
	uint64_t requests, next_ip;
	bool json_only; /* protobuf is never sent */
	uint64_t protobuf_answers; /* lists and watches in protobuf */
};

extern struct world world;

/* A label selector or field selector that has been read. */
struct selector {
	VEC(struct requirement {
		char key[320];
		char op;
		VEC(char *) values;
	})
	all;
};

/* What a request asks for. */
struct ask {
	struct MHD_Connection *connection;
	const char *method;
	struct kind *kind;
	char namespace[64], name[256]; /* "": all */
	char user[64];
	struct selector labels, fields;
	const char *body;
	size_t body_len;
	bool protobuf; /* how to answer */
	bool metadata_only; /* a list: as PartialObjectMetadataList */
};

/* world.c: every function below needs the lock. */

/* Register a resource. */
struct kind *kind_add(const char *group, const char *version, const char *plural, const char *name);
/* By plural name and group (NULL: any group). */
struct kind *kind_find(const char *group, const char *plural);
/* By kind name and apiVersion (NULL: any). */
struct kind *kind_find_api(const char *api, const char *name);
/* The first of n sorted objects whose key is not below that; n when there is none. */
size_t object_lower_bound(struct object *const *all, size_t n, const char *key);
/* The present version, or NULL. */
struct object *object_find(struct kind *k, const char *namespace, const char *name);
/* Take one more reference. */
struct object *object_ref(struct object *o);
/* Give one back (NULL is ignored). */
void object_unref(struct object *o);
/* Store a new version made by object_build(); returns true when it did not exist before. */
bool world_put(struct kind *k, struct object *o);
/* Delete; false when it does not exist. */
bool world_delete(struct kind *k, const char *namespace, const char *name);
/* Forget all events so far. */
void world_compact(void);
/* The version that watches have come to: the present one, unless the caches lag behind. */
uint64_t world_seen(void);
/* Go back to the state at rv, as after a restored backup. False when rv is compacted. */
bool world_rewind(uint64_t rv);
/* The objects of a kind as they were at rv; references are taken. False: compacted. */
bool world_snapshot(struct kind *k, uint64_t rv, struct object_list *out);
/* Give a snapshot back. */
void object_list_free(struct object_list *l);
/* Start an empty world with room for ring_size events. */
void world_init(uint64_t ring_size);
/* Milliseconds of the monotonic clock. */
uint64_t now_ms(void);

/* object.c */

/*
 * Make an object from a manifest, with the defaults an API server would fill in and the next
 * resourceVersion. NULL with a reason in *why when it is not acceptable.
 */
struct object *object_build(struct kind *k, json_t *manifest, const char **why);

/* encode.c: Kubernetes protobuf */

/* The table for a kind, such as "Service" or "Status"; NULL: there is none. */
const struct message *message_find(const char *kind);
/* Append the object o as a message. */
void encode_message(struct buf *b, const struct message *m, const json_t *o);
/* Append a field of bytes. */
void encode_bytes(struct buf *b, uint32_t number, const void *p, size_t n);
/* Append "k8s\0" and an Unknown around raw. */
void encode_unknown(struct buf *b, const char *api, const char *kind, struct str raw);
/* Append a frame with an event; object is what encode_unknown() made. */
void encode_event(struct buf *b, const char *type, const struct buf *object);
/* Append the frame for an event in JSON; false when its object has no table. */
bool encode_json_event(struct buf *b, const char *text, size_t len);

/* manifest.c */

/* Documents of YAML or JSON text, Lists taken apart. NULL with a reason in why[200]. */
json_t *manifest_parse(const char *text, size_t len, char *why);
/* Apply every document; the number applied, or -1 with a reason in why[200]. Takes the lock. */
int manifest_apply(const char *text, size_t len, char *why);

/* selector.c */

/* Read a label or field selector; false when it is malformed. */
bool selector_parse(struct selector *s, const char *text);
/* Free its values. */
void selector_free(struct selector *s);
/* Do labels match? */
bool selector_matches_labels(const struct selector *s, const json_t *labels);
/* Do the fields metadata.name, metadata.namespace, status.phase match? */
bool selector_matches_fields(const struct selector *s, const struct object *o);
/* Everything that the request restricts: namespace, name, labels, fields. */
bool ask_matches(const struct ask *a, const struct object *o);

/* body.c: every function needs the lock */

/* The kept body that answers this request, with a reference; NULL when there is none. */
struct body *body_find(const struct ask *a, bool is_watch);
/* Make bytes, which are taken over, the body of an answer to this request. */
struct body *body_new(const struct ask *a, struct buf *bytes);
/* Keep it for the next request of that kind. */
void body_keep(const struct ask *a, bool is_watch, struct body *b);
/* Give a reference back (NULL is ignored). */
void body_unref(struct body *b);
/* Wait until sent bytes of a body are due; may leave the lock meanwhile. */
void body_pace(uint64_t start_ms, size_t sent);

/* list.c */

/* Answer a LIST; leaves the lock while it writes. */
enum MHD_Result list_serve(struct ask *a);

/* watch.c */

/* Answer a WATCH; keeps what it needs of a. */
enum MHD_Result watch_serve(struct ask *a);
/* End open watches of a resource (NULL: all), by a clean end or a reset. Needs the lock. */
void watch_close(const char *resource, bool reset);
/* Send bytes as they are to the open watches of a resource. Needs the lock. */
void watch_inject(const char *resource, const char *data, size_t n);

/* reply.c */

/*
 * Keep r as this thread's answer: libmicrohttpd has locks of its own, which it holds when it asks
 * for the bytes of a watch, so nothing is queued under the lock of the world.
 */
enum MHD_Result reply_later(unsigned status, struct MHD_Response *r);
/* Send it, without the lock. */
enum MHD_Result reply_now(struct MHD_Connection *c);
/* Make a body that is copied the answer. */
enum MHD_Result reply_text(
        struct MHD_Connection *c, unsigned status, const char *type, const char *body);
/* Send a body of status 200; the reference is taken over. */
enum MHD_Result reply_body(struct body *b);
/* Send a heap body, which is freed. */
enum MHD_Result reply_json(struct MHD_Connection *c, unsigned status, struct buf *body);
/* Send a Status of failure; extra is inserted before "code" and may be "". */
enum MHD_Result reply_status(struct MHD_Connection *c, unsigned status, const char *reason,
        const char *extra, const char *message);
/* The 504 for a version that is not reached yet. */
enum MHD_Result reply_too_large(const struct ask *a, unsigned long long rv);
/* Append text as a JSON string with quotes. */
void json_quote(struct buf *b, const char *text);
/* A query parameter, or "". */
const char *query(struct MHD_Connection *c, const char *name);

/* control.c */

/* Answer a request to the control port. */
enum MHD_Result control_serve(
        struct MHD_Connection *c, const char *method, const char *path, struct buf *body);

/* generate.c */

/* Make n services, each with per_service endpoints, and pods. Takes the lock as needed. */
int generate_cluster(unsigned services, unsigned per_service, unsigned pods);
/* Make headless services "marker-N" in "markers", of one endpoint each. Takes the lock. */
void generate_markers(unsigned markers);
/* The address of that marker becomes 11 and the low 24 bits of the time. Needs the lock. */
void marker_change(unsigned n);

/* churn.c */

/* Changes that go on for a while. */
struct churn {
	unsigned rate; /* random endpoints a second whose readiness flips */
	unsigned marks, markers; /* markers a second that change, in turn, and how many there are */
	unsigned seconds;
	char prefix[64]; /* of "namespace/name" of the slices whose endpoints flip */
};

/* Let a thread make the changes. */
void churn_start(const struct churn *c);
/* Flip so many endpoints of slices whose "namespace/name" begins so. Needs the lock. */
void storm(unsigned flips, const char *prefix);
