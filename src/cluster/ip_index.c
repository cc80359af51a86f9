#include "cluster/ip_index.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/rand.h"

#define ITEMS_MAX (OBJECT_MAX_ENDPOINTS + 1u)

enum { OBJECT_SHIFT = 3, OBJECT_BITS = 45, ITEM_BITS = 7, TAG_AT = OBJECT_BITS + ITEM_BITS };
_Static_assert(OBJECT_MAX_ADDRESSES + 1 < 1 << ITEM_BITS, "an item must fit into its bits");

void ip_index_init(struct ip_index *x)
{
	*x = (struct ip_index){.seed = rand_u64()};
}

void ip_index_fini(struct ip_index *x)
{
	free(x->slots);
	*x = (struct ip_index){0};
}

struct ip object_ip(const struct object *o, uint32_t item)
{
	switch (o->kind) {
	case OBJECT_SLICE: return slice_endpoint(&o->slice, item).ip;
	case OBJECT_POD: return o->pod.ips.at[item];
	default: return o->service.cluster_ips.at[item];
	}
}

uint32_t object_ip_count(const struct object *o)
{
	switch (o->kind) {
	case OBJECT_SLICE: return o->slice.n_endpoints;
	case OBJECT_POD: return o->pod.ips.len;
	case OBJECT_SERVICE:
	case OBJECT_IMPORT: return o->service.cluster_ips.len;
	default: return 0;
	}
}

static uint64_t hash_ip(const struct ip_index *x, const struct ip *ip)
{
	return hash_bytes(x->seed, ip->bytes, ip->len);
}

static uint64_t hash_item(const struct ip_index *x, const struct object *o, uint32_t item)
{
	struct ip ip = object_ip(o, item);

	return hash_ip(x, &ip);
}

/* --- slots: 45 bits of the object's address, 7 of the item, 12 of the hash ---------------- */

static uint64_t slot_of(const struct object *o, uint32_t item, uint64_t hash)
{
	uint64_t at = (uintptr_t)o >> OBJECT_SHIFT;

	must(((uintptr_t)o & ((1u << OBJECT_SHIFT) - 1)) == 0 && at >> OBJECT_BITS == 0);
	must(item >> ITEM_BITS == 0);
	return at | (uint64_t)item << OBJECT_BITS | hash >> TAG_AT << TAG_AT;
}

static const struct object *object_of(uint64_t slot)
{
	return (const struct object *)(uintptr_t)(
		(slot & ((UINT64_C(1) << OBJECT_BITS) - 1)) << OBJECT_SHIFT);
}

static uint32_t item_of(uint64_t slot)
{
	return (uint32_t)(slot >> OBJECT_BITS) & ((1u << ITEM_BITS) - 1);
}

static bool has_ip(uint64_t slot, uint64_t hash, const struct ip *ip)
{
	struct ip own;

	if ((slot ^ hash) >> TAG_AT != 0)
		return false;
	own = object_ip(object_of(slot), item_of(slot));
	return ip_eq(&own, ip);
}

/* Put a pair behind its equals; false when there are too many of them. */
static bool insert(struct ip_index *x, const struct object *o, uint32_t item)
{
	struct ip ip = object_ip(o, item);
	uint64_t hash = hash_ip(x, &ip);
	size_t mask = x->cap - 1, i = hash & mask;
	uint32_t equal = 0;

	for (; x->slots[i] != 0; i = (i + 1) & mask)
		equal += has_ip(x->slots[i], hash, &ip);
	if (equal >= STORE_MAX_SAME_IP)
		return false;
	x->slots[i] = slot_of(o, item, hash);
	return true;
}

static void grow(struct ip_index *x)
{
	struct ip_index old = *x;

	x->cap = old.cap == 0 ? 64 : old.cap * 2;
	x->slots = mem_array(x->cap, sizeof(*x->slots));
	for (size_t i = 0; i < old.cap; i++)
		if (old.slots[i] != 0)
			insert(x, object_of(old.slots[i]), item_of(old.slots[i]));
	free(old.slots);
}

void ip_index_add(struct ip_index *x, const struct object *o)
{
	uint32_t n = object_ip_count(o);

	for (uint32_t i = 0; i < n; i++) {
		if ((x->len + 1) * 4 > x->cap * 3)
			grow(x);
		x->len += insert(x, o, i);
	}
}

static size_t home_of(const struct ip_index *x, uint64_t slot)
{
	return hash_item(x, object_of(slot), item_of(slot)) & (x->cap - 1);
}

/* Close the gap at i: move back what would not be found any more. */
static void close_gap(struct ip_index *x, size_t i)
{
	size_t mask = x->cap - 1;

	for (size_t k = (i + 1) & mask; x->slots[k] != 0; k = (k + 1) & mask) {
		size_t home = home_of(x, x->slots[k]);

		if (((k - home) & mask) >= ((k - i) & mask)) {
			x->slots[i] = x->slots[k];
			i = k;
		}
	}
	x->slots[i] = 0;
}

void ip_index_remove(struct ip_index *x, const struct object *o)
{
	uint32_t n = object_ip_count(o);
	size_t mask = x->cap - 1;

	for (uint32_t k = 0; k < n && x->cap != 0; k++) {
		uint64_t hash = hash_item(x, o, k), want = slot_of(o, k, hash);
		size_t i = hash & mask;

		while (x->slots[i] != 0 && x->slots[i] != want)
			i = (i + 1) & mask;
		if (x->slots[i] == 0)
			continue;
		close_gap(x, i);
		x->len--;
	}
}

bool ip_index_next(const struct ip_index *x, const struct ip *ip, size_t *pos, struct ip_owner *out)
{
	uint64_t hash = hash_ip(x, ip);

	while (x->cap != 0) {
		uint64_t slot = x->slots[(hash + *pos) & (x->cap - 1)];

		if (slot == 0)
			return false;
		(*pos)++;
		if (has_ip(slot, hash, ip)) {
			*out = (struct ip_owner){object_of(slot), item_of(slot)};
			return true;
		}
	}
	return false;
}

/* The position is that of the slice in the store, and the item of the slice. */
bool ip_walk_slices(const struct store *st, const struct ip *ip, size_t *pos, struct ip_owner *out)
{
	size_t at = *pos / ITEMS_MAX, item = *pos % ITEMS_MAX;
	const struct object *o;

	while ((o = store_next(st, OBJECT_SLICE, &at)) != NULL) {
		for (; item < o->slice.n_endpoints; item++) {
			struct ip own = object_ip(o, (uint32_t)item);

			if (!ip_eq(&own, ip))
				continue;
			*out = (struct ip_owner){o, (uint32_t)item};
			*pos = (at - 1) * ITEMS_MAX + item + 1;
			return true;
		}
		item = 0;
	}
	return false;
}
