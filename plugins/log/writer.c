#include "log/writer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"

#define CHUNK (64u << 10)
#define STACK_SIZE (64u << 10)
#define PAUSE_NS 2000000   /* collects lines between two writes */
#define FULL_WAIT_MS 1000  /* a reader that stands still so long loses lines */

struct ring {
	_Alignas(64) _Atomic size_t head; /* octets put, by the worker */
	_Alignas(64) _Atomic size_t tail; /* octets taken, by the thread */
	char data[WRITER_RING_SIZE];
};

struct writer {
	unsigned workers;
	struct ring *rings;
	pthread_t thread;
	int wake;
	_Atomic bool is_asleep, is_ending;
	char chunk[CHUNK];
};

/* Copy n octets between line memory and the ring, around its end. */
static void ring_write(struct ring *r, size_t at, const char *p, size_t n)
{
	size_t start = at % WRITER_RING_SIZE, first = WRITER_RING_SIZE - start;

	if (first > n)
		first = n;
	memcpy(r->data + start, p, first);
	memcpy(r->data, p + first, n - first);
}

static void ring_read(const struct ring *r, size_t at, char *p, size_t n)
{
	size_t start = at % WRITER_RING_SIZE, first = WRITER_RING_SIZE - start;

	if (first > n)
		first = n;
	memcpy(p, r->data + start, first);
	memcpy(p + first, r->data, n - first);
}

static void wake_thread(struct writer *w)
{
	uint64_t one = 1;

	must(write(w->wake, &one, sizeof(one)) == sizeof(one));
}

bool writer_put(struct writer *w, unsigned worker, const char *line, size_t n)
{
	struct ring *r = &w->rings[worker];
	size_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
	size_t tail = atomic_load_explicit(&r->tail, memory_order_acquire);

	if (WRITER_RING_SIZE - (head - tail) < n)
		return false;
	ring_write(r, head, line, n);
	/*
	 * Either we see that the thread sleeps, or it sees the line before it goes to sleep: the
	 * two stores and the two loads have one order (and TSan knows no fences).
	 */
	atomic_store(&r->head, head + n);
	if (atomic_load(&w->is_asleep) && atomic_exchange(&w->is_asleep, false))
		wake_thread(w);
	return true;
}

/* Write what waits in r, whole lines; false when there is nothing. */
static bool drain(struct writer *w, struct ring *r)
{
	size_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
	size_t head = atomic_load_explicit(&r->head, memory_order_acquire);
	size_t n = head - tail < CHUNK ? head - tail : CHUNK;

	if (n == 0)
		return false;
	ring_read(r, tail, w->chunk, n);
	while (w->chunk[n - 1] != '\n')
		n--;
	atomic_store_explicit(&r->tail, tail + n, memory_order_release);
	log_write(w->chunk, n, FULL_WAIT_MS);
	return true;
}

static bool drain_all(struct writer *w)
{
	bool found = false;

	for (unsigned i = 0; i < w->workers; i++)
		if (drain(w, &w->rings[i]))
			found = true;
	return found;
}

static bool has_lines(const struct writer *w)
{
	for (unsigned i = 0; i < w->workers; i++)
		if (atomic_load(&w->rings[i].head) != atomic_load(&w->rings[i].tail))
			return true;
	return false;
}

static void sleep_until_woken(struct writer *w)
{
	uint64_t count;

	atomic_store(&w->is_asleep, true);
	if (!has_lines(w) && !atomic_load(&w->is_ending))
		while (read(w->wake, &count, sizeof(count)) < 0 && errno == EINTR)
			;
	atomic_store(&w->is_asleep, false);
}

static void *thread_main(void *arg)
{
	const struct timespec pause = {0, PAUSE_NS};
	struct writer *w = arg;

	pthread_setname_np(pthread_self(), "log");
	while (!atomic_load(&w->is_ending)) {
		if (drain_all(w))
			nanosleep(&pause, NULL);
		else
			sleep_until_woken(w);
	}
	while (drain_all(w))
		;
	return NULL;
}

/* Signals are for the main thread. */
static int start_thread(struct writer *w)
{
	pthread_attr_t attr;
	sigset_t all, old;
	int rc;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&w->thread, &attr, thread_main, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return -rc;
}

struct writer *writer_new(unsigned workers, struct err *e)
{
	struct writer *w = mem_new(struct writer);
	int rc;

	w->workers = workers;
	w->rings = aligned_alloc(64, workers * sizeof(*w->rings));
	must(w->rings != NULL);
	for (unsigned i = 0; i < workers; i++)
		memset(&w->rings[i], 0, offsetof(struct ring, data));
	w->wake = eventfd(0, EFD_CLOEXEC);
	must(w->wake >= 0);
	rc = start_thread(w);
	if (rc == 0)
		return w;
	err_set(e, rc, "cannot start the thread of the query log: %s", strerror(-rc));
	close(w->wake);
	free(w->rings);
	free(w);
	return NULL;
}

void writer_free(struct writer *w)
{
	if (w == NULL)
		return;
	atomic_store(&w->is_ending, true);
	wake_thread(w);
	pthread_join(w->thread, NULL);
	close(w->wake);
	free(w->rings);
	free(w);
}
