#include "names/prefix_set.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/must.h"
#include "base/rcu.h"

/* Keys below it agree up to bit, and go to the child that bit says. */
struct prefix_node {
	void *child[2]; /* published: nodes or marked keys */
	unsigned bit;
};

/* The counting bits of a key, the others 0. */
struct prefix_key {
	size_t times; /* how often it was added; writer only */
	uint8_t octets[];
};

/* --- pointers to keys have their lowest bit set --- */

static bool is_key(const void *p)
{
	return ((uintptr_t)p & 1) != 0;
}

static void *mark_key(const struct prefix_key *key)
{
	return (void *)((uintptr_t)key | 1);
}

static struct prefix_key *key_of(const void *p)
{
	return (struct prefix_key *)((uintptr_t)p & ~(uintptr_t)1);
}

static size_t octets_of(const struct prefix_set *s)
{
	return (s->bits + 7) / 8;
}

/* Write the bits of key that count; returns out. */
static const uint8_t *cut(
	const struct prefix_set *s, const uint8_t *key, uint8_t out[PREFIX_SET_BITS_MAX / 8])
{
	memcpy(out, key, octets_of(s));
	if (s->bits % 8 != 0)
		out[s->bits / 8] &= (uint8_t)(0xff00 >> s->bits % 8);
	return out;
}

static unsigned bit_of(const uint8_t *key, unsigned bit)
{
	return (unsigned)key[bit / 8] >> (7 - bit % 8) & 1u;
}

/* First bit in which the octets differ; all of them when they are equal. */
static unsigned first_difference(const uint8_t *a, const uint8_t *b, size_t octets)
{
	for (unsigned i = 0; i < octets; i++)
		if (a[i] != b[i])
			return i * 8 + (unsigned)__builtin_clz((unsigned)a[i] ^ b[i]) - 24;
	return (unsigned)octets * 8;
}

void prefix_set_init(struct prefix_set *s, unsigned bits)
{
	must(bits <= PREFIX_SET_BITS_MAX);
	*s = (struct prefix_set){.bits = bits};
}

/* At most one level for each bit of a key. */
static void free_below(void *p)
{
	struct prefix_node *node = p;

	if (p == NULL)
		return;
	if (is_key(p)) {
		free(key_of(p));
		return;
	}
	free_below(node->child[0]);
	free_below(node->child[1]);
	free(node);
}

void prefix_set_fini(struct prefix_set *s)
{
	free_below(s->root);
	s->root = NULL;
	s->count = 0;
}

/* The key that agrees longest with this one. Writer; the set is not empty. */
static struct prefix_key *nearest(const struct prefix_set *s, const uint8_t *key)
{
	const void *p = s->root;

	while (!is_key(p)) {
		const struct prefix_node *node = p;

		p = node->child[bit_of(key, node->bit)];
	}
	return key_of(p);
}

/* Where the node or key stands that the way of key leads to and whose bit is not below bit. */
static void **find_place(struct prefix_set *s, const uint8_t *key, unsigned bit)
{
	void **at = &s->root;

	while (*at != NULL && !is_key(*at)) {
		struct prefix_node *node = *at;

		if (node->bit >= bit)
			break;
		at = &node->child[bit_of(key, node->bit)];
	}
	return at;
}

static const struct prefix_key *key_new(const struct prefix_set *s, const uint8_t *octets)
{
	struct prefix_key *key = mem_alloc(sizeof(*key) + octets_of(s));

	key->times = 1;
	memcpy(key->octets, octets, octets_of(s));
	return key;
}

/* Put a key beside what stands at its place; it differs from that first in the bit. */
static void split(struct prefix_set *s, const struct prefix_key *key, unsigned bit)
{
	void **at = find_place(s, key->octets, bit);
	struct prefix_node *node = mem_new(struct prefix_node);

	node->bit = bit;
	node->child[bit_of(key->octets, bit)] = mark_key(key);
	node->child[!bit_of(key->octets, bit)] = *at;
	rcu_publish(*at, node);
}

void prefix_set_add(struct prefix_set *s, const uint8_t *key)
{
	uint8_t octets[PREFIX_SET_BITS_MAX / 8];
	struct prefix_key *near;
	unsigned bit;

	cut(s, key, octets);
	if (s->root == NULL) {
		rcu_publish(s->root, mark_key(key_new(s, octets)));
		s->count++;
		return;
	}
	near = nearest(s, octets);
	bit = first_difference(octets, near->octets, octets_of(s));
	if (bit == octets_of(s) * 8) {
		near->times++;
		return;
	}
	split(s, key_new(s, octets), bit);
	s->count++;
}

bool prefix_set_remove(struct prefix_set *s, const uint8_t *key)
{
	void **at = &s->root, **above = NULL;
	struct prefix_node *node = NULL;
	uint8_t octets[PREFIX_SET_BITS_MAX / 8];
	struct prefix_key *found;

	cut(s, key, octets);
	while (*at != NULL && !is_key(*at)) {
		above = at;
		node = *at;
		at = &node->child[bit_of(octets, node->bit)];
	}
	if (*at == NULL || memcmp(key_of(*at)->octets, octets, octets_of(s)) != 0)
		return false;
	found = key_of(*at);
	if (--found->times > 0)
		return true;
	s->count--;
	rcu_retire(found, free);
	if (above == NULL) {
		rcu_publish(s->root, NULL);
		return true;
	}
	/* the other child takes the node's place; a reader inside the node still sees both */
	rcu_publish(*above, at == &node->child[0] ? node->child[1] : node->child[0]);
	rcu_retire(node, free);
	return true;
}

bool prefix_set_has(const struct prefix_set *s, const uint8_t *prefix, unsigned bits)
{
	const void *p = rcu_borrow(s->root);

	if (p == NULL || bits > s->bits)
		return false;
	/* past the prefix any way is right: all keys below agree in it */
	while (!is_key(p)) {
		const struct prefix_node *node = p;
		unsigned way = node->bit < bits ? bit_of(prefix, node->bit) : 0;

		p = rcu_borrow(node->child[way]);
	}
	return first_difference(prefix, key_of(p)->octets, (bits + 7) / 8) >= bits;
}
