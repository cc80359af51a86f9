#include "core/metadata.h"

#include <stdlib.h>

#include "base/mem.h"
#include "core/query.h"
#include "core/zone_list.h"

bool metadata_is_key(struct str key)
{
	const char *slash = key.len == 0 ? NULL : memchr(key.at, '/', key.len);

	if (slash == NULL || slash == key.at || slash + 1 == key.at + key.len ||
		key.len > METADATA_KEY_MAX)
		return false;
	for (size_t i = 0; i < key.len; i++)
		if (key.at[i] <= ' ' || key.at[i] > '~')
			return false;
	return true;
}

static bool is_wanted(const struct chain *c, struct str key)
{
	vec_for_each(&c->metadata_keys, k)
		if (str_is(key, *k))
			return true;
	return false;
}

void metadata_want(struct chain *c, struct str key)
{
	if (metadata_is_key(key) && !is_wanted(c, key))
		vec_push(&c->metadata_keys, mem_dup(key.at, key.len));
}

bool metadata_wants(const struct chain *c, const char *prefix, size_t i, struct str *rest)
{
	size_t n = strlen(prefix);

	if (c->metadata_zones == NULL)
		return false;
	vec_for_each(&c->metadata_keys, k) {
		if (strncmp(*k, prefix, n) != 0 || i-- > 0)
			continue;
		*rest = str_from(*k + n);
		return true;
	}
	return false;
}

void metadata_enable(struct chain *c, const struct zone_list *zones)
{
	c->metadata_zones = zones;
}

void metadata_fini(struct chain *c)
{
	vec_for_each(&c->metadata_keys, k)
		free(*k);
	vec_free(&c->metadata_keys);
}

/* True when the block of q has values for its name. */
static bool has_values(const struct query *q)
{
	return q->chain != NULL && q->chain->metadata_zones != NULL &&
	       zone_list_match(q->chain->metadata_zones, q->folded) >= 0;
}

/* The plugin that the key begins with is asked for the rest of it. */
static bool ask_plugin(struct query *q, struct str key, struct str *out)
{
	struct str label = key, plugin = str_cut(&label, '/'), value;

	vec_for_each(&q->chain->metadata_hooks, l) {
		if (!str_is(plugin, l->plugin->name) ||
			!l->plugin->metadata(q, l->instance, label, &value))
			continue;
		*out = value;
		return true;
	}
	return false;
}

bool metadata_get(struct query *q, struct str key, struct str *out)
{
	while (q->parent != NULL)
		q = q->parent;
	if (!has_values(q))
		return false;
	for (const struct metadata_value *v = q->metadata; v != NULL; v = v->next) {
		if (!str_eq(v->key, key))
			continue;
		*out = v->text;
		return true;
	}
	return ask_plugin(q, key, out);
}

bool metadata_get_own(struct query *q, struct str key, struct str *out)
{
	return has_values(q) && ask_plugin(q, key, out);
}

bool metadata_is_wanted(const struct query *q, struct str key)
{
	while (q->parent != NULL)
		q = q->parent;
	return q->chain != NULL && q->chain->metadata_zones != NULL && is_wanted(q->chain, key);
}

void metadata_put(struct query *q, struct str key, struct str text)
{
	struct metadata_value *v;

	while (q->parent != NULL)
		q = q->parent;
	if (!has_values(q))
		return;
	v = arena_new(&q->arena, struct metadata_value);
	v->key = (struct str){arena_dup(&q->arena, key.at, key.len), key.len};
	v->text = (struct str){arena_dup(&q->arena, text.at, text.len), text.len};
	v->next = q->metadata;
	q->metadata = v;
}
