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
	uint32_t first;

	/* one word is all of most addresses */
	memcpy(&first, ip, sizeof(first));
	return slot[1] == first && memcmp(slot + 2, (const char *)ip + 4, t->octets - 4u) == 0;
}

/* Into a slot that is free. */
static void fill(const struct addr_table *t, struct addr_array *a, uint32_t *slot, const void *ip,
	uint32_t number)
{
	memcpy(slot + 1, ip, t->octets);
	store(slot, number);
	a->used++;
}

/* Into the first free slot; there is one. */
static void insert(
	const struct addr_table *t, struct addr_array *a, const void *ip, uint32_t number)
{
	size_t i = (size_t)hash_of(t, ip);

	while (*slot_of(a, i) != 0)
		i++;
	fill(t, a, slot_of(a, i), ip, number);
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

/* What stands where a pair is, or would be. */
struct place {
	uint32_t *pair; /* NULL: it is not there */
	uint32_t *gone; /* the first pair of that address that was taken out, or NULL */
	uint32_t *free; /* behind them */
	unsigned n_same; /* other pairs of that address */
};

static struct place find(const struct addr_table *t, const uint8_t *ip, uint32_t number)
{
	struct place p = {NULL, NULL, NULL, 0};
	size_t i = (size_t)hash_of(t, ip);
	uint32_t *slot;

	for (; *(slot = slot_of(t->array, i)) != 0; i++) {
		if (!has_ip(t, slot, ip))
			continue;
		if (*slot == number)
			p.pair = slot;
		else if (*slot != GONE)
			p.n_same++;
		else if (p.gone == NULL)
			p.gone = slot;
	}
	p.free = slot;
	return p;
}

static bool add(struct addr_table *t, const uint8_t *ip, uint32_t number, unsigned same_max)
{
	struct place p;

	must(number != 0 && number <= ADDR_TABLE_MAX);
	make_room(t);
	p = find(t, ip, number);
	if (p.pair != NULL || p.n_same >= same_max)
		return false;
	if (p.gone != NULL)
		store(p.gone, number);
	else
		fill(t, t->array, p.free, ip, number);
	t->count++;
	return true;
}

bool addr_table_add(struct addr_table *t, const uint8_t *ip, uint32_t number)
{
	return add(t, ip, number, ADDR_TABLE_SAME_MAX);
}

bool addr_table_add_first(struct addr_table *t, const uint8_t *ip, uint32_t number)
{
	return add(t, ip, number, 2 * ADDR_TABLE_SAME_MAX);
}

bool addr_table_remove(struct addr_table *t, const uint8_t *ip, uint32_t number)
{
	struct place p;

	if (t->array == NULL)
		return false;
	p = find(t, ip, number);
	if (p.pair == NULL)
		return false;
	store(p.pair, GONE);
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
