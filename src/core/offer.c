#include "core/offer.h"

#include <string.h>

#include "core/server.h"

static const void *find_ops(const struct plugin *p, const char *name)
{
	for (const struct offer *o = p->offers; o != NULL && o->name != NULL; o++)
		if (strcmp(o->name, name) == 0)
			return o->ops;
	return NULL;
}

bool offer_next(const struct chain *c, const char *name, size_t *pos, struct offered *out)
{
	while (*pos < c->links.len) {
		const struct link *l = &c->links.at[(*pos)++];
		const void *ops = find_ops(l->plugin, name);

		if (ops == NULL)
			continue;
		*out = (struct offered){ops, l->instance, l->plugin->name};
		return true;
	}
	memset(out, 0, sizeof(*out));
	return false;
}

bool offer_find(const struct chain *c, const char *name, struct offered *out)
{
	size_t pos = 0;

	return offer_next(c, name, &pos, out);
}
