#include "cluster/endpoints.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/map.h"
#include "base/must.h"
#include "base/rand.h"
#include "cluster/endpoint_slices.h"
#include "cluster/selector.h"
#include "cluster/store.h"

enum {
	/* more changed pods than this in a namespace: compute all of its services */
	FEW_PODS = 32,
	/* more services than this to compute in a namespace: sort its pods by label first */
	FEW_SERVICES = 8,
};

/* A Service that was touched or has slices of ours. */
struct computed {
	char *key; /* "ns/name" */
	const char *name; /* in key */
	struct space *space; /* while is_dirty */
	VEC(struct member *) pods; /* in its slices */
	unsigned n_slices[2]; /* of IPv4 and IPv6 */
	bool is_dirty;
};

/* A Pod that is in some slice of ours. */
struct member {
	VEC(struct computed *) services;
	char key[]; /* "ns/name" */
};

/* A Pod under the hash of one of its labels. */
struct labelled {
	uint64_t hash;
	const struct object *pod;
};

typedef VEC(const struct object *) pod_list;
typedef VEC(struct labelled) labelled_list;

/* A namespace, while its changes are worked on. */
struct space {
	char *ns;
	pod_list changed;
	size_t n_changed; /* pods that came, went or changed */
	size_t n_dirty; /* services to compute */
	labelled_list index; /* of all pods by label; empty: not made */
};

struct write {
	struct object *o;
	bool is_delete;
};

struct endpoints {
	struct store *store;
	int source, number; /* for whom; ours */
	uint64_t seed;
	struct store_reader reader;
	struct map services; /* key -> struct computed */
	struct map members; /* key -> struct member */
	/* what one call of on_changes collects */
	struct map spaces; /* ns -> struct space */
	VEC(struct computed *) dirty;
	VEC(struct write) writes;
};

/* ---- records ---- */

static char *key_text(struct buf *b, const char *ns, const char *name)
{
	buf_clear(b);
	buf_printf(b, "%s/%s", ns, name);
	return b->at;
}

static struct space *space_get(struct endpoints *p, const char *ns)
{
	struct space *s = map_get(&p->spaces, str_from(ns));

	if (s != NULL)
		return s;
	s = mem_new(struct space);
	s->ns = mem_str(ns);
	map_put(&p->spaces, str_from(s->ns), s);
	return s;
}

static void space_free(struct space *s)
{
	vec_free(&s->changed);
	vec_free(&s->index);
	free(s->ns);
	free(s);
}

static struct computed *computed_get(struct endpoints *p, const char *ns, const char *name)
{
	struct buf key = {0};
	struct computed *c;

	key_text(&key, ns, name);
	c = map_get(&p->services, (struct str){key.at, key.len});
	if (c == NULL) {
		c = mem_new(struct computed);
		c->key = mem_str(key.at);
		c->name = c->key + strlen(ns) + 1;
		map_put(&p->services, str_from(c->key), c);
	}
	buf_free(&key);
	return c;
}

static void computed_free(struct computed *c)
{
	vec_free(&c->pods);
	free(c->key);
	free(c);
}

static struct member *member_get(struct endpoints *p, const char *ns, const char *name)
{
	struct buf key = {0};
	struct member *m = NULL;

	key_text(&key, ns, name);
	m = map_get(&p->members, (struct str){key.at, key.len});
	buf_free(&key);
	return m;
}

static void member_add(struct endpoints *p, struct computed *c, const struct object *pod)
{
	struct member *m = member_get(p, pod->ns, pod->name);
	size_t n = strlen(pod->ns) + strlen(pod->name) + 2;

	if (m == NULL) {
		m = mem_alloc(sizeof(*m) + n);
		snprintf(m->key, n, "%s/%s", pod->ns, pod->name);
		map_put(&p->members, str_from(m->key), m);
	}
	vec_push(&m->services, c);
	vec_push(&c->pods, m);
}

static void member_free(struct member *m)
{
	vec_free(&m->services);
	free(m);
}

static void members_forget(struct endpoints *p, struct computed *c)
{
	vec_for_each (&c->pods, at) {
		struct member *m = *at;
		size_t i = 0;

		while (m->services.at[i] != c)
			i++;
		m->services.at[i] = m->services.at[--m->services.len];
		if (m->services.len > 0)
			continue;
		map_del(&p->members, str_from(m->key));
		member_free(m);
	}
	c->pods.len = 0;
}

/* ---- what has to be computed ---- */

static void mark(struct endpoints *p, const char *ns, const char *name)
{
	struct computed *c = computed_get(p, ns, name);

	if (c->is_dirty)
		return;
	c->is_dirty = true;
	c->space = space_get(p, ns);
	c->space->n_dirty++;
	vec_push(&p->dirty, c);
}

static bool is_ours(const struct endpoints *p, const struct object *service)
{
	return store_source_of(service) == p->source && endpoint_slices_apply_to(service);
}

static void collect_pod(struct endpoints *p, const char *ns, const char *name)
{
	const struct object *pod = store_get(p->store, OBJECT_POD, ns, name);
	const struct member *m = member_get(p, ns, name);
	struct space *s = space_get(p, ns);

	if (m != NULL)
		vec_for_each (&m->services, c)
			mark(p, ns, (*c)->name);
	s->n_changed++;
	if (pod != NULL && s->n_changed <= FEW_PODS)
		vec_push(&s->changed, pod);
}

static bool selects_any(const struct object *service, const pod_list *pods)
{
	vec_for_each (pods, pod)
		if (selector_map_matches(&service->service.selector, &(*pod)->labels))
			return true;
	return false;
}

/* Services that select pods which have changed. */
static void mark_selecting(struct endpoints *p, struct space *s)
{
	struct object_list services = store_in_namespace(p->store, OBJECT_SERVICE, s->ns);

	if (s->n_changed == 0)
		return;
	for (size_t i = 0; i < services.len; i++) {
		const struct object *o = services.at[i];

		if (is_ours(p, o) && (s->n_changed > FEW_PODS || selects_any(o, &s->changed)))
			mark(p, o->ns, o->name);
	}
}

static bool has_given_slice(const struct endpoints *p, const struct object *service)
{
	struct object_list slices = store_slices_of(p->store, service->ns, service->name);

	for (size_t i = 0; i < slices.len; i++)
		if (store_source_of(slices.at[i]) != p->number)
			return true;
	return false;
}

/* ---- pods of a service ---- */

static uint64_t hash_label(const struct endpoints *p, const struct label *l)
{
	uint64_t h = hash_bytes(p->seed, l->key, strlen(l->key));

	return hash_bytes(h, l->value, strlen(l->value));
}

static int compare_labelled(const void *a, const void *b)
{
	const struct labelled *x = a, *y = b;

	return x->hash < y->hash ? -1 : x->hash > y->hash;
}

static void make_index(const struct endpoints *p, struct space *s)
{
	struct object_list pods = store_in_namespace(p->store, OBJECT_POD, s->ns);

	for (size_t i = 0; i < pods.len; i++)
		for (uint32_t k = 0; k < pods.at[i]->labels.len; k++)
			vec_push(&s->index,
			        (struct labelled){
			                hash_label(p, &pods.at[i]->labels.at[k]), pods.at[i]});
	if (s->index.len > 0)
		qsort(s->index.at, s->index.len, sizeof(*s->index.at), compare_labelled);
}

/* Where in the index hash begins, or would. */
static size_t index_find(const struct space *s, uint64_t hash)
{
	size_t lo = 0, hi = s->index.len;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->index.at[mid].hash < hash)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void select_indexed(const struct endpoints *p, const struct space *s,
        const struct labels *selector, pod_list *out)
{
	size_t best = 0, best_n = SIZE_MAX;

	for (uint32_t i = 0; i < selector->len; i++) {
		uint64_t hash = hash_label(p, &selector->at[i]);
		size_t from = index_find(s, hash), n = 0;

		while (from + n < s->index.len && s->index.at[from + n].hash == hash)
			n++;
		if (n < best_n) {
			best = from;
			best_n = n;
		}
	}
	for (size_t i = best; i < best + best_n; i++)
		if (selector_map_matches(selector, &s->index.at[i].pod->labels))
			vec_push(out, s->index.at[i].pod);
}

static void select_all(const struct endpoints *p, const struct space *s,
        const struct labels *selector, pod_list *out)
{
	struct object_list pods = store_in_namespace(p->store, OBJECT_POD, s->ns);

	for (size_t i = 0; i < pods.len; i++)
		if (selector_map_matches(selector, &pods.at[i]->labels))
			vec_push(out, pods.at[i]);
}

static int compare_pods(const void *a, const void *b)
{
	const struct object *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

/* In the order of their names, so that the same pods give the same slices. */
static void select_pods(
        struct endpoints *p, struct space *s, const struct labels *selector, pod_list *out)
{
	if (s->n_dirty <= FEW_SERVICES) {
		select_all(p, s, selector, out);
	} else {
		if (s->index.len == 0)
			make_index(p, s);
		select_indexed(p, s, selector, out);
	}
	if (out->len > 0)
		qsort(out->at, out->len, sizeof(*out->at), compare_pods);
}

/* ---- computing ---- */

/* Writing waits until everything is read: it would end the life of what the store lent us. */
static void put_off(struct endpoints *p, const struct object *o, bool is_delete)
{
	vec_push(&p->writes, (struct write){object_copy(o, 0, NULL), is_delete});
}

static void count_slices(const struct slice_list *slices, unsigned n[2])
{
	vec_for_each (&slices->list, o)
		n[o->slice.family != 4]++;
}

static void delete_surplus(
        struct endpoints *p, struct arena *a, struct computed *c, const unsigned n[2])
{
	struct object o = {.kind = OBJECT_SLICE, .ns = c->space->ns};

	for (unsigned f = 0; f < 2; f++)
		for (unsigned i = n[f]; i < c->n_slices[f]; i++) {
			o.name = endpoint_slice_name(a, c->name, f == 0 ? 4 : 6, i);
			put_off(p, &o, true);
		}
}

static void build(struct endpoints *p, struct arena *a, struct computed *c, struct slice_list *out)
{
	const struct object *service = store_service(p->store, c->space->ns, c->name);
	pod_list pods = {NULL, 0, 0};

	if (service == NULL || !is_ours(p, service) || has_given_slice(p, service))
		return;
	select_pods(p, c->space, &service->service.selector, &pods);
	vec_for_each (&pods, pod)
		if (endpoint_slices_take(*pod))
			member_add(p, c, *pod);
	endpoint_slices_build(a, service, pods.at, pods.len, out);
	vec_free(&pods);
}

static void compute(struct endpoints *p, struct computed *c)
{
	struct slice_list slices = {{NULL, 0, 0}};
	unsigned n[2] = {0, 0};
	struct arena a;

	arena_init(&a);
	members_forget(p, c);
	build(p, &a, c, &slices);
	count_slices(&slices, n);
	vec_for_each (&slices.list, o)
		put_off(p, o, false);
	delete_surplus(p, &a, c, n);
	memcpy(c->n_slices, n, sizeof(n));
	vec_free(&slices.list);
	arena_reset(&a);
}

static void compute_dirty(struct endpoints *p)
{
	vec_for_each (&p->dirty, at)
		compute(p, *at);
	vec_for_each (&p->dirty, at) {
		struct computed *c = *at;

		c->is_dirty = false;
		c->space = NULL;
		if (c->n_slices[0] + c->n_slices[1] > 0)
			continue;
		members_forget(p, c);
		map_del(&p->services, str_from(c->key));
		computed_free(c);
	}
	vec_free(&p->dirty);
}

static void write_all(struct endpoints *p)
{
	vec_for_each (&p->writes, w) {
		if (w->is_delete)
			store_delete(p->store, p->number, w->o);
		else
			store_apply(p->store, p->number, w->o);
		free(w->o);
	}
	vec_free(&p->writes);
}

static void spaces_free(struct endpoints *p)
{
	struct space *s;
	size_t pos = 0;

	while ((s = map_next(&p->spaces, &pos)) != NULL)
		space_free(s);
	map_fini(&p->spaces);
}

/* Compute what was marked or selects pods that were collected. */
static void work(struct endpoints *p)
{
	struct space *s;
	size_t pos = 0;

	while ((s = map_next(&p->spaces, &pos)) != NULL)
		mark_selecting(p, s);
	compute_dirty(p);
	spaces_free(p);
	map_init(&p->spaces);
	write_all(p);
}

/* Our own slices come back as touches of their Services; the same slices come out then. */
static void on_changes(void *arg, const struct changes *c)
{
	struct endpoints *p = arg;

	for (size_t i = 0; i < c->len; i++) {
		const struct touch *t = &c->at[i];

		if (t->kind == TOUCH_SERVICE)
			mark(p, t->ns, t->name);
		else if (t->kind == TOUCH_POD)
			collect_pod(p, t->ns, t->name);
	}
	work(p);
}

static void mark_all(struct endpoints *p)
{
	const struct object *o;
	size_t pos = 0;

	while ((o = store_next(p->store, OBJECT_SERVICE, &pos)) != NULL)
		if (is_ours(p, o))
			mark(p, o->ns, o->name);
}

struct endpoints *endpoints_new(struct store *st, int source, struct err *e)
{
	int number = store_source_add(st, "endpoints", 1u << OBJECT_SLICE);
	struct endpoints *p;

	if (number < 0) {
		err_set(e, number, "the cluster has too many sources for computed endpoints");
		return NULL;
	}
	p = mem_new(struct endpoints);
	p->store = st;
	p->source = source;
	p->number = number;
	p->seed = rand_u64();
	p->reader = (struct store_reader){.on_changes = on_changes, .arg = p};
	map_init(&p->services);
	map_init(&p->members);
	map_init(&p->spaces);
	store_reader_add(st, &p->reader);
	mark_all(p);
	work(p);
	store_commit(st);
	return p;
}

void endpoints_synced(struct endpoints *p)
{
	store_source_synced(p->store, p->number, OBJECT_SLICE, true);
	store_commit(p->store);
}

void endpoints_free(struct endpoints *p)
{
	struct computed *c;
	struct member *m;
	size_t pos = 0;

	if (p == NULL)
		return;
	store_reader_remove(&p->reader);
	while ((c = map_next(&p->services, &pos)) != NULL)
		computed_free(c);
	for (pos = 0; (m = map_next(&p->members, &pos)) != NULL;)
		member_free(m);
	map_fini(&p->services);
	map_fini(&p->members);
	spaces_free(p);
	free(p);
}
