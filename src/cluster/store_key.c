#include "cluster/store_key.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/must.h"
#include "base/vec.h"

bool make_key(struct key *k, const char *ns, const char *name)
{
	size_t n = strlen(ns), m = strlen(name);

	if (n > OBJECT_MAX_NAME || m > OBJECT_MAX_NAME)
		return false;
	memcpy(k->text, ns, n);
	k->text[n] = '/';
	memcpy(k->text + n + 1, name, m + 1);
	k->len = n + 1 + m;
	return true;
}

struct str key_str(const struct key *k)
{
	return (struct str){k->text, k->len};
}

struct group {
	VEC(const struct object *) members;
	size_t key_len;
	char key[];
};

static struct group *group_new(struct map *groups, struct str key)
{
	struct group *g = mem_alloc(sizeof(*g) + key.len + 1);

	memcpy(g->key, key.at, key.len);
	g->key_len = key.len;
	map_put(groups, (struct str){g->key, key.len}, g);
	return g;
}

uint32_t group_push(struct map *groups, struct str key, const struct object *o)
{
	struct group *g = map_get(groups, key);

	if (g == NULL)
		g = group_new(groups, key);
	vec_push(&g->members, o);
	return (uint32_t)g->members.len - 1;
}

const struct object *group_take(struct map *groups, struct str key, uint32_t at)
{
	struct group *g = map_get(groups, key);
	const struct object *last;

	must(g != NULL && at < g->members.len);
	last = g->members.at[--g->members.len];
	if (at < g->members.len) {
		g->members.at[at] = last;
		return last;
	}
	if (g->members.len == 0) {
		map_del(groups, key);
		vec_free(&g->members);
		free(g);
	}
	return NULL;
}

struct object_list group_list(const struct map *groups, struct str key)
{
	const struct group *g = map_get(groups, key);

	return g == NULL ? (struct object_list){NULL, 0}
			 : (struct object_list){g->members.at, g->members.len};
}

void groups_fini(struct map *groups)
{
	struct group *g;
	size_t pos = 0;

	while ((g = map_next(groups, &pos)) != NULL) {
		vec_free(&g->members);
		free(g);
	}
	map_fini(groups);
}
