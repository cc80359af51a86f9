#include <errno.h>
#include <stdlib.h>

#include "conf/parser.h"

/* Names are short, and the search for their end must not make long tokens slow. */
static size_t window(size_t left)
{
	return left < 256 ? left : 256;
}

/* The next {$VAR} or {%VAR%} in s: its start in *at and whole length in *len, the name in *name. */
static bool find_variable(struct str s, size_t *at, size_t *len, struct str *name)
{
	for (size_t i = 0; i + 3 < s.len; i++) {
		const char *close = s.at[i + 1] == '$' ? "}" : "%}";
		const char *body = s.at + i + 2, *stop;

		if (s.at[i] != '{' || (s.at[i + 1] != '$' && s.at[i + 1] != '%'))
			continue;
		stop = memmem(body, window(s.len - i - 2), close, strlen(close));
		if (stop == NULL || stop == body)
			continue;
		*at = i;
		*name = (struct str){body, (size_t)(stop - body)};
		*len = 2 + name->len + strlen(close);
		return true;
	}
	return false;
}

static const char *variable_value(struct parser *p, struct str name)
{
	const struct corefile_options *o = p->options;
	const char *key = arena_dup(p->arena, name.at, name.len);
	const char *value = o->env == NULL ? getenv(key) : o->env(o->env_arg, key);

	return value == NULL ? "" : value;
}

int parser_expand(
        struct parser *p, const struct raw_token *t, const struct origin *o, const char **out)
{
	struct str rest = str_from(t->text), name;
	struct buf b = {0};
	size_t at, len;

	*out = t->text;
	if (!find_variable(rest, &at, &len, &name))
		return 0;
	do {
		buf_add(&b, rest.at, at);
		buf_str(&b, variable_value(p, name));
		rest = (struct str){rest.at + at + len, rest.len - at - len};
	} while (b.len <= COREFILE_MAX_EXPANDED && find_variable(rest, &at, &len, &name));
	buf_add(&b, rest.at, rest.len);
	p->expanded_bytes += b.len;
	if (p->expanded_bytes <= COREFILE_MAX_EXPANDED)
		*out = arena_dup(p->arena, b.at, b.len);
	buf_free(&b);
	if (p->expanded_bytes <= COREFILE_MAX_EXPANDED)
		return 0;
	parser_fail(p, o, t->line, "Environment variables make more than %u bytes of text",
	        COREFILE_MAX_EXPANDED);
	return -E2BIG;
}
