#include "base/slots.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rcu.h"

#define SLOTS_MIN 16u

struct slot_array {
	size_t cap;
	void *at[]; /* each published */
};

void slots_init(struct slots *s, uint32_t first, uint32_t rest)
{
	*s = (struct slots){.last = first, .rest = rest};
}

void slots_fini(struct slots *s)
{
	free(s->array);
	vec_free(&s->free);
}

static void make_room(struct slots *s, size_t number)
{
	struct slot_array *old = s->array, *new;
	size_t cap = old == NULL ? SLOTS_MIN : old->cap * 2;

	if (old != NULL && number < old->cap)
		return;
	new = mem_alloc(sizeof(*new) + cap * sizeof(*new->at));
	new->cap = cap;
	if (old != NULL)
		memcpy(new->at, old->at, old->cap * sizeof(*new->at));
	rcu_publish(s->array, new);
	rcu_retire(old, free);
}

uint32_t slots_take(struct slots *s)
{
	uint32_t number;

	if (s->free.len > s->rest) {
		size_t at = s->free.len - 1 - s->rest;

		number = s->free.at[at];
		vec_remove(&s->free, at);
		return number;
	}
	number = ++s->last;
	make_room(s, number);
	return number;
}

void slots_set(struct slots *s, uint32_t number, void *object)
{
	rcu_publish(s->array->at[number], object);
}

void slots_give(struct slots *s, uint32_t number)
{
	slots_set(s, number, NULL);
	vec_push(&s->free, number);
}

void *slots_get(const struct slots *s, uint32_t number)
{
	const struct slot_array *a = rcu_borrow(s->array);

	return a == NULL || number >= a->cap ? NULL : rcu_borrow(a->at[number]);
}
