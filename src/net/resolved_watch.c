#include "net/resolved_watch.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "base/mem.h"
#include "base/must.h"
#include "base/num.h"

#define QUIET_MS 100u /* without an event before the files are read */
#define POLL_MS 5000u
#define PATH_SIZE 4096u
#define DIRECTORIES 2u /* with files of links */
#define WATCHED 4u

/* The last two only tell when the others come. */
static const char *const names[WATCHED] = {"netif/links", "resolve/netif", "netif", "resolve"};

struct resolved_watch {
	uv_timer_t quiet, poll;
	uv_fs_event_t events[WATCHED];
	unsigned handles; /* not closed yet */
	char *run;
	void (*fn)(void *arg);
	void *arg;
	VEC(struct resolved_link) links; /* by index */
};

/* --- reading --- */

/* Links differ in few places and are few: what a file says is compared whole. */
static struct resolved_link *link_of(struct resolved_watch *w, unsigned index)
{
	vec_for_each (&w->links, l)
		if (l->index == index)
			return l;
	if (w->links.len == RESOLVED_LINKS_MAX)
		return NULL;
	vec_reserve(&w->links, w->links.len + 1);
	memset(&w->links.at[w->links.len], 0, sizeof(w->links.at[0]));
	w->links.at[w->links.len].index = index;
	return &w->links.at[w->links.len++];
}

static void read_link(struct resolved_watch *w, const char *directory, const char *name)
{
	char path[PATH_SIZE];
	struct resolved_link *l;
	struct buf text = {0};
	uint32_t index;

	if (num_u32(str_from(name), INT32_MAX, &index) != 0)
		return; /* one that is being written, or a lock */
	if (snprintf(path, sizeof(path), "%s/%s/%s", w->run, directory, name) >= (int)sizeof(path))
		return;
	if (buf_read_file(&text, path, RESOLVED_FILE_MAX) == 0) {
		l = link_of(w, index);
		if (l != NULL)
			resolved_link_parse(l, (struct str){text.at, text.len});
	}
	buf_free(&text);
}

static void read_directory(struct resolved_watch *w, const char *name)
{
	char path[PATH_SIZE];
	struct dirent *e;
	DIR *dir = NULL;

	if (snprintf(path, sizeof(path), "%s/%s", w->run, name) < (int)sizeof(path))
		dir = opendir(path);
	while (dir != NULL && (e = readdir(dir)) != NULL)
		read_link(w, name, e->d_name);
	if (dir != NULL)
		closedir(dir);
}

static int by_index(const void *a, const void *b)
{
	const struct resolved_link *x = a, *y = b;

	return x->index < y->index ? -1 : x->index > y->index;
}

/* Read all files; true when something differs from before. */
static bool refresh(struct resolved_watch *w)
{
	struct resolved_link *old = w->links.at;
	size_t n = w->links.len;
	bool is_same;

	memset(&w->links, 0, sizeof(w->links));
	for (size_t i = 0; i < DIRECTORIES; i++)
		read_directory(w, names[i]);
	if (w->links.len > 0)
		qsort(w->links.at, w->links.len, sizeof(w->links.at[0]), by_index);
	is_same = n == w->links.len &&
	          (n == 0 || memcmp(old, w->links.at, n * sizeof(w->links.at[0])) == 0);
	free(old);
	return !is_same;
}

/* --- watching --- */

static void look(uv_timer_t *timer);

static void on_event(uv_fs_event_t *event, const char *name, int events, int status)
{
	struct resolved_watch *w = event->data;

	(void)name;
	(void)events;
	(void)status;
	if (!uv_is_active((uv_handle_t *)&w->quiet))
		uv_timer_start(&w->quiet, look, QUIET_MS, 0);
}

/* A directory that was removed and made again is another one: watch what is there now. */
static void watch_directories(struct resolved_watch *w)
{
	char path[PATH_SIZE];

	for (size_t i = 0; i < WATCHED; i++) {
		uv_fs_event_stop(&w->events[i]);
		if (snprintf(path, sizeof(path), "%s/%s", w->run, names[i]) < (int)sizeof(path))
			uv_fs_event_start(&w->events[i], on_event, path, 0);
	}
}

static void look(uv_timer_t *timer)
{
	struct resolved_watch *w = timer->data;

	uv_timer_stop(&w->quiet);
	watch_directories(w); /* first, so that no change falls between */
	uv_timer_start(&w->poll, look, POLL_MS, 0);
	if (refresh(w) && w->fn != NULL)
		w->fn(w->arg);
}

struct resolved_watch *resolved_watch_start(
        struct uv_loop_s *loop, const char *run, void (*fn)(void *arg), void *arg)
{
	struct resolved_watch *w = mem_new(struct resolved_watch);

	w->run = mem_str(run);
	w->arg = arg;
	must(uv_timer_init(loop, &w->quiet) == 0 && uv_timer_init(loop, &w->poll) == 0);
	w->quiet.data = w->poll.data = w;
	for (size_t i = 0; i < WATCHED; i++) {
		must(uv_fs_event_init(loop, &w->events[i]) == 0);
		w->events[i].data = w;
	}
	w->handles = 2 + WATCHED;
	look(&w->poll);
	w->fn = fn;
	return w;
}

const struct resolved_link *resolved_watch_links(const struct resolved_watch *w, size_t *n)
{
	*n = w->links.len;
	return w->links.at;
}

static void on_closed(uv_handle_t *handle)
{
	struct resolved_watch *w = handle->data;

	if (--w->handles > 0)
		return;
	vec_free(&w->links);
	free(w->run);
	free(w);
}

void resolved_watch_stop(struct resolved_watch *w)
{
	if (w == NULL)
		return;
	w->fn = NULL;
	uv_close((uv_handle_t *)&w->quiet, on_closed);
	uv_close((uv_handle_t *)&w->poll, on_closed);
	for (size_t i = 0; i < WATCHED; i++)
		uv_close((uv_handle_t *)&w->events[i], on_closed);
}
