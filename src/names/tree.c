#include "names/tree.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "dns/rr.h"

static uint64_t child_hash(const struct tree *t, uint32_t parent, const uint8_t *label)
{
	return hash_bytes(t->seed + parent * 0x9e3779b97f4a7c15u, label, label[0] + 1u);
}

/* The child of node i with that label (length octet, then lower-case octets), or NULL. */
static const struct tree_node *find_child(
        const struct tree *t, const struct tree_node *parent, const uint8_t *label)
{
	uint32_t index = (uint32_t)(parent - t->nodes);

	for (size_t at = child_hash(t, index, label) & t->mask; t->table[at] != 0;
	        at = (at + 1) & t->mask) {
		const struct tree_node *n = &t->nodes[t->table[at] - 1];

		if (n->parent == index && n != t->nodes && n->name[0] == label[0] &&
		        memcmp(n->name + 1, label + 1, label[0]) == 0)
			return n;
	}
	return NULL;
}

const struct tree_set *tree_node_set(const struct tree_node *n, uint16_t type)
{
	for (unsigned i = 0; i < n->sets_len; i++)
		if (n->sets[i].set->type == type)
			return &n->sets[i];
	return NULL;
}

/* Offsets of the labels of name, leftmost first; returns how many. */
static unsigned label_offsets(const uint8_t *name, uint8_t offsets[128])
{
	unsigned n = 0;

	for (const uint8_t *p = name; *p != 0; p += *p + 1)
		offsets[n++] = (uint8_t)(p - name);
	return n;
}

/* What a node says to a type when nothing above it got in the way. */
static void ask_node(struct tree_result *r, const struct tree_node *n, uint16_t type)
{
	r->node = n;
	r->set = tree_node_set(n, type);
	r->kind = TREE_ANSWER;
	if (r->set != NULL)
		return;
	if (type == TYPE_ANY && n->sets_len > 0) {
		r->set = &n->sets[0];
		return;
	}
	r->set = tree_node_set(n, TYPE_CNAME);
	r->kind = r->set != NULL ? TREE_CNAME : TREE_NODATA;
}

/* True when node n, a proper ancestor of the name, ends the search. */
static bool stops_at(struct tree_result *r, const struct tree_node *n)
{
	if (n->is_cut) {
		r->kind = TREE_DELEGATION;
		r->set = tree_node_set(n, TYPE_NS);
	} else if (n->has_dname) {
		r->kind = TREE_DNAME;
		r->set = tree_node_set(n, TYPE_DNAME);
	} else {
		return false;
	}
	r->node = n;
	return true;
}

static void synthesise(struct tree_result *r, const struct tree_node *encloser, uint16_t type)
{
	r->node = encloser;
	if (encloser->wildcard == NULL) {
		r->kind = TREE_NXDOMAIN;
		return;
	}
	ask_node(r, encloser->wildcard, type);
	r->is_wildcard = true;
	if (r->kind == TREE_NODATA)
		r->node = encloser;
}

struct tree_result tree_lookup(const struct tree *t, const uint8_t *folded, uint16_t type)
{
	struct tree_result r = {TREE_OUTSIDE, false, NULL, NULL, 0};
	const struct tree_node *n = t->nodes, *child;
	uint8_t offsets[128];
	unsigned labels = label_offsets(folded, offsets);

	if (labels < t->origin_labels ||
	        !name_equal(name_skip(folded, labels - t->origin_labels), t->origin.wire))
		return r;
	for (r.above = labels - t->origin_labels; r.above > 0; r.above--, n = child) {
		if (stops_at(&r, n))
			return r;
		child = find_child(t, n, folded + offsets[r.above - 1]);
		if (child == NULL) {
			synthesise(&r, n, type);
			return r;
		}
	}
	/* The parent answers for DS, the child for all else (RFC 4035 3.1.4.1). */
	if (n->is_cut && type != TYPE_DS) {
		r.kind = TREE_DELEGATION;
		r.node = n;
		r.set = tree_node_set(n, TYPE_NS);
		return r;
	}
	ask_node(&r, n, type);
	return r;
}

const struct tree_node *tree_node_at(const struct tree *t, const uint8_t *folded)
{
	const struct tree_node *n = t->nodes;
	uint8_t offsets[128];
	unsigned labels = label_offsets(folded, offsets);

	if (labels < t->origin_labels ||
	        !name_equal(name_skip(folded, labels - t->origin_labels), t->origin.wire))
		return NULL;
	for (unsigned above = labels - t->origin_labels; above > 0 && n != NULL; above--)
		n = find_child(t, n, folded + offsets[above - 1]);
	return n;
}

int tree_compare(const uint8_t *a, const uint8_t *b)
{
	uint8_t at_a[128], at_b[128];
	unsigned na = label_offsets(a, at_a), nb = label_offsets(b, at_b);

	for (unsigned i = 1; i <= na && i <= nb; i++) {
		const uint8_t *la = a + at_a[na - i], *lb = b + at_b[nb - i];
		int c = memcmp(la + 1, lb + 1, la[0] < lb[0] ? la[0] : lb[0]);

		if (c != 0)
			return c;
		if (la[0] != lb[0])
			return la[0] < lb[0] ? -1 : 1;
	}
	return na < nb ? -1 : na > nb;
}

const struct tree_node *tree_nsec(const struct tree *t, const uint8_t *folded)
{
	size_t low = 0, high = t->len; /* nodes[low] <= name < nodes[high] */

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (tree_compare(t->nodes[middle].name, folded) <= 0)
			low = middle;
		else
			high = middle;
	}
	return &t->nodes[t->nodes[low].nsec];
}

struct tree *tree_ref(struct tree *t)
{
	ref_take(&t->ref);
	return t;
}

void tree_free(struct tree *t)
{
	if (t == NULL || !ref_drop(&t->ref))
		return;
	arena_reset(&t->arena);
	free(t);
}
