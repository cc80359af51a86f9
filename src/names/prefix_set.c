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

/* --- pointers to keys have their lowest bit set --- */

static bool is_key(const void *p)
{
	return ((uintptr_t)p & 1) != 0;
}

static void *mark_key(const uint8_t *key)
{
	must(((uintptr_t)key & 1) == 0);
	return (void *)((uintptr_t)key | 1);
}

static const uint8_t *key_of(const void *p)
{
	return (const uint8_t *)((uintptr_t)p & ~(uintptr_t)1);
}

static unsigned bit_of(const uint8_t *key, unsigned bit)
{
	return (unsigned)key[bit / 8] >> (7 - bit % 8) & 1u;
}

/* First bit in which the keys differ; all of them when they are equal. */
static unsigned first_difference(const uint8_t *a, const uint8_t *b, unsigned octets)
{
	for (unsigned i = 0; i < octets; i++)
		if (a[i] != b[i])
			return i * 8 + (unsigned)__builtin_clz((unsigned)a[i] ^ b[i]) - 24;
	return octets * 8;
}

void prefix_set_init(struct prefix_set *s, unsigned octets)
{
	*s = (struct prefix_set){.octets = octets};
}

/* At most one level for each bit of a key. */
static void free_below(void *p)
{
	struct prefix_node *node = p;

	if (p == NULL || is_key(p))
		return;
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
static const uint8_t *nearest(const struct prefix_set *s, const uint8_t *key)
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

void prefix_set_put(struct prefix_set *s, const uint8_t *key)
{
	unsigned bit = s->octets * 8;
	struct prefix_node *node;
	void **at;

	if (s->root != NULL)
		bit = first_difference(key, nearest(s, key), s->octets);
	at = find_place(s, key, bit);
	if (s->root == NULL || bit == s->octets * 8) {
		s->count += s->root == NULL;
		rcu_publish(*at, mark_key(key));
		return;
	}
	node = mem_new(struct prefix_node);
	node->bit = bit;
	node->child[bit_of(key, bit)] = mark_key(key);
	node->child[!bit_of(key, bit)] = *at;
	rcu_publish(*at, node);
	s->count++;
}

bool prefix_set_remove(struct prefix_set *s, const uint8_t *key)
{
	void **at = &s->root, **above = NULL;
	struct prefix_node *node = NULL;

	while (*at != NULL && !is_key(*at)) {
		above = at;
		node = *at;
		at = &node->child[bit_of(key, node->bit)];
	}
	if (*at == NULL || memcmp(key_of(*at), key, s->octets) != 0)
		return false;
	s->count--;
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

	if (p == NULL)
		return false;
	/* past the prefix any way is right: all keys below agree in it */
	while (!is_key(p)) {
		const struct prefix_node *node = p;
		unsigned way = node->bit < bits ? bit_of(prefix, node->bit) : 0;

		p = rcu_borrow(node->child[way]);
	}
	return first_difference(prefix, key_of(p), s->octets) >= bits;
}
