#include <errno.h>

#include "hosts/hosts.h"

#define RELOAD_DEFAULT_MS 5000u
#define TTL_DEFAULT 3600u
#define INLINE_MAX (1u << 20)

static int set_ttl(struct hosts *h, const struct directive *o, struct err *e)
{
	return args_u32(o, 0, ARGS_RANGE(1, 65535), &h->rules.ttl, e);
}

static int set_reload(struct hosts *h, const struct directive *o, struct err *e)
{
	return args_duration_ms(o, 0, ARGS_RANGE(0, 30u * 86400000u), &h->reload_ms, e);
}

static int set_no_reverse(struct hosts *h, const struct directive *o, struct err *e)
{
	(void)o;
	(void)e;
	h->rules.no_reverse = true;
	return 0;
}

static int set_fallthrough(struct hosts *h, const struct directive *o, struct err *e)
{
	return fall_from_args(&h->fall, o, e);
}

static int set_unsupported(struct hosts *h, const struct directive *o, struct err *e)
{
	(void)o;
	(void)e;
	h->passes_unsupported = true;
	return 0;
}

static const struct option {
	const char *name;
	size_t min_args, max_args;
	int (*set)(struct hosts *h, const struct directive *o, struct err *e);
} options[] = {
        {"ttl", 1, 1, set_ttl},
        {"reload", 1, 1, set_reload},
        {"no_reverse", 0, 0, set_no_reverse},
        {"fallthrough", 0, ARGS_ANY, set_fallthrough},
        {"fallthrough_unsupported", 0, 0, set_unsupported},
};

/* A line that is no option is an entry; CoreDNS takes entries only before fallthrough. */
static int add_inline(struct hosts *h, const struct directive *o, struct err *e)
{
	struct zone_list all = {0};
	struct hosts_rules rules = {&all, 1, true};
	struct buf line = {0};
	struct hosts_table *t;
	bool is_good;

	if (h->fall.is_on)
		return args_unknown(o, e);
	buf_str(&line, o->name);
	for (size_t i = 0; i < o->arg_count; i++)
		buf_printf(&line, " %s", o->args[i].text);
	vec_push(&all.zones, (struct name){.len = 1});
	t = hosts_table_new(&rules, (struct str){line.at, line.len}, (struct str){0}, NULL);
	is_good = hosts_table_records(t) > 0;
	hosts_table_free(t);
	zone_list_free(&all);
	buf_char(&line, '\n');
	buf_add(&h->inline_text, line.at, line.len);
	buf_free(&line);
	if (h->inline_text.len > INLINE_MAX)
		return args_error(o, e, "more than 1 MiB of inline entries; use a file");
	return is_good ? 0
	               : args_error(
	                         o, e, "'%.80s' is neither an option nor ADDRESS NAME...", o->name);
}

static int read_line(struct hosts *h, const struct directive *o, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		int rc;

		if (strcmp(options[i].name, o->name) != 0)
			continue;
		rc = args_count(o, options[i].min_args, options[i].max_args, e);
		return rc == 0 ? options[i].set(h, o, e) : rc;
	}
	return add_inline(h, o, e);
}

static int read_path(struct hosts *h, const struct directive *d, struct err *e)
{
	const char *path = "/etc/hosts";
	struct arena a;
	int rc = 0;

	arena_init(&a);
	if (d->arg_count > 0)
		rc = args_path(d, 0, &a, &path, e);
	if (rc == 0)
		h->path = mem_str(path);
	arena_reset(&a);
	return rc;
}

int hosts_setup(struct setup *s, struct err *e)
{
	struct hosts *h = mem_new(struct hosts);
	const struct directive *d = s->first;
	int rc = args_once(s->block, "hosts", e);

	h->loop = s->loop;
	h->reload_ms = RELOAD_DEFAULT_MS;
	h->rules.ttl = TTL_DEFAULT;
	h->rules.zones = &h->zones;
	if (rc == 0)
		rc = read_path(h, d, e);
	if (rc == 0)
		rc = zone_list_from_args(&h->zones, d, 1, e);
	for (size_t i = 0; i < d->line_count && rc == 0; i++)
		rc = read_line(h, &d->lines[i], e);
	if (rc == 0 && h->passes_unsupported && !h->fall.is_on)
		rc = args_error(d, e, "'fallthrough_unsupported' needs 'fallthrough'");
	if (rc != 0) {
		hosts_free(h);
		return rc;
	}
	hosts_load(h);
	s->instance = h;
	return 0;
}
