#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"

void *mem_alloc(size_t n)
{
	void *p = calloc(1, n ? n : 1);

	must(p != NULL);
	return p;
}

void *mem_array(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size ? size : 1);

	must(p != NULL);
	return p;
}

void *mem_resize(void *p, size_t n)
{
	p = realloc(p, n ? n : 1);
	must(p != NULL);
	return p;
}

void *mem_dup(const void *p, size_t n)
{
	char *copy = malloc(n + 1);

	must(copy != NULL);
	if (n > 0)
		memcpy(copy, p, n);
	copy[n] = '\0';
	return copy;
}

char *mem_str(const char *s)
{
	return s == NULL ? NULL : mem_dup(s, strlen(s));
}
