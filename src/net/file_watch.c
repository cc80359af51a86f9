#include "net/file_watch.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <uv.h>

#include "base/mem.h"

#define QUIET_MS 100u

/* What tells one state of a file from another; zero when there is none. */
struct state {
	uint64_t dev, ino, size, mtime_ns;
};

struct file_watch {
	uv_fs_event_t events; /* on the directory */
	uv_timer_t quiet, look;
	char *path, *dir;
	void (*fn)(void *arg);
	void *arg;
	struct state seen; /* when fn was called last */
	struct state pending; /* at the last look */
	unsigned open; /* handles */
};

static struct state look_at(const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return (struct state){0};
	return (struct state){(uint64_t)st.st_dev, (uint64_t)st.st_ino, (uint64_t)st.st_size,
	        (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec};
}

static bool is_equal(const struct state *a, const struct state *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	       a->mtime_ns == b->mtime_ns;
}

static void on_quiet(uv_timer_t *timer)
{
	struct file_watch *w = timer->data;
	struct state now = look_at(w->path);

	if (!is_equal(&now, &w->pending)) {
		w->pending = now;
		uv_timer_start(timer, on_quiet, QUIET_MS, 0);
		return;
	}
	if (is_equal(&now, &w->seen))
		return;
	w->seen = now;
	w->fn(w->arg);
}

static void look(struct file_watch *w)
{
	struct state now = look_at(w->path);

	if (is_equal(&now, &w->seen) || uv_is_active((uv_handle_t *)&w->quiet))
		return;
	w->pending = now;
	uv_timer_start(&w->quiet, on_quiet, QUIET_MS, 0);
}

static void on_event(uv_fs_event_t *handle, const char *name, int events, int status)
{
	(void)name;
	(void)events;
	(void)status;
	look(handle->data);
}

static void on_look(uv_timer_t *timer)
{
	struct file_watch *w = timer->data;

	/* The directory may have come late, or again: inotify ends with it. */
	uv_fs_event_stop(&w->events);
	uv_fs_event_start(&w->events, on_event, w->dir, 0);
	look(w);
}

static char *directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return mem_str(".");
	return mem_dup(path, slash == path ? 1 : (size_t)(slash - path));
}

struct file_watch *file_watch_start(struct uv_loop_s *loop, const char *path, uint64_t interval_ms,
        void (*fn)(void *arg), void *arg)
{
	struct file_watch *w = mem_new(struct file_watch);

	w->path = mem_str(path);
	w->dir = directory_of(path);
	w->fn = fn;
	w->arg = arg;
	w->seen = look_at(path);
	w->open = 3;
	uv_fs_event_init(loop, &w->events);
	uv_timer_init(loop, &w->quiet);
	uv_timer_init(loop, &w->look);
	w->events.data = w->quiet.data = w->look.data = w;
	uv_fs_event_start(&w->events, on_event, w->dir, 0);
	uv_timer_start(&w->look, on_look, interval_ms, interval_ms);
	return w;
}

static void on_closed(uv_handle_t *handle)
{
	struct file_watch *w = handle->data;

	if (--w->open > 0)
		return;
	free(w->path);
	free(w->dir);
	free(w);
}

void file_watch_stop(struct file_watch *w)
{
	if (w == NULL)
		return;
	uv_close((uv_handle_t *)&w->events, on_closed);
	uv_close((uv_handle_t *)&w->quiet, on_closed);
	uv_close((uv_handle_t *)&w->look, on_closed);
}
