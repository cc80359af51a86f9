#include <stdio.h>
#include <stdlib.h>

#include "conf/corefile.h"

void corefile_free(struct corefile *c)
{
	if (c == NULL)
		return;
	arena_reset(&c->arena);
	free(c);
}

void corefile_hash_text(const struct corefile *c, char out[129])
{
	for (size_t i = 0; i < sizeof(c->sha512); i++)
		snprintf(out + 2 * i, 3, "%02x", c->sha512[i]);
}

const char *directive_arg(const struct directive *d, size_t i)
{
	return i < d->arg_count ? d->args[i].text : NULL;
}

const struct directive *directive_top(const struct directive *d)
{
	while (d->parent != NULL)
		d = d->parent;
	return d;
}

const struct directive *block_find(
        const struct server_block *b, const char *name, const struct directive *after)
{
	size_t i = after == NULL ? 0 : (size_t)(after - b->directives) + 1;

	for (; i < b->directive_count; i++)
		if (strcmp(b->directives[i].name, name) == 0)
			return &b->directives[i];
	return NULL;
}
