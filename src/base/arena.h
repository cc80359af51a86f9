/*
 * Bump allocator: many small objects that die together (a configuration tree, a decoded
 * manifest, the scratch memory of one query). Single thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct arena_block;

struct arena {
	struct arena_block *blocks; /* newest first; heap blocks only */
	uint8_t *at, *end;          /* free part of the current block */
	uint8_t *first;             /* optional caller's memory used before any heap block */
	size_t first_size;
	size_t total; /* bytes taken from the heap */
};

/* Start an empty arena; nothing is allocated until the first arena_alloc(). */
void arena_init(struct arena *a);
/* Start an arena that uses size bytes of the caller's memory before it goes to the heap. */
void arena_init_with(struct arena *a, void *memory, size_t size);
/* Forget every object and free all heap blocks; the arena can be used again. */
void arena_reset(struct arena *a);
/* n zeroed bytes, aligned for any type; valid until arena_reset(). Aborts without memory. */
void *arena_alloc(struct arena *a, size_t n);
/* Copy n bytes and a NUL into the arena. */
char *arena_dup(struct arena *a, const void *p, size_t n);
/* Copy a C string into the arena. */
char *arena_str(struct arena *a, const char *s);
/* printf into the arena. */
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define arena_new(a, type) ((type *)arena_alloc((a), sizeof(type)))
