#include "core/server.h"

#include "base/hash.h"
#include "base/rand.h"
#include "core/view.h"

void server_group_build(struct server_group *g)
{
	size_t cap = 4;

	while (cap < g->servers.len * 2)
		cap *= 2;
	g->table = mem_array(cap, sizeof(*g->table));
	g->table_mask = cap - 1;
	g->seed = rand_u64();
	g->max_labels = 0;
	for (size_t i = 0; i < g->servers.len; i++) {
		struct server *s = g->servers.at[i];
		size_t at = hash_bytes(g->seed, s->zone.wire, s->zone.len) & g->table_mask;

		while (g->table[at] != NULL)
			at = (at + 1) & g->table_mask;
		g->table[at] = s;
		if (s->zone_labels > g->max_labels)
			g->max_labels = s->zone_labels;
	}
}

void server_group_fini(struct server_group *g)
{
	free(g->table);
	g->table = NULL;
	vec_free(&g->servers);
}

bool server_group_has(const struct server_group *g, const struct server *s)
{
	vec_for_each(&g->servers, at)
		if (*at == s)
			return true;
	return false;
}

const char *server_view_name(const struct server *s)
{
	return s->view == NULL ? "" : s->view->name;
}

static bool takes(const struct server *s, const struct server_ask *ask)
{
	return s->view == NULL || (ask->takes != NULL && ask->takes(ask->arg, s));
}

/* Servers with the same zone are met in the order of the group: that of the configuration. */
static struct server *find(
	const struct server_group *g, const uint8_t *zone, const struct server_ask *ask)
{
	size_t n = name_len(zone), at = hash_bytes(g->seed, zone, n) & g->table_mask;

	for (; g->table[at] != NULL; at = (at + 1) & g->table_mask) {
		struct server *s = g->table[at];

		if (s->zone.len == n && memcmp(s->zone.wire, zone, n) == 0 && takes(s, ask))
			return s;
	}
	return NULL;
}

struct server *server_match(const struct server_group *g, const struct server_ask *ask)
{
	struct server *apex = NULL;
	unsigned left = ask->labels < g->max_labels ? ask->labels : g->max_labels;
	const uint8_t *zone = name_skip(ask->folded, ask->labels - left);

	for (;; zone += *zone + 1, left--) {
		struct server *s = find(g, zone, ask);

		if (s != NULL && (!ask->is_ds || left != ask->labels || ask->labels == 0))
			return s;
		if (s != NULL)
			apex = s;
		if (left == 0)
			return apex;
	}
}
