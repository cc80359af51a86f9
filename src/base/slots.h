/*
 * Small numbers for objects that the control thread publishes: an index keeps the number, four
 * octets, where it would keep a pointer, and readers get from the number to the object. Numbers
 * that are given back are given out again. Used by the indexes of addresses of plugin kubernetes.
 *
 * Lifetime: the array of objects is published (RCU) and grows by being replaced. The objects are
 * the user's, who publishes them here and frees them after a grace period.
 */
#pragma once

#include <stdint.h>

#include "base/vec.h"

struct slot_array;

struct slots {
	struct slot_array *array; /* published: objects by number */
	/* control thread */
	uint32_t last; /* number given out */
	uint32_t rest; /* so many numbers rest, those that were given back last */
	VEC(uint32_t) free; /* numbers given back, the newest last */
};

/*
 * Start empty; numbers begin above first. rest says how many others are given back before a number
 * is given out again: 0 where readers check what they find.
 */
void slots_init(struct slots *s, uint32_t first, uint32_t rest);
/* Free it, without the objects; no reader is left. */
void slots_fini(struct slots *s);
/* A number without an object. Control thread. */
uint32_t slots_take(struct slots *s);
/* Publish the object of a number that was taken; NULL: none for now. Control thread. */
void slots_set(struct slots *s, uint32_t number, void *object);
/* Take the object away, and the number back. Control thread. */
void slots_give(struct slots *s, uint32_t number);
/*
 * The object with a number that was found a moment ago, borrowed; NULL when it has none by now. It
 * can be another object's number by now, if none rests. Any thread.
 */
void *slots_get(const struct slots *s, uint32_t number);
