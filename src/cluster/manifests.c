#include "cluster/manifests.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/vec.h"
#include "cluster/store.h"
#include "cluster/yaml.h"
#include "cluster/yaml_tree.h"

#define LOG_NAME "plugin/kubernetes"

struct file {
	char *name;
	uint64_t hash; /* of the text that was read last, good or bad */
	size_t size;
	int error; /* of reading it */
	bool was_read;
	bool is_present; /* in this load */
	bool is_new; /* its objects came with this load */
	struct yaml_objects objects; /* of the last good version */
};

struct manifests {
	struct store *store;
	int number;
	char *dir;
	uint64_t seed;
	bool is_loaded;
	int dir_error; /* the last one that was logged */
	VEC(struct file *) files; /* in the order of their names */
};

struct manifests *manifests_new(struct store *st, const char *dir, struct err *e)
{
	int number = store_source_add(st, "manifests", STORE_ALL_KINDS);
	struct manifests *m;

	if (number < 0) {
		err_set(e, number, "the cluster has too many sources for manifests in %s", dir);
		return NULL;
	}
	m = mem_new(struct manifests);
	m->store = st;
	m->number = number;
	m->dir = mem_str(dir);
	m->seed = rand_u64();
	return m;
}

static void file_free(struct file *f)
{
	yaml_objects_fini(&f->objects);
	free(f->name);
	free(f);
}

void manifests_free(struct manifests *m)
{
	if (m == NULL)
		return;
	vec_for_each (&m->files, f)
		file_free(*f);
	vec_free(&m->files);
	free(m->dir);
	free(m);
}

int manifests_source(const struct manifests *m)
{
	return m->number;
}

bool manifests_is_loaded(const struct manifests *m)
{
	return m->is_loaded;
}

/* ---- files ---- */

static bool is_manifest(const char *name)
{
	struct str s = str_from(name);

	return name[0] != '.' && (str_has_suffix(s, ".yaml") || str_has_suffix(s, ".yml") ||
	                                 str_has_suffix(s, ".json"));
}

static void log_left_out(const struct manifests *m, const struct file *f)
{
	const struct yaml_objects *l = &f->objects;

	vec_for_each (&l->list, y)
		if (y->problem != NULL)
			log_warning(LOG_NAME, "%s/%s:%u: %s %s/%s: left out %u: %s", m->dir,
			        f->name, y->line, object_kind_name(y->object->kind), y->object->ns,
			        y->object->name, y->object->dropped, y->problem);
	if (l->n_ignored > 0)
		log_debug(LOG_NAME, "%s/%s:%u: kind %s and %u more objects are not used", m->dir,
		        f->name, l->ignored_line, l->ignored_kind, l->n_ignored - 1);
}

/* The reason without the "line N: " that it begins with; *line is N. */
static const char *cut_line(const char *reason, unsigned *line)
{
	int n = 0;

	*line = 1;
	return sscanf(reason, "line %u: %n", line, &n) == 1 && n > 0 ? reason + n : reason;
}

static void take_text(struct manifests *m, struct file *f, struct str text)
{
	struct yaml_objects objects = {.n_ignored = 0};
	struct err e = {""};
	const char *reason;
	unsigned line;

	if (yaml_objects_read(&objects, text, &e) == 0) {
		yaml_objects_fini(&f->objects);
		f->objects = objects;
		f->is_new = true;
		log_left_out(m, f);
		return;
	}
	reason = cut_line(e.text, &line);
	log_error(LOG_NAME, "%s/%s:%u: %s%s", m->dir, f->name, line, reason,
	        f->objects.list.len > 0 ? "; the last good version of the file stays" : "");
}

static void on_read_error(struct manifests *m, struct file *f, int error)
{
	/* vanished since the directory was read, or a link to nowhere: as if it were not there */
	f->is_present = error != -ENOENT;
	if (f->is_present && f->error != error)
		log_error(LOG_NAME, "%s/%s: %s", m->dir, f->name,
		        error == -EINVAL  ? "not a regular file"
		        : error == -EFBIG ? "too large, split it"
		                          : strerror(-error));
	f->error = error;
}

static void file_read(struct manifests *m, struct file *f)
{
	struct buf path = {0}, text = {0};
	uint64_t hash;
	int rc;

	f->is_present = true;
	buf_printf(&path, "%s/%s", m->dir, f->name);
	rc = buf_read_file(&text, buf_text(&path), YAML_MAX_BYTES);
	buf_free(&path);
	hash = hash_bytes(m->seed, buf_text(&text), text.len);
	if (rc != 0) {
		on_read_error(m, f, rc);
	} else if (!f->was_read || f->hash != hash || f->size != text.len) {
		f->was_read = true;
		f->hash = hash;
		f->size = text.len;
		f->error = 0;
		take_text(m, f, (struct str){text.at, text.len});
	}
	buf_free(&text);
}

/* ---- directory ---- */

typedef VEC(char *) name_list;

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void names_free(name_list *names)
{
	vec_for_each (names, name)
		free(*name);
	vec_free(names);
}

static int read_names(const char *path, name_list *names)
{
	DIR *dir = opendir(path);
	struct dirent *d;
	int rc = 0;

	if (dir == NULL)
		return -errno;
	for (errno = 0; rc == 0 && (d = readdir(dir)) != NULL; errno = 0) {
		if (!is_manifest(d->d_name))
			continue;
		if (names->len == MANIFESTS_MAX_FILES)
			rc = -E2BIG;
		else
			vec_push(names, mem_str(d->d_name));
	}
	if (rc == 0)
		rc = -errno;
	closedir(dir);
	if (names->len > 0)
		qsort(names->at, names->len, sizeof(*names->at), compare_names);
	return rc;
}

/* Forget the files that were not found again; true when one of them had objects. */
static bool forget_absent(struct manifests *m)
{
	bool had_objects = false;

	vec_for_each (&m->files, at) {
		struct file *f = *at;

		if (f->is_present)
			continue;
		had_objects |= f->objects.list.len > 0;
		file_free(f);
	}
	vec_free(&m->files);
	return had_objects;
}

/*
 * Make m->files those that are there now; what is known of one that was there before stays. True
 * when objects went with a file.
 */
static bool match_files(struct manifests *m, name_list *names)
{
	VEC(struct file *) files = {NULL, 0, 0};
	bool had_objects;
	size_t i = 0;

	vec_for_each (names, name) {
		struct file *f;

		while (i < m->files.len && strcmp(m->files.at[i]->name, *name) < 0)
			i++;
		if (i < m->files.len && strcmp(m->files.at[i]->name, *name) == 0) {
			f = m->files.at[i];
			m->files.at[i++]->is_present = true;
		} else {
			f = mem_new(struct file);
			f->name = mem_str(*name);
		}
		vec_push(&files, f);
	}
	had_objects = forget_absent(m);
	m->files.at = files.at;
	m->files.len = files.len;
	m->files.cap = files.cap;
	return had_objects;
}

/* ---- objects ---- */

/* The one that counts among objects of the same name. */
struct winner {
	const struct file *file;
	const struct yaml_object *y;
};

struct collection {
	struct arena arena;
	struct map winners; /* "kind/ns/name" -> struct winner */
};

static struct str key_of(struct arena *a, enum object_kind kind, const char *ns, const char *name)
{
	return str_from(arena_printf(a, "%d/%s/%s", (int)kind, ns, name));
}

static void warn_twice(
        const struct manifests *m, const struct winner *old, const struct winner *now)
{
	const struct object *o = now->y->object;

	if (old->file->is_new || now->file->is_new)
		log_warning(LOG_NAME, "%s/%s:%u: %s %s/%s was given in %s:%u too; this one counts",
		        m->dir, now->file->name, now->y->line, object_kind_name(o->kind), o->ns,
		        o->name, old->file->name, old->y->line);
}

static void collect(struct manifests *m, struct collection *c)
{
	vec_for_each (&m->files, at)
		vec_for_each (&(*at)->objects.list, y) {
			struct winner *w = arena_new(&c->arena, struct winner), *old;
			const struct object *o = y->object;

			*w = (struct winner){*at, y};
			old = map_put(&c->winners, key_of(&c->arena, o->kind, o->ns, o->name), w);
			if (old != NULL)
				warn_twice(m, old, w);
		}
}

static void apply_namespace(struct manifests *m, struct collection *c, const char *name)
{
	struct object o = {.kind = OBJECT_NAMESPACE, .ns = "", .name = name};

	if (map_get(&c->winners, key_of(&c->arena, OBJECT_NAMESPACE, "", name)) == NULL)
		store_apply(m->store, m->number, &o);
}

static size_t apply_all(struct manifests *m, struct collection *c)
{
	struct winner *w;
	const char *ns = "";
	size_t pos = 0;

	while ((w = map_next(&c->winners, &pos)) != NULL) {
		const struct object *o = w->y->object;

		if (o->kind != OBJECT_NAMESPACE && strcmp(ns, o->ns) != 0)
			apply_namespace(m, c, ns = o->ns);
		store_apply(m->store, m->number, o);
	}
	return c->winners.len;
}

/* All objects again as one list: the store finds out what is new, changed or gone. */
static size_t relist(struct manifests *m)
{
	struct collection c;
	size_t n;

	arena_init(&c.arena);
	map_init(&c.winners);
	collect(m, &c);
	for (int kind = OBJECT_NAMESPACE; kind < OBJECT_KINDS; kind++)
		store_relist_begin(m->store, m->number, (enum object_kind)kind, false);
	n = apply_all(m, &c);
	for (int kind = OBJECT_NAMESPACE; kind < OBJECT_KINDS; kind++)
		store_relist_end(m->store, m->number, (enum object_kind)kind);
	map_fini(&c.winners);
	arena_reset(&c.arena);
	return n;
}

static void publish(struct manifests *m)
{
	size_t n = relist(m);

	/* before they count as synced: endpoints are computed in this commit */
	store_commit(m->store);
	log_info(LOG_NAME, "manifests %s: %zu object%s in %zu file%s", m->dir, n, n == 1 ? "" : "s",
	        m->files.len, m->files.len == 1 ? "" : "s");
	if (m->is_loaded)
		return;
	m->is_loaded = true;
	for (int kind = OBJECT_NAMESPACE; kind < OBJECT_KINDS; kind++)
		store_source_synced(m->store, m->number, (enum object_kind)kind, true);
	store_commit(m->store);
}

static int dir_failed(struct manifests *m, int rc)
{
	if (rc != m->dir_error)
		log_error(LOG_NAME, "manifests %s: %s; %s", m->dir,
		        rc == -E2BIG ? "too many files" : strerror(-rc),
		        m->is_loaded ? "the last state stays" : "waiting for it");
	m->dir_error = rc;
	return rc;
}

/* Read all files; true when the objects are not those of the last load. */
static bool read_files(struct manifests *m)
{
	bool is_changed = false;

	vec_for_each (&m->files, at) {
		struct file *f = *at;

		f->is_new = false;
		file_read(m, f);
		if (!f->is_present && f->objects.list.len > 0) {
			yaml_objects_fini(&f->objects);
			is_changed = true;
		}
		if (!f->is_present)
			f->was_read = false;
		is_changed |= f->is_new;
		f->is_present = false;
	}
	return is_changed;
}

int manifests_load(struct manifests *m)
{
	name_list names = {NULL, 0, 0};
	bool is_changed;
	int rc = read_names(m->dir, &names);

	if (rc != 0) {
		names_free(&names);
		return dir_failed(m, rc);
	}
	m->dir_error = 0;
	is_changed = match_files(m, &names);
	names_free(&names);
	is_changed |= read_files(m);
	if (is_changed || !m->is_loaded)
		publish(m);
	return 0;
}
