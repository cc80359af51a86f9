/* What the simulation knows about answers. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/rcu.h"
#include "cluster/state_file.h"
#include "dns/wire.h"
#include "kubernetes/cluster.h"

extern const struct plugin kubernetes_plugin;

/* ---- the clock, in place of base/clock.c ---- */

uint64_t sim_now_ms, sim_epoch_s;

uint64_t clock_ns(void)
{
	return sim_now_ms * 1000000;
}

uint64_t clock_ms(void)
{
	return sim_now_ms;
}

uint64_t clock_wall_s(void)
{
	return sim_epoch_s + sim_now_ms / 1000;
}

uint64_t clock_wall_ms(void)
{
	return clock_wall_s() * 1000 + sim_now_ms % 1000;
}

/* ---- the cluster, in place of plugins/kubernetes/cluster.c; see quiet_cluster.c ---- */

struct cluster {
	struct store *store;
};

static struct cluster *next_cluster; /* for the block that is opened */

struct cluster *cluster_take(
        struct shared *shared, const struct cluster_config *c, const char *key, struct err *e)
{
	(void)shared;
	(void)c;
	(void)key;
	(void)e;
	return next_cluster;
}

void cluster_drop(struct shared *shared, struct cluster *c)
{
	(void)shared;
	free(c);
}

struct store *cluster_store(const struct cluster *c)
{
	return c->store;
}

const char *cluster_pod_namespace(const struct cluster *c)
{
	(void)c;
	return "";
}

int cluster_embed(struct shared *shared, struct str text, bool is_delete, struct err *e)
{
	(void)shared;
	(void)text;
	(void)is_delete;
	(void)e;
	return -1;
}

/* ---- the plugin ---- */

void sim_kube_open(struct sim_kube *k)
{
	struct ip own = {4, {10, 1, 0, 4}};

	memset(k, 0, sizeof(*k));
	k->store = store_new();
	k->source = -1;
	if (rig_open(&k->rig, &kubernetes_plugin,
	            ".:53 {\n    kubernetes cluster.local 10.in-addr.arpa\n}\n") != 0)
		fail_msg("%s", k->rig.err.text);
	k->kube = k->rig.setup.instance;
	/* not those of the machine that runs the test */
	k->kube->local.len = 0;
	vec_push(&k->kube->local, own);
	next_cluster = calloc(1, sizeof(*next_cluster));
	next_cluster->store = k->store;
	assert_int_equal(kubernetes_plugin.start(k->kube, &k->rig.err), 0);
}

void sim_kube_close(struct sim_kube *k)
{
	rig_close(&k->rig);
	store_free(k->store);
	k->store = NULL;
}

enum { ADDRESSES_MAX = 16 };

struct seen {
	uint16_t rcode;
	unsigned n;
	uint32_t ips[ADDRESSES_MAX];
	uint64_t signature; /* of all records of the answer section */
};

static void read_addresses(struct seen *a, const struct rrset *set)
{
	for (unsigned i = 0; i < set->count && a->n < ADDRESSES_MAX; i++) {
		uint16_t n;
		const uint8_t *p = rrset_rdata(set, i, &n);

		a->ips[a->n++] = get32(p);
	}
}

static struct seen ask(struct sim_kube *k, const char *name, uint16_t type)
{
	struct query *q = rig_query(&k->rig, &(struct rig_ask){.name = name, .type = type});
	struct seen a = {.rcode = 0};

	assert_int_equal(rig_down(&k->rig, q), DONE);
	a.rcode = q->answer.rcode;
	for (unsigned i = 0; i < q->answer.count; i++) {
		const struct answer_ref *ref = &q->answer.refs[i];

		if (ref->section != SECTION_ANSWER)
			continue;
		if (ref->set->type == TYPE_A)
			read_addresses(&a, ref->set);
		a.signature = hash_bytes(
		        a.signature + ref->set->type, ref->set->wire, ref->set->wire_len);
	}
	query_release(q);
	return a;
}

/* ---- what an answer may be ---- */

static const struct world_state *state(const struct sim *s, unsigned i, uint32_t at)
{
	return &s->world.history[i].at[at];
}

void sim_acknowledge(struct sim *s, unsigned i, uint32_t at)
{
	if (at > s->floor[i])
		s->floor[i] = at;
}

typedef bool state_test(
        const struct sim *s, unsigned i, const struct world_state *state, const struct seen *a);

/* The first state of object i since the acknowledged one that passes; -1: none. */
static int64_t find_state(const struct sim *s, unsigned i, state_test *test, const struct seen *a)
{
	for (uint32_t at = s->floor[i]; at < s->world.history[i].len; at++)
		if (test(s, i, state(s, i, at), a))
			return at;
	return -1;
}

static bool is_present(
        const struct sim *s, unsigned i, const struct world_state *state, const struct seen *a)
{
	(void)s;
	(void)i;
	(void)a;
	return state->rv != 0;
}

static bool is_absent(
        const struct sim *s, unsigned i, const struct world_state *state, const struct seen *a)
{
	return !is_present(s, i, state, a);
}

static bool is_headless(
        const struct sim *s, unsigned i, const struct world_state *state, const struct seen *a)
{
	(void)a;
	return state->rv != 0 && world_is_headless(&s->world, i, state);
}

static bool has_that_address(
        const struct sim *s, unsigned i, const struct world_state *state, const struct seen *a)
{
	return state->rv != 0 && !world_is_headless(&s->world, i, state) && a->n == 1 &&
	       a->ips[0] == world_service_address(state->content);
}

static bool is_without_endpoints(
        const struct sim *s, unsigned i, const struct world_state *state, const struct seen *a)
{
	uint32_t ips[SLICE_ADDRESSES];

	(void)a;
	return world_slice_addresses(&s->world, i, state, ips) == 0;
}

static bool is_of_slice(uint32_t ip, unsigned i)
{
	unsigned octet = ip >> 16 & 255;

	return octet == 100 + i || octet == 120 + i;
}

/* What of the answer is of that slice is what it has in that state. */
static bool has_those_endpoints(
        const struct sim *s, unsigned i, const struct world_state *state, const struct seen *a)
{
	uint32_t ips[SLICE_ADDRESSES];
	unsigned n = world_slice_addresses(&s->world, i, state, ips), mine = 0;

	for (unsigned k = 0; k < a->n; k++) {
		if (!is_of_slice(a->ips[k], i))
			continue;
		mine++;
		if (a->ips[k] != ips[0] && (n < 2 || a->ips[k] != ips[1]))
			return false;
	}
	return mine == n;
}

static unsigned namespace_of(const struct sim *s, unsigned i)
{
	return world_object(&s->world, i)->ns[0] == 'a' ? 0 : 1;
}

static bool are_all_empty(const struct sim *s, const struct world_object *o)
{
	for (unsigned k = 0; k < o->n_slices; k++)
		if (find_state(s, o->first_slice + k, is_without_endpoints, NULL) < 0)
			return false;
	return true;
}

/* The name of service i may not exist. */
static bool may_be_absent(const struct sim *s, unsigned i)
{
	const struct world_object *o = world_object(&s->world, i);

	return find_state(s, namespace_of(s, i), is_absent, NULL) >= 0 ||
	       find_state(s, i, is_absent, NULL) >= 0 ||
	       (find_state(s, i, is_headless, NULL) >= 0 && are_all_empty(s, o));
}

/* The object is at that state or a later one: it was in an answer. */
static bool raise_floor(struct sim *s, unsigned i, int64_t at)
{
	if (at >= 0)
		sim_acknowledge(s, i, (uint32_t)at);
	return at >= 0;
}

static bool accept_headless(struct sim *s, unsigned i, const struct seen *a)
{
	const struct world_object *o = world_object(&s->world, i);
	unsigned known = 0;

	if (!raise_floor(s, i, find_state(s, i, is_headless, a)))
		return false;
	for (unsigned k = 0; k < o->n_slices; k++) {
		unsigned slice = o->first_slice + k;

		for (unsigned n = 0; n < a->n; n++)
			known += is_of_slice(a->ips[n], slice);
		if (!raise_floor(s, slice, find_state(s, slice, has_those_endpoints, a)))
			return false;
	}
	return known == a->n;
}

static bool accept_positive(struct sim *s, unsigned i, const struct seen *a)
{
	bool is_cluster_ip = a->n > 0 && (a->ips[0] >> 16 & 255) == 64;

	if (!raise_floor(s, namespace_of(s, i), find_state(s, namespace_of(s, i), is_present, a)))
		return false;
	if (is_cluster_ip)
		return raise_floor(s, i, find_state(s, i, has_that_address, a));
	return accept_headless(s, i, a);
}

static void describe(char *out, size_t room, const struct seen *a)
{
	int n = snprintf(out, room, "rcode %u", a->rcode);

	for (unsigned i = 0; i < a->n && (size_t)n < room; i++)
		n += snprintf(out + n, room - (size_t)n, " 10.%u.%u.%u", a->ips[i] >> 16 & 255,
		        a->ips[i] >> 8 & 255, a->ips[i] & 255);
}

/* What the world says about objects of that namespace, and what was acknowledged. */
static void show_past(const struct sim *s)
{
	for (unsigned i = 0; i < WORLD_OBJECTS; i++) {
		const struct world_object *o = world_object(&s->world, i);

		print_error("  %s %s/%s:", object_kind_name(o->kind), o->ns, o->name);
		for (uint32_t at = s->floor[i]; at <= world_now(&s->world, i); at++)
			print_error(" %llu(life %u, content %u)",
			        (unsigned long long)state(s, i, at)->rv, state(s, i, at)->life,
			        state(s, i, at)->content);
		print_error("\n");
	}
}

static void complain(struct sim *s, const char *name, const struct seen *a, const char *why)
{
	char text[200];

	describe(text, sizeof(text), a);
	show_past(s);
	sim_fail(s, "%s: %s: %s", name, text, why);
}

/* A negative answer, or the refusal to give one. */
static void check_negative(struct sim *s, const char *name, const struct seen *a, bool may)
{
	if (!s->was_ready && a->rcode != RCODE_SERVFAIL)
		complain(s, name, a, "negative before the first sync");
	if (!s->was_ready)
		return;
	if (a->rcode != RCODE_NXDOMAIN)
		complain(s, name, a, "no negative answer after the sync");
	if (!may)
		complain(s, name, a, "the name exists in every state since the acknowledged one");
}

static void check_service(struct sim *s, unsigned i)
{
	const struct world_object *o = world_object(&s->world, i);
	char name[64];
	struct seen a;

	snprintf(name, sizeof(name), "%s.%s.svc.cluster.local", o->name, o->ns);
	a = ask(&s->client, name, TYPE_A);
	s->checks++;
	if (a.rcode != 0)
		check_negative(s, name, &a, may_be_absent(s, i));
	else if (a.n == 0 || !accept_positive(s, i, &a))
		complain(s, name, &a, "no state since the acknowledged one has this answer");
}

static void check_namespace(struct sim *s, unsigned i)
{
	char name[64];
	struct seen a;

	snprintf(name, sizeof(name), "%s.svc.cluster.local", world_object(&s->world, i)->name);
	a = ask(&s->client, name, TYPE_A);
	s->checks++;
	if (a.rcode == 0 && find_state(s, i, is_present, NULL) < 0)
		complain(s, name, &a, "the namespace is gone");
	else if (a.rcode != 0)
		check_negative(s, name, &a, find_state(s, i, is_absent, NULL) >= 0);
}

void sim_check(struct sim *s)
{
	bool is_ready = kubernetes_plugin.ready(s->client.kube);

	if (s->was_ready && !is_ready)
		sim_fail(s, "no longer ready");
	s->was_ready = is_ready;
	for (unsigned i = 0; i < WORLD_OBJECTS; i++) {
		if (world_object(&s->world, i)->kind == OBJECT_NAMESPACE)
			check_namespace(s, i);
		else if (world_object(&s->world, i)->kind == OBJECT_SERVICE)
			check_service(s, i);
	}
	/* of the fillers some */
	for (unsigned i = WORLD_OBJECTS; i < s->world.n; i += 29)
		check_service(s, i);
}

/* ---- commits ---- */

/* What all objects say; versions do not count. */
static uint64_t fingerprint(const struct store *st)
{
	struct buf b = {0};
	uint64_t sum = 1;

	for (int kind = 0; kind < OBJECT_KINDS; kind++) {
		const struct object *o;
		size_t pos = 0;

		while ((o = store_next(st, (enum object_kind)kind, &pos)) != NULL) {
			/* not a copy: an object is as long as its kind needs */
			uint64_t *rv = (uint64_t *)(uintptr_t)&o->rv, kept = *rv;

			*rv = 0;
			buf_clear(&b);
			state_object_encode(&b, o);
			*rv = kept;
			sum += hash_bytes((uint64_t)kind, b.at, b.len);
		}
	}
	buf_free(&b);
	return sum;
}

/* True when an object may have changed and changed back, as by ADDED and DELETED in one read. */
static bool has_round_trip(const struct sim *s)
{
	for (unsigned i = 0; i < SIM_KINDS; i++) {
		const struct sim_channel *c = &s->channels[i];

		for (size_t k = 0; k < c->marks.len; k++)
			for (size_t n = 0; n < k; n++)
				if (c->marks.at[n].object == c->marks.at[k].object)
					return true;
	}
	return false;
}

static void check_serials(struct sim *s, bool may_change)
{
	assert_int_equal(s->client.kube->zones.len, SIM_ZONES);
	for (unsigned i = 0; i < SIM_ZONES; i++) {
		uint32_t now = zone_history_serial(&s->client.kube->zones.at[i]->history);

		if (now < s->serials[i])
			sim_fail(s, "a serial went back");
		if (now != s->serials[i] && !may_change)
			sim_fail(s, "a new serial for nothing");
		s->serials[i] = now;
	}
}

void sim_on_changes(void *arg, const struct changes *c)
{
	struct sim *s = arg;
	uint64_t now = fingerprint(s->client.store);
	bool is_sync = false, has_changed;

	for (size_t i = 0; i < c->len; i++)
		is_sync = is_sync || c->at[i].kind == TOUCH_SYNC;
	has_changed = now != s->fingerprint || has_round_trip(s);
	if (!has_changed && !is_sync)
		sim_fail(s, "touched, but nothing has changed");
	s->fingerprint = now;
	check_serials(s, is_sync || has_changed);
	sim_check(s);
}

/* ---- quiescence ---- */

static bool is_same_object(const struct sim *s, unsigned i)
{
	const struct world_object *w = world_object(&s->world, i);
	const struct world_state *is = state(s, i, world_now(&s->world, i));
	const struct object *o = store_get(s->client.store, w->kind, w->ns, w->name);

	return is->rv == 0 ? o == NULL : o != NULL && o->rv == is->rv;
}

bool sim_is_same(const struct sim *s)
{
	for (unsigned i = 0; i < s->world.n; i++)
		if (!is_same_object(s, i))
			return false;
	return true;
}

static void take_object(void *arg, enum event_type type, const struct object *o)
{
	struct sim_kube *k = arg;

	(void)type;
	store_apply(k->store, k->source, o);
}

/* Give the oracle all objects of a kind, as one list. */
static void tell_oracle(struct sim *s, enum object_kind kind)
{
	struct sim_kube *k = &s->oracle;
	struct object_sink sink = {.arg = k, .on_object = take_object};
	struct world_item items[WORLD_MAX];
	struct world_list list = {.kind = kind, .rv = s->world.rv, .items = items};
	struct decoder_options o = {s->world.form, false, kind};
	struct decoder decoder;
	struct buf b = {0};

	for (unsigned i = 0; i < s->world.n; i++) {
		const struct world_state *is = state(s, i, world_now(&s->world, i));

		if (world_object(&s->world, i)->kind == kind && is->rv != 0)
			items[list.len++] = (struct world_item){i, *is};
	}
	world_put_list(&s->world, &b, &list);
	store_relist_begin(k->store, k->source, kind, true);
	decoder_init(&decoder, &o, &sink);
	assert_int_equal(decoder_feed(&decoder, b.at, b.len), 0);
	decoder_fini(&decoder);
	store_relist_end(k->store, k->source, kind);
	store_source_synced(k->store, k->source, kind, true);
	store_commit(k->store);
	buf_free(&b);
}

static void compare_name(struct sim *s, const char *name, uint16_t type)
{
	struct seen ours = ask(&s->client, name, type), theirs = ask(&s->oracle, name, type);

	s->checks++;
	if (ours.rcode != theirs.rcode || ours.signature != theirs.signature)
		complain(s, name, &ours, "not the answer of the world at rest");
}

static void compare_service(struct sim *s, const struct world_object *o)
{
	static const char *const below[] = {"", "_p._tcp.", "_tcp.", "10-99-0-8.", "nope."};
	char name[100];

	for (size_t i = 0; i < sizeof(below) / sizeof(below[0]); i++) {
		snprintf(name, sizeof(name), "%s%s.%s.svc.cluster.local", below[i], o->name, o->ns);
		compare_name(s, name, TYPE_A);
		compare_name(s, name, TYPE_AAAA);
		compare_name(s, name, TYPE_SRV);
	}
}

static void compare_address(struct sim *s, uint32_t ip, const struct world_object *o)
{
	char name[100];

	snprintf(name, sizeof(name), "%u.%u.%u.10.in-addr.arpa", ip & 255, ip >> 8 & 255,
	        ip >> 16 & 255);
	compare_name(s, name, TYPE_PTR);
	if (o == NULL)
		return;
	snprintf(name, sizeof(name), "10-%u-%u-%u.%s.%s.svc.cluster.local", ip >> 16 & 255,
	        ip >> 8 & 255, ip & 255, o->name, o->ns);
	compare_name(s, name, TYPE_A);
}

/* The addresses that the object has, and some that it had before. */
static void compare_addresses(struct sim *s, unsigned i)
{
	const struct world_object *o = world_object(&s->world, i);
	uint32_t now = world_now(&s->world, i), ips[SLICE_ADDRESSES];

	for (uint32_t at = now < 4 ? 0 : now - 4; at <= now; at++) {
		const struct world_state *was = state(s, i, at);
		unsigned n;

		if (was->rv == 0)
			continue;
		if (o->kind == OBJECT_SERVICE)
			compare_address(s, world_service_address(was->content), NULL);
		if (o->kind != OBJECT_SLICE)
			continue;
		n = world_slice_addresses(&s->world, i, was, ips);
		for (unsigned k = 0; k < n; k++)
			compare_address(s, ips[k], world_object(&s->world, o->service));
	}
}

void sim_compare(struct sim *s)
{
	sim_check(s);
	if (s->oracle.store == NULL) {
		sim_kube_open(&s->oracle);
		s->oracle.source = store_source_add(s->oracle.store, "world", STORE_ALL_KINDS);
	}
	for (unsigned i = 0; i < SIM_KINDS; i++)
		tell_oracle(s, s->channels[i].kind);
	for (unsigned i = 0; i < WORLD_OBJECTS; i++) {
		if (world_object(&s->world, i)->kind == OBJECT_SERVICE)
			compare_service(s, world_object(&s->world, i));
		compare_addresses(s, i);
	}
}
