/*
 * The watch client under random mixes of all faults, 10,000 runs, each from its seed.
 * SIM_SEED=N repeats one run, SIM_SEEDS=N makes so many, SIM_VERBOSE=1 shows the log.
 */
#include "sim.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/rand.h"

enum { ROUNDS = 24, SEEDS = 10000, LIMIT_MS = 300000 };

static void fault_status(struct sim *s)
{
	static const int statuses[] = {400, 401, 403, 404, 410, 429, 500, 502, 503, 504};

	s->faults.next_status = statuses[rand_below(10)];
}

static void fault_down(struct sim *s)
{
	s->faults.is_down = !s->faults.is_down;
	if (s->faults.is_down)
		sim_cut(s);
}

static void fault_silent(struct sim *s)
{
	s->faults.is_silent = !s->faults.is_silent;
}

static void fault_compact(struct sim *s)
{
	s->world.compacted = s->world.rv;
	if (rand_below(2))
		sim_cut(s);
}

static void fault_streams(struct sim *s)
{
	s->faults.refuses_streams = !s->faults.refuses_streams;
}

static void fault_rewind(struct sim *s)
{
	if (world_rewind(&s->world, 1 + rand_below(6)))
		sim_cut(s);
}

static void fault_cuts(struct sim *s)
{
	s->faults.cuts = s->faults.cuts != 0 ? 0 : 1 + rand_below(6);
}

static void fault_crash(struct sim *s)
{
	sim_crash(s, rand_below(3) != 0);
}

static void fault_lag(struct sim *s)
{
	s->faults.lag = s->faults.lag != 0 ? 0 : 1 + rand_below(8);
	s->faults.lists_stale = rand_below(2) == 0;
	s->faults.lag_varies = rand_below(2) == 0;
	s->faults.expired = s->faults.lag != 0 ? rand_below(8) : 0;
	sim_cut(s);
}

static void fault_hide(struct sim *s)
{
	s->faults.hides = s->faults.hides != 0 ? 0 : 2 + rand_below(4);
}

static void fault_pause(struct sim *s)
{
	s->faults.paused = s->faults.paused != 0 ? 0 : 1 + rand_below(6);
}

static void fault_double(struct sim *s)
{
	s->faults.doubles = !s->faults.doubles;
}

/* The wall clock is set, forwards or backwards. */
static void fault_clock(struct sim *s)
{
	(void)s;
	sim_epoch_s += rand_below(7200);
	sim_epoch_s -= rand_below(7200);
}

/* Lists that lose more than 100 names are caught; with many deleted, less would be lost. */
static void fault_fillers(struct sim *s)
{
	bool are_whole = s->world.n > WORLD_OBJECTS && s->world.history[WORLD_OBJECTS].len == 1;

	s->faults.loses_fillers = are_whole && !s->faults.loses_fillers;
	if (rand_below(4) == 0) {
		world_delete_fillers(&s->world, 20 + rand_below(130));
		s->faults.loses_fillers = false;
	}
	fault_compact(s);
}

static void (*const faults[])(struct sim *) = {fault_status, fault_status, fault_down, fault_silent,
        fault_compact, fault_streams, fault_rewind, fault_cuts, sim_cut, fault_crash, fault_lag,
        fault_hide, fault_pause, fault_double, fault_fillers, fault_clock, sim_deaden};

#define FAULTS (sizeof(faults) / sizeof(faults[0]))

static uint64_t some_time_ms(void)
{
	switch (rand_below(8)) {
	case 0: return rand_below(100000);
	case 1:
	case 2: return 100;
	default: return rand_below(8000);
	}
}

static uint64_t checks, slowest_ms;

static void run(uint64_t seed)
{
	struct sim *s = calloc(1, sizeof(*s));
	char repeat[100];
	uint64_t took_ms;

	snprintf(repeat, sizeof(repeat), "SIM_SEED=%llu tests/unit/test_watch_seeds",
	        (unsigned long long)seed);
	sim_open(s, &(struct sim_options){.seed = seed,
	                    .trace = seed,
	                    .repeat = repeat,
	                    .is_protobuf = seed % 2 != 0,
	                    .has_fillers = seed % 16 == 0,
	                    .writes_file = seed % 3 != 0});
	for (unsigned i = 0; i < ROUNDS; i++) {
		s->faults.is_rough = rand_below(2);
		for (unsigned n = rand_below(4); n > 0; n--)
			world_change(&s->world);
		sim_pass(s, some_time_ms());
		faults[rand_below(FAULTS)](s);
	}
	took_ms = sim_settle(s, LIMIT_MS);
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

static uint64_t seeds(void)
{
	const char *text = getenv("SIM_SEEDS");

	if (text != NULL)
		return strtoull(text, NULL, 10);
#ifdef SEAMARK_CHECKED /* a sanitizer */
	return SEEDS / 20;
#endif
	return getenv("CI") != NULL ? SEEDS / 5 : SEEDS;
}

static void any_mix_of_faults_ends_in_the_truth(void **state)
{
	const char *only = getenv("SIM_SEED");
	uint64_t n = only != NULL ? 0 : seeds();

	(void)state;
	if (only != NULL)
		run(strtoull(only, NULL, 10));
	for (uint64_t seed = 1; seed <= n; seed++)
		run(seed);
	print_message(
	        "# %llu seeds: %llu answers checked, at rest %llu ms after the faults at most\n",
	        (unsigned long long)n, (unsigned long long)checks, (unsigned long long)slowest_ms);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(any_mix_of_faults_ends_in_the_truth),
	};
	int failed;

	log_set_sink(on_log, NULL);
	log_set_level(getenv("SIM_VERBOSE") ? LOG_DEBUG : LOG_INFO);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	log_set_sink(NULL, NULL);
	return failed;
}
