#include "names/tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/rand.h"
#include "base/vec.h"
#include "dns/rr.h"
#include "dns/wire.h"

#define EXTRAS_MAX 64u

struct item {
	struct item *next;
	uint32_t ttl;
	uint16_t rdlength;
	bool is_duplicate;
	uint8_t rdata[];
};

/* A set under construction; RRSIGs are kept apart by the type that they cover. */
struct pile {
	struct pile *next;
	uint16_t type, covers;
	uint32_t count, ttl;
	bool has_unequal_ttls;
	struct item *items, **tail;
};

struct owner {
	const uint8_t *name; /* lower case, in the arena */
	size_t len;
	struct pile *piles, **tail;
	uint32_t index;
	unsigned others; /* sets that may not stand beside a CNAME */
	bool has_cname;
};

struct tree_builder {
	struct arena arena;
	struct name origin;
	struct map owners; /* name -> struct owner */
	VEC(struct owner *) list;
	size_t records;
	unsigned warnings;
	bool has_soa;
};

static struct str name_key(const uint8_t *name)
{
	return (struct str){(const char *)name, name_len(name)};
}

/* The owner of a lower-case name, made when it is new. */
static struct owner *owner_at(struct tree_builder *b, const uint8_t *folded)
{
	struct str key = name_key(folded);
	struct owner *o = map_get(&b->owners, key);

	if (o != NULL)
		return o;
	o = arena_new(&b->arena, struct owner);
	o->name = (const uint8_t *)arena_dup(&b->arena, folded, key.len);
	o->len = key.len;
	o->tail = &o->piles;
	map_put(&b->owners, (struct str){(const char *)o->name, o->len}, o);
	vec_push(&b->list, o);
	return o;
}

struct tree_builder *tree_builder_new(const uint8_t *origin)
{
	struct tree_builder *b = mem_new(struct tree_builder);

	arena_init(&b->arena);
	map_init(&b->owners);
	b->origin.len = (uint8_t)name_len(origin);
	name_fold(b->origin.wire, origin, b->origin.len);
	owner_at(b, b->origin.wire);
	return b;
}

void tree_builder_free(struct tree_builder *b)
{
	if (b == NULL)
		return;
	map_fini(&b->owners);
	vec_free(&b->list);
	arena_reset(&b->arena);
	free(b);
}

static struct pile *pile_at(struct tree_builder *b, struct owner *o, uint16_t type, uint16_t covers)
{
	struct pile *p;

	for (p = o->piles; p != NULL; p = p->next)
		if (p->type == type && p->covers == covers)
			return p;
	p = arena_new(&b->arena, struct pile);
	p->type = type;
	p->covers = covers;
	p->tail = &p->items;
	*o->tail = p;
	o->tail = &p->next;
	return p;
}

/* DNSSEC types may stand beside a CNAME (RFC 4034 2.5, 3, 4). */
static bool is_allowed_with_cname(uint16_t type)
{
	return type == TYPE_RRSIG || type == TYPE_NSEC || type == TYPE_SIG || type == TYPE_NXT ||
	       type == TYPE_KEY;
}

static bool is_same(const struct item *i, const struct tree_record *r)
{
	return i->rdlength == r->rdlength && memcmp(i->rdata, r->rdata, r->rdlength) == 0;
}

/* Types of which a name has one record at most: a second one, if different, is an error. */
static int check_single(const struct owner *o, const struct tree_record *r, struct err *e)
{
	if (r->type != TYPE_CNAME && r->type != TYPE_DNAME && r->type != TYPE_SOA)
		return 0;
	for (const struct pile *p = o->piles; p != NULL; p = p->next)
		if (p->type == r->type && !is_same(p->items, r))
			return err_set(e, -EINVAL, "a second %s record at one name",
			        r->type == TYPE_SOA     ? "SOA"
			        : r->type == TYPE_CNAME ? "CNAME"
			                                : "DNAME");
	return 0;
}

static int check_place(
        struct tree_builder *b, const uint8_t *folded, const struct tree_record *r, struct err *e)
{
	char owner[NAME_TEXT_MAX], zone[NAME_TEXT_MAX];

	if (!name_is_under(folded, b->origin.wire)) {
		name_to_text(owner, r->owner);
		name_to_text(zone, b->origin.wire);
		return err_set(e, -EINVAL, "%.250s is outside the zone %.250s", owner, zone);
	}
	if (r->type == TYPE_SOA && !name_equal(folded, b->origin.wire))
		return err_set(e, -EINVAL, "SOA record below the apex of the zone");
	if (r->type == 0 || r->type == TYPE_OPT || (r->type >= 128 && r->type <= 255))
		return err_set(e, -EINVAL, "type %u cannot stand in a zone", r->type);
	return 0;
}

static int check_cname(const struct owner *o, const struct tree_record *r, struct err *e)
{
	if (r->type == TYPE_CNAME ? o->others > 0 : o->has_cname && !is_allowed_with_cname(r->type))
		return err_set(e, -EINVAL, "CNAME and other data at one name (RFC 1034 3.6.2)");
	return 0;
}

static void add_item(struct tree_builder *b, struct owner *o, const struct tree_record *r)
{
	uint16_t covers = r->type == TYPE_RRSIG && r->rdlength >= 2 ? get16(r->rdata) : 0;
	struct pile *p = pile_at(b, o, r->type, covers);
	struct item *i = arena_alloc(&b->arena, sizeof(*i) + r->rdlength);

	i->ttl = r->ttl > INT32_MAX ? 0 : r->ttl; /* RFC 2181 8 */
	i->rdlength = r->rdlength;
	memcpy(i->rdata, r->rdata, r->rdlength);
	if (p->count > 0 && p->ttl != i->ttl)
		p->has_unequal_ttls = true;
	if (p->count == 0 || i->ttl < p->ttl)
		p->ttl = i->ttl;
	*p->tail = i;
	p->tail = &i->next;
	p->count++;
	b->records++;
}

int tree_add(struct tree_builder *b, const struct tree_record *r, struct err *e)
{
	uint8_t folded[NAME_MAX_OCTETS];
	struct owner *o;
	int rc;

	name_fold(folded, r->owner, name_len(r->owner));
	rc = check_place(b, folded, r, e);
	if (rc != 0)
		return rc;
	o = owner_at(b, folded);
	rc = check_cname(o, r, e);
	if (rc == 0)
		rc = check_single(o, r, e);
	if (rc != 0)
		return rc;
	if (r->type == TYPE_CNAME)
		o->has_cname = true;
	else if (!is_allowed_with_cname(r->type))
		o->others++;
	b->has_soa = b->has_soa || r->type == TYPE_SOA;
	add_item(b, o, r);
	return 0;
}

/* Every name between an owner and the apex exists (RFC 4592 2.2.2): give it a node. */
static void add_ancestors(struct tree_builder *b)
{
	size_t n = b->list.len;

	for (size_t i = 0; i < n; i++) {
		const uint8_t *name = b->list.at[i]->name;

		while (name_len(name) > b->origin.len) {
			name = name_skip(name, 1);
			owner_at(b, name);
		}
	}
}

static int compare_owners(const void *a, const void *b)
{
	const struct owner *const *x = a, *const *y = b;

	return tree_compare((*x)->name, (*y)->name);
}

static int compare_items(const void *a, const void *b)
{
	const struct item *x = *(const struct item *const *)a, *y = *(const struct item *const *)b;

	if (x->rdlength != y->rdlength)
		return x->rdlength < y->rdlength ? -1 : 1;
	return memcmp(x->rdata, y->rdata, x->rdlength);
}

static void mark_duplicates(struct pile *p)
{
	struct item **sorted = mem_array(p->count, sizeof(struct item *));
	size_t n = 0;

	for (struct item *i = p->items; i != NULL; i = i->next)
		sorted[n++] = i;
	qsort(sorted, n, sizeof(struct item *), compare_items);
	for (size_t i = 1; i < n; i++)
		sorted[i]->is_duplicate = compare_items(&sorted[i - 1], &sorted[i]) == 0;
	free(sorted);
}

static const struct rrset *build_set(struct tree *t, struct pile *p, uint32_t ttl)
{
	struct rrset_builder set = {.type = p->type, .ttl = ttl};

	if (p->count > 1)
		mark_duplicates(p);
	for (const struct item *i = p->items; i != NULL; i = i->next) {
		if (i->is_duplicate)
			continue;
		if (rrset_add(&set, i->rdata, i->rdlength) != 0) {
			buf_free(&set.wire);
			return NULL;
		}
		t->records++;
	}
	return rrset_build_in(&set, &t->arena);
}

/* Signatures of o over a type, or NULL. */
static struct pile *signatures(const struct owner *o, uint16_t covers)
{
	for (struct pile *p = o->piles; p != NULL; p = p->next)
		if (p->type == TYPE_RRSIG && p->covers == covers)
			return p;
	return NULL;
}

static int fill_sets(struct tree_builder *b, struct tree *t, struct owner *o, struct err *e)
{
	struct tree_node *n = &t->nodes[o->index];
	struct tree_set *sets;
	unsigned count = 0;
	char text[NAME_TEXT_MAX];

	for (const struct pile *p = o->piles; p != NULL; p = p->next)
		count += p->type != TYPE_RRSIG;
	sets = arena_alloc(&t->arena, count * sizeof(*sets));
	n->sets = sets;
	for (struct pile *p = o->piles; p != NULL; p = p->next) {
		struct pile *sigs = signatures(o, p->type);

		b->warnings += p->has_unequal_ttls;
		if (p->type == TYPE_RRSIG)
			continue;
		sets->set = build_set(t, p, p->ttl);
		sets->sigs = sigs == NULL ? NULL : build_set(t, sigs, p->ttl);
		if (sets->set == NULL || (sigs != NULL && sets->sigs == NULL)) {
			name_to_text(text, o->name);
			return err_set(e, -E2BIG, "too many records of one type at %.500s", text);
		}
		sets++;
		n->sets_len++;
	}
	return 0;
}

static uint32_t *table_slot(const struct tree *t, const struct tree_node *n)
{
	size_t at = hash_bytes(t->seed + n->parent * 0x9e3779b97f4a7c15u, n->name, n->name[0] + 1u);

	for (at &= t->mask; t->table[at] != 0;)
		at = (at + 1) & t->mask;
	return &t->table[at];
}

static void link_nodes(struct tree_builder *b, struct tree *t)
{
	size_t size = 4;

	while (size < t->len * 2)
		size *= 2;
	t->table = arena_alloc(&t->arena, size * sizeof(*t->table));
	t->mask = size - 1;
	t->seed = rand_u64();
	for (size_t i = 0; i < t->len; i++) {
		struct tree_node *n = &t->nodes[i], *parent;
		const struct owner *o;

		n->name = (const uint8_t *)arena_dup(
		        &t->arena, b->list.at[i]->name, b->list.at[i]->len);
		if (i == 0)
			continue;
		o = map_get(&b->owners, name_key(name_skip(n->name, 1)));
		must(o != NULL && o->index < i);
		n->parent = o->index;
		parent = &t->nodes[n->parent];
		if (n->name[0] == 1 && n->name[1] == '*')
			parent->wildcard = n;
		*table_slot(t, n) = (uint32_t)i + 1;
	}
}

/* Parents come before their children: one pass marks all below cuts and DNAMEs. */
static void mark_cuts(struct tree_builder *b, struct tree *t)
{
	for (size_t i = 0; i < t->len; i++) {
		struct tree_node *n = &t->nodes[i];
		const struct tree_node *parent = &t->nodes[n->parent];
		bool is_wildcard = n->name[0] == 1 && n->name[1] == '*';

		n->nsec = i > 0 ? n[-1].nsec : 0;
		if (t->has_nsec && tree_node_set(n, TYPE_NSEC) != NULL)
			n->nsec = (uint32_t)i;
		n->has_dname = !is_wildcard && tree_node_set(n, TYPE_DNAME) != NULL;
		if (i == 0)
			continue;
		n->is_below_cut = parent->is_cut || parent->is_below_cut;
		n->is_cut = !n->is_below_cut && !is_wildcard && tree_node_set(n, TYPE_NS) != NULL;
		b->warnings += parent->has_dname && !n->is_below_cut && n->sets_len > 0;
	}
}

/* Where the name stands in the RDATA of types that call for additional records, or -1. */
static int target_offset(uint16_t type)
{
	switch (type) {
	case TYPE_NS: return 0;
	case TYPE_MX: return 2;
	case TYPE_SVCB:
	case TYPE_HTTPS: return 2;
	case TYPE_SRV: return 6;
	default: return -1;
	}
}

/* The node whose addresses go along with a target: glue of a delegation, or what we would answer.
 */
static const struct tree_node *extra_node(const struct tree *t, const uint8_t *target, bool is_glue)
{
	uint8_t folded[NAME_MAX_OCTETS];
	struct tree_result r;

	name_fold(folded, target, name_len(target));
	if (is_glue)
		return tree_node_at(t, folded);
	r = tree_lookup(t, folded, TYPE_ANY);
	return r.kind == TREE_ANSWER ? r.node : NULL;
}

static void fill_extras(struct tree *t, struct tree_set *s)
{
	static const uint16_t types[] = {TYPE_A, TYPE_AAAA};
	int offset = target_offset(s->set->type);
	struct tree_extra found[EXTRAS_MAX];

	for (unsigned i = 0; offset >= 0 && i < s->set->count && i < EXTRAS_MAX / 2; i++) {
		const struct tree_node *n;
		const uint8_t *rdata;
		uint16_t len;

		rdata = rrset_rdata(s->set, i, &len);
		if (name_check(rdata + offset, (size_t)(len - offset)) == 0 || rdata[offset] == 0)
			continue;
		n = extra_node(t, rdata + offset, s->set->type == TYPE_NS);
		for (size_t k = 0; n != NULL && k < ARRAY_LEN(types); k++) {
			const struct tree_set *a = tree_node_set(n, types[k]);

			if (a != NULL)
				found[s->extras_len++] =
				        (struct tree_extra){rdata + offset, a->set};
		}
	}
	if (s->extras_len > 0) {
		struct tree_extra *copy = arena_alloc(&t->arena, s->extras_len * sizeof(*copy));

		memcpy(copy, found, s->extras_len * sizeof(*copy));
		s->extras = copy;
	}
}

static const struct rrset *with_ttl(struct tree *t, const struct rrset *set, uint32_t ttl)
{
	struct rrset_builder b = {.type = set->type, .ttl = ttl};
	const uint8_t *rdata;
	uint16_t n;

	for (unsigned i = 0; i < set->count; i++) {
		rdata = rrset_rdata(set, i, &n);
		must(rrset_add(&b, rdata, n) == 0);
	}
	return rrset_build_in(&b, &t->arena);
}

/* Negative answers carry the SOA with the TTL that they may be kept for (RFC 2308 3). */
static int fill_soa(struct tree *t, struct err *e)
{
	const struct tree_set *soa = tree_node_set(t->nodes, TYPE_SOA);
	const uint8_t *rdata;
	uint32_t ttl = soa->set->ttl, minimum;
	uint16_t n;

	rdata = rrset_rdata(soa->set, 0, &n);
	if (n < 22)
		return err_set(e, -EINVAL, "SOA record is cut short");
	t->soa = soa;
	t->serial = get32(rdata + n - 20);
	minimum = get32(rdata + n - 4);
	ttl = minimum < ttl ? minimum : ttl;
	t->negative_soa = with_ttl(t, soa->set, ttl);
	if (soa->sigs != NULL)
		t->negative_soa_sigs = with_ttl(t, soa->sigs, ttl);
	return 0;
}

static int fill(struct tree_builder *b, struct tree *t, struct err *e)
{
	int rc = 0;

	arena_init(&t->arena);
	t->origin = b->origin;
	t->origin_labels = name_labels(b->origin.wire);
	add_ancestors(b);
	if (b->list.len > UINT32_MAX / 4)
		return err_set(e, -E2BIG, "too many names");
	qsort(b->list.at, b->list.len, sizeof(b->list.at[0]), compare_owners);
	t->len = b->list.len;
	t->nodes = arena_alloc(&t->arena, t->len * sizeof(*t->nodes));
	for (size_t i = 0; i < t->len && rc == 0; i++) {
		b->list.at[i]->index = (uint32_t)i;
		rc = fill_sets(b, t, b->list.at[i], e);
	}
	if (rc != 0)
		return rc;
	link_nodes(b, t);
	t->has_nsec = tree_node_set(t->nodes, TYPE_NSEC) != NULL;
	mark_cuts(b, t);
	for (size_t i = 0; i < t->len; i++)
		for (unsigned k = 0; k < t->nodes[i].sets_len; k++)
			fill_extras(t, (struct tree_set *)&t->nodes[i].sets[k]);
	return fill_soa(t, e);
}

struct tree *tree_build(struct tree_builder *b, unsigned *warnings, struct err *e)
{
	struct tree *t = mem_new(struct tree);
	int rc = b->has_soa ? 0 : err_set(e, -EINVAL, "no SOA record at the apex of the zone");

	ref_init(&t->ref);
	if (rc == 0)
		rc = fill(b, t, e);
	if (warnings != NULL)
		*warnings = b->warnings;
	tree_builder_free(b);
	if (rc == 0)
		return t;
	tree_free(t);
	return NULL;
}
