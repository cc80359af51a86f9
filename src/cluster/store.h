/*
 * The state of the cluster in memory: one for the process, or one for each distinct set of API
 * options. Sources (source_api, source_manifests, state_file, endpoints) write objects into it;
 * the kubernetes plugin and feed/ read it and follow its change log. Control thread only.
 *
 * Writing: store_apply(), store_delete(), relists; then store_commit() once for each piece of
 * input (one read of the network, one directory scan), which tells the readers what was touched.
 * An object that says the same as before touches nothing. Kinds may arrive in any order: slices
 * without a service and services without a namespace are kept and become visible to readers by
 * their own touch.
 *
 * Reading: objects returned are owned by the store and valid until the next write; inside
 * on_changes they are valid for the call. Nothing is ever emptied because a source is lost.
 *
 * The same (kind, namespace, name) from two sources: the source that was added first wins, the
 * others come forward when it deletes its object.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "cluster/object.h"

struct store;

#define STORE_MAX_SOURCES 16
#define STORE_ALL_KINDS ((1u << OBJECT_KINDS) - (1u << OBJECT_NAMESPACE)) /* for a source */
#define STORE_MAX_SAME_IP 1024u /* owners of one address that the address index keeps */

/* ---- writing ---- */

enum store_result {
	STORE_SAME, /* nothing new in it */
	STORE_CHANGED, /* added, changed or removed */
	STORE_STALE, /* older than what is known; ignored and counted */
	STORE_IGNORED, /* OBJECT_NONE, or nothing to delete */
};

/* An empty store without sources. */
struct store *store_new(void);
/*
 * From now on keep no labels, ports and host names of pods: nobody will ask for them, and of the
 * pods of a large cluster they would be a third.
 */
void store_slim_pods(struct store *st);
/* Free it with all objects; readers must have left. NULL is ignored. */
void store_free(struct store *st);

/*
 * Announce a source that will deliver the kinds in the mask (1u << kind); these kinds count as
 * unsynced until it says otherwise. Returns its number, or -ENOSPC.
 */
int store_source_add(struct store *st, const char *name, unsigned kinds);
/*
 * Make a source provisional, as a state file is: it stands in for the others until they are
 * there. Its object goes as soon as another source has one of that key (taken over in place when
 * both say the same), all of its objects of a kind go when the other sources are synced with that
 * kind, and until then the kind counts as synced when this source is. Add it after the others.
 */
void store_source_provisional(struct store *st, int source);
/* True when a provisional source still stands in for that kind. */
bool store_source_stands_in(const struct store *st, int source, enum object_kind kind);
/* Delete all objects of a source, which goes on existing, unsynced. */
void store_source_clear(struct store *st, int source);
/* Delete all objects of a source and forget it. Commits. */
void store_source_remove(struct store *st, int source);
/*
 * Say whether the source has delivered all of kind once. Never unset it because a connection was
 * lost: the last known state is still the answer.
 */
void store_source_synced(struct store *st, int source, enum object_kind kind, bool is_synced);

/*
 * Add or replace an object (copied); of a provisional source only while no other source has one of
 * that key, else STORE_IGNORED. With a lower resourceVersion it is STORE_STALE, whatever its
 * uid: versions count for the whole cluster. One that is no number always replaces.
 */
enum store_result store_apply(struct store *st, int source, const struct object *o);
/*
 * Delete what o names (kind, ns, name). When both sides know a uid and they differ, the event is
 * about an older object of that name: STORE_STALE.
 */
enum store_result store_delete(struct store *st, int source, const struct object *o);

/*
 * A full list of kind begins. Apply its objects as usual; nothing disappears until the end. With
 * is_truth (a quorum read after the server went back in time) versions are not compared.
 */
void store_relist_begin(struct store *st, int source, enum object_kind kind, bool is_truth);
/* How many objects store_relist_end() would delete now. */
size_t store_relist_missing(const struct store *st, int source, enum object_kind kind);
/* The list is complete: delete the source's objects that were not in it; returns how many. */
size_t store_relist_end(struct store *st, int source, enum object_kind kind);
/* The list failed half-way: keep everything. */
void store_relist_abort(struct store *st, int source, enum object_kind kind);

/*
 * Compare what a source delivered of kind with a list, without changing it: begin, then see each
 * object of the list, then walk what was not seen. Applying meanwhile counts as seeing; a relist
 * of the kind spoils the comparison.
 */
void store_audit_begin(struct store *st, int source, enum object_kind kind);
/*
 * False when the source has no object of this key, or another version or uid. A higher version is
 * a difference, too, when it lasts: a restored backup goes back to lower ones.
 */
bool store_audit_see(struct store *st, int source, const struct object *o);
/* Walk the objects that were not seen: start with *pos = 0, until NULL. */
const struct object *store_audit_next(
	const struct store *st, int source, enum object_kind kind, size_t *pos);

/*
 * End of one piece of input: call every reader with the keys touched since the last commit.
 * Readers may write; what they touch makes another round (at most 16).
 */
void store_commit(struct store *st);

/* ---- change log ---- */

enum touch_kind {
	TOUCH_NAMESPACE, /* ns: added, removed, or labels changed */
	TOUCH_SERVICE, /* ns, name: the service or any slice of it, with or without a service */
	TOUCH_IMPORT, /* ns, name: the same for a ServiceImport and its slices */
	TOUCH_POD, /* ns, name */
	TOUCH_IP, /* ip: a pod that has it came, went or changed */
	TOUCH_SYNC, /* store_is_synced() of some kind changed */
};

struct touch {
	enum touch_kind kind;
	const char *ns, *name; /* NULL where the kind has none */
	struct ip ip;
};

/* What one commit tells; every key occurs once. Valid during the call. */
struct changes {
	const struct touch *at;
	size_t len;
	uint64_t revision; /* counts commits that had changes */
	uint64_t trigger_ms; /* oldest last-change-trigger-time of the slices in it; 0: none */
};

/* A reader: fill in on_changes and arg, then store_reader_add(). Owned by the caller. */
struct store_reader {
	void (*on_changes)(void *arg, const struct changes *c);
	void *arg;
	struct list link; /* private */
};

/* Begin to follow; what is in the store already is not reported: walk it with store_next(). */
void store_reader_add(struct store *st, struct store_reader *r);
/* Stop following; allowed in on_changes of r itself. */
void store_reader_remove(struct store_reader *r);

/* ---- reading ---- */

struct object_list {
	const struct object *const *at;
	size_t len;
};

/* The object, or NULL; ns is "" for namespaces. Names compare exactly: fold them first. */
const struct object *store_get(
        const struct store *st, enum object_kind kind, const char *ns, const char *name);
/* The Namespace called name, or NULL. */
const struct object *store_namespace(const struct store *st, const char *name);
/* The Service ns/name, or NULL. */
const struct object *store_service(const struct store *st, const char *ns, const char *name);
/* The ServiceImport ns/name, or NULL. */
const struct object *store_import(const struct store *st, const char *ns, const char *name);
/* All slices of the Service ns/name in no order, whether or not the Service is known. */
struct object_list store_slices_of(const struct store *st, const char *ns, const char *name);
/* All slices of the ServiceImport ns/name. */
struct object_list store_imported_slices_of(
        const struct store *st, const char *ns, const char *name);
/* All objects of kind (not slices) in namespace ns, in no order; ns need not exist itself. */
struct object_list store_in_namespace(
        const struct store *st, enum object_kind kind, const char *ns);
/* Walk all objects of kind: start with *pos = 0, until NULL. No writes meanwhile. */
const struct object *store_next(const struct store *st, enum object_kind kind, size_t *pos);

/* An object that has an address, and which one: cluster_ips[item], endpoints[item], ips[item]. */
struct ip_owner {
	const struct object *object;
	uint32_t item;
};

/*
 * All objects of the kinds in the mask as they are now. They stay valid and unchanged (but for
 * versions) while the store is written, until store_release(), which must follow before anybody
 * holds again and before store_free().
 */
struct object_list store_hold(struct store *st, unsigned kinds);
/* End store_hold(): free what was deleted since. */
void store_release(struct store *st);

/*
 * Walk the objects of kind that have ip: OBJECT_SERVICE and OBJECT_IMPORT by cluster_ips,
 * OBJECT_SLICE by endpoint (ready or not), OBJECT_POD. Start with *pos = 0; false at the end. There
 * is no index of endpoints: for slices this looks at all of them, which people who ask can wait
 * for.
 */
bool store_ip_next(const struct store *st, enum object_kind kind, const struct ip *ip, size_t *pos,
        struct ip_owner *out);
/* True when every source that delivers kind has delivered all of it, and there is one. */
bool store_is_synced(const struct store *st, enum object_kind kind);
/* True while some of what is there may be of a provisional source. Any thread. */
bool store_is_stale(const struct store *st);
/* True when the source has delivered all of kind. */
bool store_source_is_synced(const struct store *st, int source, enum object_kind kind);
/* Number of the source that o (from this store) came from. */
int store_source_of(const struct object *o);

struct store_stats {
	size_t objects[OBJECT_KINDS]; /* visible ones */
	size_t endpoints; /* addresses in slices */
	uint64_t revision;
	uint64_t applied, changed, deleted, stale; /* events since the start */
	uint64_t dropped; /* invalid elements that were left out, since the start */
};

/* Copy the present figures. */
void store_stats(const struct store *st, struct store_stats *out);
