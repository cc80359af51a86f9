/*
 * The truth in the simulation of the watch client (sim.h): a small cluster that changes, with the
 * whole past of each object, and its objects in the two encodings of the Kubernetes API.
 *
 * Contents tell who they are: every change gives an object an address that no other one ever
 * has, so that an answer shows which state of which object it was made from.
 */
#pragma once

#include "test.h"

#include "base/vec.h"
#include "cluster/object.h"

enum {
	WORLD_OBJECTS = 12, /* that change */
	WORLD_FILLERS = 150, /* services that only are there, in worlds that want them */
	WORLD_MAX = WORLD_OBJECTS + WORLD_FILLERS,
	SLICE_ADDRESSES = 2, /* ready ones of a slice, at most */
};

/* What never changes about an object. */
struct world_object {
	enum object_kind kind;
	const char *ns, *name;
	unsigned service, first_slice, n_slices; /* of a slice; of a service */
	bool is_kept; /* it is never deleted, and its slices always have ready endpoints */
	bool is_headless, alternates; /* is a service; alternates: each second life the other */
};

/* An object as somebody wrote it. */
struct world_state {
	uint64_t rv; /* 0: absent */
	uint32_t life, content;
};

/* An event of the server's present past; deletions have a state with their version. */
struct world_event {
	uint64_t rv;
	unsigned object;
	uint32_t at; /* index in the history of the object */
	struct world_state before;
};

struct world {
	uint64_t rv, compacted; /* present version, and the oldest one that a watch can start at */
	uint64_t dice; /* its own, so that a trace does not depend on what the client does */
	uint32_t contents;
	unsigned n;
	VEC(struct world_state) history[WORLD_MAX]; /* all that ever was, backups included */
	uint32_t first[WORLD_MAX]; /* index of the state before all events */
	uint32_t lives[WORLD_MAX];
	VEC(struct world_event) events;
	const char *form; /* of JSON or protobuf bodies: the content type */
};

/* A world at version 10 whose changes follow from seed; WORLD_FILLERS services more if wanted. */
void world_init(struct world *w, uint64_t seed, bool has_fillers);
/* Free it. */
void world_fini(struct world *w);
/* What object i is. */
const struct world_object *world_object(const struct world *w, unsigned i);
/* Change something at random. */
void world_change(struct world *w);
/* Delete or create many fillers. */
void world_delete_fillers(struct world *w, unsigned n);
/* Restore the backup of `back` versions ago. False when it is too old. */
bool world_rewind(struct world *w, uint64_t back);
/* Index in the history of object i: as it was at a version. */
uint32_t world_at(const struct world *w, unsigned i, uint64_t rv);
/* Index in the history of object i: as it is. */
uint32_t world_now(const struct world *w, unsigned i);
/* True when a service in that state is headless. */
bool world_is_headless(const struct world *w, unsigned i, const struct world_state *state);
/* The address of a service of that content. */
uint32_t world_service_address(uint32_t content);
/* Ready addresses of a slice in that state; how many. */
unsigned world_slice_addresses(
        const struct world *w, unsigned i, const struct world_state *state, uint32_t *out);

/* ---- encodings ---- */

/* An object of a list or event; deletions carry `rv` in place of the state's own. */
struct world_item {
	unsigned object;
	struct world_state state;
};

struct world_list {
	enum object_kind kind;
	uint64_t rv, remaining;
	const char *token; /* NULL: last page */
	const struct world_item *items;
	size_t len;
};

/* Append an event of a watch of type ADDED, MODIFIED, DELETED. */
void world_put_event(
        const struct world *w, struct buf *b, const char *type, const struct world_item *item);
/* Append a bookmark. */
void world_put_bookmark(
        const struct world *w, struct buf *b, enum object_kind kind, uint64_t rv, bool is_end);
/* Append an ERROR event. */
void world_put_error(const struct world *w, struct buf *b, int code, const char *message);
/* Append a list. */
void world_put_list(const struct world *w, struct buf *b, const struct world_list *list);
/* Append a list of meta data; always JSON. */
void world_put_metadata(const struct world *w, struct buf *b, const struct world_list *list);
/* Content types for world.form. */
extern const char world_json[], world_protobuf[];
