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
#include "base/vec.h"
#include "cluster/state_file.h"

#define LOG_NAME "plugin/kubernetes"

enum {
	TICK_MS = 1000,
	STEP_BYTES = 256 << 10, /* encoded at once */
	LOAD_BYTES = 512 << 10, /* read at once: some milliseconds */
	FAILED_GAP_MS = 60000,
	STUCK_MS = 60000, /* a disk that takes longer for a step is not waited for */
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
	uint64_t saved_s, revision, begin_ms, step_ms;
	bool is_holding; /* the store keeps for us what is deleted */
	bool is_given_up;
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
	struct loading *loading; /* NULL: done */
	struct job *job;
	uint64_t next_ms; /* no write before this */
	uint64_t refresh_ms, written_ms, revision; /* of the last write */
	bool has_written, has_complained;
	_Atomic uint64_t writes, failures, saved_s;
	_Atomic bool is_in_use;
	unsigned open; /* timer and job */
};

/* ---- loading ---- */

/*
 * A file that is being read, a piece in each round of the loop: names of what was read are answered
 * already, and nothing is denied before all is known.
 */
struct loading {
	int fd;
	VEC(char) have; /* octets from the file */
	size_t taken; /* of those */
	bool has_begun, is_at_end;
	struct state_reader reader;
	struct state_meta meta;
	size_t objects;
	bool has_news; /* other objects than slices came since the last commit */
};

static void on_object(void *arg, const struct object *o)
{
	struct source_state *s = arg;

	store_apply(s->store, s->number, o);
	if (o->kind != OBJECT_SLICE)
		s->loading->has_news = true;
	s->loading->objects++;
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

/* More octets from the file behind those that were not taken yet. */
static int read_more(struct loading *l, struct err *e)
{
	size_t left = l->have.len - l->taken;
	ssize_t n;

	if (left > 0)
		memmove(l->have.at, l->have.at + l->taken, left);
	l->have.len = left;
	l->taken = 0;
	vec_reserve(&l->have, left + LOAD_BYTES);
	do
		n = read(l->fd, l->have.at + left, LOAD_BYTES);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_set(e, -errno, "%s", strerror(errno));
	l->have.len += (size_t)n;
	l->is_at_end = n == 0;
	return 0;
}

/* Everything that can be read from the octets at hand. 1: there is more; 0: that was the end. */
static int take_chunks(struct source_state *s, struct err *e)
{
	struct loading *l = s->loading;
	struct state_sink to = {on_object, s};
	struct str input = {l->have.at + l->taken, l->have.len - l->taken};
	int rc = 1;

	if (!l->has_begun) {
		rc = state_reader_start(&l->reader, &input, &l->meta, e);
		if (rc == 0)
			rc = check_meta(s, &l->meta, e);
		l->has_begun = rc == 0;
		rc = rc == 0 ? 1 : rc;
	}
	while (rc == 1)
		rc = state_reader_chunk(&l->reader, &input, &to, e);
	l->taken = l->have.len - input.len;
	if (rc == -EAGAIN && l->is_at_end)
		return err_set(e, -EINVAL, "it is cut short");
	return rc == -EAGAIN ? 1 : rc;
}

static void loading_free(struct source_state *s)
{
	struct loading *l = s->loading;

	if (l == NULL)
		return;
	s->loading = NULL;
	if (l->fd >= 0)
		close(l->fd);
	vec_free(&l->have);
	free(l);
}

static void finish_loading(struct source_state *s)
{
	for (int k = 0; k < OBJECT_KINDS; k++)
		if (store_source_stands_in(s->store, s->number, (enum object_kind)k))
			store_source_synced(s->store, s->number, (enum object_kind)k, true);
	atomic_store(&s->is_in_use, true);
	log_info(LOG_NAME, "answering from %zu objects of %s until the API server is reached",
	        s->loading->objects, s->path);
	loading_free(s);
	store_commit(s->store);
}

static void give_up(struct source_state *s, const char *why)
{
	log_warning(LOG_NAME, "state file %s is not used: %s", s->path, why);
	loading_free(s);
	store_source_clear(s->store, s->number);
	atomic_store(&s->saved_s, 0);
	store_commit(s->store);
}

/* False when the API server has told of everything meanwhile. */
static bool is_needed(const struct source_state *s)
{
	for (int k = 0; k < OBJECT_KINDS; k++)
		if (store_source_stands_in(s->store, s->number, (enum object_kind)k))
			return true;
	return false;
}

/* A piece of the file; true when there is more. */
static bool load_some(struct source_state *s)
{
	struct loading *l = s->loading;
	struct err e = {{0}};
	int rc = read_more(l, &e);

	if (rc == 0)
		rc = take_chunks(s, &e);
	if (rc < 0) {
		give_up(s, e.text);
		return false;
	}
	memcpy(s->cluster, l->meta.cluster, sizeof(s->cluster));
	atomic_store(&s->saved_s, l->meta.saved_s);
	if (!is_needed(s)) {
		loading_free(s);
		return false;
	}
	if (rc == 0) {
		finish_loading(s);
		return false;
	}
	/* endpoints are no use before there are all: readers hear of them once, at the end */
	if (!l->has_news)
		return true;
	l->has_news = false;
	store_commit(s->store);
	return s->loading != NULL;
}

/* The file, or a negative errno; what is no regular file could make us wait. */
static int open_file(const char *path, struct err *e)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return err_set(e, -errno, "%s", strerror(errno));
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (size_t)st.st_size <= STATE_FILE_MAX)
		return fd;
	close(fd);
	return err_set(e, -EINVAL, "%s",
	        S_ISREG(st.st_mode) ? "it is too large" : "it is no regular file");
}

static void start_loading(struct source_state *s)
{
	struct err e = {{0}};
	int fd = open_file(s->path, &e);

	if (fd == -ENOENT)
		return;
	s->loading = mem_new(struct loading);
	s->loading->fd = fd;
	if (fd < 0)
		give_up(s, e.text);
	else
		load_some(s);
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
	if (!atomic_load(&s->is_in_use) && s->loading == NULL)
		return;
	if (is_foreign(s)) {
		log_warning(LOG_NAME, "state file %s is of another cluster: dropping its objects",
		        s->path);
		loading_free(s);
		store_source_clear(s->store, s->number);
	}
	if (s->loading == NULL)
		atomic_store(&s->is_in_use, stands_in(s));
}

/* ---- writing: thread pool ---- */

/* A device would go away with the rename. */
static bool is_device(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode);
}

/*
 * Lock the file at hand. False when another process or configuration with the same path has it, or
 * had it until now: then the file that we have opened is in its place already, or gone.
 */
static bool lock_temporary(const struct job *j)
{
	struct stat ours, named;

	return flock(j->fd, LOCK_EX | LOCK_NB) == 0 && fstat(j->fd, &ours) == 0 &&
	       lstat(j->temporary, &named) == 0 && ours.st_dev == named.st_dev &&
	       ours.st_ino == named.st_ino;
}

static int open_temporary(struct job *j)
{
	j->what = "it is no regular file";
	if (is_device(j->path))
		return -EINVAL;
	j->what = "cannot open it";
	j->fd = open(j->temporary, O_WRONLY | O_CREAT | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (j->fd < 0)
		return -errno;
	if (!lock_temporary(j)) {
		close(j->fd); /* the name is not ours to remove */
		j->fd = -1;
		j->what = "somebody else writes it";
		return -EAGAIN;
	}
	j->what = "cannot truncate it";
	return ftruncate(j->fd, 0) < 0 ? -errno : 0;
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

/* The objects are not needed any more. */
static void let_go(struct source_state *s, struct job *j)
{
	if (j->is_holding)
		store_release(s->store);
	j->is_holding = false;
}

static void complain(struct source_state *s, const char *what, int rc)
{
	if (!s->has_complained)
		log_warning(LOG_NAME, "state file %s: %s: %s", s->path, what, strerror(-rc));
	s->has_complained = true;
	atomic_fetch_add(&s->failures, 1);
	s->next_ms = clock_ms() + FAILED_GAP_MS;
}

/*
 * A disk that hangs may do so for hours, in which all that changes would be kept: leave the job to
 * the thread that waits for it. There is no other one before it has come back.
 */
static void give_job_up(struct source_state *s, struct job *j)
{
	let_go(s, j);
	j->is_given_up = true;
	complain(s, "the disk does not answer", -ETIMEDOUT);
}

static void take_result(struct source_state *s, struct job *j)
{
	let_go(s, j);
	s->job = NULL;
	if (j->rc != 0) {
		if (!j->is_given_up)
			complain(s, j->what, j->rc);
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
	bool is_over;

	(void)status;
	if (j->is_given_up)
		j->rc = -ETIMEDOUT;
	is_over = j->rc != 0 || j->is_last;
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
		let_go(j->source, j);
	}
	j->step_ms = clock_ms();
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
	j->is_holding = true;
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

	if (s->loading != NULL && load_some(s)) {
		must(uv_timer_start(t, on_timer, 0, 0) == 0);
		return;
	}
	if (uv_timer_get_repeat(t) == 0)
		must(uv_timer_start(t, on_timer, TICK_MS, TICK_MS) == 0);
	if (s->job != NULL && s->job->is_holding && now - s->job->step_ms >= STUCK_MS)
		give_job_up(s, s->job);
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
		start_loading(s);
	}
	s->reader = (struct store_reader){.on_changes = on_changes, .arg = s};
	store_reader_add(store, &s->reader);
	must(uv_timer_start(&s->timer, on_timer, s->loading != NULL ? 0 : TICK_MS,
		     s->loading != NULL ? 0 : TICK_MS) == 0);
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
		let_go(s, s->job);
	loading_free(s);
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
