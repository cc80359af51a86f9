#include <errno.h>
#include <string.h>

#include "rewrite/rewrite.h"

int matcher_init(
        struct matcher *m, struct arena *a, const char *from, const char *to, struct err *e)
{
	m->from = arena_str(a, from);
	m->to = to == NULL ? NULL : arena_str(a, to);
	if (m->kind != MATCH_REGEX)
		return 0;
	m->pattern = pattern_new(from, e);
	return m->pattern != NULL ? 0 : -EINVAL;
}

void matcher_fini(struct matcher *m)
{
	pattern_free(m->pattern);
}

static const char *find(struct str in, const char *what)
{
	return strlen(what) == 0 ? NULL : memmem(in.at, in.len, what, strlen(what));
}

static bool is_at_or_below(struct str name, const char *domain)
{
	size_t n = strlen(domain);

	return str_has_suffix(name, domain) && (name.len == n || name.at[name.len - n - 1] == '.');
}

bool matcher_has(const struct matcher *m, struct str name)
{
	switch (m->kind) {
	case MATCH_EXACT: return str_is(name, m->from);
	case MATCH_PREFIX: return str_has_prefix(name, m->from);
	case MATCH_SUFFIX: return str_has_suffix(name, m->from);
	case MATCH_SUBSTRING: return find(name, m->from) != NULL;
	case MATCH_REGEX: return pattern_match(m->pattern, name, NULL);
	case MATCH_DOMAIN: return is_at_or_below(name, m->from);
	}
	return false;
}

/* a and b one behind the other. */
static size_t join(char *out, struct str a, struct str b)
{
	if (a.len + b.len >= REWRITE_TEXT_MAX)
		return 0;
	memcpy(out, a.at, a.len);
	memcpy(out + a.len, b.at, b.len);
	out[a.len + b.len] = '\0';
	return a.len + b.len;
}

/* Every occurrence of from becomes to. */
static size_t replace_all(const struct matcher *m, struct str name, char *out)
{
	size_t n = 0, from_len = strlen(m->from), to_len = strlen(m->to);
	const char *at;

	while ((at = find(name, m->from)) != NULL) {
		size_t before = (size_t)(at - name.at);

		if (n + before + to_len >= REWRITE_TEXT_MAX)
			return 0;
		memcpy(out + n, name.at, before);
		memcpy(out + n + before, m->to, to_len);
		n += before + to_len;
		name = (struct str){at + from_len, name.len - before - from_len};
	}
	if (n + name.len >= REWRITE_TEXT_MAX)
		return 0;
	memcpy(out + n, name.at, name.len);
	out[n + name.len] = '\0';
	return n + name.len;
}

/* The template with its groups; like all names, with a dot at the end. */
static size_t expand(const struct matcher *m, struct str name, char *out)
{
	struct pattern_match groups;
	size_t n;

	if (!pattern_match(m->pattern, name, &groups))
		return 0;
	n = pattern_expand(out, REWRITE_TEXT_MAX - 1, m->to, &groups);
	if (n > 0 && out[n - 1] != '.') {
		out[n++] = '.';
		out[n] = '\0';
	}
	return n;
}

size_t matcher_apply(const struct matcher *m, struct str name, char *out)
{
	size_t from_len = strlen(m->from);
	struct str to = str_from(m->to);

	if (m->kind == MATCH_REGEX)
		return expand(m, name, out);
	if (!matcher_has(m, name))
		return 0;
	switch (m->kind) {
	case MATCH_EXACT: return join(out, to, (struct str){"", 0});
	case MATCH_PREFIX:
		return join(out, to, (struct str){name.at + from_len, name.len - from_len});
	case MATCH_DOMAIN:
	case MATCH_SUFFIX: return join(out, (struct str){name.at, name.len - from_len}, to);
	default: return replace_all(m, name, out);
	}
}

struct matcher matcher_reverse(const struct matcher *m)
{
	return (struct matcher){.kind = m->kind, .from = m->to, .to = m->from};
}
