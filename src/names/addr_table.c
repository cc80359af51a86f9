#include "names/addr_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/rand.h"

#define GONE UINT32_MAX /* the number of a pair that was taken out; its address stays */
#define SLOTS_MIN 64u

/* A slot is a number and the address: 0 is free. The address is written once in its life. */
struct addr_array {
	size_t mask; /* slots - 1 */
	size_t used; /* slots that are not free; writer only */
	unsigned words; /* of a slot, 4 octets each */
	uint32_t slots[];
};

static uint32_t *slot_of(const struct addr_array *a, size_t i)
{
	return (uint32_t *)(uintptr_t)&a->slots[(i & a->mask) * a->words];
}

static uint32_t load(const uint32_t *slot)
{
	return __atomic_load_n(slot, __ATOMIC_ACQUIRE);
}

static void store(uint32_t *slot, uint32_t number)
{
	__atomic_store_n(slot, number, __ATOMIC_RELEASE);
}

void addr_table_init(struct addr_table *t, unsigned octets)
{
	*t = (struct addr_table){.seed = rand_u64(), .octets = octets};
}

void addr_table_fini(struct addr_table *t)
{
	free(t->array);
	t->array = NULL;
	t->count = 0;
}

static uint64_t hash_of(const struct addr_table *t, const void *ip)
{
	return hash_bytes(t->seed, ip, t->octets);
}

static bool has_ip(const struct addr_table *t, const uint32_t *slot, const void *ip)
{
	return memcmp(slot + 1, ip, t->octets) == 0;
}

/* Into the first free slot; there is one. */
static void insert(
	const struct addr_table *t, struct addr_array *a, const void *ip, uint32_t number)
{
	size_t i = (size_t)hash_of(t, ip);

	while (*slot_of(a, i) != 0)
		i++;
	memcpy(slot_of(a, i) + 1, ip, t->octets);
	store(slot_of(a, i), number);
	a->used++;
}

static struct addr_array *array_new(const struct addr_table *t, size_t slots)
{
	unsigned words = 1 + t->octets / 4;
	struct addr_array *a = mem_alloc(sizeof(*a) + slots * words * sizeof(uint32_t));

	a->mask = slots - 1;
	a->words = words;
	return a;
}

/* Room for one more: a new array, twice as large unless most of the old one was gone pairs. */
static void make_room(struct addr_table *t)
{
	struct addr_array *old = t->array, *a;
	size_t slots = old == NULL ? SLOTS_MIN : old->mask + 1;

	if (old != NULL && (old->used + 1) * 5 <= slots * 4)
		return;
	if (old != NULL && t->count * 5 > slots * 3)
		slots *= 2;
	a = array_new(t, slots);
	for (size_t i = 0; old != NULL && i <= old->mask; i++) {
		const uint32_t *slot = slot_of(old, i);

		if (*slot != 0 && *slot != GONE)
			insert(t, a, slot + 1, *slot);
	}
	rcu_publish(t->array, a);
	rcu_retire(old, free);
}

/* The slot of a pair (number GONE: a free place for that address), or NULL. */
static uint32_t *find(
	const struct addr_table *t, const uint8_t *ip, uint32_t number, unsigned *n_same)
{
	uint32_t *slot;

	*n_same = 0;
	if (t->array == NULL)
		return NULL;
	for (size_t i = (size_t)hash_of(t, ip); *(slot = slot_of(t->array, i)) != 0; i++) {
		if (!has_ip(t, slot, ip))
			continue;
		if (*slot == number)
			return slot;
		*n_same += *slot != GONE;
	}
	return NULL;
}

bool addr_table_add(struct addr_table *t, const uint8_t *ip, uint32_t number)
{
	uint32_t *slot;
	unsigned n_same;

	must(number != 0 && number <= ADDR_TABLE_MAX);
	if (find(t, ip, number, &n_same) != NULL || n_same >= ADDR_TABLE_SAME_MAX)
		return false;
	slot = find(t, ip, GONE, &n_same);
	if (slot != NULL) {
		store(slot, number);
	} else {
		make_room(t);
		insert(t, t->array, ip, number);
	}
	t->count++;
	return true;
}

bool addr_table_remove(struct addr_table *t, const uint8_t *ip, uint32_t number)
{
	unsigned n_same;
	uint32_t *slot = find(t, ip, number, &n_same);

	if (slot == NULL)
		return false;
	store(slot, GONE);
	t->count--;
	return true;
}

uint32_t addr_table_next(const struct addr_table *t, const uint8_t *ip, struct addr_walk *w)
{
	const uint32_t *slot;
	uint32_t number;

	if (w->array == NULL) {
		w->array = rcu_borrow(t->array);
		if (w->array == NULL)
			return 0;
		w->at = (size_t)hash_of(t, ip);
	}
	while ((number = load(slot = slot_of(w->array, w->at))) != 0) {
		w->at++;
		if (number != GONE && has_ip(t, slot, ip))
			return number;
	}
	return 0;
}

const uint8_t *addr_table_each(const struct addr_table *t, size_t *pos)
{
	while (t->array != NULL && *pos <= t->array->mask) {
		const uint32_t *slot = slot_of(t->array, (*pos)++);
		const uint8_t *ip = (const uint8_t *)(slot + 1);
		struct addr_walk w = {NULL, 0};

		if (*slot == 0 || *slot == GONE)
			continue;
		/* an address is told of at the first of its numbers */
		if (addr_table_next(t, ip, &w) == *slot)
			return ip;
	}
	return NULL;
}

size_t addr_table_bytes(const struct addr_table *t)
{
	return t->array == NULL ? 0
				: sizeof(*t->array) +
			(t->array->mask + 1) * t->array->words * sizeof(uint32_t);
}
