/* Grammar, the lower half: directives, option lines and their braces. */
#include <errno.h>

#include "conf/parser.h"
#include "conf/suggest.h"

void *parser_keep(struct parser *p, const void *at, size_t bytes)
{
	return bytes == 0 ? NULL : arena_dup(p->arena, at, bytes);
}

/* Expand and take the next token t of origin o. */
int parser_take_token(
        struct parser *p, const struct raw_token *t, const struct origin *o, struct token *out)
{
	*out = (struct token){.file = o->file, .line = t->line};
	return parser_expand(p, t, o, &out->text) != 0 ? -E2BIG : parser_take(p);
}

int parser_fail_unclosed(struct parser *p, const struct opening *open)
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
		rc = parser_lines(p, open, &lines);
	if (rc == 0)
		rc = parser_take(p); /* the closing brace */
	d->has_block = true;
	d->line_count = lines.list.len;
	d->lines = parser_keep(p, lines.list.at, lines.list.len * sizeof(*lines.list.at));
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
		rc = parser_take_token(p, t, o, &taken);
		if (rc != 0)
			break;
		vec_push(&args, taken);
	}
	d->arg_count = args.len;
	d->args = parser_keep(p, args.at, args.len * sizeof(*args.at));
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
	rc = parser_take_token(p, t, open.origin, &name);
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

int parser_fail_closing(struct parser *p, const struct origin *o, const struct raw_token *t)
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
	size_t n = strlen(d->name);

	if (n > 1 && d->name[n - 1] == '{')
		return parser_fail(p, o, d->line,
		        "Unknown directive '%s': put a blank before the '{'", d->name);
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
int parser_lines(struct parser *p, const struct opening *open, struct directive_list *out)
{
	for (;;) {
		const struct origin *o;
		const struct raw_token *t = parser_peek(p, &o);
		int rc;

		if (t == NULL || !is_inside(o, open->origin))
			return open->has_no_brace ? 0 : parser_fail_unclosed(p, open);
		if (is_brace(t, '}') && (o != open->origin || open->has_no_brace))
			return parser_fail_closing(p, o, t);
		if (is_brace(t, '}'))
			return 0;
		rc = parse_one_line(p, open, out);
		if (rc != 0)
			return rc;
	}
}
