#include "conf/args.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/num.h"
#include "conf/suggest.h"

#define MOST_OPTIONS 64

int args_error(const struct directive *d, struct err *e, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set(e, -EINVAL, "%s:%u - plugin/%s: %s", d->file, d->line,
	        directive_top(d)->name, text);
}

int args_unknown(const struct directive *option, struct err *e)
{
	return args_error(option, e, "unknown property '%s'", option->name);
}

int args_count(const struct directive *d, size_t min, size_t max, struct err *e)
{
	char wanted[64];

	if (d->arg_count >= min && d->arg_count <= max)
		return 0;
	if (min == max)
		snprintf(wanted, sizeof(wanted), "%zu", min);
	else if (max == ARGS_ANY)
		snprintf(wanted, sizeof(wanted), "at least %zu", min);
	else
		snprintf(wanted, sizeof(wanted), "%zu to %zu", min, max);
	return args_error(d, e, "wrong number of arguments for '%s': expected %s, got %zu", d->name,
	        wanted, d->arg_count);
}

int args_no_block(const struct directive *d, struct err *e)
{
	return d->has_block ? args_error(d, e, "'%s' takes no options in braces", d->name) : 0;
}

int args_once(const struct server_block *b, const char *name, struct err *e)
{
	const struct directive *first = block_find(b, name, NULL);
	const struct directive *second = first == NULL ? NULL : block_find(b, name, first);

	if (second == NULL)
		return 0;
	return args_error(second, e, "this plugin can only be used once per Server Block");
}

static const struct directive *choose(
	const struct server_block *b, const char *name, bool takes_last)
{
	const struct directive *chosen = block_find(b, name, NULL), *other = chosen;

	while (other != NULL && (other = block_find(b, name, other)) != NULL) {
		const struct directive *unused = takes_last ? chosen : other;

		chosen = takes_last ? other : chosen;
		log_warning(NULL,
			"%s:%u - plugin/%s is used more than once in the server block: what counts "
			"is line %u of %s",
			unused->file, unused->line, name, chosen->line, chosen->file);
	}
	return chosen;
}

const struct directive *args_first(const struct server_block *b, const char *name)
{
	return choose(b, name, false);
}

const struct directive *args_last(const struct server_block *b, const char *name)
{
	return choose(b, name, true);
}

static int fail_unknown(const struct directive *o, const struct arg_option *table, struct err *e)
{
	const char *names[MOST_OPTIONS + 1] = {NULL}, *near;

	for (size_t i = 0; i < MOST_OPTIONS && table[i].name != NULL; i++)
		names[i] = table[i].name;
	near = suggest_word(o->name, names);
	if (near == NULL)
		return args_unknown(o, e);
	return args_error(o, e, "unknown property '%s', did you mean '%s'?", o->name, near);
}

static int take_option(
        const struct directive *o, const struct arg_option *table, void *conf, struct err *e)
{
	const struct arg_option *t = table;
	int rc;

	while (t->name != NULL && strcmp(t->name, o->name) != 0)
		t++;
	if (t->name == NULL)
		return fail_unknown(o, table, e);
	rc = args_count(o, t->min_args, t->max_args, e);
	if (rc == 0 && !t->takes_block)
		rc = args_no_block(o, e);
	return rc != 0 || t->set == NULL ? rc : t->set(conf, o, e);
}

int args_options(
        const struct directive *d, const struct arg_option *table, void *conf, struct err *e)
{
	int rc = 0;

	directive_for_each (d, o) {
		rc = take_option(o, table, conf, e);
		if (rc != 0)
			break;
	}
	return rc;
}

int args_text(const struct directive *d, size_t i, const char **out, struct err *e)
{
	*out = directive_arg(d, i);
	return *out != NULL ? 0 : args_count(d, i + 1, ARGS_ANY, e);
}

int args_u64(const struct directive *d, size_t i, struct arg_range r, uint64_t *out, struct err *e)
{
	const char *text;
	uint64_t v;
	int rc = args_text(d, i, &text, e);

	if (rc != 0)
		return rc;
	rc = num_u64(str_from(text), UINT64_MAX, &v);
	if (rc == -EINVAL)
		return args_error(d, e, "'%s': '%s' is not a number", d->name, text);
	if (rc != 0 || v < r.min || v > r.max)
		return args_error(d, e, "'%s' must be between %" PRIu64 " and %" PRIu64 ", not %s",
		        d->name, r.min, r.max, text);
	*out = v;
	return 0;
}

int args_u32(const struct directive *d, size_t i, struct arg_range r, uint32_t *out, struct err *e)
{
	uint64_t v;
	int rc;

	if (r.max > UINT32_MAX)
		r.max = UINT32_MAX;
	rc = args_u64(d, i, r, &v, e);
	if (rc == 0)
		*out = (uint32_t)v;
	return rc;
}

int args_u16(const struct directive *d, size_t i, struct arg_range r, uint16_t *out, struct err *e)
{
	uint64_t v;
	int rc;

	if (r.max > UINT16_MAX)
		r.max = UINT16_MAX;
	rc = args_u64(d, i, r, &v, e);
	if (rc == 0)
		*out = (uint16_t)v;
	return rc;
}

int args_port(const struct directive *d, size_t i, uint16_t *out, struct err *e)
{
	return args_u16(d, i, ARGS_RANGE(1, UINT16_MAX), out, e);
}

/* In whole seconds where it is one, as people write it. */
static int fail_duration(const struct directive *d, const char *text, const char *limit,
        uint64_t ms, struct err *e)
{
	bool is_whole = ms > 0 && ms % 1000 == 0;

	return args_error(d, e, "'%s' must be %s %" PRIu64 "%s, not %s", d->name, limit,
	        is_whole ? ms / 1000 : ms, is_whole ? "s" : "ms", text);
}

static int check_duration(
        const struct directive *d, const char *text, struct arg_range r, uint64_t ms, struct err *e)
{
	if (ms < r.min)
		return fail_duration(d, text, "at least", r.min, e);
	if (ms > r.max)
		return fail_duration(d, text, "at most", r.max, e);
	return 0;
}

int args_duration_ms(
        const struct directive *d, size_t i, struct arg_range r, uint64_t *out, struct err *e)
{
	const char *text;
	uint64_t ms;
	int rc = args_text(d, i, &text, e);

	if (rc != 0)
		return rc;
	if (num_duration_ms(str_from(text), &ms) != 0)
		return args_error(
		        d, e, "'%s': '%s' is not a duration such as 5s or 1m30s", d->name, text);
	rc = check_duration(d, text, r, ms, e);
	if (rc == 0)
		*out = ms;
	return rc;
}

int args_seconds_ms(
        const struct directive *d, size_t i, struct arg_range r, uint64_t *out, struct err *e)
{
	const char *text;
	uint64_t seconds;
	int rc = args_text(d, i, &text, e);

	if (rc != 0 || num_u64(str_from(text), UINT32_MAX, &seconds) != 0)
		return rc != 0 ? rc : args_duration_ms(d, i, r, out, e);
	rc = check_duration(d, text, r, seconds * 1000, e);
	if (rc == 0)
		*out = seconds * 1000;
	return rc;
}

int args_on_off(const struct directive *d, size_t i, bool *out, struct err *e)
{
	static const char *const words[] = {"off", "on", "false", "true", NULL};
	size_t which;
	int rc = args_choice(d, i, words, &which, e);

	if (rc == 0)
		*out = which % 2 == 1;
	return rc;
}

int args_choice(
        const struct directive *d, size_t i, const char *const *words, size_t *out, struct err *e)
{
	struct buf list = {0};
	const char *text;
	int rc = args_text(d, i, &text, e);

	if (rc != 0)
		return rc;
	for (size_t n = 0; words[n] != NULL; n++) {
		if (strcmp(words[n], text) == 0) {
			*out = n;
			buf_free(&list);
			return 0;
		}
		buf_printf(&list, "%s%s", n == 0 ? "" : ", ", words[n]);
	}
	rc = args_error(d, e, "'%s': unknown value '%s', expected one of: %s", d->name, text,
	        buf_text(&list));
	buf_free(&list);
	return rc;
}

int args_address(const struct directive *d, size_t i, uint16_t default_port, struct address *out,
        struct err *e)
{
	struct err why;
	const char *text;
	int rc = args_text(d, i, &text, e);

	if (rc != 0)
		return rc;
	if (address_parse(str_from(text), out, &why) != 0)
		return args_error(d, e, "'%s': %s", d->name, why.text);
	if (!out->has_port && default_port == 0)
		return args_error(d, e, "'%s': '%s' has no port", d->name, text);
	if (!out->has_port)
		out->port = default_port;
	return 0;
}

int args_cidr(const struct directive *d, size_t i, struct cidr *out, struct err *e)
{
	const char *text;
	int rc = args_text(d, i, &text, e);

	if (rc == 0 && cidr_parse_any(str_from(text), out) != 0)
		return args_error(d, e, "'%s': '%s' is no address or address block", d->name, text);
	return rc;
}

int args_zones(const struct directive *d, size_t first, struct arena *a, struct zone_names *out)
{
	char who[64];
	struct err e;

	snprintf(who, sizeof(who), "plugin/%s", directive_top(d)->name);
	for (size_t i = first; i < d->arg_count; i++)
		if (zone_expand(str_from(d->args[i].text), a, out, &e) != 0)
			log_warning(who, "%s:%u: skipped: %s", d->file, d->line, e.text);
	return 0;
}

int args_zones_or_block(const struct directive *d, size_t first, struct arena *a,
        struct zone_names *out, struct err *e)
{
	struct zone_keys keys = {0};
	struct err why;
	int rc = 0;

	if (d->arg_count > first)
		return args_zones(d, first, a, out);
	for (size_t i = 0; i < d->block->key_count && rc == 0; i++)
		rc = zone_key_parse(str_from(d->block->keys[i].text), 53, a, &keys, &why);
	if (rc != 0)
		rc = args_error(d, e, "%s", why.text);
	else
		vec_for_each (&keys.list, k)
			vec_push(&out->list, k->zone);
	vec_free(&keys.list);
	return rc;
}

/* Where a relative path means the file beside the one that d stands in; NULL: it does not. */
static const char *path_beside(const struct directive *d, const char *path, struct arena *a)
{
	const char *slash = strrchr(d->file, '/');
	const char *beside;

	if (slash == NULL)
		return NULL;
	beside = arena_printf(a, "%.*s/%s", (int)(slash - d->file), d->file, path);
	if (access(beside, F_OK) != 0 && access(path, F_OK) == 0)
		return NULL; /* as CoreDNS takes it: from the current directory */
	return beside;
}

int args_path(const struct directive *d, size_t i, struct arena *a, const char **out, struct err *e)
{
	const struct directive *root = block_find(d->block, "root", NULL);
	const char *dir = root == NULL ? NULL : directive_arg(root, 0), *beside;
	int rc = args_text(d, i, out, e);

	if (rc != 0 || (*out)[0] == '/')
		return rc;
	beside = dir == NULL ? path_beside(d, *out, a) : NULL;
	if (dir != NULL)
		*out = arena_printf(a, "%s/%s", dir, *out);
	else if (beside != NULL)
		*out = beside;
	return 0;
}
