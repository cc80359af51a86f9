#include "cluster/source_manifests.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/mem.h"
#include "cluster/endpoints.h"
#include "cluster/manifests.h"
#include "cluster/store.h"

enum {
	QUIET_MS = 100, /* after an event, as files are written in several steps */
	PATIENCE_MS = 200, /* but no longer than this after the first one */
	POLL_MS = 30000,
	POLL_MISSING_MS = 2000,
};

struct source_manifests {
	struct manifests *manifests;
	struct endpoints *endpoints;
	uv_fs_event_t inside; /* on the directory */
	uv_fs_event_t beside; /* on its parent: it comes, goes or is replaced */
	uv_timer_t quiet, poll;
	uint64_t first_event_ms; /* since the last load; 0: none */
	char *dir, *parent;
	const char *base; /* in dir: its last part */
	bool is_synced;
	unsigned open; /* handles */
};

static void on_inside(uv_fs_event_t *h, const char *name, int events, int status);
static void on_beside(uv_fs_event_t *h, const char *name, int events, int status);
static void on_poll(uv_timer_t *t);

/* The directory may be another one than before; a watch that fails leaves us the polling. */
static void watch(struct source_manifests *s)
{
	uv_fs_event_stop(&s->inside);
	uv_fs_event_start(&s->inside, on_inside, s->dir, 0);
	uv_fs_event_stop(&s->beside);
	uv_fs_event_start(&s->beside, on_beside, s->parent, 0);
}

/* Watching begins before reading, so that no change falls between. */
static void load(struct source_manifests *s)
{
	uint64_t next_ms = POLL_MS;

	uv_timer_stop(&s->quiet);
	s->first_event_ms = 0;
	watch(s);
	if (manifests_load(s->manifests) != 0)
		next_ms = POLL_MISSING_MS;
	else if (!s->is_synced)
		endpoints_synced(s->endpoints);
	s->is_synced = manifests_is_loaded(s->manifests);
	uv_timer_start(&s->poll, on_poll, next_ms, 0);
}

static void on_poll(uv_timer_t *t)
{
	load(t->data);
}

static void on_quiet(uv_timer_t *t)
{
	load(t->data);
}

static void on_event(struct source_manifests *s)
{
	uint64_t now = uv_now(s->quiet.loop) + 1, wait = QUIET_MS;

	if (s->first_event_ms == 0)
		s->first_event_ms = now;
	if (now + wait > s->first_event_ms + PATIENCE_MS) {
		uint64_t end = s->first_event_ms + PATIENCE_MS;

		wait = end > now ? end - now : 0;
	}
	uv_timer_start(&s->quiet, on_quiet, wait, 0);
}

/* Hidden files are of editors, but for the link that a mounted ConfigMap is switched with. */
static void on_inside(uv_fs_event_t *h, const char *name, int events, int status)
{
	(void)events;
	(void)status;
	if (name == NULL || name[0] != '.' || strcmp(name, "..data") == 0)
		on_event(h->data);
}

static void on_beside(uv_fs_event_t *h, const char *name, int events, int status)
{
	struct source_manifests *s = h->data;

	(void)events;
	(void)status;
	if (name == NULL || strcmp(name, s->base) == 0)
		on_event(s);
}

/* "/a/b" into "/a" and "b". */
static void split_path(struct source_manifests *s)
{
	size_t n = strlen(s->dir);
	char *slash;

	while (n > 1 && s->dir[n - 1] == '/')
		s->dir[--n] = '\0';
	slash = strrchr(s->dir, '/');
	s->base = slash == NULL ? s->dir : slash + 1;
	if (slash == NULL)
		s->parent = mem_str(".");
	else
		s->parent = mem_dup(s->dir, slash == s->dir ? 1 : (size_t)(slash - s->dir));
}

static void open_handles(struct source_manifests *s, struct uv_loop_s *loop)
{
	uv_fs_event_init(loop, &s->inside);
	uv_fs_event_init(loop, &s->beside);
	uv_timer_init(loop, &s->quiet);
	uv_timer_init(loop, &s->poll);
	s->inside.data = s->beside.data = s->quiet.data = s->poll.data = s;
	s->open = 4;
}

struct source_manifests *source_manifests_new(
        struct uv_loop_s *loop, struct store *store, const char *dir, struct err *e)
{
	struct manifests *m = manifests_new(store, dir, e);
	struct source_manifests *s;
	struct endpoints *p;

	if (m == NULL)
		return NULL;
	p = endpoints_new(store, manifests_source(m), e);
	if (p == NULL) {
		store_source_remove(store, manifests_source(m));
		manifests_free(m);
		return NULL;
	}
	s = mem_new(struct source_manifests);
	s->manifests = m;
	s->endpoints = p;
	s->dir = mem_str(dir);
	split_path(s);
	open_handles(s, loop);
	return s;
}

void source_manifests_start(struct source_manifests *s)
{
	load(s);
}

static void on_closed(uv_handle_t *h)
{
	struct source_manifests *s = h->data;

	if (--s->open > 0)
		return;
	free(s->dir);
	free(s->parent);
	free(s);
}

void source_manifests_free(struct source_manifests *s)
{
	if (s == NULL)
		return;
	endpoints_free(s->endpoints);
	manifests_free(s->manifests);
	uv_close((uv_handle_t *)&s->inside, on_closed);
	uv_close((uv_handle_t *)&s->beside, on_closed);
	uv_close((uv_handle_t *)&s->quiet, on_closed);
	uv_close((uv_handle_t *)&s->poll, on_closed);
}

bool source_manifests_is_synced(const struct source_manifests *s)
{
	return s->is_synced;
}
