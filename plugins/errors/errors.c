/*
 * errors: a line for each question that could not be answered, with the reason. Lines that fit a
 * pattern can be consolidated: counted, and told once for a period.
 *
 * A period that is over is noticed by a timer of the control thread, or with an answer before that.
 */
#include "plugin.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/pattern.h"
#include "net/loop_timer.h"

#define DAY_MS 86400000u
#define PATTERNS_MAX 64
#define TEXT_MAX 512
#define NEVER UINT64_MAX
/* How late the line of a period may be, unless periods are shorter. */
#define LATE_MS 1000u

/* Lines a second that one worker writes. */
#define RATE 100u
#define BURST 200u

/* Errors whose reason fits a pattern. */
struct kind {
	struct pattern *pattern;
	char *text;
	uint64_t period_ms;
	enum log_level level;
	bool shows_first;
	_Atomic uint64_t count;  /* in the period under way */
	_Atomic uint64_t end_ms; /* of it; NEVER when there is none */
};

struct errors {
	VEC(struct kind *) kinds;
	_Atomic uint64_t next_end_ms; /* no period ends before */
	struct log_limit *limits;     /* one a worker */
	struct uv_loop_s *loop;
	struct loop_timer *timer;
};

/* --- setup -------------------------------------------------------------------------------- */

/* [LEVEL] [show_first] behind the pattern. */
static int read_words(struct kind *k, const struct directive *o, struct err *e)
{
	static const char *const words[] = {
		"debug", "info", "warning", "error", "show_first", NULL};
	static const enum log_level levels[] = {LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR};
	size_t which;

	for (size_t i = 2; i < o->arg_count; i++) {
		int rc = args_choice(o, i, words, &which, e);

		if (rc != 0)
			return rc;
		if (which < ARRAY_LEN(levels))
			k->level = levels[which];
		else
			k->shows_first = true;
	}
	return 0;
}

static void kind_free(struct kind *k)
{
	pattern_free(k->pattern);
	free(k->text);
	free(k);
}

static int compile(struct kind *k, const struct directive *o, struct err *e)
{
	struct err why;

	k->pattern = pattern_new(k->text, &why);
	return k->pattern != NULL ? 0 : args_error(o, e, "%s", why.text);
}

static int set_consolidate(void *conf, const struct directive *o, struct err *e)
{
	struct errors *x = conf;
	struct kind *k;
	int rc;

	if (x->kinds.len == PATTERNS_MAX)
		return args_error(o, e, "more than %d patterns", PATTERNS_MAX);
	k = mem_new(struct kind);
	k->text = mem_str(directive_arg(o, 1));
	k->level = LOG_ERROR;
	k->end_ms = NEVER;
	rc = args_duration_ms(o, 0, ARGS_RANGE(1, DAY_MS), &k->period_ms, e);
	if (rc == 0)
		rc = read_words(k, o, e);
	if (rc == 0)
		rc = compile(k, o, e);
	if (rc != 0) {
		kind_free(k);
		return rc;
	}
	vec_push(&x->kinds, k);
	return 0;
}

static void errors_free(struct errors *x)
{
	vec_for_each(&x->kinds, k)
		kind_free(*k);
	vec_free(&x->kinds);
	free(x->limits);
	free(x);
}

static int setup(struct setup *s, struct err *e)
{
	static const struct arg_option options[] = {
		{.name = "stacktrace"},
		{.name = "consolidate", .min_args = 2, .max_args = 4, .set = set_consolidate},
		{.name = NULL},
	};
	struct errors *x;
	int rc = args_once(s->block, "errors", e);

	/* CoreDNS takes "errors stdout" of old configurations */
	if (rc == 0 && s->first->arg_count > 0 &&
		strcmp(directive_arg(s->first, 0), "stdout") != 0)
		rc = args_error(s->first, e, "cannot write errors to '%s', only to stdout",
			directive_arg(s->first, 0));
	if (rc == 0)
		rc = args_count(s->first, 0, 1, e);
	if (rc != 0)
		return rc;
	x = mem_new(struct errors);
	x->loop = s->loop;
	x->next_end_ms = NEVER;
	rc = args_options(s->first, options, x, e);
	if (rc != 0) {
		errors_free(x);
		return rc;
	}
	x->limits = mem_array(s->workers, sizeof(*x->limits));
	for (unsigned i = 0; i < s->workers; i++)
		x->limits[i] = (struct log_limit){.rate = RATE, .burst = BURST};
	s->instance = x;
	return 0;
}

/* --- running ------------------------------------------------------------------------------ */

/* As Go writes it: 30s, 5m0s, 1h0m0s, 250ms. */
static const char *duration_text(char out[40], uint64_t ms)
{
	uint64_t s = ms / 1000;
	unsigned long long h = s / 3600, m = s / 60 % 60;
	double seconds = (double)(ms % 60000) / 1000;

	if (ms < 1000)
		snprintf(out, 40, "%llums", (unsigned long long)ms);
	else if (h > 0)
		snprintf(out, 40, "%lluh%llum%gs", h, m, seconds);
	else if (m > 0)
		snprintf(out, 40, "%llum%gs", m, seconds);
	else
		snprintf(out, 40, "%gs", seconds);
	return out;
}

static void tell(struct kind *k)
{
	uint64_t count = atomic_exchange(&k->count, 0);
	char period[40];

	if (count == 0 || (count == 1 && k->shows_first))
		return;
	log_line(k->level, "plugin/errors", "%llu errors like '%s' occurred in last %s",
		(unsigned long long)count, k->text, duration_text(period, k->period_ms));
}

/* Tell the periods that are over; whoever ends a period first does it. */
static void end_periods(struct errors *x, uint64_t now_ms)
{
	uint64_t next = NEVER;

	atomic_store(&x->next_end_ms, NEVER);
	vec_for_each(&x->kinds, k) {
		uint64_t end = atomic_load(&(*k)->end_ms);

		if (end <= now_ms && atomic_compare_exchange_strong(&(*k)->end_ms, &end, NEVER))
			tell(*k);
		else if (end < next)
			next = end;
	}
	if (next < atomic_load(&x->next_end_ms))
		atomic_store(&x->next_end_ms, next);
}

/* Count an error under k; the first one begins a period. */
static void consolidate(struct errors *x, struct kind *k, uint64_t now_ms)
{
	uint64_t none = NEVER, end = now_ms + k->period_ms;

	atomic_fetch_add(&k->count, 1);
	if (atomic_compare_exchange_strong(&k->end_ms, &none, end) &&
		end < atomic_load(&x->next_end_ms))
		atomic_store(&x->next_end_ms, end);
}

static struct kind *find_kind(const struct errors *x, const char *text)
{
	vec_for_each(&x->kinds, k)
		if (pattern_match((*k)->pattern, str_from(text), NULL))
			return *k;
	return NULL;
}

/* Why the answer is as it is, in words; NULL when it is nothing to complain about. */
static const char *reason(const struct query *q, char out[TEXT_MAX])
{
	uint16_t rcode = q->answer.rcode;

	if (rcode == RCODE_NOERROR || rcode == RCODE_NXDOMAIN)
		return NULL;
	if (q->reason != NULL)
		return q->reason;
	/* what an upstream says is not our failure, nor is it one again when it comes from the
	 * cache */
	if (rcode != RCODE_SERVFAIL || q->answer.message != NULL ||
		strcmp(q->answered_by, "cache") == 0)
		return NULL;
	if (q->answered_by[0] == '\0')
		return "no next plugin found";
	snprintf(out, TEXT_MAX, "plugin/%s: %s", q->answered_by,
		q->answer.ede == EDE_NOT_READY ? "not ready" : "server failure");
	return out;
}

static void write_line(struct errors *x, const struct query *q, enum log_level level,
	const char *why, uint64_t now_ms)
{
	char name[NAME_TEXT_MAX], type[16];
	uint64_t suppressed;

	if (!log_limit_allows(&x->limits[q->worker->index], now_ms, &suppressed))
		return;
	name_to_text(name, q->folded);
	if (suppressed > 0)
		log_error("plugin/errors", "%llu errors came too fast and are not shown",
			(unsigned long long)suppressed);
	log_line(level, "plugin/errors", "%u %s %s: %s", q->answer.rcode, name,
		rr_type_text(q->msg.qtype, type), why);
}

static void reply(struct query *q, void *instance)
{
	struct errors *x = instance;
	uint64_t now_ms = q->worker->now_ns / 1000000;
	char text[TEXT_MAX];
	struct kind *k;
	const char *why;

	if (now_ms >= atomic_load_explicit(&x->next_end_ms, memory_order_relaxed))
		end_periods(x, now_ms);
	why = q->is_internal ? NULL : reason(q, text);
	if (why == NULL)
		return;
	k = find_kind(x, why);
	if (k == NULL) {
		write_line(x, q, LOG_ERROR, why, now_ms);
		return;
	}
	if (k->shows_first && atomic_load(&k->count) == 0)
		write_line(x, q, k->level, why, now_ms);
	consolidate(x, k, now_ms);
}

static void on_time(void *arg)
{
	end_periods(arg, clock_ms());
}

static int start(void *instance, struct err *e)
{
	struct errors *x = instance;
	uint64_t interval_ms = LATE_MS;

	(void)e;
	vec_for_each(&x->kinds, k)
		if ((*k)->period_ms < interval_ms)
			interval_ms = (*k)->period_ms;
	if (x->kinds.len > 0 && x->loop != NULL)
		x->timer = loop_timer_start(x->loop, interval_ms, on_time, x);
	return 0;
}

static void teardown(void *instance)
{
	struct errors *x = instance;

	loop_timer_stop(x->timer);
	vec_for_each(&x->kinds, k)
		tell(*k);
	errors_free(x);
}

const struct plugin errors_plugin = {
	.name = "errors",
	.takes_any_class = true,
	.setup = setup,
	.start = start,
	.reply = reply,
	.teardown = teardown,
};
