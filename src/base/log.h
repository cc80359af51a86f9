/*
 * Log lines as CoreDNS writes them: "[LEVEL] plugin/name: message" on standard output, without
 * a time stamp. Any thread. Writing never blocks the caller for long: a full pipe drops lines
 * and counts them. Whatever a packet can trigger goes through a log_limit.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR, LOG_FATAL };

/* Octets of a line at most; as many go into a pipe in one piece. */
#define LOG_LINE_MAX 4096u

struct json_line;

/* Receives each finished line (no newline); text is valid during the call only. */
typedef void log_sink_fn(void *arg, enum log_level level, const char *text);

/* Write one line. who is "plugin/NAME" or NULL for the server itself. */
void log_line(enum log_level level, const char *who, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#define log_debug(who, ...) log_line(LOG_DEBUG, (who), __VA_ARGS__)
#define log_info(who, ...) log_line(LOG_INFO, (who), __VA_ARGS__)
#define log_warning(who, ...) log_line(LOG_WARNING, (who), __VA_ARGS__)
#define log_error(who, ...) log_line(LOG_ERROR, (who), __VA_ARGS__)

/*
 * Write finished lines of n octets, each with its newline, as they are (the sink gets them one by
 * one). Waits at most wait_ms while standard output is full and drops the rest then. The text may
 * be changed. For threads that have nothing else to do.
 */
void log_write(char *lines, size_t n, int wait_ms);

/*
 * From now on write lines to standard output as JSON objects with the fields time, level, msg and
 * plugin; wall_ms tells the time (clock_wall_ms()). NULL: as text again. A sink gets text in any
 * case. Call before threads start.
 */
void log_set_json(uint64_t (*wall_ms)(void));
/* True when lines are JSON objects. Any thread. */
bool log_is_json(void);
/*
 * Begin a JSON line in out (LOG_LINE_MAX octets) with its time and level, for lines with more
 * fields; log_is_json() holds. Any thread.
 */
void log_json_begin(struct json_line *l, char *out, enum log_level level);
/* Send lines to fn instead of standard output; NULL restores it. Call before threads start. */
void log_set_sink(log_sink_fn *fn, void *arg);
/* Drop lines below level (default LOG_INFO). Any thread. */
void log_set_level(enum log_level level);
/* Lines dropped because standard output was full or broken. */
uint64_t log_dropped(void);

/* Token bucket: at most burst lines at once and rate a second, for one class of event. */
struct log_limit {
	uint32_t rate, burst;
	/* private */
	uint64_t tokens_ms, last_ms, suppressed;
};

/*
 * True when a line may be written at now_ms (clock_ms()). *suppressed tells how many were
 * swallowed since the last one. Not thread-safe: one log_limit for each thread.
 */
bool log_limit_allows(struct log_limit *l, uint64_t now_ms, uint64_t *suppressed);

/* One for events that any thread may meet. Lifetime: static, or its owner's; has its own lock. */
struct log_limit_shared {
	pthread_mutex_t lock;
	struct log_limit limit;
};

/* A log_limit_shared of so many lines at once and a second. */
#define LOG_LIMIT_SHARED(rate_, burst_)                                          \
	{                                                                        \
		PTHREAD_MUTEX_INITIALIZER, {.rate = (rate_), .burst = (burst_) } \
	}

/* As log_limit_allows(), for any thread; clocks of threads may differ a little. */
bool log_limit_shared_allows(struct log_limit_shared *l, uint64_t now_ms, uint64_t *suppressed);
