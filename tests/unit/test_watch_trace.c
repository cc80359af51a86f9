/*
 * The watch client along one trace of 200 changes, with one fault of each kind at each of them
 * (the patterns of Sieve: stale, unobserved and intermediate states, and others).
 * SIM_TRACE=FAULT:INDEX repeats one run, SIM_STEP=N takes each N-th index only, SIM_VERBOSE=1
 * shows the log.
 */
#include "sim.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/rand.h"

enum { EVENTS = 200, TRACE = 11 };

/* What happens at an event, before time goes on. */
struct pattern {
	const char *name;
	void (*begin)(struct sim *s);
	unsigned lasts; /* events until the faults end */
	uint64_t limit_ms; /* to know the world, from the end of the trace */
	bool writes_file, has_fillers, refuses_audits;
	void (*end)(
	        struct sim *s); /* after the last of these events, instead of putting all right */
};

static void go_back(struct sim *s)
{
	s->faults.lag = 8;
	s->faults.lists_stale = true;
	sim_cut(s);
}

static void go_back_with_lists(struct sim *s)
{
	s->faults.expired = 7;
	go_back(s);
}

static void lag_behind(struct sim *s)
{
	s->faults.lag = 8;
	sim_cut(s);
}

static void hide_event(struct sim *s)
{
	s->faults.hidden = s->world.rv;
}

static void crash(struct sim *s)
{
	sim_crash(s, false);
}

static void crash_with_file(struct sim *s)
{
	sim_crash(s, true);
}

static void crash_with_file_while_down(struct sim *s)
{
	s->faults.is_down = true;
	sim_crash(s, true);
}

static void expire(struct sim *s)
{
	s->world.compacted = s->world.rv;
	sim_cut(s);
}

static void rewind_world(struct sim *s)
{
	world_rewind(&s->world, 5);
	sim_cut(s);
}

static void pause_some(struct sim *s)
{
	s->faults.paused = 1 + rand_below(6);
}

static void double_events(struct sim *s)
{
	s->faults.doubles = true;
}

static void cut_pieces(struct sim *s)
{
	s->faults.cuts = 1;
}

static void fall_silent(struct sim *s)
{
	s->faults.is_silent = true;
}

/* After a while without news: lists that break off, from servers that lag behind each other. */
static void break_lists(struct sim *s)
{
	s->faults = (struct sim_faults){.cuts = 2, .lag = 6, .lag_varies = true, .expired = 7};
	sim_cut(s);
}

static void go_down(struct sim *s)
{
	s->faults.is_down = true;
	sim_cut(s);
}

static void lose_fillers(struct sim *s)
{
	s->faults.loses_fillers = true;
	expire(s);
}

static void delete_fillers(struct sim *s)
{
	world_delete_fillers(&s->world, 140);
	expire(s);
}

static const struct pattern patterns[] = {
        {"stale", go_back, 30, 70000, false, false, false, NULL},
        {"stale-list", go_back_with_lists, 30, 70000, false, false, false, NULL},
        {"late", lag_behind, 30, 70000, false, false, false, NULL},
        {"unobserved", hide_event, 1, 70000, false, false, false, NULL},
        {"crash", crash, 0, 5000, false, false, false, NULL},
        {"restart", crash_with_file, 0, 5000, true, false, false, NULL},
        {"restart-down", crash_with_file_while_down, 10, 65000, true, false, false, NULL},
        {"expired", expire, 0, 15000, false, false, false, NULL},
        {"rewind", rewind_world, 0, 75000, false, false, false, NULL},
        {"reorder", pause_some, 10, 5000, false, false, false, NULL},
        {"double", double_events, 5, 5000, false, false, false, NULL},
        {"cut", cut_pieces, 3, 30000, false, false, false, NULL},
        {"silent", fall_silent, 120, 70000, false, false, false, NULL},
        {"half-open", sim_deaden, 0, 125000, false, false, false, NULL},
        {"half-open-alone", sim_deaden, 0, 125000, false, false, true, NULL},
        {"broken-lists", fall_silent, 12, 70000, false, false, false, break_lists},
        {"down", go_down, 60, 65000, false, false, false, NULL},
        {"shrink", lose_fillers, 5, 20000, false, true, false, NULL},
        {"shrunk", delete_fillers, 0, 20000, false, true, false, NULL},
};

#define PATTERNS (sizeof(patterns) / sizeof(patterns[0]))

static uint64_t checks, slowest_ms;

static void run(const struct pattern *p, unsigned index)
{
	struct sim *s = calloc(1, sizeof(*s));
	char repeat[100];
	uint64_t took_ms;

	snprintf(repeat, sizeof(repeat), "SIM_TRACE=%s:%u tests/unit/test_watch_trace", p->name,
	        index);
	sim_open(s, &(struct sim_options){.seed = index + 1,
	                    .trace = TRACE,
	                    .repeat = repeat,
	                    .is_protobuf = index % 2 != 0,
	                    .has_fillers = p->has_fillers,
	                    .writes_file = p->writes_file,
	                    .refuses_audits = p->refuses_audits});
	for (unsigned i = 0; i < EVENTS; i++) {
		if (i == index + p->lasts && p->end != NULL)
			p->end(s);
		else if (i == index + p->lasts)
			s->faults = (struct sim_faults){.is_down = false};
		world_change(&s->world);
		if (i == index)
			p->begin(s);
		sim_pass(s, 1000);
	}
	took_ms = sim_settle(s, p->limit_ms);
	slowest_ms = took_ms > slowest_ms ? took_ms : slowest_ms;
	checks += s->checks;
	sim_close(s);
	free(s);
}

static void on_log(void *arg, enum log_level level, const char *text)
{
	(void)arg;
	(void)level;
	if (getenv("SIM_VERBOSE"))
		print_message("# %llu %s\n", (unsigned long long)sim_now_ms, text);
}

static unsigned step(void)
{
	const char *text = getenv("SIM_STEP");

	if (text != NULL && atoi(text) > 0)
		return (unsigned)atoi(text);
#ifdef SEAMARK_CHECKED /* a sanitizer */
	return 10;
#endif
	return getenv("CI") != NULL ? 4 : 1;
}

static void run_pattern(const struct pattern *p)
{
	const char *only = getenv("SIM_TRACE");
	size_t n = strlen(p->name);

	checks = slowest_ms = 0;
	if (only != NULL && strncmp(only, p->name, n) == 0 && only[n] == ':')
		run(p, (unsigned)atoi(only + n + 1));
	for (unsigned i = 0; i < EVENTS && only == NULL; i += step())
		run(p, i);
	print_message("# %s: %llu answers checked, at rest %llu ms after the end at most\n",
	        p->name, (unsigned long long)checks, (unsigned long long)slowest_ms);
}

static void test_pattern(void **state)
{
	run_pattern(*state);
}

int main(void)
{
	struct CMUnitTest tests[PATTERNS];
	char names[PATTERNS][64];
	int failed;

	for (size_t i = 0; i < PATTERNS; i++) {
		snprintf(names[i], sizeof(names[i]), "%s_at_each_event_ends_in_the_truth",
		        patterns[i].name);
		tests[i] = (struct CMUnitTest){.name = names[i],
		        .test_func = test_pattern,
		        .initial_state = (void *)(uintptr_t)&patterns[i]};
	}
	log_set_sink(on_log, NULL);
	log_set_level(getenv("SIM_VERBOSE") ? LOG_DEBUG : LOG_INFO);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	log_set_sink(NULL, NULL);
	return failed;
}
