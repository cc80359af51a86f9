#include "net/resolvconf_watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/str.h"

#define QUIET_MS 100u /* without an event before the file is read */
#define QUIET_MAX_MS 500u /* but not longer than that after the first */
#define POLL_MS 30000u /* in case no event comes (network file systems) */
#define MISSING_MS 1000u /* while the file or its directory is missing */
#define LINKS_MAX 8u /* symbolic links that are followed */
#define PATH_SIZE 4096u

/* One directory of the chain from the path to the file that it stands for. */
struct directory {
	struct resolvconf_watch *watch; /* NULL once it was stopped */
	uv_fs_event_t event;
	char *path, *name; /* the entry that matters */
};

struct resolvconf_watch {
	uv_timer_t quiet, poll;
	unsigned handles; /* not closed yet */
	bool is_stopped;
	char *path;
	const char *who;
	resolvconf_fn *fn;
	void *arg;
	struct directory *directories[LINKS_MAX + 1];
	unsigned directories_len;
	bool is_missing, has_warned, has_conf;
	uint64_t first_event_ms; /* 0: none since the file was read */
	struct buf text; /* last good content */
	struct resolvconf conf;
};

static void release(struct resolvconf_watch *w)
{
	if (--w->handles > 0)
		return;
	buf_free(&w->text);
	free(w->path);
	free(w);
}

static void on_quiet(uv_timer_t *timer);

/* --- directories --- */

static void on_directory_closed(uv_handle_t *handle)
{
	struct directory *d = handle->data;

	release(d->watch);
	free(d->path);
	free(d->name);
	free(d);
}

static void forget_directories(struct resolvconf_watch *w)
{
	for (unsigned i = 0; i < w->directories_len; i++)
		uv_close((uv_handle_t *)&w->directories[i]->event, on_directory_closed);
	w->directories_len = 0;
}

/* Something happened there: wait for quiet, because a file is rewritten in several steps. */
static void on_event(uv_fs_event_t *event, const char *name, int events, int status)
{
	struct directory *d = event->data;
	struct resolvconf_watch *w = d->watch;
	uint64_t now = uv_now(event->loop), waited;

	(void)events;
	if (w->is_stopped || (status == 0 && name != NULL && strcmp(name, d->name) != 0))
		return;
	if (w->first_event_ms == 0)
		w->first_event_ms = now;
	waited = now - w->first_event_ms;
	if (waited + QUIET_MS <= QUIET_MAX_MS)
		uv_timer_start(&w->quiet, on_quiet, QUIET_MS, 0);
}

static void watch_entry(struct resolvconf_watch *w, const char *path)
{
	const char *slash = strrchr(path, '/');
	struct directory *d = mem_new(struct directory);
	size_t n = slash == NULL ? 0 : (size_t)(slash - path);

	d->watch = w;
	d->name = mem_str(slash == NULL ? path : slash + 1);
	d->path = slash == NULL ? mem_str(".") : n == 0 ? mem_str("/") : mem_dup(path, n);
	must(uv_fs_event_init(w->quiet.loop, &d->event) == 0);
	d->event.data = d;
	w->handles++;
	w->directories[w->directories_len++] = d;
	/* without the directory there is no event, but then the file is missing: we look often */
	uv_fs_event_start(&d->event, on_event, d->path, 0);
}

/* What the symbolic link at path leads to, as a path of its own. False when it is none. */
static bool follow_link(const char *path, char *out)
{
	char target[PATH_SIZE];
	const char *slash = strrchr(path, '/');
	ssize_t n = readlink(path, target, sizeof(target) - 1);
	int len;

	if (n < 0)
		return false;
	target[n] = '\0';
	if (target[0] == '/' || slash == NULL)
		len = snprintf(out, PATH_SIZE, "%s", target);
	else
		len = snprintf(out, PATH_SIZE, "%.*s/%s", (int)(slash - path), path, target);
	return len < (int)PATH_SIZE;
}

/* Watch the directory of the path and those of everything it links to. */
static void watch_all(struct resolvconf_watch *w)
{
	char path[PATH_SIZE], next[PATH_SIZE];

	forget_directories(w);
	if (snprintf(path, sizeof(path), "%s", w->path) >= (int)sizeof(path))
		return;
	while (w->directories_len <= LINKS_MAX) {
		watch_entry(w, path);
		if (!follow_link(path, next))
			break;
		memcpy(path, next, sizeof(path));
	}
}

/* --- content --- */

static const char *problem_text(int rc, const struct resolvconf *conf)
{
	if (rc == -ENOENT)
		return "is missing";
	if (rc != 0)
		return strerror(-rc);
	return conf->servers_len == 0 ? "names no nameserver" : NULL;
}

static void warn_once(struct resolvconf_watch *w, const char *problem)
{
	if (w->has_warned || w->who == NULL)
		return;
	w->has_warned = true;
	log_warning(w->who, "%s: %s%s", w->path, problem,
	        w->has_conf ? ": keeping the last good list" : "");
}

/* Read the file; true when it has good content that differs from the last. */
static bool refresh(struct resolvconf_watch *w)
{
	struct buf text = {0};
	struct resolvconf conf = {0};
	int rc = buf_read_file(&text, w->path, RESOLVCONF_MAX_SIZE);
	const char *problem;
	bool is_same;

	w->is_missing = rc != 0;
	if (rc == 0)
		rc = resolvconf_parse(&conf, (struct str){text.at, text.len});
	problem = problem_text(rc, &conf);
	is_same = w->has_conf && text.len == w->text.len &&
	          (text.len == 0 || memcmp(text.at, w->text.at, text.len) == 0);
	if (problem != NULL)
		warn_once(w, problem);
	else
		w->has_warned = false;
	if (problem != NULL || is_same) {
		buf_free(&text);
		return false;
	}
	buf_free(&w->text);
	w->text = text;
	w->conf = conf;
	w->has_conf = true;
	return true;
}

static void look(struct resolvconf_watch *w);

static void on_poll(uv_timer_t *timer)
{
	look(timer->data);
}

static void on_quiet(uv_timer_t *timer)
{
	look(timer->data);
}

static void look(struct resolvconf_watch *w)
{
	bool has_changed;

	uv_timer_stop(&w->quiet);
	w->first_event_ms = 0;
	watch_all(w); /* first, so that no change falls between */
	has_changed = refresh(w);
	uv_timer_start(&w->poll, on_poll, w->is_missing ? MISSING_MS : POLL_MS, 0);
	if (has_changed && w->fn != NULL)
		w->fn(w->arg, &w->conf);
}

struct resolvconf_watch *resolvconf_watch_start(
        struct uv_loop_s *loop, const char *path, const char *who, resolvconf_fn *fn, void *arg)
{
	struct resolvconf_watch *w = mem_new(struct resolvconf_watch);

	w->path = mem_str(path);
	w->who = who;
	w->arg = arg;
	must(uv_timer_init(loop, &w->quiet) == 0 && uv_timer_init(loop, &w->poll) == 0);
	w->handles = 2;
	w->quiet.data = w->poll.data = w;
	look(w);
	w->fn = fn;
	return w;
}

const struct resolvconf *resolvconf_watch_conf(const struct resolvconf_watch *w)
{
	return w->has_conf ? &w->conf : NULL;
}

static void on_timer_closed(uv_handle_t *handle)
{
	release(handle->data);
}

void resolvconf_watch_stop(struct resolvconf_watch *w)
{
	if (w == NULL)
		return;
	w->is_stopped = true;
	forget_directories(w);
	uv_close((uv_handle_t *)&w->quiet, on_timer_closed);
	uv_close((uv_handle_t *)&w->poll, on_timer_closed);
}
