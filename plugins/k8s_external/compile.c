/*
 * From cluster objects to name tables: entries, namespaces, and following the cluster. Runs on
 * the control thread.
 */
#include <stdlib.h>

#include "k8s_external/external.h"

/* --- entries ----------------------------------------------------------------------------- */

struct external_entry *external_entry_new(enum external_kind kind, const uint8_t *key, size_t len)
{
	struct external_entry *entry = mem_alloc(sizeof(*entry) + len);

	entry->kind = kind;
	memcpy(entry->key, key, len);
	entry->head.key = entry->key;
	entry->head.key_len = (uint32_t)len;
	return entry;
}

void external_entry_free(void *object)
{
	struct external_entry *entry = object;

	if (entry == NULL)
		return;
	free((void *)(uintptr_t)entry->a);
	free((void *)(uintptr_t)entry->aaaa);
	free((void *)(uintptr_t)entry->other);
	free(entry);
}

bool external_same_set(const struct rrset *a, const struct rrset *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return a->type == b->type && a->wire_len == b->wire_len &&
		memcmp(a->wire, b->wire, a->wire_len) == 0;
}

static bool same_entry(const struct external_entry *a, const struct external_entry *b)
{
	return a->kind == b->kind && external_same_set(a->a, b->a) &&
		external_same_set(a->aaaa, b->aaaa) && external_same_set(a->other, b->other);
}

static struct external_entry *find(
	const struct external_zone *z, const uint8_t *key, size_t len)
{
	return (struct external_entry *)table_find(
		&z->table, key, len, table_hash(&z->table, key, len));
}

struct external_entry *external_put(
	struct external *x, struct external_zone *z, struct external_entry *entry)
{
	struct external_entry *old = find(z, entry->head.key, entry->head.key_len);

	if (old != NULL && same_entry(old, entry)) {
		external_entry_free(entry);
		return old;
	}
	external_note_entry(x, z, old, entry);
	rcu_retire(table_put(&z->table, &entry->head), external_entry_free);
	return entry;
}

void external_take_out(struct external *x, struct external_zone *z, const uint8_t *key, size_t len)
{
	struct table_entry *old = table_remove(&z->table, key, len);

	if (old == NULL)
		return;
	external_note_entry(x, z, (const struct external_entry *)old, NULL);
	rcu_retire(old, external_entry_free);
}

static int compare_ip(const void *p, const void *q)
{
	const struct ip *a = p, *b = q;

	return a->len != b->len ? a->len - b->len : memcmp(a->bytes, b->bytes, a->len);
}

/* The addresses of one family, each once; ips is sorted. */
static const struct rrset *address_set(
	const struct external *x, const struct ip *ips, size_t n, uint8_t len)
{
	struct rrset_builder b = {.type = len == 4 ? TYPE_A : TYPE_AAAA, .ttl = x->options.ttl};

	for (size_t i = 0; i < n; i++)
		if (ips[i].len == len && (i == 0 || !ip_eq(&ips[i], &ips[i - 1])))
			rrset_add(&b, ips[i].bytes, len);
	return rrset_build(&b);
}

void external_set_addresses(
	const struct external *x, struct external_entry *entry, struct ip *ips, size_t n)
{
	if (n > 1)
		qsort(ips, n, sizeof(*ips), compare_ip);
	entry->a = address_set(x, ips, n, 4);
	entry->aaaa = address_set(x, ips, n, 16);
}

size_t external_write_label(uint8_t *out, const char *text)
{
	size_t n = strlen(text);

	/* a dot would be part of the label, not end it */
	if (n == 0 || n > NAME_MAX_LABEL || memchr(text, '.', n) != NULL)
		return 0;
	out[0] = (uint8_t)n;
	name_fold(out + 1, (const uint8_t *)text, n);
	return n + 1;
}

/* --- namespaces -------------------------------------------------------------------------- */

/* The name of a namespace exists, with services below it or not; that of the apex is its own. */
static void compile_node(struct external *x, const char *ns)
{
	bool is_exposed = x->view->is_exposed(x->cluster, ns);
	uint8_t key[NAME_MAX_LABEL + 1];
	size_t n = external_write_label(key, ns);

	if (n == 0 || memcmp(key, x->options.apex, n) == 0)
		return;
	vec_for_each(&x->zones, z) {
		if ((*z)->is_reverse || n + (*z)->name.len > NAME_MAX_OCTETS)
			continue;
		if (is_exposed)
			external_put(x, *z, external_entry_new(EXTERNAL_NODE, key, n));
		else
			external_take_out(x, *z, key, n);
	}
}

static void compile_namespace(struct external *x, const char *ns)
{
	const struct store *st = x->view->store(x->cluster);
	struct object_list services = store_in_namespace(st, OBJECT_SERVICE, ns);

	compile_node(x, ns);
	for (size_t i = 0; i < services.len; i++) {
		external_compile_service(x, ns, services.at[i]->name);
		external_note_endpoints(x, ns, services.at[i]->name);
	}
}

/* --- following the cluster --------------------------------------------------------------- */

static void compile_all(struct external *x)
{
	const struct store *st = x->view->store(x->cluster);
	const struct object *o;
	size_t pos = 0;

	while ((o = store_next(st, OBJECT_NAMESPACE, &pos)) != NULL)
		compile_namespace(x, o->name);
}

static void apply(struct external *x, const struct touch *t)
{
	switch (t->kind) {
	case TOUCH_NAMESPACE: compile_namespace(x, t->ns); break;
	case TOUCH_SERVICE:
		external_compile_service(x, t->ns, t->name);
		external_note_endpoints(x, t->ns, t->name);
		break;
	case TOUCH_SYNC: external_note_all_endpoints(x); break;
	case TOUCH_IP:
	case TOUCH_IMPORT:
	case TOUCH_POD: break;
	}
}

void external_on_changes(void *arg, const struct changes *c)
{
	struct external *x = arg;

	if (c == NULL)
		compile_all(x);
	for (size_t i = 0; c != NULL && i < c->len; i++)
		apply(x, &c->at[i]);
	external_compile_addresses(x);
	external_compile_self(x);
	external_commit(x);
}

void external_compile_zones(struct external *x)
{
	size_t n = 1u + x->options.apex[0];

	vec_for_each(&x->zones, z)
		external_put(x, *z, external_entry_new(EXTERNAL_NODE, x->options.apex, n));
	external_compile_apex(x);
}
