/*
 * Heap allocation for the control plane. Running out of memory there aborts: outsiders cannot
 * cause it, because every input has a size limit. The query path does not allocate.
 */
#pragma once

#include <stddef.h>

/* Allocate n zeroed bytes; the caller frees with free(). Aborts when memory runs out. */
void *mem_alloc(size_t n);
/* Allocate an array of n zeroed elements of size bytes, checked for overflow; free() it. */
void *mem_array(size_t n, size_t size);
/* Resize p (may be NULL) to n bytes; new bytes are not cleared. Aborts when memory runs out. */
void *mem_resize(void *p, size_t n);
/* Copy n bytes to fresh heap memory with a NUL after them; free() it. */
void *mem_dup(const void *p, size_t n);
/* Copy a C string to the heap (NULL gives NULL); free() it. */
char *mem_str(const char *s);

/* Allocate one zeroed object of the type of *var. */
#define mem_new(type) ((type *)mem_alloc(sizeof(type)))
