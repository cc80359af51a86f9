#include "cluster/selector.h"

#include <errno.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/must.h"

/* In the order of the canonical text. */
enum op { OP_IN, OP_NOT_IN, OP_EXISTS, OP_ABSENT };

struct term {
	const char *key;
	enum op op;
	unsigned n_values;
	const char **values; /* sorted, no value twice */
};

struct selector {
	struct arena arena; /* of keys and values */
	struct term terms[SELECTOR_MAX_TERMS]; /* sorted, no term twice */
	unsigned len;
	struct buf text;
};

/* ---- tokens ---- */

enum token_kind { TOKEN_END, TOKEN_WORD, TOKEN_EQUAL, TOKEN_NOT_EQUAL, TOKEN_OTHER };

struct token {
	enum token_kind kind;
	struct str text;
};

struct reader {
	struct selector *s;
	struct err *err;
	struct str rest;
	struct token token; /* the one at hand */
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_mark(char c)
{
	return c != '\0' && strchr("=!(),<>", c) != NULL;
}

/* How many bytes the token at the start of s has: one mark, "==", "!=", or a word. */
static size_t token_len(struct str s)
{
	size_t n = 0;

	if ((s.at[0] == '=' || s.at[0] == '!') && s.len > 1 && s.at[1] == '=')
		return 2;
	if (is_mark(s.at[0]))
		return 1;
	while (n < s.len && !is_mark(s.at[n]) && !is_blank(s.at[n]))
		n++;
	return n;
}

static void advance(struct reader *r)
{
	struct token *t = &r->token;
	size_t n;

	r->rest = str_trim(r->rest);
	if (r->rest.len == 0) {
		*t = (struct token){TOKEN_END, STR("the end")};
		return;
	}
	n = token_len(r->rest);
	t->text = (struct str){r->rest.at, n};
	r->rest = (struct str){r->rest.at + n, r->rest.len - n};
	t->kind = str_is(t->text, "!=")    ? TOKEN_NOT_EQUAL
	          : t->text.at[0] == '='   ? TOKEN_EQUAL
	          : is_mark(t->text.at[0]) ? TOKEN_OTHER
	                                   : TOKEN_WORD;
}

static bool is_token(const struct reader *r, const char *text)
{
	return r->token.kind != TOKEN_END && str_is(r->token.text, text);
}

static int fail(struct reader *r, struct str at, const char *expected)
{
	struct buf quoted = {0};
	int rc;

	if (at.len > 60)
		at.len = 60;
	buf_escape(&quoted, at);
	rc = err_set(
	        r->err, -EINVAL, "label selector: %s, not \"%s\"", expected, buf_text(&quoted));
	buf_free(&quoted);
	return rc;
}

/* ---- syntax of keys and values ---- */

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_word(struct str s, size_t max)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_alnum(s.at[i]) && s.at[i] != '-' && s.at[i] != '_' && s.at[i] != '.')
			return false;
	return s.len > 0 && s.len <= max && is_alnum(s.at[0]) && is_alnum(s.at[s.len - 1]);
}

static bool is_key(struct str s)
{
	const char *slash = memchr(s.at, '/', s.len);
	size_t prefix = slash == NULL ? 0 : (size_t)(slash - s.at);

	if (slash == NULL)
		return is_word(s, 63);
	return is_word((struct str){s.at, prefix}, 253) &&
	       is_word((struct str){slash + 1, s.len - prefix - 1}, 63);
}

/* ---- terms ---- */

static int compare_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int compare_terms(const void *a, const void *b)
{
	const struct term *x = a, *y = b;
	int d = strcmp(x->key, y->key);

	if (d == 0)
		d = (int)x->op - (int)y->op;
	for (unsigned i = 0; d == 0 && i < x->n_values && i < y->n_values; i++)
		d = strcmp(x->values[i], y->values[i]);
	return d != 0 ? d : (int)x->n_values - (int)y->n_values;
}

static int add_value(struct reader *r, struct term *t, struct str value)
{
	if (value.len > 0 && !is_word(value, 63))
		return fail(r, value, "a value has up to 63 letters, digits, '-', '_' and '.'");
	if (t->n_values == SELECTOR_MAX_TERMS)
		return fail(r, value, "too many values");
	t->values[t->n_values++] =
	        value.len == 0 ? "" : arena_dup(&r->s->arena, value.at, value.len);
	return 0;
}

static void sort_values(struct term *t)
{
	unsigned kept = 1;

	qsort(t->values, t->n_values, sizeof(*t->values), compare_text);
	for (unsigned i = 1; i < t->n_values; i++)
		if (strcmp(t->values[i], t->values[kept - 1]) != 0)
			t->values[kept++] = t->values[i];
	t->n_values = kept;
}

/* "(a, b)"; a missing value between commas is the empty one. */
static int read_set(struct reader *r, struct term *t)
{
	struct str value;
	int rc = 0;

	if (!is_token(r, "("))
		return fail(r, r->token.text, "in and notin need ( behind them");
	advance(r);
	if (is_token(r, ")"))
		return fail(r, r->token.text, "in and notin need a value in ()");
	for (;;) {
		value = r->token.kind == TOKEN_WORD ? r->token.text : STR("");
		if (value.len > 0)
			advance(r);
		rc = add_value(r, t, value);
		if (rc != 0 || !is_token(r, ","))
			break;
		advance(r);
	}
	if (rc != 0)
		return rc;
	if (!is_token(r, ")"))
		return fail(r, r->token.text, "expected , or )");
	advance(r);
	return 0;
}

static int read_key(struct reader *r, struct term *t)
{
	struct str key = r->token.text;

	if (r->token.kind != TOKEN_WORD)
		return fail(r, key, "expected the name of a label");
	if (!is_key(key))
		return fail(r, key, "a label is named like app or example.com/app");
	t->key = arena_dup(&r->s->arena, key.at, key.len);
	advance(r);
	return 0;
}

/* What stands behind the key. */
static int read_condition(struct reader *r, struct term *t)
{
	struct str value = STR("");
	int rc;

	t->op = OP_EXISTS;
	if (r->token.kind == TOKEN_END || is_token(r, ","))
		return 0;
	t->values = arena_alloc(&r->s->arena, SELECTOR_MAX_TERMS * sizeof(*t->values));
	t->op = r->token.kind == TOKEN_NOT_EQUAL || is_token(r, "notin") ? OP_NOT_IN : OP_IN;
	if (r->token.kind == TOKEN_EQUAL || r->token.kind == TOKEN_NOT_EQUAL) {
		advance(r);
		if (r->token.kind == TOKEN_WORD) {
			value = r->token.text;
			advance(r);
		}
		rc = add_value(r, t, value);
	} else if (is_token(r, "in") || is_token(r, "notin")) {
		advance(r);
		rc = read_set(r, t);
	} else
		rc = fail(r, r->token.text, "expected =, ==, !=, in, notin or a comma");
	if (rc == 0)
		sort_values(t);
	return rc;
}

static int read_term(struct reader *r)
{
	struct selector *s = r->s;
	struct term *t = &s->terms[s->len];
	bool is_negated = is_token(r, "!");
	int rc;

	if (s->len == SELECTOR_MAX_TERMS)
		return fail(r, r->token.text, "too many terms");
	if (is_negated)
		advance(r);
	rc = read_key(r, t);
	if (rc == 0 && is_negated)
		t->op = OP_ABSENT;
	else if (rc == 0)
		rc = read_condition(r, t);
	if (rc == 0)
		s->len++;
	return rc;
}

static int read_terms(struct reader *r)
{
	int rc;

	advance(r);
	if (r->token.kind == TOKEN_END)
		return 0;
	while ((rc = read_term(r)) == 0 && is_token(r, ","))
		advance(r);
	if (rc == 0 && r->token.kind != TOKEN_END)
		rc = fail(r, r->token.text, "expected a comma or the end");
	return rc;
}

/* ---- canonical form ---- */

static void sort_terms(struct selector *s)
{
	unsigned kept = 0;

	qsort(s->terms, s->len, sizeof(*s->terms), compare_terms);
	for (unsigned i = 0; i < s->len; i++)
		if (kept == 0 || compare_terms(&s->terms[i], &s->terms[kept - 1]) != 0)
			s->terms[kept++] = s->terms[i];
	s->len = kept;
}

static void write_term(struct buf *out, const struct term *t)
{
	bool is_set = t->n_values > 1;

	if (t->op == OP_ABSENT)
		buf_char(out, '!');
	buf_str(out, t->key);
	if (t->op == OP_EXISTS || t->op == OP_ABSENT)
		return;
	if (is_set)
		buf_str(out, t->op == OP_IN ? " in (" : " notin (");
	else
		buf_str(out, t->op == OP_IN ? "=" : "!=");
	for (unsigned i = 0; i < t->n_values; i++) {
		if (i > 0)
			buf_char(out, ',');
		buf_str(out, t->values[i]);
	}
	if (is_set)
		buf_char(out, ')');
}

static void write_text(struct selector *s)
{
	for (unsigned i = 0; i < s->len; i++) {
		if (i > 0)
			buf_char(&s->text, ',');
		write_term(&s->text, &s->terms[i]);
	}
}

struct selector *selector_parse(struct str text, struct err *e)
{
	struct selector *s;
	struct reader r;

	if (text.len > SELECTOR_MAX_BYTES) {
		err_set(e, -E2BIG, "label selector: longer than %u bytes", SELECTOR_MAX_BYTES);
		return NULL;
	}
	s = mem_new(struct selector);
	arena_init(&s->arena);
	r = (struct reader){.s = s, .err = e, .rest = text};
	if (read_terms(&r) != 0) {
		selector_free(s);
		return NULL;
	}
	sort_terms(s);
	write_text(s);
	return s;
}

void selector_free(struct selector *s)
{
	if (s == NULL)
		return;
	arena_reset(&s->arena);
	buf_free(&s->text);
	free(s);
}

const char *selector_text(const struct selector *s)
{
	return buf_text(&s->text);
}

static bool has_value(const struct term *t, const char *value)
{
	for (unsigned i = 0; i < t->n_values; i++)
		if (strcmp(t->values[i], value) == 0)
			return true;
	return false;
}

static bool term_holds(const struct term *t, const struct labels *l)
{
	const char *value = labels_get(l, t->key);

	switch (t->op) {
	case OP_IN: return value != NULL && has_value(t, value);
	case OP_NOT_IN: return value == NULL || !has_value(t, value);
	case OP_EXISTS: return value != NULL;
	case OP_ABSENT: return value == NULL;
	}
	return false;
}

bool selector_matches(const struct selector *s, const struct labels *l)
{
	if (s == NULL)
		return true;
	for (unsigned i = 0; i < s->len; i++)
		if (!term_holds(&s->terms[i], l))
			return false;
	return true;
}

bool selector_map_matches(const struct labels *selector, const struct labels *l)
{
	for (uint32_t i = 0; i < selector->len; i++) {
		const char *value = labels_get(l, selector->at[i].key);

		if (value == NULL || strcmp(value, selector->at[i].value) != 0)
			return false;
	}
	return selector->len > 0;
}
