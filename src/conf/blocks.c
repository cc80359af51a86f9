/* Grammar, the upper half: keys, server blocks and snippets. */
#include <errno.h>

#include "base/log.h"
#include "conf/parser.h"

struct key_list {
	VEC(struct token) list;
	bool has_comma; /* behind the last one: more follow, perhaps on the next line */
	bool has_any;
};

static int add_key(
        struct parser *p, const struct raw_token *t, const struct origin *o, struct key_list *keys)
{
	struct token key;
	size_t n;
	int rc = parser_take_token(p, t, o, &key);

	if (rc != 0)
		return rc;
	n = strlen(key.text);
	keys->has_any = true;
	keys->has_comma = n > 0 && key.text[n - 1] == ',';
	if (keys->has_comma)
		key.text = arena_dup(p->arena, key.text, n - 1);
	if (key.text[0] != '(' && strchr(key.text, ',') != NULL)
		log_warning(NULL,
		        "%s:%u - the zone '%.100s' has a comma in its name; if these are several, "
		        "put a "
		        "blank behind the comma",
		        o->file, t->line, key.text);
	if (key.text[0] != '\0')
		vec_push(&keys->list, key);
	return 0;
}

/* The keys in front of `{` or the end of the line; *open gets the place of the first. */
static int parse_keys(struct parser *p, struct key_list *keys, struct opening *open)
{
	for (;;) {
		const struct origin *o;
		const struct raw_token *t = parser_peek(p, &o);
		int rc;

		if (t == NULL && keys->has_comma)
			return parser_fail(p, open->origin, open->line,
			        "Unexpected EOF: expected another zone after the comma");
		if (t == NULL || (t->starts_line && keys->has_any && !keys->has_comma))
			return 0;
		if (is_brace(t, '}'))
			return parser_fail_closing(p, o, t);
		if (is_brace(t, '{') && keys->has_comma)
			return parser_fail(p, o, t->line,
			        "Expected another address but had '{' - check for extra comma");
		if (!keys->has_any)
			*open = (struct opening){.origin = o, .line = t->line};
		if (is_brace(t, '{'))
			return 0;
		rc = is_import(t) ? parser_import(p) : add_key(p, t, o, keys);
		if (rc != 0)
			return rc;
	}
}

/* `(name)` -> name, or NULL when the keys are zones. */
static const char *snippet_name(struct parser *p, const struct key_list *keys)
{
	const char *text = keys->list.len == 1 ? keys->list.at[0].text : "";
	size_t n = strlen(text);

	if (n < 2 || text[0] != '(' || text[n - 1] != ')')
		return NULL;
	return arena_dup(p->arena, text + 1, n - 2);
}

/* Collect the tokens up to the `}` that closes the snippet, unread. The `{` is taken. */
static int collect_snippet(struct parser *p, const struct opening *open, struct token_list *out)
{
	VEC(struct raw_token) list = {0};
	unsigned depth = 1;
	int rc = 0;

	while (rc == 0) {
		const struct origin *o;
		const struct raw_token *t = parser_peek(p, &o);

		if (t == NULL || o != open->origin) {
			rc = parser_fail_unclosed(p, open);
			break;
		}
		depth += is_brace(t, '{') ? 1u : 0u;
		depth -= is_brace(t, '}') ? 1u : 0u;
		rc = parser_take(p);
		if (depth == 0)
			break;
		vec_push(&list, *t);
	}
	if (list.len > 0)
		list.at[0].starts_line = true;
	out->at = parser_keep(p, list.at, list.len * sizeof(*list.at));
	out->len = list.len;
	vec_free(&list);
	return rc;
}

static int parse_snippet(struct parser *p, const char *name, const struct opening *open)
{
	struct snippet *s = arena_new(p->arena, struct snippet);
	const struct snippet *before = map_get(&p->snippets, str_from(name));
	struct opening brace = {0};
	const struct raw_token *t = parser_peek(p, &brace.origin);
	int rc;

	if (before != NULL)
		return parser_fail(p, open->origin, open->line,
		        "redeclaration of previously declared snippet %s (at %s:%u)", name,
		        before->origin->file, before->line);
	if (t == NULL || !is_brace(t, '{'))
		return parser_fail(p, open->origin, open->line,
		        "Snippet '%s' has no '{': write (%s) {", name, name);
	brace.line = t->line;
	rc = parser_take(p);
	if (rc == 0)
		rc = collect_snippet(p, &brace, &s->tokens);
	s->name = name;
	s->origin = brace.origin;
	s->line = open->line;
	if (rc == 0)
		map_put(&p->snippets, str_from(name), s);
	return rc;
}

/* Tell every line where it stands, now that no array moves any more. */
static void link_lines(const struct directive *lines, size_t n, const struct server_block *b,
        const struct directive *parent)
{
	for (size_t i = 0; i < n; i++) {
		struct directive *d = (struct directive *)&lines[i];

		d->block = b;
		d->parent = parent;
		link_lines(d->lines, d->line_count, b, d);
	}
}

/* What follows the keys of a server block. */
static int parse_body(struct parser *p, struct opening *open, struct directive_list *out)
{
	const struct origin *o;
	const struct raw_token *t = parser_peek(p, &o);
	int rc = 0;

	open->has_no_brace = t == NULL || !is_brace(t, '{');
	if (!open->has_no_brace) {
		*open = (struct opening){.origin = o, .line = t->line};
		rc = parser_take(p);
	}
	if (rc == 0)
		rc = parser_lines(p, open, out);
	if (rc == 0 && !open->has_no_brace)
		rc = parser_take(p);
	return rc;
}

static int parse_server(
        struct parser *p, const struct key_list *keys, struct opening *open, struct server_block *b)
{
	struct directive_list lines = {0};
	int rc;

	if (keys->list.len == 0)
		return parser_fail(p, open->origin, open->line,
		        "Expected a zone, such as '.', in front of the server block");
	b->keys = parser_keep(p, keys->list.at, keys->list.len * sizeof(*keys->list.at));
	b->key_count = keys->list.len;
	b->file = open->origin->file;
	b->line = open->line;
	rc = parse_body(p, open, &lines);
	b->directives = parser_keep(p, lines.list.at, lines.list.len * sizeof(*lines.list.at));
	b->directive_count = lines.list.len;
	vec_free(&lines.list);
	return rc;
}

struct block_list {
	VEC(struct server_block) list;
};

/* One server block or snippet, or nothing but imports at the end of the stream. */
static int parse_block(struct parser *p, struct block_list *out)
{
	struct key_list keys = {0};
	struct opening open = {0};
	struct server_block b = {0};
	const struct origin *o;
	const char *name;
	int rc = parse_keys(p, &keys, &open);

	name = snippet_name(p, &keys);
	if (rc == 0 && name != NULL) {
		rc = parse_snippet(p, name, &open);
	} else if (rc == 0 && (keys.has_any || parser_peek(p, &o) != NULL)) {
		rc = parse_server(p, &keys, &open, &b);
		if (rc == 0)
			vec_push(&out->list, b);
	}
	vec_free(&keys.list);
	return rc;
}

int parser_blocks(struct parser *p)
{
	struct block_list blocks = {0};
	const struct origin *o;
	int rc = 0;

	while (rc == 0 && parser_peek(p, &o) != NULL)
		rc = parse_block(p, &blocks);
	p->tree->blocks = parser_keep(p, blocks.list.at, blocks.list.len * sizeof(*blocks.list.at));
	p->tree->block_count = blocks.list.len;
	vec_free(&blocks.list);
	corefile_for_each_block (p->tree, b)
		link_lines(b->directives, b->directive_count, b, NULL);
	return rc;
}
