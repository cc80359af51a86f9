#include "cluster/yaml.h"

#include <errno.h>

#include "base/arena.h"
#include "cluster/json_object.h"
#include "cluster/yaml_tree.h"

enum { MAX_NESTED_LISTS = 4 };

struct reader {
	struct yaml_objects *out;
	struct err *err;
	struct arena arena; /* of the object at hand */
	struct buf json;
	unsigned depth; /* of lists */
};

static int read_node(struct reader *r, const struct ynode *node, enum object_kind expected);

static void ignore(struct reader *r, const struct ynode *node, const char *kind)
{
	if (r->out->n_ignored++ > 0)
		return;
	r->out->ignored_kind = mem_str(kind);
	r->out->ignored_line = node->line;
}

/* Versions and uids of a cluster that the text was once read from would hide later edits. */
static void keep(struct reader *r, const struct ynode *node, struct object *o)
{
	struct yaml_object y = {.line = node->line, .problem = mem_str(o->problem)};

	if (o->ns[0] == '\0' && o->kind != OBJECT_NAMESPACE)
		o->ns = "default";
	o->rv = 0;
	memset(o->uid, 0, sizeof(o->uid));
	y.object = object_copy(o, 0, NULL);
	vec_push(&r->out->list, y);
}

static int decode(struct reader *r, const struct ynode *node, enum object_kind kind)
{
	struct object o;
	int rc;

	buf_clear(&r->json);
	ynode_to_json(node, &r->json);
	rc = json_object_decode(&r->arena, (struct str){r->json.at, r->json.len}, kind, &o);
	if (rc == 0)
		keep(r, node, &o);
	else if (rc == -EBADMSG)
		rc = err_set(r->err, -EINVAL, "line %u: a %s that cannot be used: %s", node->line,
		        object_kind_name(kind), o.problem != NULL ? o.problem : "no name");
	else
		rc = err_set(r->err, rc, "line %u: a %s that is nested too deep", node->line,
		        object_kind_name(kind));
	arena_reset(&r->arena);
	return rc;
}

/* Items of a ServiceList need not say their kind, those of a plain List must. */
static int read_list(struct reader *r, const struct ynode *node, enum object_kind expected)
{
	const struct ynode *items = ynode_get(node, "items");
	int rc = 0;

	if (items == NULL || items->kind != YNODE_LIST)
		return 0;
	if (r->depth == MAX_NESTED_LISTS)
		return err_set(r->err, -E2BIG, "line %u: lists in lists, more than %d deep",
		        node->line, MAX_NESTED_LISTS);
	r->depth++;
	for (const struct ynode *c = items->child; c != NULL && rc == 0; c = c->next)
		rc = read_node(r, c, expected);
	r->depth--;
	return rc;
}

/* kind is what the items of a typed list are; other lists than these hold nothing of use. */
static bool is_list(const char *text, enum object_kind kind)
{
	return strcmp(text, "List") == 0 ||
	       (kind != OBJECT_NONE && str_has_suffix(str_from(text), "List"));
}

static int read_node(struct reader *r, const struct ynode *node, enum object_kind expected)
{
	const char *text = ynode_text(node, "kind");
	enum object_kind kind = expected;

	if (node->kind == YNODE_NULL)
		return 0;
	if (node->kind != YNODE_MAP || (text == NULL && expected == OBJECT_NONE))
		return err_set(r->err, -EINVAL,
		        "line %u: not a Kubernetes object: it needs apiVersion, kind and metadata",
		        node->line);
	if (text != NULL)
		kind = object_kind_from(str_from(ynode_text(node, "apiVersion")), str_from(text));
	if (text != NULL && is_list(text, kind))
		return read_list(r, node, kind);
	if (kind != OBJECT_NONE)
		return decode(r, node, kind);
	ignore(r, node, text);
	return 0;
}

int yaml_objects_read(struct yaml_objects *out, struct str text, struct err *e)
{
	struct reader r = {.out = out, .err = e};
	const struct ynode *doc;
	struct arena tree;
	int rc;

	arena_init(&tree);
	arena_init(&r.arena);
	rc = yaml_tree_parse(&tree, text, &doc, e);
	for (; rc == 0 && doc != NULL; doc = doc->next)
		rc = read_node(&r, doc, OBJECT_NONE);
	arena_reset(&tree);
	buf_free(&r.json);
	if (rc != 0)
		yaml_objects_fini(out);
	return rc;
}

void yaml_objects_fini(struct yaml_objects *out)
{
	vec_for_each (&out->list, y) {
		free(y->object);
		free(y->problem);
	}
	vec_free(&out->list);
	free(out->ignored_kind);
	*out = (struct yaml_objects){.n_ignored = 0};
}
