#include "cluster/ip_index.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/rand.h"

#define ITEMS_MAX (OBJECT_MAX_ENDPOINTS + 1u)

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

static uint32_t hash_ip(const struct ip_index *x, const struct ip *ip)
{
	return (uint32_t)hash_bytes(x->seed, ip->bytes, ip->len);
}

static uint32_t hash_item(const struct ip_index *x, const struct object *o, uint32_t item)
{
	struct ip ip = object_ip(o, item);

	return hash_ip(x, &ip);
}

static bool has_ip(const struct ip_slot *s, const struct ip *ip)
{
	struct ip own = object_ip(s->object, s->item);

	return ip_eq(&own, ip);
}

/* Put a pair behind its equals; false when there are too many of them. */
static bool insert(struct ip_index *x, struct ip_slot new)
{
	size_t mask = x->cap - 1, i = new.hash &mask;
	uint32_t equal = 0;

	for (; x->slots[i].object != NULL; i = (i + 1) & mask)
		equal += x->slots[i].hash == new.hash;
	if (equal >= STORE_MAX_SAME_IP)
		return false;
	x->slots[i] = new;
	return true;
}

static void grow(struct ip_index *x)
{
	struct ip_index old = *x;

	x->cap = old.cap == 0 ? 64 : old.cap * 2;
	x->slots = mem_array(x->cap, sizeof(*x->slots));
	for (size_t i = 0; i < old.cap; i++)
		if (old.slots[i].object != NULL)
			insert(x, old.slots[i]);
	free(old.slots);
}

void ip_index_add(struct ip_index *x, const struct object *o)
{
	uint32_t n = object_ip_count(o);

	for (uint32_t i = 0; i < n; i++) {
		if ((x->len + 1) * 4 > x->cap * 3)
			grow(x);
		x->len += insert(x, (struct ip_slot){o, i, hash_item(x, o, i)});
	}
}

/* Close the gap at i: move back what would not be found any more. */
static void close_gap(struct ip_index *x, size_t i)
{
	size_t mask = x->cap - 1;

	for (size_t k = (i + 1) & mask; x->slots[k].object != NULL; k = (k + 1) & mask) {
		size_t home = x->slots[k].hash & mask;

		if (((k - home) & mask) >= ((k - i) & mask)) {
			x->slots[i] = x->slots[k];
			i = k;
		}
	}
	x->slots[i].object = NULL;
}

void ip_index_remove(struct ip_index *x, const struct object *o)
{
	uint32_t n = object_ip_count(o);
	size_t mask = x->cap - 1;

	for (uint32_t k = 0; k < n; k++) {
		size_t i = hash_item(x, o, k) & mask;

		while (x->slots[i].object != NULL &&
		        (x->slots[i].object != o || x->slots[i].item != k))
			i = (i + 1) & mask;
		if (x->slots[i].object == NULL)
			continue;
		close_gap(x, i);
		x->len--;
	}
}

bool ip_index_next(const struct ip_index *x, const struct ip *ip, size_t *pos, struct ip_owner *out)
{
	uint32_t hash = hash_ip(x, ip);

	while (x->cap != 0) {
		const struct ip_slot *s = &x->slots[(hash + *pos) & (x->cap - 1)];

		if (s->object == NULL)
			return false;
		(*pos)++;
		if (s->hash == hash && has_ip(s, ip)) {
			*out = (struct ip_owner){s->object, s->item};
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
