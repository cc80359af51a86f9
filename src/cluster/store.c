#include "cluster/store.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/ptrset.h"
#include "base/vec.h"
#include "cluster/intern.h"
#include "cluster/ip_index.h"
#include "cluster/store_key.h"
#include "cluster/touches.h"

#define COMMIT_ROUNDS_MAX 16

/* Stands before each kept object, at the beginning of its block. */
struct node {
	struct node *other; /* same key from a later source */
	uint32_t mark;      /* relist in which it was last seen */
	uint32_t place;     /* index in the list of its namespace or service */
	int source;
	struct object object[];
};

struct source {
	const char *name;
	unsigned kinds, synced;  /* masks of 1u << kind */
	unsigned relisting, truth;
	bool is_provisional;
	bool has_objects; /* of a provisional source: since it was cleared */
	uint32_t mark[OBJECT_KINDS];
};

/* Read by workers with each answer: nothing that is written often stands beside it. */
struct stale_mark {
	char before[64];
	_Atomic bool is_stale;
	char after[64];
};

struct store {
	struct stale_mark stale;
	struct ptrset objects[OBJECT_KINDS]; /* struct node, first source in front */
	struct map groups[OBJECT_KINDS];  /* namespace, or "ns/service" of slices -> struct group */
	struct map imported;              /* "ns/import" of imported slices -> struct group */
	struct ip_index ips[OBJECT_KINDS];
	struct intern texts;
	struct source sources[STORE_MAX_SOURCES];
	int n_sources;
	unsigned synced; /* mask of the kinds that readers know as synced */
	uint32_t last_mark;
	struct touches touches;
	struct list readers;
	struct store_stats stats;
	bool has_slim_pods;
	bool is_held; /* deleted nodes go to the graveyard */
	VEC(const struct object *) held;
	VEC(struct node *) graveyard;
};

/* object_copy() puts the namespace before the name. */
static struct str node_key(const void *element)
{
	const struct object *o = ((const struct node *)element)->object;
	size_t n = strlen(o->ns) + 1;

	return (struct str){o->name - n, n + strlen(o->name)};
}

struct store *store_new(void)
{
	struct store *st = mem_new(struct store);

	for (int k = 0; k < OBJECT_KINDS; k++) {
		ptrset_init(&st->objects[k], node_key);
		map_init(&st->groups[k]);
		ip_index_init(&st->ips[k]);
	}
	map_init(&st->imported);
	intern_init(&st->texts);
	touches_init(&st->touches);
	list_init(&st->readers);
	return st;
}

static struct node *node_of(const struct object *o)
{
	return (struct node *)(uintptr_t)((const char *)o - offsetof(struct node, object));
}

static void node_free(struct store *st, struct node *n)
{
	if (st->is_held) {
		vec_push(&st->graveyard, n);
		return;
	}
	object_unshare(n->object, &st->texts);
	free(n);
}

void store_free(struct store *st)
{
	if (st == NULL)
		return;
	must(list_is_empty(&st->readers) && !st->is_held);
	for (int k = 0; k < OBJECT_KINDS; k++) {
		struct node *n;
		size_t pos = 0;

		while ((n = ptrset_next(&st->objects[k], &pos)) != NULL)
			for (struct node *next; n != NULL; n = next) {
				next = n->other;
				node_free(st, n);
			}
		ptrset_fini(&st->objects[k]);
		groups_fini(&st->groups[k]);
		ip_index_fini(&st->ips[k]);
	}
	groups_fini(&st->imported);
	intern_fini(&st->texts);
	touches_fini(&st->touches);
	vec_free(&st->held);
	vec_free(&st->graveyard);
	free(st);
}

/* --- keys and groups --------------------------------------------------------------------- */

static void group_remove(struct map *groups, struct str key, const struct object *o)
{
	const struct object *moved = group_take(groups, key, node_of(o)->place);

	if (moved != NULL)
		node_of(moved)->place = node_of(o)->place;
}

static bool import_key(const struct object *o, struct key *key)
{
	return o->kind == OBJECT_SLICE && o->slice.import != NULL &&
		make_key(key, o->ns, o->slice.import);
}

static void import_add(struct store *st, const struct object *o)
{
	struct key key;

	if (import_key(o, &key))
		group_push(&st->imported, key_str(&key), o);
}

/* An import has few slices, so that no place in the list is kept. */
static void import_remove(struct store *st, const struct object *o)
{
	struct object_list list;
	struct key key;
	uint32_t at = 0;

	if (!import_key(o, &key))
		return;
	list = group_list(&st->imported, key_str(&key));
	while (at < list.len && list.at[at] != o)
		at++;
	group_take(&st->imported, key_str(&key), at);
}

/* The map and key of the group that o belongs to; false when it belongs to none. */
static bool find_group(
        struct store *st, const struct object *o, struct map **groups, struct key *key)
{
	if (o->kind == OBJECT_SLICE) {
		*groups = &st->groups[OBJECT_SLICE];
		return o->slice.service != NULL && make_key(key, o->ns, o->slice.service);
	}
	*groups = &st->groups[o->kind];
	return make_key(key, o->ns, "");
}

static void index_add(struct store *st, const struct object *o)
{
	struct map *groups;
	struct key key;

	if (find_group(st, o, &groups, &key))
		node_of(o)->place = group_push(groups, key_str(&key), o);
	import_add(st, o);
	if (o->kind != OBJECT_SLICE)
		ip_index_add(&st->ips[o->kind], o);
	st->stats.objects[o->kind]++;
	if (o->kind == OBJECT_SLICE)
		st->stats.endpoints += o->slice.n_endpoints;
}

static void index_remove(struct store *st, const struct object *o)
{
	struct map *groups;
	struct key key;

	if (find_group(st, o, &groups, &key))
		group_remove(groups, key_str(&key), o);
	import_remove(st, o);
	if (o->kind != OBJECT_SLICE)
		ip_index_remove(&st->ips[o->kind], o);
	st->stats.objects[o->kind]--;
	if (o->kind == OBJECT_SLICE)
		st->stats.endpoints -= o->slice.n_endpoints;
}

/* --- writing ----------------------------------------------------------------------------- */

static struct node *node_new(struct store *st, int source, const struct object *o)
{
	struct node *n = object_copy(o, sizeof(*n), &st->texts);

	memset(n, 0, sizeof(*n));
	n->source = source;
	n->mark = st->sources[source].mark[o->kind];
	return n;
}

/* The chain of nodes under a key changed from old_first to first: tell indexes and readers. */
static void show(
        struct store *st, enum object_kind kind, struct node *old_first, struct node *first)
{
	const struct object *old = old_first == NULL ? NULL : old_first->object;
	const struct object *now = first == NULL ? NULL : first->object;

	if (old == now)
		return;
	if (old != NULL)
		index_remove(st, old);
	if (now != NULL)
		index_add(st, now);
	touches_add_change(&st->touches, old, now);
	if (now != NULL)
		ptrset_put(&st->objects[kind], first);
	else
		ptrset_del(&st->objects[kind], node_key(old_first));
}

/* Put n into the chain in the order of sources, in place of `old` when that is not NULL. */
static void link_node(struct store *st, struct node *first, struct node *old, struct node *n)
{
	struct node *head = first, **at = &head;

	while (*at != NULL && *at != old && (*at)->source < n->source)
		at = &(*at)->other;
	n->other = old == NULL ? *at : old->other;
	*at = n;
	show(st, n->object->kind, first, head);
}

static struct node *find_first(const struct store *st, enum object_kind kind, const struct key *k)
{
	return ptrset_get(&st->objects[kind], key_str(k));
}

static struct node *find_of_source(struct node *n, int source)
{
	while (n != NULL && n->source != source)
		n = n->other;
	return n;
}

static bool has_uid(const struct object *o)
{
	static const uint8_t zero[16];

	return memcmp(o->uid, zero, sizeof(zero)) != 0;
}

static bool is_other_uid(const struct object *a, const struct object *b)
{
	return has_uid(a) && has_uid(b) && memcmp(a->uid, b->uid, sizeof(a->uid)) != 0;
}

static bool is_stale(const struct store *st, int source, const struct object *old,
	const struct object *o)
{
	if ((st->sources[source].truth & 1u << o->kind) != 0 || old->rv == 0 || o->rv == 0)
		return false;
	return o->rv < old->rv; /* versions are of the whole cluster: so is an older uid */
}

static void unlink_node(struct store *st, struct node *n)
{
	enum object_kind kind = n->object->kind;
	struct node *first = ptrset_get(&st->objects[kind], node_key(n));
	struct node *head = first, **at = &head;

	while (*at != n)
		at = &(*at)->other;
	*at = n->other;
	show(st, kind, first, head);
}

static void remove_node(struct store *st, struct node *n)
{
	unlink_node(st, n);
	node_free(st, n);
	st->stats.deleted++;
}

/* What is the same as before: only the version and the mark are news. */
static enum store_result refresh(struct store *st, struct node *n, const struct object *o)
{
	n->mark = st->sources[n->source].mark[o->kind];
	n->object->rv = o->rv;
	if (has_uid(o))
		memcpy(n->object->uid, o->uid, sizeof(o->uid));
	return STORE_SAME;
}

static struct node *find_provisional(const struct store *st, struct node *n)
{
	while (n != NULL && !st->sources[n->source].is_provisional)
		n = n->other;
	return n;
}

/* True when the only node of a key, a provisional one, says the same and now is of source. */
static bool take_over(struct store *st, struct node *first, int source, const struct object *o)
{
	if (first == NULL || first->other != NULL || !st->sources[first->source].is_provisional ||
		is_other_uid(first->object, o) || !object_is_same(first->object, o))
		return false;
	first->source = source;
	return true;
}

/* A provisional source is believed about what nobody else has told of. */
static bool may_stand_in(
	struct store *st, int source, const struct node *first, enum object_kind kind)
{
	if (!store_source_stands_in(st, source, kind) || (first != NULL && first->source != source))
		return false;
	st->sources[source].has_objects = true;
	atomic_store(&st->stale.is_stale, true);
	return true;
}

void store_slim_pods(struct store *st)
{
	st->has_slim_pods = true;
}

/* What is kept of an object: it, or a pod without what nobody asks for in *room. */
static const struct object *slim(
	const struct store *st, const struct object *o, struct object *room)
{
	if (!st->has_slim_pods || o->kind != OBJECT_POD)
		return o;
	/* an object of a store ends behind its kind */
	memcpy(room, o, offsetof(struct object, pod) + POD_DATA_KEPT);
	room->pod.node = room->version = room->problem = NULL;
	room->labels = (struct labels){NULL, 0};
	room->pod.hostname = room->pod.subdomain = NULL;
	room->pod.ports = (struct port_list){NULL, 0};
	return room;
}

enum store_result store_apply(struct store *st, int source, const struct object *given)
{
	struct object room;
	const struct object *o = slim(st, given, &room);
	bool is_provisional = st->sources[source].is_provisional;
	struct node *first, *old, *stand_in;
	struct key k;

	if (o->kind == OBJECT_NONE || !make_key(&k, o->ns, o->name))
		return STORE_IGNORED;
	st->stats.applied++;
	st->stats.dropped += o->dropped;
	first = find_first(st, o->kind, &k);
	if (is_provisional && !may_stand_in(st, source, first, o->kind))
		return STORE_IGNORED;
	if (!is_provisional && take_over(st, first, source, o))
		return refresh(st, first, o);
	old = find_of_source(first, source);
	if (old != NULL && is_stale(st, source, old->object, o)) {
		old->mark = st->sources[source].mark[o->kind];
		st->stats.stale++;
		return STORE_STALE;
	}
	if (old != NULL && !is_other_uid(old->object, o) && object_is_same(old->object, o))
		return refresh(st, old, o);
	stand_in = is_provisional ? NULL : find_provisional(st, first);
	link_node(st, first, old, node_new(st, source, o));
	if (old != NULL)
		node_free(st, old);
	if (stand_in != NULL)
		remove_node(st, stand_in);
	st->stats.changed++;
	return STORE_CHANGED;
}

enum store_result store_delete(struct store *st, int source, const struct object *o)
{
	struct node *n;
	struct key k;

	if (o->kind == OBJECT_NONE || !make_key(&k, o->ns, o->name))
		return STORE_IGNORED;
	n = find_of_source(find_first(st, o->kind, &k), source);
	if (n == NULL)
		return STORE_IGNORED;
	if (is_other_uid(n->object, o) || is_stale(st, source, n->object, o)) {
		st->stats.stale++;
		return STORE_STALE;
	}
	remove_node(st, n);
	return STORE_CHANGED;
}

/* --- sources and relists ----------------------------------------------------------------- */

/* True when all sources of one sort that deliver kind are synced with it, and there is one. */
static bool are_synced(const struct store *st, enum object_kind kind, bool provisional)
{
	bool has_source = false;

	for (int i = 0; i < st->n_sources; i++) {
		const struct source *s = &st->sources[i];

		if (s->name == NULL || s->is_provisional != provisional ||
			(s->kinds & 1u << kind) == 0)
			continue;
		if ((s->synced & 1u << kind) == 0)
			return false;
		has_source = true;
	}
	return has_source;
}

/* True when objects of a provisional source may be left. */
static bool has_provisional(const struct store *st)
{
	for (int i = 0; i < st->n_sources; i++) {
		const struct source *s = &st->sources[i];

		if (s->name != NULL && s->is_provisional && s->has_objects && s->kinds != 0)
			return true;
	}
	return false;
}

/* Touch TOUCH_SYNC when the answer of store_is_synced() changed for some kind. */
static void update_synced(struct store *st)
{
	unsigned synced = 0;

	for (int k = 0; k < OBJECT_KINDS; k++)
		synced |= (unsigned)store_is_synced(st, (enum object_kind)k) << k;
	if (synced != st->synced)
		touches_add(&st->touches, TOUCH_SYNC, NULL, NULL);
	st->synced = synced;
	atomic_store(&st->stale.is_stale, has_provisional(st));
}

int store_source_add(struct store *st, const char *name, unsigned kinds)
{
	int at = 0;

	while (at < st->n_sources && st->sources[at].name != NULL)
		at++;
	if (at == STORE_MAX_SOURCES)
		return -ENOSPC;
	if (at == st->n_sources)
		st->n_sources++;
	st->sources[at] = (struct source){.name = name, .kinds = kinds};
	update_synced(st);
	return at;
}

/* The nodes of a source and kind that were not seen in its present relist (or all). */
typedef VEC(struct node *) node_list;

static void collect_nodes(const struct store *st, int source, enum object_kind kind, bool all,
	node_list *out)
{
	uint32_t mark = st->sources[source].mark[kind];
	struct node *n;
	size_t pos = 0;

	while ((n = ptrset_next(&st->objects[kind], &pos)) != NULL) {
		struct node *mine = find_of_source(n, source);

		if (mine != NULL && (all || mine->mark != mark))
			vec_push(out, mine);
	}
}

static size_t remove_nodes(struct store *st, int source, enum object_kind kind, bool all)
{
	node_list list = {NULL, 0, 0};
	size_t n;

	collect_nodes(st, source, kind, all, &list);
	vec_for_each(&list, at)
		remove_node(st, *at);
	n = list.len;
	vec_free(&list);
	return n;
}

void store_source_provisional(struct store *st, int source)
{
	st->sources[source].is_provisional = true;
	update_synced(st);
}

bool store_source_stands_in(const struct store *st, int source, enum object_kind kind)
{
	return st->sources[source].is_provisional && (st->sources[source].kinds & 1u << kind) != 0;
}

void store_source_clear(struct store *st, int source)
{
	for (int k = 0; k < OBJECT_KINDS; k++)
		remove_nodes(st, source, (enum object_kind)k, true);
	st->sources[source].synced = 0;
	st->sources[source].has_objects = false;
	update_synced(st);
}

void store_source_remove(struct store *st, int source)
{
	store_source_clear(st, source);
	st->sources[source] = (struct source){.name = NULL};
	update_synced(st);
	store_commit(st);
}

/* The other sources have all of kind: nobody has to stand in for them any more. */
static void drop_provisional(struct store *st, enum object_kind kind)
{
	for (int i = 0; i < st->n_sources; i++) {
		struct source *s = &st->sources[i];

		if (s->name == NULL || !s->is_provisional || (s->kinds & 1u << kind) == 0)
			continue;
		remove_nodes(st, i, kind, true);
		s->kinds &= ~(1u << kind);
		s->synced &= ~(1u << kind);
		/* also when they say the same */
		touches_add(&st->touches, TOUCH_SYNC, NULL, NULL);
	}
}

void store_source_synced(struct store *st, int source, enum object_kind kind, bool is_synced)
{
	struct source *s = &st->sources[source];

	s->synced = is_synced ? s->synced | 1u << kind : s->synced & ~(1u << kind);
	if (!s->is_provisional && are_synced(st, kind, false))
		drop_provisional(st, kind);
	update_synced(st);
}

void store_relist_begin(struct store *st, int source, enum object_kind kind, bool is_truth)
{
	struct source *s = &st->sources[source];

	s->mark[kind] = ++st->last_mark;
	s->relisting |= 1u << kind;
	s->truth = is_truth ? s->truth | 1u << kind : s->truth & ~(1u << kind);
}

static void relist_over(struct source *s, enum object_kind kind)
{
	s->relisting &= ~(1u << kind);
	s->truth &= ~(1u << kind);
}

size_t store_relist_missing(const struct store *st, int source, enum object_kind kind)
{
	node_list list = {NULL, 0, 0};
	size_t n;

	collect_nodes(st, source, kind, false, &list);
	n = list.len;
	vec_free(&list);
	return n;
}

size_t store_relist_end(struct store *st, int source, enum object_kind kind)
{
	struct source *s = &st->sources[source];

	if ((s->relisting & 1u << kind) == 0)
		return 0;
	relist_over(s, kind);
	return remove_nodes(st, source, kind, false);
}

void store_relist_abort(struct store *st, int source, enum object_kind kind)
{
	relist_over(&st->sources[source], kind);
}

/* --- comparing with a list --------------------------------------------------------------- */

void store_audit_begin(struct store *st, int source, enum object_kind kind)
{
	st->sources[source].mark[kind] = ++st->last_mark;
}

bool store_audit_see(struct store *st, int source, const struct object *o)
{
	struct node *n;
	struct key k;

	if (!make_key(&k, o->ns, o->name) || (st->sources[source].relisting & 1u << o->kind) != 0)
		return true; /* the marks are of the relist */
	n = find_of_source(find_first(st, o->kind, &k), source);
	if (n == NULL)
		return false;
	n->mark = st->sources[source].mark[o->kind];
	return !is_other_uid(n->object, o) && (n->object->rv == 0 || n->object->rv == o->rv);
}

const struct object *store_audit_next(
	const struct store *st, int source, enum object_kind kind, size_t *pos)
{
	uint32_t mark = st->sources[source].mark[kind];
	struct node *n;

	while ((n = ptrset_next(&st->objects[kind], pos)) != NULL) {
		n = find_of_source(n, source);
		if (n != NULL && n->mark != mark)
			return n->object;
	}
	return NULL;
}

/* --- change log -------------------------------------------------------------------------- */

static void tell_readers(struct store *st, const struct changes *c)
{
	list_for_each(&st->readers, node) {
		struct store_reader *r = container_of(node, struct store_reader, link);

		r->on_changes(r->arg, c);
	}
}

void store_commit(struct store *st)
{
	for (int round = 0; round < COMMIT_ROUNDS_MAX && st->touches.list.len > 0; round++) {
		struct touches taken = st->touches;
		struct changes c = {taken.list.at, taken.list.len, ++st->stats.revision,
			taken.trigger_ms};

		touches_init(&st->touches);
		tell_readers(st, &c);
		touches_fini(&taken);
	}
}

void store_reader_add(struct store *st, struct store_reader *r)
{
	list_push(&st->readers, &r->link);
}

void store_reader_remove(struct store_reader *r)
{
	list_remove(&r->link);
}

/* --- reading ----------------------------------------------------------------------------- */

const struct object *store_get(
	const struct store *st, enum object_kind kind, const char *ns, const char *name)
{
	const struct node *n;
	struct key k;

	if (!make_key(&k, ns, name))
		return NULL;
	n = find_first(st, kind, &k);
	return n == NULL ? NULL : n->object;
}

static struct object_list members(const struct map *groups, const char *ns, const char *name)
{
	struct key k;

	return make_key(&k, ns, name) ? group_list(groups, key_str(&k))
				      : (struct object_list){NULL, 0};
}

struct object_list store_slices_of(const struct store *st, const char *ns, const char *name)
{
	return members(&st->groups[OBJECT_SLICE], ns, name);
}

struct object_list store_imported_slices_of(
	const struct store *st, const char *ns, const char *name)
{
	return members(&st->imported, ns, name);
}

struct object_list store_in_namespace(
	const struct store *st, enum object_kind kind, const char *ns)
{
	must(kind != OBJECT_SLICE);
	return members(&st->groups[kind], ns, "");
}

const struct object *store_next(const struct store *st, enum object_kind kind, size_t *pos)
{
	const struct node *n = ptrset_next(&st->objects[kind], pos);

	return n == NULL ? NULL : n->object;
}

struct object_list store_hold(struct store *st, unsigned kinds)
{
	must(!st->is_held);
	st->is_held = true;
	st->held.len = 0;
	for (int k = 0; k < OBJECT_KINDS; k++) {
		const struct object *o;
		size_t pos = 0;

		if ((kinds & 1u << k) == 0)
			continue;
		while ((o = store_next(st, (enum object_kind)k, &pos)) != NULL)
			vec_push(&st->held, o);
	}
	return (struct object_list){st->held.at, st->held.len};
}

void store_release(struct store *st)
{
	st->is_held = false;
	vec_for_each(&st->graveyard, n)
		node_free(st, *n);
	vec_free(&st->graveyard);
	vec_free(&st->held);
}

bool store_ip_next(const struct store *st, enum object_kind kind, const struct ip *ip, size_t *pos,
	struct ip_owner *out)
{
	if (kind == OBJECT_SLICE)
		return ip_walk_slices(st, ip, pos, out);
	return ip_index_next(&st->ips[kind], ip, pos, out);
}

bool store_is_synced(const struct store *st, enum object_kind kind)
{
	return are_synced(st, kind, false) || are_synced(st, kind, true);
}

bool store_source_is_synced(const struct store *st, int source, enum object_kind kind)
{
	return (st->sources[source].synced & 1u << kind) != 0;
}

bool store_is_stale(const struct store *st)
{
	return atomic_load_explicit(&st->stale.is_stale, memory_order_relaxed);
}

int store_source_of(const struct object *o)
{
	return node_of(o)->source;
}

void store_stats(const struct store *st, struct store_stats *out)
{
	*out = st->stats;
}
