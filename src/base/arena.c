#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/must.h"

#define ARENA_ALIGN 16u
#define ARENA_BLOCK 4096u

struct arena_block {
	struct arena_block *next;
	size_t size;
	_Alignas(16) uint8_t data[];
};

void arena_init(struct arena *a)
{
	arena_init_with(a, NULL, 0);
}

void arena_init_with(struct arena *a, void *memory, size_t size)
{
	memset(a, 0, sizeof(*a));
	a->first = memory;
	a->first_size = size;
	a->at = memory;
	a->end = memory == NULL ? NULL : a->at + size;
}

void arena_reset(struct arena *a)
{
	while (a->blocks != NULL) {
		struct arena_block *b = a->blocks;

		a->blocks = b->next;
		free(b);
	}
	a->at = a->first;
	a->end = a->first == NULL ? NULL : a->first + a->first_size;
	a->total = 0;
}

static void arena_grow(struct arena *a, size_t n)
{
	size_t size = a->blocks == NULL ? ARENA_BLOCK : a->blocks->size * 2;
	struct arena_block *b;

	if (size > 256 * 1024)
		size = 256 * 1024;
	if (size < n)
		size = n;
	b = malloc(sizeof(*b) + size);
	must(b != NULL);
	b->next = a->blocks;
	b->size = size;
	a->blocks = b;
	a->at = b->data;
	a->end = b->data + size;
	a->total += size;
}

void *arena_alloc(struct arena *a, size_t n)
{
	void *p;
	size_t pad = a->at == NULL ? 0 : (size_t)(-(uintptr_t)a->at) & (ARENA_ALIGN - 1);

	n = n ? n : 1;
	must(n < SIZE_MAX / 4);
	if ((size_t)(a->end - a->at) < n + pad) {
		arena_grow(a, n);
		pad = 0;
	}
	p = a->at + pad;
	a->at += pad + n;
	return memset(p, 0, n);
}

char *arena_dup(struct arena *a, const void *p, size_t n)
{
	char *copy = arena_alloc(a, n + 1);

	if (n > 0)
		memcpy(copy, p, n);
	return copy;
}

char *arena_str(struct arena *a, const char *s)
{
	return arena_dup(a, s, strlen(s));
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap, again;
	int n;
	char *text;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	must(n >= 0);
	text = arena_alloc(a, (size_t)n + 1);
	vsnprintf(text, (size_t)n + 1, fmt, again);
	va_end(again);
	return text;
}
