#include "base/log.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json_line.h"

/* Of msg, so that there is room for what comes behind it. */
#define MSG_MAX 3072u

static uint64_t (*json_time)(void); /* NULL: lines are text */
static log_sink_fn *sink;
static void *sink_arg;
static _Atomic int min_level = LOG_INFO;
static _Atomic uint64_t dropped;

static const char *const level_names[] = {"DEBUG", "INFO", "WARNING", "ERROR", "FATAL"};

/* One write, so that lines of several threads never mix; a full pipe drops the line. */
static void write_stdout(const char *line, size_t n)
{
	struct pollfd p = {STDOUT_FILENO, POLLOUT, 0};

	if (poll(&p, 1, 0) != 1 || (p.revents & POLLOUT) == 0 ||
		write(STDOUT_FILENO, line, n) != (ssize_t)n)
		atomic_fetch_add(&dropped, 1);
}

/* Control characters and newlines inside a message would let a name forge log lines. */
static void clean(char *text)
{
	for (unsigned char *p = (unsigned char *)text; *p != '\0'; p++)
		if (*p < 32 || *p == 127)
			*p = '?';
}

void log_set_json(uint64_t (*wall_ms)(void))
{
	json_time = wall_ms;
}

bool log_is_json(void)
{
	return json_time != NULL && sink == NULL;
}

void log_json_begin(struct json_line *l, char *out, enum log_level level)
{
	static const char *const names[] = {"DEBUG", "INFO", "WARN", "ERROR", "FATAL"};

	json_line_begin(l, out, LOG_LINE_MAX);
	json_line_time(l, "time", json_time());
	json_line_text(l, "level", str_from(names[level]), 8);
}

static void write_json(enum log_level level, const char *who, const char *fmt, va_list ap)
{
	char line[LOG_LINE_MAX], text[2048];
	struct json_line l;

	vsnprintf(text, sizeof(text), fmt, ap);
	log_json_begin(&l, line, level);
	json_line_text(&l, "msg", str_from(text), MSG_MAX);
	if (who != NULL)
		json_line_text(&l, "plugin",
			str_from(strncmp(who, "plugin/", 7) == 0 ? who + 7 : who), 64);
	write_stdout(line, json_line_end(&l));
}

void log_line(enum log_level level, const char *who, const char *fmt, ...)
{
	char line[2048];
	va_list ap;
	int n, used;

	if ((int)level < atomic_load_explicit(&min_level, memory_order_relaxed))
		return;
	if (log_is_json()) {
		va_start(ap, fmt);
		write_json(level, who, fmt, ap);
		va_end(ap);
		return;
	}
	n = snprintf(line, sizeof(line), "[%s] %s%s", level_names[level], who == NULL ? "" : who,
		who == NULL ? "" : ": ");
	va_start(ap, fmt);
	used = vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, ap);
	va_end(ap);
	n = used > (int)sizeof(line) - n - 2 ? (int)sizeof(line) - 2 : n + used;
	clean(line);
	if (sink != NULL) {
		sink(sink_arg, level, line);
		return;
	}
	line[n] = '\n';
	write_stdout(line, (size_t)n + 1);
}

static void sink_lines(char *lines, size_t n)
{
	char *end;

	for (; n > 0 && (end = memchr(lines, '\n', n)) != NULL; lines = end + 1) {
		*end = '\0';
		n -= (size_t)(end + 1 - lines);
		sink(sink_arg, LOG_INFO, lines);
	}
}

/* As many whole lines as one write puts into a pipe in one piece (POSIX: PIPE_BUF octets). */
static size_t piece(const char *lines, size_t n)
{
	const char *end;

	if (n <= PIPE_BUF)
		return n;
	end = memrchr(lines, '\n', PIPE_BUF);
	return end == NULL ? PIPE_BUF : (size_t)(end - lines) + 1;
}

void log_write(char *lines, size_t n, int wait_ms)
{
	struct pollfd p = {STDOUT_FILENO, POLLOUT, 0};
	ssize_t done;

	if (sink != NULL) {
		sink_lines(lines, n);
		return;
	}
	while (n > 0) {
		if (poll(&p, 1, wait_ms) != 1 || (p.revents & POLLOUT) == 0)
			break;
		done = write(STDOUT_FILENO, lines, piece(lines, n));
		if (done <= 0)
			break;
		lines += done;
		n -= (size_t)done;
	}
	for (size_t i = 0; i < n; i++)
		if (lines[i] == '\n')
			atomic_fetch_add(&dropped, 1);
}

void log_set_sink(log_sink_fn *fn, void *arg)
{
	sink = fn;
	sink_arg = arg;
}

void log_set_level(enum log_level level)
{
	atomic_store(&min_level, (int)level);
}

uint64_t log_dropped(void)
{
	return atomic_load(&dropped);
}

bool log_limit_allows(struct log_limit *l, uint64_t now_ms, uint64_t *suppressed)
{
	uint64_t cap = (uint64_t)l->burst * 1000;

	if (l->last_ms == 0)
		l->tokens_ms = cap;
	else
		l->tokens_ms += (now_ms - l->last_ms) * l->rate;
	if (l->tokens_ms > cap)
		l->tokens_ms = cap;
	l->last_ms = now_ms == 0 ? 1 : now_ms;
	if (l->tokens_ms < 1000) {
		l->suppressed++;
		return false;
	}
	l->tokens_ms -= 1000;
	*suppressed = l->suppressed;
	l->suppressed = 0;
	return true;
}

bool log_limit_shared_allows(struct log_limit_shared *l, uint64_t now_ms, uint64_t *suppressed)
{
	bool is_allowed;

	pthread_mutex_lock(&l->lock);
	if (now_ms < l->limit.last_ms)
		now_ms = l->limit.last_ms;
	is_allowed = log_limit_allows(&l->limit, now_ms, suppressed);
	pthread_mutex_unlock(&l->lock);
	return is_allowed;
}
