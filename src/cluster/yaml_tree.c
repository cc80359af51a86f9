#include "cluster/yaml_tree.h"

#include <errno.h>
#include <strings.h>
#include <yaml.h>

#include "base/map.h"
#include "base/must.h"
#include "base/vec.h"

/* A map or list that is still open. */
struct open_node {
	struct ynode *node;
	struct ynode *last; /* its last child */
	const char *key; /* of the member whose value comes next */
	bool is_merge; /* that key is a plain << */
	struct ynode *merge; /* the value of <<: applied at the end, because own keys win */
};

struct anchor {
	const char *name;
	const struct ynode *node;
	bool is_open;
};

struct builder {
	struct arena *arena;
	struct err *err;
	yaml_parser_t parser;
	struct open_node stack[YAML_MAX_DEPTH + 1];
	unsigned depth; /* open nodes */
	uint32_t nodes; /* with expanded aliases, of all documents */
	VEC(struct anchor) anchors;
	struct ynode *root; /* of the document at hand */
	const struct ynode *first;
	struct ynode *last;
};

static uint32_t line_of(const yaml_mark_t *mark)
{
	return mark->line >= UINT32_MAX ? UINT32_MAX : (uint32_t)mark->line + 1;
}

static int parser_error(struct builder *b)
{
	const yaml_parser_t *p = &b->parser;
	size_t line = p->problem_mark.line ? p->problem_mark.line : p->context_mark.line;

	return err_set(b->err, -EINVAL, "line %zu: this is not YAML: %s%s%s", line + 1,
	        p->problem != NULL ? p->problem : "unreadable text", p->context != NULL ? " " : "",
	        p->context != NULL ? p->context : "");
}

static int count_nodes(struct builder *b, uint32_t n, uint32_t line)
{
	if (n > YAML_MAX_NODES - b->nodes)
		return err_set(b->err, -E2BIG,
		        "line %u: more than %u values (aliases count as what they stand for); "
		        "split the file",
		        line, YAML_MAX_NODES);
	b->nodes += n;
	return 0;
}

static struct ynode *node_new(struct builder *b, enum ynode_kind kind, uint32_t line)
{
	struct ynode *n = arena_new(b->arena, struct ynode);

	n->kind = kind;
	n->line = line;
	n->size = 1;
	return n;
}

static void append_child(struct open_node *parent, struct ynode *child)
{
	if (parent->last == NULL)
		parent->node->child = child;
	else
		parent->last->next = child;
	parent->last = child;
	parent->node->len++;
	parent->node->size += child->size;
}

/* Append copies of the members of from that the map does not have yet. */
static int merge_map(struct builder *b, struct open_node *to, const struct ynode *from)
{
	if (from->kind != YNODE_MAP)
		return err_set(b->err, -EINVAL, "line %u: << needs a map behind it", from->line);
	ynode_for_each(from, c)
	{
		struct ynode *copy;

		if (ynode_get(to->node, c->key) != NULL)
			continue;
		copy = arena_new(b->arena, struct ynode);
		*copy = *c;
		copy->next = NULL;
		append_child(to, copy);
	}
	return 0;
}

static int merge_value(struct builder *b, struct open_node *to, const struct ynode *value)
{
	int rc = 0;

	if (value->kind != YNODE_LIST)
		return merge_map(b, to, value);
	for (const struct ynode *c = value->child; c != NULL && rc == 0; c = c->next)
		rc = merge_map(b, to, c);
	return rc;
}

/* Put a finished value into the map, list or document that is open. */
static int place(struct builder *b, struct ynode *n)
{
	struct open_node *top;

	if (b->depth == 0) {
		b->root = n;
		return 0;
	}
	top = &b->stack[b->depth - 1];
	if (top->node->kind == YNODE_MAP) {
		n->key = top->key;
		top->key = NULL;
		if (top->is_merge) {
			top->is_merge = false;
			top->merge = n;
			return 0;
		}
	}
	append_child(top, n);
	return 0;
}

static bool is_key_position(const struct builder *b)
{
	const struct open_node *top = b->depth > 0 ? &b->stack[b->depth - 1] : NULL;

	return top != NULL && top->node->kind == YNODE_MAP && top->key == NULL;
}

static bool is_null_text(const char *s, size_t n)
{
	return n == 0 || (n == 1 && s[0] == '~') || (n == 4 && strcasecmp(s, "null") == 0);
}

static void anchor_add(struct builder *b, const yaml_char_t *name, const struct ynode *n, bool open)
{
	struct anchor a;

	if (name == NULL)
		return;
	a = (struct anchor){arena_str(b->arena, (const char *)name), n, open};
	vec_for_each (&b->anchors, old)
		if (strcmp(old->name, a.name) == 0) {
			*old = a;
			return;
		}
	vec_push(&b->anchors, a);
}

static int on_scalar(struct builder *b, const yaml_event_t *ev)
{
	const char *text = (const char *)ev->data.scalar.value;
	size_t len = ev->data.scalar.length;
	bool is_quoted = ev->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	uint32_t line = line_of(&ev->start_mark);
	struct ynode *n;
	int rc = count_nodes(b, 1, line);

	if (rc != 0)
		return rc;
	if (memchr(text, 0, len) != NULL)
		return err_set(b->err, -EINVAL, "line %u: a NUL character; remove it", line);
	if (is_key_position(b)) {
		struct open_node *top = &b->stack[b->depth - 1];

		top->key = arena_dup(b->arena, text, len);
		top->is_merge = !is_quoted && strcmp(top->key, "<<") == 0;
		return 0;
	}
	n = node_new(b, !is_quoted && is_null_text(text, len) ? YNODE_NULL : YNODE_SCALAR, line);
	if (n->kind == YNODE_SCALAR) {
		n->is_quoted = is_quoted;
		n->text = arena_dup(b->arena, text, len);
		n->len = (uint32_t)len;
	}
	anchor_add(b, ev->data.scalar.anchor, n, false);
	return place(b, n);
}

static int on_alias(struct builder *b, const yaml_event_t *ev)
{
	const char *name = (const char *)ev->data.alias.anchor;
	uint32_t line = line_of(&ev->start_mark);
	const struct anchor *found = NULL;
	struct ynode *n;
	int rc;

	vec_for_each (&b->anchors, a)
		if (strcmp(a->name, name) == 0)
			found = a;
	if (found == NULL || found->is_open)
		return err_set(b->err, -EINVAL, "line %u: alias *%.40s has no %s before it", line,
		        name, found == NULL ? "anchor" : "finished anchor");
	if (is_key_position(b))
		return err_set(b->err, -EINVAL, "line %u: an alias cannot be a key here", line);
	rc = count_nodes(b, found->node->size, line);
	if (rc != 0)
		return rc;
	n = arena_new(b->arena, struct ynode);
	*n = *found->node;
	n->key = NULL;
	n->next = NULL;
	n->line = line;
	return place(b, n);
}

static int open_value(
        struct builder *b, enum ynode_kind kind, const yaml_event_t *ev, const yaml_char_t *anchor)
{
	uint32_t line = line_of(&ev->start_mark);
	struct ynode *n;
	int rc = count_nodes(b, 1, line);

	if (rc != 0)
		return rc;
	if (is_key_position(b))
		return err_set(b->err, -EINVAL, "line %u: a key has to be plain text", line);
	if (b->depth == YAML_MAX_DEPTH)
		return err_set(
		        b->err, -E2BIG, "line %u: nested deeper than %u", line, YAML_MAX_DEPTH);
	n = node_new(b, kind, line);
	anchor_add(b, anchor, n, true);
	b->stack[b->depth++] = (struct open_node){.node = n};
	return 0;
}

/* Linear for small maps, hashed for those that a hostile file makes big. */
static int check_duplicates(struct builder *b, const struct ynode *map)
{
	struct map seen;
	int rc = 0;

	map_init(&seen);
	for (const struct ynode *c = map->child; c != NULL && rc == 0; c = c->next) {
		const struct ynode *old = map_put(&seen, str_from(c->key), (void *)(uintptr_t)c);

		if (old != NULL)
			rc = err_set(b->err, -EINVAL,
			        "line %u: key \"%.60s\" was given at line %u already; keep one",
			        c->line, c->key, old->line);
	}
	map_fini(&seen);
	return rc;
}

static int close_value(struct builder *b)
{
	struct open_node *top = &b->stack[--b->depth];
	struct ynode *n = top->node;
	int rc = n->kind == YNODE_MAP ? check_duplicates(b, n) : 0;

	if (rc == 0 && top->merge != NULL)
		rc = merge_value(b, top, top->merge);
	vec_for_each (&b->anchors, a)
		if (a->node == n)
			a->is_open = false;
	return rc != 0 ? rc : place(b, n);
}

static void end_document(struct builder *b)
{
	b->anchors.len = 0;
	if (b->root == NULL)
		return;
	if (b->last == NULL)
		b->first = b->root;
	else
		b->last->next = b->root;
	b->last = b->root;
	b->root = NULL;
}

static int on_event(struct builder *b, const yaml_event_t *ev)
{
	switch (ev->type) {
	case YAML_SCALAR_EVENT: return on_scalar(b, ev);
	case YAML_ALIAS_EVENT: return on_alias(b, ev);
	case YAML_MAPPING_START_EVENT:
		return open_value(b, YNODE_MAP, ev, ev->data.mapping_start.anchor);
	case YAML_SEQUENCE_START_EVENT:
		return open_value(b, YNODE_LIST, ev, ev->data.sequence_start.anchor);
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT: return close_value(b);
	case YAML_DOCUMENT_END_EVENT: end_document(b); return 0;
	default: return 0;
	}
}

static int run_parser(struct builder *b)
{
	bool is_end = false;
	int rc = 0;

	while (rc == 0 && !is_end) {
		yaml_event_t ev;

		if (!yaml_parser_parse(&b->parser, &ev))
			return parser_error(b);
		is_end = ev.type == YAML_STREAM_END_EVENT;
		rc = on_event(b, &ev);
		yaml_event_delete(&ev);
	}
	return rc;
}

int yaml_tree_parse(struct arena *a, struct str text, const struct ynode **first, struct err *e)
{
	struct builder *b;
	int rc;

	*first = NULL;
	if (text.len > YAML_MAX_BYTES)
		return err_set(e, -E2BIG, "line 1: larger than %u MiB; split the file",
		        YAML_MAX_BYTES >> 20);
	b = mem_new(struct builder);
	b->arena = a;
	b->err = e;
	must(yaml_parser_initialize(&b->parser));
	yaml_parser_set_input_string(&b->parser, (const unsigned char *)text.at, text.len);
	rc = run_parser(b);
	*first = rc == 0 ? b->first : NULL;
	yaml_parser_delete(&b->parser);
	vec_free(&b->anchors);
	free(b);
	return rc;
}

const struct ynode *ynode_get(const struct ynode *node, const char *key)
{
	if (node == NULL || node->kind != YNODE_MAP)
		return NULL;
	ynode_for_each(node, c) if (strcmp(c->key, key) == 0) return c;
	return NULL;
}

const char *ynode_text(const struct ynode *node, const char *key)
{
	const struct ynode *n = ynode_get(node, key);

	return n == NULL || n->kind != YNODE_SCALAR ? NULL : n->text;
}

bool ynode_is_true(const struct ynode *node, const char *key)
{
	const struct ynode *n = ynode_get(node, key);

	return n != NULL && n->kind == YNODE_SCALAR && !n->is_quoted &&
	       (strcasecmp(n->text, "true") == 0 || strcasecmp(n->text, "yes") == 0 ||
	               strcasecmp(n->text, "on") == 0);
}

static void json_text(struct buf *out, const char *s, size_t n)
{
	buf_char(out, '"');
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c == '"' || c == '\\')
			buf_char(out, '\\');
		if (c < 32)
			buf_printf(out, "\\u%04x", c);
		else
			buf_char(out, (char)c);
	}
	buf_char(out, '"');
}

/* Recursion is bounded: YAML_MAX_DEPTH levels, and aliases were counted when they were read. */
void ynode_to_json(const struct ynode *node, struct buf *out)
{
	bool is_map = node->kind == YNODE_MAP;

	if (node->kind == YNODE_NULL) {
		buf_str(out, "null");
		return;
	}
	if (node->kind == YNODE_SCALAR) {
		json_text(out, node->text, node->len);
		return;
	}
	buf_char(out, is_map ? '{' : '[');
	ynode_for_each(node, c)
	{
		if (c != node->child)
			buf_char(out, ',');
		if (is_map) {
			json_text(out, c->key, strlen(c->key));
			buf_char(out, ':');
		}
		ynode_to_json(c, out);
	}
	buf_char(out, is_map ? '}' : ']');
}
