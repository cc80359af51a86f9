#include "conf/suggest.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define LONGEST 40

static unsigned smaller(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Insertions, deletions and replacements that make b of a; both at most LONGEST bytes. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[LONGEST + 1];
	size_t n = strlen(b);

	for (size_t j = 0; j <= n; j++)
		row[j] = (unsigned)j;
	for (size_t i = 0; a[i] != '\0'; i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i + 1;
		for (size_t j = 0; j < n; j++) {
			unsigned replaced = diagonal + (a[i] == b[j] ? 0 : 1);

			diagonal = row[j + 1];
			row[j + 1] = smaller(replaced, smaller(row[j], row[j + 1]) + 1);
		}
	}
	return row[n];
}

const char *suggest_word(const char *word, const char *const *list)
{
	size_t n = strlen(word);
	unsigned best = n > 3 ? 3 : 2;
	const char *found = NULL;

	if (list == NULL || n < 3 || n > LONGEST)
		return NULL;
	for (; *list != NULL; list++) {
		unsigned d = strlen(*list) > LONGEST ? best : distance(word, *list);

		if (d < best) {
			best = d;
			found = *list;
		}
	}
	return found;
}
