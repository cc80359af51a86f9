#include "cluster/ip_index.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/rand.h"

static const struct object dead;

uint32_t object_ip_count(const struct object *o)
{
	switch (o->kind) {
	case OBJECT_SERVICE:
	case OBJECT_IMPORT: return o->service.cluster_ips.len;
	case OBJECT_SLICE: return o->slice.n_endpoints;
	case OBJECT_POD: return o->pod.ips.len;
	default: return 0;
	}
}

const struct ip *object_ip(const struct object *o, uint32_t i)
{
	switch (o->kind) {
	case OBJECT_SLICE: return &o->slice.endpoints[i].ip;
	case OBJECT_POD: return &o->pod.ips.at[i];
	default: return &o->service.cluster_ips.at[i];
	}
}

void ip_index_init(struct ip_index *x)
{
	*x = (struct ip_index){NULL, 0, 0, 0, rand_u64()};
}

void ip_index_fini(struct ip_index *x)
{
	free(x->slots);
	x->slots = NULL;
}

static uint32_t hash_of(const struct ip_index *x, const struct ip *ip)
{
	return (uint32_t)hash_bytes(x->seed, ip->bytes, ip->len);
}

static void insert(struct ip_index *x, struct ip_slot s)
{
	size_t i = s.hash & (x->cap - 1);

	while (x->slots[i].object != NULL && x->slots[i].object != &dead)
		i = (i + 1) & (x->cap - 1);
	if (x->slots[i].object == NULL)
		x->used++;
	x->slots[i] = s;
	x->len++;
}

static void make_room(struct ip_index *x)
{
	struct ip_index old = *x;

	if ((x->used + 1) * 4 <= x->cap * 3)
		return;
	x->cap = x->len * 2 < x->cap && x->cap > 0 ? x->cap : (x->cap ? x->cap * 2 : 64);
	x->slots = mem_array(x->cap, sizeof(*x->slots));
	x->len = x->used = 0;
	for (size_t i = 0; i < old.cap; i++)
		if (old.slots[i].object != NULL && old.slots[i].object != &dead)
			insert(x, old.slots[i]);
	free(old.slots);
}

void ip_index_add(struct ip_index *x, const struct object *o)
{
	for (uint32_t i = 0; i < object_ip_count(o); i++) {
		make_room(x);
		insert(x, (struct ip_slot){o, i, hash_of(x, object_ip(o, i))});
	}
}

static void remove_one(struct ip_index *x, const struct object *o, uint32_t item)
{
	uint32_t hash = hash_of(x, object_ip(o, item));

	for (size_t i = hash & (x->cap - 1); x->slots[i].object != NULL; i = (i + 1) & (x->cap - 1)) {
		struct ip_slot *s = &x->slots[i];

		if (s->object != o || s->item != item)
			continue;
		s->object = &dead;
		x->len--;
		return;
	}
	must(!"address is not in the index");
}

void ip_index_remove(struct ip_index *x, const struct object *o)
{
	for (uint32_t i = 0; i < object_ip_count(o); i++)
		remove_one(x, o, i);
}

bool ip_index_next(const struct ip_index *x, const struct ip *ip, size_t *pos, struct ip_owner *out)
{
	uint32_t hash = hash_of(x, ip);

	if (x->cap == 0)
		return false;
	/* *pos counts the slots passed since the home of the hash */
	for (;; (*pos)++) {
		const struct ip_slot *s = &x->slots[(hash + *pos) & (x->cap - 1)];

		if (s->object == NULL || *pos >= x->cap)
			return false;
		if (s->object == &dead || s->hash != hash || !ip_eq(object_ip(s->object, s->item), ip))
			continue;
		*out = (struct ip_owner){s->object, s->item};
		(*pos)++;
		return true;
	}
}
