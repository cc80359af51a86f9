#include "conf/corefile.h"

#include <errno.h>
#include <stdio.h>

#include "base/mem.h"
#include "conf/parser.h"
#include "conf/sha512.h"
#include "conf/suggest.h"

struct directive_list {
	VEC(struct directive) list;
};

/* Where a brace or a server block opens. */
struct opening {
	const struct origin *origin;
	uint32_t line;
	unsigned nesting; /* 0: a server block */
	bool has_no_brace; /* a server block that lasts to the end of the file */
};

static void *keep(struct parser *p, const void *at, size_t bytes)
{
	return bytes == 0 ? NULL : arena_dup(p->arena, at, bytes);
}

/* Expand and take the next token t of origin o. */
static int take_token(
        struct parser *p, const struct raw_token *t, const struct origin *o, struct token *out)
{
	*out = (struct token){.file = o->file, .line = t->line};
	return parser_expand(p, t, o, &out->text) != 0 ? -E2BIG : parser_take(p);
}

static int fail_unclosed(struct parser *p, const struct opening *open)
{
	uint32_t quote = open->origin->unclosed_quote_line;

	if (quote != 0)
		return parser_fail(p, open->origin, quote,
		        "Unexpected EOF: the quote that opens here is never closed");
	return parser_fail(p, open->origin, open->line,
	        "Unexpected EOF: the '{' that opens here is never closed, add a '}'");
}

/* True when tokens of o belong to what ancestor began: the same file, or imported from there. */
static bool is_inside(const struct origin *o, const struct origin *ancestor)
{
	while (o != NULL && o != ancestor)
		o = o->parent;
	return o != NULL;
}

static int parse_lines(struct parser *p, const struct opening *open, struct directive_list *out);

/* `{` and the lines behind it, up to the `}`. */
static int parse_braces(struct parser *p, struct directive *d, struct opening *open)
{
	struct directive_list lines = {0};
	const struct origin *o;
	const struct raw_token *t = parser_peek(p, &open->origin);
	int rc;

	open->line = t->line;
	if (open->nesting > COREFILE_MAX_NESTING)
		return parser_fail(p, open->origin, t->line, "More than %d braces inside braces",
		        COREFILE_MAX_NESTING);
	rc = parser_take(p);
	if (rc == 0)
		rc = parse_lines(p, open, &lines);
	if (rc == 0)
		rc = parser_take(p); /* the closing brace */
	d->has_block = true;
	d->line_count = lines.list.len;
	d->lines = keep(p, lines.list.at, lines.list.len * sizeof(*lines.list.at));
	vec_free(&lines.list);
	if (rc != 0)
		return rc;
	t = parser_peek(p, &o);
	if (t == NULL || t->starts_line || is_brace(t, '}'))
		return 0;
	return parser_fail(p, o, t->line, "Unexpected '%s' after '}': start a new line", t->text);
}

static int parse_args(struct parser *p, struct directive *d)
{
	VEC(struct token) args = {0};
	const struct raw_token *t;
	const struct origin *o;
	int rc = 0;

	for (;;) {
		struct token taken;

		t = parser_peek(p, &o);
		if (t == NULL || t->starts_line || is_brace(t, '{') || is_brace(t, '}'))
			break;
		rc = take_token(p, t, o, &taken);
		if (rc != 0)
			break;
		vec_push(&args, taken);
	}
	d->arg_count = args.len;
	d->args = keep(p, args.at, args.len * sizeof(*args.at));
	vec_free(&args);
	return rc;
}

/* A directive or an option line, with its braces. The next token is its name. */
static int parse_line(struct parser *p, unsigned nesting, struct directive *d)
{
	struct opening open = {.nesting = nesting + 1};
	const struct raw_token *t = parser_peek(p, &open.origin);
	struct token name;
	int rc;

	if (is_brace(t, '{'))
		return parser_fail(p, open.origin, t->line,
		        "Unexpected '{': put it at the end of the line it belongs to");
	rc = take_token(p, t, open.origin, &name);
	*d = (struct directive){.name = name.text, .file = name.file, .line = name.line};
	if (rc == 0)
		rc = parse_args(p, d);
	if (rc != 0)
		return rc;
	t = parser_peek(p, &open.origin);
	if (t == NULL || t->starts_line || !is_brace(t, '{'))
		return 0;
	return parse_braces(p, d, &open);
}

static int fail_closing(struct parser *p, const struct origin *o, const struct raw_token *t)
{
	return parser_fail(p, o, t->line,
	        "Unexpected '}' because no matching opening brace is in this %s",
	        o->snippet == NULL ? "file" : "snippet");
}

static bool is_known(const struct parser *p, const char *name)
{
	const char *const *known = p->options->known;

	if (known == NULL)
		return true;
	while (*known != NULL && strcmp(*known, name) != 0)
		known++;
	return *known != NULL;
}

/* One more rule for a line directly in a server block: its name, and no `}` behind it. */
static int check_directive(struct parser *p, const struct origin *o, const struct directive *d)
{
	const struct raw_token *t;
	const char *near;

	if (!is_known(p, d->name)) {
		near = suggest_word(d->name, p->options->known);
		return parser_fail(p, o, d->line, "Unknown directive '%s'%s%s%s", d->name,
		        near == NULL ? "" : ", did you mean '", near == NULL ? "" : near,
		        near == NULL ? "" : "'?");
	}
	t = parser_peek(p, &o);
	if (t == NULL || t->starts_line || !is_brace(t, '}'))
		return 0;
	return parser_fail(p, o, t->line,
	        "Unexpected '}' because no matching opening brace is in this line: "
	        "close the server block on a line of its own");
}

static int parse_one_line(struct parser *p, const struct opening *open, struct directive_list *out)
{
	const struct origin *o;
	const struct raw_token *t = parser_peek(p, &o);
	struct directive d;
	int rc;

	if (is_import(t))
		return parser_import(p);
	rc = parse_line(p, open->nesting, &d);
	if (rc == 0 && open->nesting == 0)
		rc = check_directive(p, o, &d);
	if (rc == 0)
		vec_push(&out->list, d);
	return rc;
}

/* Lines up to the `}` that closes open; the `}` itself is left. */
static int parse_lines(struct parser *p, const struct opening *open, struct directive_list *out)
{
	for (;;) {
		const struct origin *o;
		const struct raw_token *t = parser_peek(p, &o);
		int rc;

		if (t == NULL || !is_inside(o, open->origin))
			return open->has_no_brace ? 0 : fail_unclosed(p, open);
		if (is_brace(t, '}') && (o != open->origin || open->has_no_brace))
			return fail_closing(p, o, t);
		if (is_brace(t, '}'))
			return 0;
		rc = parse_one_line(p, open, out);
		if (rc != 0)
			return rc;
	}
}

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
	int rc = take_token(p, t, o, &key);

	if (rc != 0)
		return rc;
	n = strlen(key.text);
	keys->has_any = true;
	keys->has_comma = n > 0 && key.text[n - 1] == ',';
	if (keys->has_comma)
		key.text = arena_dup(p->arena, key.text, n - 1);
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
			return fail_closing(p, o, t);
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
			rc = fail_unclosed(p, open);
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
	out->at = keep(p, list.at, list.len * sizeof(*list.at));
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
		rc = parse_lines(p, open, out);
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
	b->keys = keep(p, keys->list.at, keys->list.len * sizeof(*keys->list.at));
	b->key_count = keys->list.len;
	b->file = open->origin->file;
	b->line = open->line;
	rc = parse_body(p, open, &lines);
	b->directives = keep(p, lines.list.at, lines.list.len * sizeof(*lines.list.at));
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

static int parse_all(struct parser *p)
{
	struct block_list blocks = {0};
	const struct origin *o;
	int rc = 0;

	while (rc == 0 && parser_peek(p, &o) != NULL)
		rc = parse_block(p, &blocks);
	p->tree->blocks = keep(p, blocks.list.at, blocks.list.len * sizeof(*blocks.list.at));
	p->tree->block_count = blocks.list.len;
	vec_free(&blocks.list);
	corefile_for_each_block (p->tree, b)
		link_lines(b->directives, b->directive_count, b, NULL);
	return rc;
}

static void hash_word(struct sha512 *h, const char *text, const char *file, uint32_t line)
{
	char place[16];
	int n = snprintf(place, sizeof(place), "%u", line);

	sha512_add(h, text, strlen(text) + 1);
	sha512_add(h, file, strlen(file) + 1);
	sha512_add(h, place, (size_t)n + 1);
}

static void hash_lines(struct sha512 *h, const struct directive *lines, size_t n)
{
	sha512_add(h, "{", 1);
	for (size_t k = 0; k < n; k++) {
		const struct directive *d = &lines[k];

		hash_word(h, d->name, d->file, d->line);
		for (size_t i = 0; i < d->arg_count; i++)
			hash_word(h, d->args[i].text, d->args[i].file, d->args[i].line);
		sha512_add(h, "\n", 1);
		if (d->has_block)
			hash_lines(h, d->lines, d->line_count);
	}
	sha512_add(h, "}", 1);
}

static void hash_tree(struct corefile *c)
{
	struct sha512 h;

	sha512_init(&h);
	corefile_for_each_block (c, b) {
		for (size_t i = 0; i < b->key_count; i++)
			hash_word(&h, b->keys[i].text, b->keys[i].file, b->keys[i].line);
		hash_lines(&h, b->directives, b->directive_count);
	}
	sha512_end(&h, c->sha512);
}

static void parser_init(struct parser *p, const struct corefile_options *options, struct err *e)
{
	static const struct corefile_options none = {0};

	*p = (struct parser){.options = options == NULL ? &none : options, .e = e};
	p->tree = mem_new(struct corefile);
	p->arena = &p->tree->arena;
	arena_init(p->arena);
	map_init(&p->snippets);
}

/* Move the lists into the tree, free the rest, and hand out the tree when rc is 0. */
static int parser_finish(struct parser *p, int rc, struct corefile **out)
{
	struct corefile *c = p->tree;

	c->files = keep(p, p->files.at, p->files.len * sizeof(*p->files.at));
	c->file_count = p->files.len;
	c->globs = keep(p, p->globs.at, p->globs.len * sizeof(*p->globs.at));
	c->glob_count = p->globs.len;
	vec_free(&p->files);
	vec_free(&p->globs);
	vec_free(&p->stack);
	map_fini(&p->snippets);
	if (rc != 0) {
		corefile_free(c);
		return rc;
	}
	hash_tree(c);
	*out = c;
	return 0;
}

int corefile_read(const char *path, const struct corefile_options *options, struct corefile **out,
        struct err *e)
{
	struct parser p;
	struct err unused;
	int rc;

	parser_init(&p, options, e == NULL ? &unused : e);
	rc = parser_push_file(&p, path, NULL);
	if (rc == 0)
		rc = parse_all(&p);
	return parser_finish(&p, rc, out);
}

int corefile_parse(const char *name, struct str text, const struct corefile_options *options,
        struct corefile **out, struct err *e)
{
	struct parser p;
	struct err unused;
	int rc;

	parser_init(&p, options, e == NULL ? &unused : e);
	if (text.len > COREFILE_MAX_SIZE)
		rc = err_set(p.e, -EFBIG, "%s is larger than %u bytes", name, COREFILE_MAX_SIZE);
	else
		rc = parser_push_text(&p, name, text, NULL);
	if (rc == 0)
		rc = parse_all(&p);
	return parser_finish(&p, rc, out);
}
