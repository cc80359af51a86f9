/*
 * Zone files for the plugin transfer: a tree is an image, and each reload leaves a difference.
 */
#include "core/transfer.h"
#include "file/file.h"

#include <stdlib.h>

/* Records of a zone whose reloads are compared; the tree of a larger one is handed out whole. */
#define COMPARE_MAX 200000u

struct image {
	struct zone_image image;
	struct tree *tree; /* referenced */
};

/* Sets of a node in order, each with its signatures behind it; NULL for the SOA record. */
static const struct rrset *set_at(const struct tree_node *n, size_t part)
{
	const struct tree_set *s = &n->sets[part / 2];

	if (part % 2 == 1)
		return s->sigs;
	return s->set->type == TYPE_SOA ? NULL : s->set;
}

/* Append records from the cursor on until the row has `enough` octets. */
static void walk_tree(
	const struct tree *t, struct zone_cursor *c, struct buf *row, size_t enough)
{
	while (c->unit < t->len && row->len < enough) {
		const struct tree_node *n = &t->nodes[c->unit];

		if (c->part == 2u * n->sets_len) {
			c->unit++;
			c->part = 0;
		} else if (!records_add_some(row, n->name, set_at(n, c->part), &c->at, enough)) {
			c->part++;
			c->at = 0;
		}
	}
}

static bool walk(const struct zone_image *image, struct zone_cursor *c, struct buf *row)
{
	size_t before = row->len;

	walk_tree(((const struct image *)image)->tree, c, row, before + ZONE_WALK_STEP);
	return row->len > before;
}

static void fini(struct zone_image *image)
{
	struct image *i = (struct image *)image;

	tree_free(i->tree);
	free(i);
}

static struct file_zone *find(const struct file_instance *f, const struct name *zone)
{
	return f->zones.at[zone_list_match(&f->origins, zone->wire)];
}

static void zones(const void *instance, struct zone_list *out)
{
	const struct file_instance *f = instance;

	vec_for_each (&f->origins.zones, origin)
		zone_list_add(out, origin);
}

static bool serial(void *instance, const struct name *zone, uint32_t *out)
{
	const struct tree *t = find(instance, zone)->tree;

	if (t != NULL)
		*out = t->serial;
	return t != NULL;
}

static struct zone_image *make_image(void *instance, const struct name *zone)
{
	static const struct zone_image_ops ops = {walk, fini};
	struct tree *t = find(instance, zone)->tree;
	struct image *i;

	if (t == NULL)
		return NULL;
	i = mem_new(struct image);
	i->tree = tree_ref(t);
	zone_image_init(&i->image, &ops, t->soa->set);
	return &i->image;
}

static struct zone_image *changes(void *instance, const struct name *zone, uint32_t since)
{
	struct file_zone *z = find(instance, zone);

	if (z->tree == NULL)
		return NULL;
	return zone_history_changes(&z->history, z->origin.wire, z->tree->soa->set, since);
}

static void keep_changes(void *instance, const struct name *zone)
{
	struct file_zone *z = find(instance, zone);

	if (z->tree != NULL)
		zone_history_commit_as(&z->history, z->tree->serial);
	zone_history_keep(&z->history);
}

/* True when the SOA records differ in nothing but the serial. */
static bool has_same_soa(const struct tree *a, const struct tree *b)
{
	const struct rrset *x = a->soa->set, *y = b->soa->set;
	size_t names = x->wire_len - 20;

	return x->wire_len == y->wire_len && memcmp(x->wire, y->wire, names) == 0 &&
		memcmp(x->wire + names + 4, y->wire + names + 4, 16) == 0;
}

void file_zone_note(struct file_zone *z, const struct tree *old, const struct tree *new)
{
	struct buf before = {0}, after = {0};
	struct zone_cursor c = {0, 0, 0};

	if (!z->history.keeps_changes)
		return;
	if (old == NULL || !has_same_soa(old, new) || old->records > COMPARE_MAX ||
		new->records > COMPARE_MAX) {
		zone_history_touch(&z->history);
	} else {
		walk_tree(old, &c, &before, SIZE_MAX);
		c = (struct zone_cursor){0, 0, 0};
		walk_tree(new, &c, &after, SIZE_MAX);
		zone_history_change(&z->history, &before, &after);
	}
	zone_history_commit_as(&z->history, new->serial);
	buf_free(&before);
	buf_free(&after);
}

const struct plugin_transfer file_transfer_hooks = {
	.zones = zones,
	.serial = serial,
	.image = make_image,
	.changes = changes,
	.keep_changes = keep_changes,
};
