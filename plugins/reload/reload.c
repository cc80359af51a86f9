/*
 * reload: looks at the Corefile and what it imports now and then, and has a changed one read again.
 *
 * One watcher serves the whole configuration, however many blocks say `reload`, and outlives the
 * reloads that it makes. It looks at the content, not at dates: the symbolic links of Kubernetes
 * volumes change without a file in place changing.
 */
#include "plugin.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "base/rand.h"
#include "core/generation.h"
#include "net/loop_timer.h"

#define WHO "plugin/reload"
#define INTERVAL_MS 30000u
#define INTERVAL_MIN_MS 2000u
#define JITTER_MS 15000u
#define JITTER_MIN_MS 1000u
#define HOUR_MAX_MS (24ull * 3600000u)
#define HASH_TEXT 129u

struct watcher {
	struct control *control;
	struct uv_loop_s *loop;
	struct loop_timer *timer;
	uint64_t interval_ms, jitter_ms;
	uint8_t running[64]; /* hash of the configuration that serves */
	uint8_t refused[64]; /* of one that could not be set up: not tried again */
	char problem[sizeof(
	        ((struct err *)0)->text)]; /* why the file could not be read, when it was told */
	const struct generation *generation; /* whose start was seen; compared only */
	_Atomic(const void *) reporter; /* the instance that reports the figures */
};

struct reload {
	struct watcher *watcher; /* NULL where nothing is served */
	struct shared *shared;
	const struct generation *generation;
	uint64_t interval_ms, jitter_ms;
	char hash[HASH_TEXT];
};

static atomic_ullong failed; /* outlives watchers */

/* --- the watcher --- */

static void schedule(struct watcher *w);

static void on_unreadable(struct watcher *w, const struct err *e)
{
	if (strcmp(w->problem, e->text) == 0)
		return;
	snprintf(w->problem, sizeof(w->problem), "%s", e->text);
	log_warning(NULL, "Corefile parse failed: %s", e->text);
	atomic_fetch_add(&failed, 1);
}

static void read_again(struct watcher *w, const uint8_t hash[64])
{
	const struct generation *generation = w->generation;
	const void *reporter = w->reporter;
	uint8_t running[sizeof(w->running)];
	struct err e = {{0}};

	memcpy(running, w->running, sizeof(running));
	log_info(NULL, "Reloading");
	if (control_reload(w->control, &e) == 0) {
		log_info(NULL, "Reloading complete");
		return;
	}
	memcpy(w->running, running, sizeof(running));
	w->generation = generation;
	w->reporter = reporter;
	memcpy(w->refused, hash, sizeof(w->refused));
	log_error(NULL, "Corefile changed but reload failed: %s", e.text);
	atomic_fetch_add(&failed, 1);
}

static void look(void *arg)
{
	struct watcher *w = arg;
	uint8_t hash[64];
	struct err e = {{0}};

	if (control_is_stopping(w->control))
		return; /* a new configuration would begin its own lameduck */
	schedule(w);
	if (control_hash(w->control, hash, &e) != 0) {
		on_unreadable(w, &e);
		return;
	}
	w->problem[0] = '\0';
	if (memcmp(hash, w->running, sizeof(hash)) != 0 &&
	        memcmp(hash, w->refused, sizeof(hash)) != 0)
		read_again(w, hash);
}

/* The next look: replicas that started together must not reload together. */
static void schedule(struct watcher *w)
{
	uint64_t span = 2 * w->jitter_ms + 1;
	uint64_t after = w->interval_ms - w->jitter_ms + rand_below((uint32_t)span);

	loop_timer_stop(w->timer);
	w->timer = loop_timer_start(w->loop, after, look, w);
}

static void *create_watcher(const char *key, void *arg, struct err *e)
{
	const struct setup *s = arg;
	struct watcher *w = mem_new(struct watcher);

	(void)key;
	(void)e;
	w->control = s->control;
	w->loop = s->loop;
	return w;
}

static void destroy_watcher(void *object)
{
	struct watcher *w = object;

	loop_timer_stop(w->timer);
	free(w);
}

static const struct shared_kind watcher_kind = {
        .name = "reload", .create = create_watcher, .destroy = destroy_watcher};

/* --- the plugin --- */

static int read_times(struct reload *r, const struct directive *d, struct err *e)
{
	int rc = args_count(d, 0, 2, e);

	if (rc == 0 && d->arg_count > 0)
		rc = args_duration_ms(
		        d, 0, ARGS_RANGE(INTERVAL_MIN_MS, HOUR_MAX_MS), &r->interval_ms, e);
	if (rc == 0 && d->arg_count > 1)
		rc = args_duration_ms(d, 1, ARGS_RANGE(0, HOUR_MAX_MS), &r->jitter_ms, e);
	if (rc == 0 && r->jitter_ms > 0 && r->jitter_ms < JITTER_MIN_MS)
		rc = args_error(d, e, "the jitter must be 0, or at least 1s");
	if (r->jitter_ms > r->interval_ms / 2)
		r->jitter_ms = r->interval_ms / 2;
	return rc;
}

static int setup(struct setup *s, struct err *e)
{
	struct reload *r = mem_new(struct reload);
	int rc = args_once(s->block, "reload", e);

	r->interval_ms = INTERVAL_MS;
	r->jitter_ms = JITTER_MS;
	if (rc == 0)
		rc = args_no_block(s->first, e);
	if (rc == 0)
		rc = read_times(r, s->first, e);
	if (rc != 0) {
		free(r);
		return rc;
	}
	r->generation = s->generation;
	corefile_hash_text(s->generation->corefile, r->hash);
	if (s->control != NULL) {
		r->shared = s->shared;
		r->watcher = shared_take(s->shared, &watcher_kind, "", s, e);
	}
	s->instance = r;
	return 0;
}

/* The first block that says `reload` sets the times for all. */
static int start(void *instance, struct err *e)
{
	struct reload *r = instance;
	struct watcher *w = r->watcher;

	(void)e;
	if (w == NULL || w->generation == r->generation)
		return 0;
	w->generation = r->generation;
	w->reporter = r;
	w->interval_ms = r->interval_ms;
	w->jitter_ms = r->jitter_ms;
	memcpy(w->running, r->generation->corefile->sha512, sizeof(w->running));
	memset(w->refused, 0, sizeof(w->refused));
	log_info(WHO, "Running configuration SHA512 = %s", r->hash);
	schedule(w);
	return 0;
}

static void reload_metrics(void *instance, struct metrics *m)
{
	static const struct metric_family failures = {"coredns_reload_failed_total",
	        "Counter of the number of failed reload attempts.", METRIC_COUNTER};
	static const struct metric_family version = {"coredns_reload_version_info",
	        "A metric with a constant '1' value labeled by hash, and value which type of hash "
	        "generated.",
	        METRIC_GAUGE};
	const struct reload *r = instance;
	struct buf labels = {0};

	if (r->watcher == NULL || r->watcher->reporter != r)
		return;
	metrics_label(&labels, "hash", "sha512");
	metrics_label(&labels, "value", r->hash);
	metrics_sample(m, &version, labels.at, 1);
	buf_free(&labels);
	metrics_sample(m, &failures, "", (double)atomic_load(&failed));
}

static void teardown(void *instance)
{
	struct reload *r = instance;

	if (r->watcher != NULL)
		shared_drop(r->shared, r->watcher);
	free(r);
}

const struct plugin reload_plugin = {
        .name = "reload",
        .setup = setup,
        .start = start,
        .metrics = reload_metrics,
        .explain = &explain_passes,
        .teardown = teardown,
};
