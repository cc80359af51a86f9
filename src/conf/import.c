#include <errno.h>
#include <glob.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/log.h"
#include "conf/parser.h"

int parser_fail(struct parser *p, const struct origin *o, uint32_t line, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set(p->e, -EINVAL, "%s:%u - Error during parsing: %s", o->file, line, text);
}

bool is_brace(const struct raw_token *t, char brace)
{
	return !t->is_quoted && t->text[0] == brace && t->text[1] == '\0';
}

bool is_import(const struct raw_token *t)
{
	return t->starts_line && strcmp(t->text, "import") == 0;
}

const struct raw_token *parser_peek(struct parser *p, const struct origin **origin)
{
	while (p->stack.len > 0) {
		const struct frame *f = &p->stack.at[p->stack.len - 1];

		if (f->next < f->tokens.len) {
			*origin = f->origin;
			return &f->tokens.at[f->next];
		}
		if (p->stack.len == 1)
			break; /* keep the main file: errors at the end name it */
		p->stack.len--;
	}
	return NULL;
}

static int too_many_tokens(struct parser *p, const struct origin *o, uint32_t line)
{
	parser_fail(
	        p, o, line, "More than %u tokens: the Corefile is too large", COREFILE_MAX_TOKENS);
	return -E2BIG;
}

int parser_take(struct parser *p)
{
	struct frame *f = &p->stack.at[p->stack.len - 1];
	const struct raw_token *t = &f->tokens.at[f->next++];

	if (++p->token_count > COREFILE_MAX_TOKENS)
		return too_many_tokens(p, f->origin, t->line);
	return 0;
}

static struct origin *origin_new(struct parser *p, const char *file, const struct origin *parent)
{
	struct origin *o = arena_new(p->arena, struct origin);

	o->file = file;
	o->parent = parent;
	o->depth = parent == NULL ? 0 : parent->depth + 1;
	return o;
}

static void push_frame(struct parser *p, struct token_list tokens, const struct origin *o)
{
	vec_push(&p->stack, (struct frame){.tokens = tokens, .origin = o});
}

int parser_push_text(
        struct parser *p, const char *file, struct str text, const struct origin *parent)
{
	struct origin *o = origin_new(p, arena_str(p->arena, file), parent);
	VEC(struct raw_token) list = {0};
	struct raw_token t;
	struct token_list kept;
	struct lexer l;

	if (text.len > 0 && memchr(text.at, '\0', text.len) != NULL)
		return err_set(p->e, -EINVAL,
		        "%s:1 - Error during parsing: The file has NUL bytes: it is no text", file);
	lexer_init(&l, text);
	while (list.len <= COREFILE_MAX_TOKENS && lexer_next(&l, p->arena, &t))
		vec_push(&list, t);
	o->unclosed_quote_line = l.unclosed_quote_line;
	kept.at = (const struct raw_token *)arena_dup(p->arena, list.at, list.len * sizeof(t));
	kept.len = list.len;
	vec_free(&list);
	p->read_count += kept.len;
	if (p->read_count > COREFILE_MAX_TOKENS)
		return too_many_tokens(p, o, 1);
	push_frame(p, kept, o);
	return 0;
}

static void note_file(struct parser *p, const char *path)
{
	vec_for_each (&p->files, f)
		if (strcmp(*f, path) == 0)
			return;
	vec_push(&p->files, arena_str(p->arena, path));
}

/* A file that can not be read: told with its importer's place, if it has one. */
static int fail_read(struct parser *p, const char *path, const struct importer *by, int rc)
{
	const char *why = rc == -EFBIG    ? "it is larger than 1 MiB"
	                  : rc == -EINVAL ? "it is no regular file"
	                                  : strerror(-rc);

	if (by == NULL)
		return err_set(p->e, rc, "cannot read %s: %s", path, why);
	if (rc == -ENOENT)
		parser_fail(p, by->origin, by->line,
		        "File to import not found: %s (and no snippet of this name is defined "
		        "above)",
		        by->what);
	else
		parser_fail(p, by->origin, by->line, "Could not import %s: %s", path, why);
	return rc;
}

int parser_push_file(struct parser *p, const char *path, const struct importer *by)
{
	struct buf b = {0};
	int rc = buf_read_file(&b, path, COREFILE_MAX_SIZE);

	if (rc != 0) {
		rc = fail_read(p, path, by, rc);
	} else {
		note_file(p, path);
		rc = parser_push_text(
		        p, path, (struct str){b.at, b.len}, by == NULL ? NULL : by->origin);
	}
	buf_free(&b);
	return rc;
}

static int import_snippet(struct parser *p, const struct importer *i, const struct snippet *s)
{
	struct origin *o;

	if (++p->snippet_imports > COREFILE_MAX_SNIPPET_IMPORTS) {
		parser_fail(p, i->origin, i->line, "Snippets are imported more than %d times",
		        COREFILE_MAX_SNIPPET_IMPORTS);
		return -E2BIG;
	}
	for (const struct origin *at = i->origin; at != NULL; at = at->parent)
		if (at->snippet != NULL && strcmp(at->snippet, s->name) == 0)
			return parser_fail(p, i->origin, i->line,
			        "Snippet '%s' imports itself: remove one of the imports", s->name);
	o = origin_new(p, s->origin->file, i->origin);
	o->snippet = s->name;
	push_frame(p, s->tokens, o);
	return 0;
}

static int import_file(struct parser *p, const struct importer *i, const char *path)
{
	if (++p->file_imports > COREFILE_MAX_FILE_IMPORTS) {
		parser_fail(p, i->origin, i->line, "More than %d files are imported",
		        COREFILE_MAX_FILE_IMPORTS);
		return -E2BIG;
	}
	for (const struct origin *at = i->origin; at != NULL; at = at->parent)
		if (at->snippet == NULL && strcmp(at->file, path) == 0)
			return parser_fail(p, i->origin, i->line,
			        "%s imports itself: remove one of the imports", path);
	return parser_push_file(p, path, i);
}

static int compare_paths(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_directory(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Push the matches last to first, so that the stream gives them in the order of their names. */
static int push_matches(struct parser *p, const struct importer *i, glob_t *g)
{
	qsort(g->gl_pathv, g->gl_pathc, sizeof(*g->gl_pathv), compare_paths);
	for (size_t n = g->gl_pathc; n-- > 0;) {
		int rc;

		if (is_directory(g->gl_pathv[n]))
			continue;
		rc = import_file(p, i, g->gl_pathv[n]);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int import_glob(struct parser *p, const struct importer *i, const char *pattern)
{
	glob_t g = {0};
	int rc = glob(pattern, GLOB_NOSORT, NULL, &g);

	vec_push(&p->globs, pattern);
	if (rc == GLOB_NOSPACE || rc == GLOB_ABORTED)
		rc = parser_fail(
		        p, i->origin, i->line, "Could not read the directory of %s", pattern);
	else if (rc == GLOB_NOMATCH)
		rc = 0;
	else
		rc = push_matches(p, i, &g);
	if (rc == 0 && g.gl_pathc == 0)
		log_warning(NULL, "No files matching import glob pattern: %s", i->what);
	globfree(&g);
	return rc;
}

static unsigned count_char(const char *s, char c)
{
	unsigned n = 0;

	for (; *s != '\0'; s++)
		n += *s == c;
	return n;
}

/* Relative paths start at the directory of the file with the import. */
static const char *resolve_path(struct parser *p, const struct importer *i)
{
	const char *slash = strrchr(i->origin->file, '/');

	if (i->what[0] == '/' || slash == NULL)
		return i->what;
	return arena_printf(
	        p->arena, "%.*s/%s", (int)(slash - i->origin->file), i->origin->file, i->what);
}

static int import_path(struct parser *p, const struct importer *i)
{
	const char *path = resolve_path(p, i);
	bool has_set = strchr(path, '[') != NULL && strchr(path, ']') != NULL;

	if (p->options->no_files)
		return parser_fail(p, i->origin, i->line,
		        "Snippet '%s' is not defined above, and files can not be imported here",
		        i->what);
	if (has_set || count_char(path, '*') > 1 || count_char(path, '?') > 1)
		return parser_fail(p, i->origin, i->line,
		        "Glob pattern may have one * and one ? and no [], but is: %s", path);
	if (strpbrk(path, "*?[]") != NULL)
		return import_glob(p, i, path);
	return import_file(p, i, path);
}

/* The one argument of import, taken from the stream. */
static int import_argument(struct parser *p, struct importer *i)
{
	const struct origin *o = i->origin;
	const struct raw_token *t = parser_peek(p, &o);
	int rc;

	if (t == NULL || t->starts_line || o != i->origin)
		return parser_fail(p, i->origin, i->line,
		        "Wrong argument count after 'import': expected a snippet, file or pattern");
	rc = parser_expand(p, t, o, &i->what);
	if (rc == 0)
		rc = parser_take(p);
	if (rc != 0)
		return rc;
	if (i->what[0] == '\0')
		return parser_fail(p, i->origin, i->line, "Import requires a non-empty filepath");
	t = parser_peek(p, &o);
	if (t != NULL && !t->starts_line)
		return parser_fail(p, i->origin, i->line,
		        "Import takes only one argument (glob pattern or file)");
	return 0;
}

int parser_import(struct parser *p)
{
	struct importer i = {0};
	const struct raw_token *t = parser_peek(p, &i.origin);
	const struct snippet *s;
	int rc;

	i.line = t->line;
	rc = parser_take(p);
	if (rc == 0)
		rc = import_argument(p, &i);
	if (rc != 0)
		return rc;
	if (i.origin->depth >= COREFILE_MAX_IMPORT_DEPTH)
		return parser_fail(p, i.origin, i.line, "Imports are nested more than %d deep",
		        COREFILE_MAX_IMPORT_DEPTH);
	s = map_get(&p->snippets, str_from(i.what));
	return s != NULL ? import_snippet(p, &i, s) : import_path(p, &i);
}
