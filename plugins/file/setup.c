#include <errno.h>

#include "file/file.h"

#define RELOAD_DEFAULT_MS 60000u

/* One `file` directive as far as it has been read. */
struct conf {
	uint64_t reload_ms;
	bool by_mtime;
	struct fall *fall;
	const char *path;
};

static int set_reload(void *arg, const struct directive *o, struct err *e)
{
	struct conf *c = arg;

	return args_duration_ms(o, 0, ARGS_RANGE(0, 30u * 86400000u), &c->reload_ms, e);
}

static int set_by_mtime(void *arg, const struct directive *o, struct err *e)
{
	struct conf *c = arg;

	(void)o;
	(void)e;
	c->by_mtime = true;
	return 0;
}

static int set_fallthrough(void *arg, const struct directive *o, struct err *e)
{
	struct conf *c = arg;

	return fall_from_args(c->fall, o, e);
}

static int set_upstream(void *arg, const struct directive *o, struct err *e)
{
	(void)arg;
	(void)e;
	log_warning(FILE_WHO, "%s:%u: the option 'upstream' is no longer needed: ignored", o->file,
	        o->line);
	return 0;
}

static const struct arg_option options[] = {
        {"reload", 1, 1, set_reload, false},
        {"reload_by_mtime", 0, 0, set_by_mtime, false},
        {"fallthrough", 0, ARGS_ANY, set_fallthrough, false},
        {"upstream", 0, ARGS_ANY, set_upstream, false},
        {NULL, 0, 0, NULL, false},
};

static int add_zone(struct file_instance *f, const struct directive *d, const struct conf *c,
        const struct name *origin, struct err *e)
{
	struct file_zone *z = arena_new(&f->arena, struct file_zone);
	char text[NAME_TEXT_MAX];
	int rc;

	z->origin = *origin;
	zone_history_init(&z->history, NULL, origin);
	z->text = arena_dup(&f->arena, text, name_to_text(text, origin->wire));
	z->path = c->path;
	z->reload_ms = c->reload_ms;
	z->by_mtime = c->by_mtime;
	z->fall = c->fall;
	vec_push(&f->zones, z);
	zone_list_add(&f->origins, origin);
	rc = file_zone_load(z, e);
	if (rc == -ENOENT)
		rc = 0;
	return rc == 0 ? 0 : err_prefix(e, rc, "%s:%u - plugin/file", d->file, d->line);
}

static int add_directive(struct file_instance *f, const struct directive *d, struct err *e)
{
	struct conf c = {RELOAD_DEFAULT_MS, false, arena_new(&f->arena, struct fall), NULL};
	struct zone_list zones = {0};
	const char *path = NULL;
	int rc = args_count(d, 1, ARGS_ANY, e);

	vec_push(&f->falls, c.fall);
	if (rc == 0)
		rc = args_path(d, 0, &f->arena, &path, e);
	if (rc == 0)
		rc = args_options(d, options, &c, e);
	if (rc == 0)
		rc = zone_list_from_args(&zones, d, 1, e);
	if (rc == 0)
		c.path = arena_str(&f->arena, path);
	for (size_t i = 0; i < zones.zones.len && rc == 0; i++)
		rc = add_zone(f, d, &c, &zones.zones.at[i], e);
	zone_list_free(&zones);
	return rc;
}

void file_instance_free(struct file_instance *f)
{
	vec_for_each (&f->zones, z) {
		zone_history_fini(&(*z)->history);
		tree_free((*z)->tree);
	}
	vec_for_each (&f->falls, fall)
		fall_free(*fall);
	vec_free(&f->zones);
	vec_free(&f->falls);
	zone_list_free(&f->origins);
	arena_reset(&f->arena);
	free(f);
}

int file_setup(struct setup *s, struct err *e)
{
	struct file_instance *f = mem_new(struct file_instance);
	int rc = 0;

	arena_init(&f->arena);
	f->loop = s->loop;
	for (const struct directive *d = s->first; d != NULL && rc == 0;
	        d = block_find(s->block, "file", d))
		rc = add_directive(f, d, e);
	if (rc != 0) {
		file_instance_free(f);
		return rc;
	}
	s->instance = f;
	return 0;
}
