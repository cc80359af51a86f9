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
#define FILES_MAX 65536u

/* The last two only tell when the others come. */
static const char *const names[WATCHED] = {"netif/links", "resolve/netif", "netif", "resolve"};

/* Numbers of links: the names of their files. */
struct index_list {
	uint32_t *at;
	size_t len, cap;
};

struct resolved_watch {
	uv_timer_t quiet, poll;
	uv_fs_event_t events[WATCHED];
	unsigned handles; /* not closed yet */
	char *run;
	void (*fn)(void *arg);
	void *arg;
	VEC(struct resolved_link) links; /* those with servers, by index */
};

/* --- reading --- */

static void add_indexes(
        const struct resolved_watch *w, const char *directory, struct index_list *all)
{
	char path[PATH_SIZE];
	struct dirent *e;
	uint32_t index;
	DIR *dir = NULL;

	if (snprintf(path, sizeof(path), "%s/%s", w->run, directory) < (int)sizeof(path))
		dir = opendir(path);
	while (dir != NULL && (e = readdir(dir)) != NULL) {
		if (num_u32(str_from(e->d_name), INT32_MAX, &index) != 0)
			continue; /* one that is being written, or a lock */
		if (all->len < FILES_MAX)
			vec_push(all, index);
	}
	if (dir != NULL)
		closedir(dir);
}

static void read_file(
        const struct resolved_watch *w, const char *directory, struct resolved_link *l)
{
	char path[PATH_SIZE];
	struct buf text = {0};

	if (snprintf(path, sizeof(path), "%s/%s/%u", w->run, directory, l->index) >=
	        (int)sizeof(path))
		return;
	if (buf_read_file(&text, path, RESOLVED_FILE_MAX) == 0)
		resolved_link_parse(l, (struct str){text.at, text.len});
	buf_free(&text);
}

/* A node of a cluster has a link for each pod: only those with a server are kept. */
static void read_link(struct resolved_watch *w, uint32_t index)
{
	struct resolved_link *l;

	if (w->links.len == RESOLVED_LINKS_MAX)
		return;
	vec_reserve(&w->links, w->links.len + 1);
	l = &w->links.at[w->links.len];
	memset(l, 0, sizeof(*l));
	l->index = index;
	for (size_t i = 0; i < DIRECTORIES; i++)
		read_file(w, names[i], l);
	if (l->servers_len > 0)
		w->links.len++;
}

static int in_order(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void read_links(struct resolved_watch *w)
{
	struct index_list all = {0};

	for (size_t i = 0; i < DIRECTORIES; i++)
		add_indexes(w, names[i], &all);
	if (all.len > 0)
		qsort(all.at, all.len, sizeof(all.at[0]), in_order);
	for (size_t i = 0; i < all.len; i++)
		if (i == 0 || all.at[i] != all.at[i - 1])
			read_link(w, all.at[i]);
	vec_free(&all);
}

/*
 * Read all files; true when something differs from before. Links differ in few places and are few:
 * what a file says is compared whole.
 */
static bool refresh(struct resolved_watch *w)
{
	struct resolved_link *old = w->links.at;
	size_t n = w->links.len;
	bool is_same;

	memset(&w->links, 0, sizeof(w->links));
	read_links(w);
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
