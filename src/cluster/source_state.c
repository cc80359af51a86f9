#include "cluster/source_state.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "cluster/state_file.h"

#define LOG_NAME "plugin/kubernetes"

enum {
	TICK_MS = 1000,
	STEP_BYTES = 256 << 10, /* encoded at once */
	FAILED_GAP_MS = 60000,
	REFRESH_MAX_S = 3600, /* an unchanged state is saved again so often, to keep it young */
};

/* A file that is being written. The thread pool has it between queue_step() and on_step(). */
struct job {
	uv_work_t work;
	struct source_state *source;
	char *path, *temporary;
	int fd, rc;
	const char *what; /* was being done when rc became an error */
	struct buf bytes; /* to write next */
	bool is_last;
	/* control thread */
	struct state_writer writer;
	struct object_list objects;
	size_t next;
	uint64_t saved_s, revision, begin_ms;
};

struct source_state {
	uv_timer_t timer;
	struct store *store; /* NULL: given up, only the job is left */
	struct store_reader reader;
	struct source_state_options options;
	char *path;
	uint64_t scope;
	int number; /* of the source in the store */
	uint8_t cluster[16]; /* of the file that was loaded */
	struct job *job;
	uint64_t next_ms; /* no write before this */
	uint64_t refresh_ms, written_ms, revision; /* of the last write */
	bool has_written, has_complained;
	_Atomic uint64_t writes, failures, saved_s;
	_Atomic bool is_in_use;
	unsigned open; /* timer and job */
};

/* ---- loading ---- */

struct loading {
	struct source_state *source;
	size_t objects;
};

static void on_object(void *arg, const struct object *o)
{
	struct loading *l = arg;

	store_apply(l->source->store, l->source->number, o);
	l->objects++;
}

static int check_meta(const struct source_state *s, const struct state_meta *m, struct err *e)
{
	uint64_t now = clock_wall_s(), max = s->options.max_age_s;

	if (m->scope != s->scope || m->kinds != s->options.kinds)
		return err_set(e, -EINVAL, "it was written with other options");
	if (now > m->saved_s && now - m->saved_s > max)
		return err_set(e, -EINVAL, "it is too old: %llu minutes",
		        (unsigned long long)(now - m->saved_s) / 60);
	if (m->saved_s > now && m->saved_s - now > max)
		return err_set(e, -EINVAL, "it is from the future");
	return 0;
}

static void take_objects(struct source_state *s, struct str file, struct err *e)
{
	struct loading l = {s, 0};

	if (state_read(file, on_object, &l, e) != 0)
		return;
	for (int k = 0; k < OBJECT_KINDS; k++)
		if ((s->options.kinds & 1u << k) != 0)
			store_source_synced(s->store, s->number, (enum object_kind)k, true);
	store_commit(s->store);
	atomic_store(&s->is_in_use, true);
	log_info(LOG_NAME, "answering from %zu objects of %s until the API server is reached",
	        l.objects, s->path);
}

static void load(struct source_state *s)
{
	struct state_meta meta = {.saved_s = 0};
	struct buf b = {0};
	struct err e = {{0}};
	int rc = buf_read_file(&b, s->path, STATE_FILE_MAX);
	struct str file = {b.at, b.len};

	if (rc == -ENOENT)
		return;
	if (rc != 0)
		err_set(&e, rc, "%s", rc == -EFBIG ? "it is too large" : strerror(-rc));
	else if (state_read_meta(file, &meta, &e) == 0 && check_meta(s, &meta, &e) == 0)
		take_objects(s, file, &e);
	buf_free(&b);
	if (e.text[0] != '\0') {
		log_warning(LOG_NAME, "state file %s is not used: %s", s->path, e.text);
		return;
	}
	memcpy(s->cluster, meta.cluster, sizeof(s->cluster));
	atomic_store(&s->saved_s, meta.saved_s);
}

/* ---- while the file stands in ---- */

static bool is_zero(const uint8_t uid[16])
{
	static const uint8_t zero[16];

	return memcmp(uid, zero, 16) == 0;
}

/* True when the API server turned out to be of another cluster than the file. */
static bool is_foreign(const struct source_state *s)
{
	const struct object *o = store_namespace(s->store, "kube-system");

	return o != NULL && store_source_of(o) != s->number && !is_zero(o->uid) &&
	       !is_zero(s->cluster) && memcmp(o->uid, s->cluster, 16) != 0;
}

static bool stands_in(const struct source_state *s)
{
	for (int k = 0; k < OBJECT_KINDS; k++)
		if (store_source_is_synced(s->store, s->number, (enum object_kind)k))
			return true;
	return false;
}

static void on_changes(void *arg, const struct changes *c)
{
	struct source_state *s = arg;

	(void)c;
	if (!atomic_load(&s->is_in_use))
		return;
	if (is_foreign(s)) {
		log_warning(LOG_NAME, "state file %s is of another cluster: dropping its objects",
		        s->path);
		store_source_clear(s->store, s->number);
	}
	atomic_store(&s->is_in_use, stands_in(s));
}

/* ---- writing: thread pool ---- */

static int open_temporary(struct job *j)
{
	j->what = "cannot open it";
	j->fd = open(j->temporary, O_WRONLY | O_CREAT | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (j->fd < 0)
		return -errno;
	/* another process or configuration with the same path */
	j->what = "somebody else writes it";
	return flock(j->fd, LOCK_EX | LOCK_NB) < 0 || ftruncate(j->fd, 0) < 0 ? -errno : 0;
}

static int write_bytes(struct job *j)
{
	size_t at = 0;

	j->what = "cannot write it";
	while (at < j->bytes.len) {
		ssize_t n = write(j->fd, j->bytes.at + at, j->bytes.len - at);

		if (n < 0 && errno != EINTR)
			return -errno;
		at += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* The directory's entry too must be on disk; not every file system can, and it is no harm. */
static void sync_directory(const char *path)
{
	char *copy = mem_str(path);
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
	free(copy);
}

static int put_in_place(struct job *j)
{
	j->what = "cannot write it to the disk";
	if (fsync(j->fd) < 0)
		return -errno;
	j->what = "cannot rename it";
	if (rename(j->temporary, j->path) < 0)
		return -errno;
	close(j->fd);
	j->fd = -1;
	sync_directory(j->path);
	return 0;
}

static void step(uv_work_t *w)
{
	struct job *j = w->data;

	j->rc = j->fd < 0 ? open_temporary(j) : 0;
	if (j->rc == 0)
		j->rc = write_bytes(j);
	if (j->rc == 0 && j->is_last)
		j->rc = put_in_place(j);
}

/* ---- writing: control thread ---- */

static void job_free(struct job *j)
{
	if (j->fd >= 0) { /* not finished; the name is ours, we have the lock */
		unlink(j->temporary);
		close(j->fd);
	}
	state_writer_fini(&j->writer);
	buf_free(&j->bytes);
	free(j->path);
	free(j->temporary);
	free(j);
}

static void release(struct source_state *s)
{
	if (--s->open > 0)
		return;
	free(s->path);
	free(s);
}

static void complain(struct source_state *s, const struct job *j)
{
	if (!s->has_complained)
		log_warning(LOG_NAME, "state file %s: %s: %s", s->path, j->what, strerror(-j->rc));
	s->has_complained = true;
	atomic_fetch_add(&s->failures, 1);
	s->next_ms = clock_ms() + FAILED_GAP_MS;
}

static void take_result(struct source_state *s, const struct job *j)
{
	store_release(s->store);
	s->job = NULL;
	if (j->rc != 0) {
		complain(s, j);
		return;
	}
	if (s->has_complained)
		log_info(LOG_NAME, "state file %s is written again", s->path);
	s->has_complained = false;
	s->has_written = true;
	s->written_ms = j->begin_ms;
	s->revision = j->revision;
	atomic_store(&s->saved_s, j->saved_s);
	atomic_fetch_add(&s->writes, 1);
	log_debug(LOG_NAME, "saved %zu objects in %llu ms", j->objects.len,
	        (unsigned long long)(clock_ms() - j->begin_ms));
}

static void queue_step(struct job *j);

static void on_step(uv_work_t *w, int status)
{
	struct job *j = w->data;
	struct source_state *s = j->source;
	bool is_over = j->rc != 0 || j->is_last;

	(void)status;
	if (s->store != NULL && !is_over) {
		queue_step(j);
		return;
	}
	if (s->store != NULL)
		take_result(s, j);
	job_free(j);
	release(s);
}

static void queue_step(struct job *j)
{
	struct state_writer *w = &j->writer;
	struct buf taken = j->bytes;

	while (j->next < j->objects.len && w->out.len < STEP_BYTES)
		state_writer_add(w, j->objects.at[j->next++]);
	if (j->next == j->objects.len) {
		state_writer_end(w);
		j->is_last = true;
	}
	buf_clear(&taken);
	j->bytes = w->out;
	w->out = taken;
	must(uv_queue_work(j->source->timer.loop, &j->work, step, on_step) == 0);
}

static void begin(struct source_state *s, uint64_t now_ms)
{
	struct state_meta meta = {clock_wall_s(), s->scope, {0}, s->options.kinds};
	const struct object *o = store_namespace(s->store, "kube-system");
	struct job *j = mem_new(struct job);
	struct store_stats stats;
	struct buf temporary = {0};

	store_stats(s->store, &stats);
	if (o != NULL)
		memcpy(meta.cluster, o->uid, sizeof(meta.cluster));
	buf_printf(&temporary, "%s.new", s->path);
	j->work.data = j;
	j->source = s;
	j->path = mem_str(s->path);
	j->temporary = temporary.at;
	j->fd = -1;
	j->saved_s = meta.saved_s;
	j->revision = stats.revision;
	j->begin_ms = now_ms;
	j->objects = store_hold(s->store, s->options.kinds);
	state_writer_init(&j->writer, &meta);
	s->job = j;
	s->open++;
	s->next_ms = now_ms + SOURCE_STATE_GAP_MS;
	queue_step(j);
}

static void on_timer(uv_timer_t *t)
{
	struct source_state *s = t->data;
	uint64_t now = clock_ms();
	struct store_stats stats;
	enum state_trust trust;

	if (s->job != NULL || now < s->next_ms)
		return;
	trust = s->options.trust(s->options.arg);
	store_stats(s->store, &stats);
	if (trust == STATE_PARTIAL)
		return;
	if (!s->has_written || stats.revision != s->revision ||
	        (trust == STATE_CURRENT && now - s->written_ms >= s->refresh_ms))
		begin(s, now);
}

/* ---- life ---- */

struct source_state *source_state_new(
        uv_loop_t *loop, struct store *store, const struct source_state_options *o)
{
	struct source_state *s = mem_new(struct source_state);
	uint64_t refresh_s = o->max_age_s / 4 < REFRESH_MAX_S ? o->max_age_s / 4 : REFRESH_MAX_S;

	s->store = store;
	s->options = *o;
	s->options.path = NULL;
	s->path = mem_str(o->path);
	s->scope = state_scope(o->scope);
	s->refresh_ms = refresh_s * 1000;
	s->number = store_source_add(store, "state file", o->kinds);
	must(uv_timer_init(loop, &s->timer) == 0);
	s->timer.data = s;
	s->open = 1;
	if (s->number >= 0) {
		store_source_provisional(store, s->number);
		load(s);
	}
	s->reader = (struct store_reader){.on_changes = on_changes, .arg = s};
	store_reader_add(store, &s->reader);
	must(uv_timer_start(&s->timer, on_timer, TICK_MS, TICK_MS) == 0);
	return s;
}

static void on_closed(uv_handle_t *h)
{
	release(h->data);
}

void source_state_free(struct source_state *s)
{
	if (s == NULL)
		return;
	if (s->job != NULL)
		store_release(s->store);
	store_reader_remove(&s->reader);
	s->store = NULL;
	uv_close((uv_handle_t *)&s->timer, on_closed);
}

void source_state_stats(const struct source_state *s, struct source_state_stats *out)
{
	out->writes = atomic_load(&s->writes);
	out->failures = atomic_load(&s->failures);
	out->saved_s = atomic_load(&s->saved_s);
	out->is_in_use = atomic_load(&s->is_in_use);
}
