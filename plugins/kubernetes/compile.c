/*
 * From cluster objects to zone tables: the policy of the DNS specification for Kubernetes. Runs
 * on the control thread, once for everything and then for what the store's change log names.
 */
#include "kubernetes/kube.h"

#include <stdlib.h>

#include "base/clock.h"
#include "kubernetes/cluster.h"

/* --- what is served ---------------------------------------------------------------------- */

bool kube_is_exposed(const struct kube *k, const char *ns)
{
	const struct object *o = store_namespace(cluster_store(k->cluster), ns);
	const struct kube_options *opt = &k->options;
	bool is_listed = opt->namespaces.len == 0;

	vec_for_each(&opt->namespaces, n)
		if (strcmp(*n, ns) == 0)
			is_listed = true;
	if (o == NULL || !is_listed)
		return false;
	return opt->namespace_labels == NULL || selector_matches(opt->namespace_labels, &o->labels);
}

bool kube_is_selected(const struct kube *k, const struct object *o)
{
	return k->options.labels == NULL || selector_matches(k->options.labels, &o->labels);
}

/* --- SOA --------------------------------------------------------------------------------- */

static const struct rrset *make_soa(const struct kube *k, const struct kube_zone *z)
{
	struct rrset_builder b = {
	        .type = TYPE_SOA, .ttl = k->options.ttl < 300 ? k->options.ttl : 300};
	uint8_t rdata[2 * NAME_MAX_OCTETS + 20];
	struct name mname = z->name, rname = z->name;
	struct soa soa = {mname.wire, rname.wire, zone_history_serial(&z->history), 7200, 1800,
		86400, k->options.ttl};

	/* a zone whose name leaves no room for these labels stands for itself */
	if (name_prepend(&mname, STR("dns")) == 0)
		name_prepend(&mname, STR("ns"));
	name_prepend(&rname, STR("hostmaster"));
	rrset_add(&b, rdata, rrset_soa_rdata(rdata, &soa));
	return rrset_build(&b);
}

/* The end of a turn: zones that have changed get a new serial. */
static void commit(struct kube *k)
{
	uint32_t now = (uint32_t)clock_wall_s();

	vec_for_each(&k->zones, z) {
		const struct rrset *old = (*z)->soa;

		if (!zone_history_commit(&(*z)->history, now))
			continue;
		rcu_publish((*z)->soa, make_soa(k, *z));
		rcu_retire((void *)(uintptr_t)old, free);
	}
}

/* --- entries ----------------------------------------------------------------------------- */

static const struct kube_entry *find(const struct kube_zone *z, const uint8_t *key, size_t len)
{
	return (const struct kube_entry *)table_find(
		&z->table, key, len, table_hash(&z->table, key, len));
}

static void put(struct kube *k, struct kube_zone *z, struct kube_entry *entry)
{
	kube_note_entry(k, z, find(z, entry->key, entry->head.key_len), entry);
	rcu_retire(table_put(&z->table, &entry->head), kube_entry_free);
}

static void take_out(struct kube *k, struct kube_zone *z, const uint8_t *key, size_t len)
{
	kube_note_entry(k, z, find(z, key, len), NULL);
	rcu_retire(table_remove(&z->table, key, len), kube_entry_free);
}

/* A name without data. */
struct node {
	const uint8_t *key;
	size_t len;
};

static void set_node(struct kube *k, struct kube_zone *z, struct node n, bool exists)
{
	bool is_there = find(z, n.key, n.len) != NULL;

	if (exists && !is_there)
		put(k, z, kube_entry_new(ENTRY_NODE, n.key, n.len));
	else if (!exists && is_there)
		take_out(k, z, n.key, n.len);
}

/* The nodes of a namespace. With pods disabled nothing is below NS.pod, so it does not exist. */
static void compile_namespace_nodes(struct kube *k, const char *ns)
{
	uint8_t key[KUBE_KEY_MAX];
	bool is_exposed = kube_is_exposed(k, ns);

	vec_for_each(&k->zones, at) {
		size_t n = kube_namespace_key(key, ns, "svc");

		if ((*at)->is_reverse || n == 0)
			continue;
		set_node(k, *at, (struct node){key, n}, is_exposed);
		n = kube_namespace_key(key, ns, "pod");
		set_node(k, *at, (struct node){key, n},
			is_exposed && k->options.pods != PODS_DISABLED);
	}
}

static bool has_entry(const struct kube_zone *z, const char *ns, const char *name)
{
	const struct kube_entry *entry = NULL;
	uint8_t key[KUBE_KEY_MAX];
	size_t n = kube_service_key(key, ns, name);

	if (n != 0)
		entry = (const struct kube_entry *)table_find(
			&z->table, key, n, table_hash(&z->table, key, n));
	return entry != NULL && entry->kind == ENTRY_SERVICE;
}

bool kube_has_service(const struct kube *k, const char *ns, const char *name)
{
	return !k->primary->is_imported && has_entry(k->primary, ns, name);
}

bool kube_has_import(const struct kube *k, const char *ns, const char *name)
{
	return k->imported != NULL && has_entry(k->imported, ns, name);
}

/* Put entry into t, or take out what is under its key when it is NULL; returns what was there. */
static struct kube_entry *swap(struct table *t, struct kube_entry *entry, struct str key)
{
	return (struct kube_entry *)(entry != NULL
			? table_put(t, &entry->head)
			: table_remove(t, (const uint8_t *)key.at, key.len));
}

/*
 * The entry of a service takes the place of the one with the key, which goes when it is NULL. One
 * that is ignored has no name, but its addresses do, as in CoreDNS.
 */
static void replace(
	struct kube *k, struct kube_zone *z, struct kube_entry *entry, struct str key)
{
	bool is_ignored = entry != NULL && entry->is_ignored;
	struct kube_entry *shown = is_ignored ? NULL : entry;
	struct kube_entry *old = swap(&z->table, shown, key);
	struct kube_entry *ignored = swap(&z->ignored, is_ignored ? entry : NULL, key);

	kube_note_entry(k, z, old, shown);
	if (z == k->primary || z == k->imported)
		kube_owners_replace(k, old != NULL ? old : ignored, entry);
	rcu_retire(old, kube_entry_free);
	rcu_retire(ignored, kube_entry_free);
}

/* A Service (or ServiceImport) in all zones that names of its kind are in. */
static void put_object(
	struct kube *k, const struct object *o, const char *ns, const char *name, bool is_import)
{
	bool is_served = o != NULL && kube_is_exposed(k, ns) && kube_is_selected(k, o);
	uint8_t key[KUBE_KEY_MAX];
	size_t n = kube_service_key(key, ns, name);

	vec_for_each(&k->zones, at) {
		if ((*at)->is_reverse || (*at)->is_imported != is_import || n == 0)
			continue;
		replace(k, *at, is_served ? kube_entry_build(k, o, *at) : NULL,
			(struct str){(const char *)key, n});
	}
}

static void put_service(struct kube *k, const char *ns, const char *name)
{
	put_object(k, store_service(cluster_store(k->cluster), ns, name), ns, name, false);
}

static void put_import(struct kube *k, const char *ns, const char *name)
{
	put_object(k, store_import(cluster_store(k->cluster), ns, name), ns, name, true);
}

void kube_compile_import(struct kube *k, const char *ns, const char *name)
{
	if (k->imported != NULL)
		put_import(k, ns, name);
}

void kube_compile_service(struct kube *k, const char *ns, const char *name)
{
	put_service(k, ns, name);
}

static void compile_namespace(struct kube *k, const char *ns)
{
	const struct store *st = cluster_store(k->cluster);
	struct object_list services = store_in_namespace(st, OBJECT_SERVICE, ns);
	struct object_list imports = store_in_namespace(st, OBJECT_IMPORT, ns);

	compile_namespace_nodes(k, ns);
	for (size_t i = 0; i < services.len; i++)
		put_service(k, ns, services.at[i]->name);
	for (size_t i = 0; k->imported != NULL && i < imports.len; i++)
		put_import(k, ns, imports.at[i]->name);
}

/* --- fixed names ------------------------------------------------------------------------- */

static void put_dns_version(struct kube *k, struct kube_zone *z)
{
	const char *version = z->is_imported ? KUBE_IMPORT_DNS_VERSION : KUBE_DNS_VERSION;
	struct rrset_builder b = {.type = TYPE_TXT, .ttl = KUBE_DNS_VERSION_TTL};
	struct kube_entry *entry =
		kube_entry_new(ENTRY_RECORDS, (const uint8_t *)"\13dns-version", 12);
	uint8_t rdata[16];

	rrset_add(&b, rdata, rrset_txt_rdata(rdata, str_from(version)));
	entry->other = rrset_build(&b);
	put(k, z, entry);
}

void kube_compile_zones(struct kube *k)
{
	vec_for_each(&k->zones, at) {
		zone_history_note(&(*at)->history);
		if ((*at)->is_reverse)
			continue;
		set_node(k, *at, (struct node){(const uint8_t *)"\3svc", 4}, true);
		set_node(k, *at, (struct node){(const uint8_t *)"\3pod", 4}, true);
		set_node(k, *at, (struct node){(const uint8_t *)"\3dns", 4}, true);
		put_dns_version(k, *at);
	}
	kube_compile_apex(k);
	commit(k);
}

/* --- following the store ----------------------------------------------------------------- */

static void update_synced(struct kube *k)
{
	const struct store *st = cluster_store(k->cluster);
	bool has_imports = k->imported == NULL || store_is_synced(st, OBJECT_IMPORT);
	bool is_synced =
	        store_is_synced(st, OBJECT_NAMESPACE) && store_is_synced(st, OBJECT_SERVICE);

	if (!k->options.no_endpoints)
		is_synced = is_synced && store_is_synced(st, OBJECT_SLICE);
	if (k->options.pods == PODS_VERIFIED)
		is_synced = is_synced && store_is_synced(st, OBJECT_POD);
	atomic_store(&k->has_imports, has_imports);
	/* it goes back only when a state file turns out to be of another cluster */
	if (atomic_exchange(&k->is_synced, is_synced) != is_synced && is_synced)
		log_info(KUBE, "cluster state is complete");
}

/* Entries have endpoints only once all of those are known. */
static bool has_all_endpoints(const struct kube *k)
{
	return store_is_synced(cluster_store(k->cluster), OBJECT_SLICE);
}

/* Old entries beside the new ones when all are compiled again. */
#define RETIRED_MAX 128u

static void compile_services(struct kube *k)
{
	const struct store *st = cluster_store(k->cluster);
	const struct object *o;
	size_t pos = 0;

	k->has_all_endpoints = has_all_endpoints(k);
	while ((o = store_next(st, OBJECT_NAMESPACE, &pos)) != NULL) {
		compile_namespace(k, o->name);
		/* what is replaced makes room for what comes next, instead of leaving holes */
		if (rcu_pending() >= RETIRED_MAX)
			rcu_reclaim();
	}
}

void kube_compile_all(struct kube *k)
{
	const struct store *st = cluster_store(k->cluster);
	const struct object *o;
	size_t pos = 0;

	compile_services(k);
	while ((o = store_next(st, OBJECT_POD, &pos)) != NULL)
		for (uint32_t i = 0; i < o->pod.ips.len; i++) {
			kube_compile_pods(k, &o->pod.ips.at[i]);
			kube_compile_client(k, &o->pod.ips.at[i]);
		}
	kube_compile_apex(k);
	commit(k);
	update_synced(k);
}

static void compile_touched(struct kube *k, const struct touch *t)
{
	switch (t->kind) {
	case TOUCH_NAMESPACE: compile_namespace(k, t->ns); break;
	case TOUCH_SERVICE: kube_compile_service(k, t->ns, t->name); break;
	case TOUCH_IMPORT: kube_compile_import(k, t->ns, t->name); break;
	case TOUCH_IP:
		kube_compile_pods(k, &t->ip);
		kube_compile_client(k, &t->ip);
		break;
	case TOUCH_SYNC:
	case TOUCH_POD: break;
	}
}

/* True when compile_services() does the same: it walks what exists. */
static bool is_compiled_with_all(const struct kube *k, const struct touch *t)
{
	const struct store *st = cluster_store(k->cluster);

	return (t->kind == TOUCH_NAMESPACE && store_namespace(st, t->ns) != NULL) ||
		(t->kind == TOUCH_SERVICE && store_namespace(st, t->ns) != NULL &&
			store_service(st, t->ns, t->name) != NULL);
}

static bool has_touch(const struct changes *c, enum touch_kind kind)
{
	for (size_t i = 0; i < c->len; i++)
		if (c->at[i].kind == kind)
			return true;
	return false;
}

void kube_on_changes(void *arg, const struct changes *c)
{
	struct kube *k = arg;
	bool has_sync = has_touch(c, TOUCH_SYNC);
	bool has_names = has_sync || has_touch(c, TOUCH_NAMESPACE) ||
		has_touch(c, TOUCH_SERVICE) ||
		(k->imported != NULL && has_touch(c, TOUCH_IMPORT));
	/* nothing else depends on whether a list is whole */
	bool is_all = has_sync && k->has_all_endpoints != has_all_endpoints(k);

	for (size_t i = 0; i < c->len; i++) {
		if (!is_all || !is_compiled_with_all(k, &c->at[i]))
			compile_touched(k, &c->at[i]);
		if (c->at[i].kind == TOUCH_SERVICE)
			kube_count_latency(k, &c->at[i], c->trigger_ms);
	}
	if (is_all)
		compile_services(k);
	if (has_names)
		kube_compile_apex(k);
	commit(k);
	if (has_sync)
		update_synced(k);
	kube_tell_followers(k, c);
}
