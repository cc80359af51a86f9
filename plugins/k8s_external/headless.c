/*
 * Changes of endpoints, for serials and incremental transfers: their names are not stored here, so
 * that the records of each headless service are kept as they were while somebody follows a zone.
 */
#include <stdlib.h>

#include "k8s_external/external.h"

/* The records of a service in a zone, as they were after its last change. */
struct kept {
	struct buf row;
	size_t key_len;
	char key[]; /* NS/NAME */
};

static struct str key_of(const struct kept *kept)
{
	return (struct str){kept->key, kept->key_len};
}

static struct kept *kept_new(const char *ns, const char *name)
{
	size_t n = strlen(ns), m = strlen(name);
	struct kept *kept = mem_alloc(sizeof(*kept) + n + m + 1);

	memcpy(kept->key, ns, n);
	kept->key[n] = '/';
	memcpy(kept->key + n + 1, name, m);
	kept->key_len = n + 1 + m;
	return kept;
}

static void kept_free(struct kept *kept)
{
	if (kept == NULL)
		return;
	buf_free(&kept->row);
	free(kept);
}

/* Keep the records that the service has now; returns those before, or NULL. */
static struct kept *renew(
	struct external *x, struct external_zone *z, struct kept *now, const struct object *o)
{
	struct kept *before = map_del(&z->headless, key_of(now));

	if (o != NULL)
		external_add_headless(&now->row, x, z, o);
	if (now->row.len > 0)
		map_put(&z->headless, key_of(now), now);
	return before;
}

static void update(struct external *x, struct external_zone *z, const char *ns, const char *name)
{
	const struct object *o = store_service(x->view->store(x->cluster), ns, name);
	struct kept *now = kept_new(ns, name), *before = renew(x, z, now, o);
	const struct buf none = {0};

	zone_history_change(&z->history, before == NULL ? &none : &before->row, &now->row);
	kept_free(before);
	if (now->row.len == 0)
		kept_free(now);
}

void external_note_endpoints(struct external *x, const char *ns, const char *name)
{
	vec_for_each(&x->zones, z) {
		if (!x->options.has_headless || (*z)->is_reverse)
			continue;
		/* names of endpoints that are not headless can be asked for, too */
		if (x->view->is_exposed(x->cluster, ns))
			zone_history_note(&(*z)->history);
		if ((*z)->history.keeps_changes)
			update(x, *z, ns, name);
	}
}

void external_note_all_endpoints(struct external *x)
{
	const struct object *o;
	size_t pos = 0;

	while (x->options.has_headless &&
		(o = store_next(x->view->store(x->cluster), OBJECT_SERVICE, &pos)) != NULL)
		external_note_endpoints(x, o->ns, o->name);
}

void external_keep_endpoints(struct external *x, struct external_zone *z)
{
	const struct object *o;
	size_t pos = 0;

	if (!x->options.has_headless || z->is_reverse || x->view == NULL ||
		x->view->store(x->cluster) == NULL)
		return;
	while ((o = store_next(x->view->store(x->cluster), OBJECT_SERVICE, &pos)) != NULL) {
		struct kept *now = kept_new(o->ns, o->name);

		kept_free(renew(x, z, now, o));
		if (now->row.len == 0)
			kept_free(now);
	}
}

void external_headless_fini(struct external_zone *z)
{
	struct kept *kept;
	size_t pos = 0;

	while ((kept = map_next(&z->headless, &pos)) != NULL)
		kept_free(kept);
	map_fini(&z->headless);
}
