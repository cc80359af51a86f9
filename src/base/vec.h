/*
 * Growable arrays. VEC(int) numbers; vec_push(&numbers, 7); numbers.at[0]; numbers.len.
 * A zeroed vector is empty and valid. The elements are plain memory: moved by growth.
 */
#pragma once

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define VEC(type)                                                                                  \
	struct {                                                                                   \
		type *at;                                                                          \
		size_t len, cap;                                                                   \
	}

/* Make room for n elements in all. */
#define vec_reserve(v, n)                                                                          \
	do {                                                                                       \
		size_t vec_n_ = (n);                                                               \
		if (vec_n_ > (v)->cap) {                                                           \
			size_t vec_c_ = (v)->cap ? (v)->cap * 2 : 4;                               \
			(v)->cap = vec_c_ > vec_n_ ? vec_c_ : vec_n_;                              \
			(v)->at = mem_resize((v)->at, (v)->cap * sizeof(*(v)->at));                \
		}                                                                                  \
	} while (0)

/* Append one element. */
#define vec_push(v, ...)                                                                           \
	do {                                                                                       \
		vec_reserve((v), (v)->len + 1);                                                    \
		(v)->at[(v)->len++] = (__VA_ARGS__);                                               \
	} while (0)

/* Remove element i and keep the order of the rest. */
#define vec_remove(v, i)                                                                           \
	do {                                                                                       \
		size_t vec_i_ = (i);                                                               \
		memmove(&(v)->at[vec_i_], &(v)->at[vec_i_ + 1],                                    \
			((v)->len - vec_i_ - 1) * sizeof(*(v)->at));                               \
		(v)->len--;                                                                        \
	} while (0)

/* Free the memory and leave an empty vector; elements are not destroyed. */
#define vec_free(v)                                                                                \
	do {                                                                                       \
		free((v)->at);                                                                     \
		(v)->at = NULL;                                                                    \
		(v)->len = (v)->cap = 0;                                                           \
	} while (0)

/*
 * for each element: `vec_for_each(&v, p)` declares a pointer p. An empty vector has no array, and
 * NULL + 0 is undefined in C.
 */
#define vec_for_each(v, p)                                                                         \
	for (__typeof__(*(v)->at) *p = (v)->at; p != NULL && p < (v)->at + (v)->len; p++)
