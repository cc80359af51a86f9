/*
 * health: answers /health while the process is alive, measures that answer from outside, and
 * holds a shutdown back for the time of the lameduck.
 */
#include "plugin.h"

#include <errno.h>
#include <stdatomic.h>

#include "admin/address.h"
#include "admin/http.h"
#include "admin/probe.h"
#include "base/clock.h"

#define DAY_MS 86400000u
#define BOUNDS 5u
#define SLOW_NS 1000000000u

struct health {
	char address[ADMIN_ADDRESS_MAX];
	uint64_t lameduck_ms;
	uint64_t stop_ms; /* when the shutdown began; 0: it has not */
	struct uv_loop_s *loop;
	struct admin_route *route;
	struct probe *probe;
	struct log_limit limit;
	/* written by the control thread, read by others */
	_Atomic uint64_t counts[BOUNDS + 1], sum_ns, failures;
};

static const double bounds[BOUNDS] = {0.00025, 0.0025, 0.025, 0.25, 2.5};

static const struct metric_family durations = {"coredns_health_request_duration_seconds",
	"Time that the server's own health endpoint took to answer, in seconds.",
	METRIC_HISTOGRAM};
static const struct metric_family failures = {"coredns_health_request_failures_total",
	"Questions to the own health endpoint that got no good answer.", METRIC_COUNTER};

static int set_lameduck(void *conf, const struct directive *o, struct err *e)
{
	struct health *h = conf;

	return args_duration_ms(o, 0, ARGS_RANGE(0, DAY_MS), &h->lameduck_ms, e);
}

static int setup(struct setup *s, struct err *e)
{
	static const struct arg_option options[] = {
		{.name = "lameduck", .min_args = 1, .max_args = 1, .set = set_lameduck},
		{.name = NULL},
	};
	struct health *h;
	int rc;

	s->first = args_last(s->block, "health");
	h = mem_new(struct health);
	h->loop = s->loop;
	h->limit = (struct log_limit){.rate = 1, .burst = 1};
	rc = admin_address(s->first, ":8080", h->address, e);
	if (rc == 0)
		rc = args_options(s->first, options, h, e);
	if (rc != 0)
		free(h);
	else
		s->instance = h;
	return rc;
}

static void on_health(void *arg, struct admin_reply *reply)
{
	(void)arg;
	buf_str(&reply->body, "OK");
}

static void warn(struct health *h, const char *what)
{
	uint64_t suppressed;

	if (log_limit_allows(&h->limit, clock_ms(), &suppressed))
		log_warning("plugin/health", "Local health request to \"http://%s/health\" %s",
			h->address, what);
}

static void on_probe(void *arg, bool was_answered, uint64_t took_ns)
{
	struct health *h = arg;
	double seconds = (double)took_ns * 1e-9;
	size_t i = 0;

	if (!was_answered) {
		atomic_fetch_add(&h->failures, 1);
		warn(h, "failed");
		return;
	}
	while (i < BOUNDS && seconds > bounds[i])
		i++;
	atomic_fetch_add(&h->counts[i], 1);
	atomic_fetch_add(&h->sum_ns, took_ns);
	if (took_ns > SLOW_NS)
		warn(h, "took more than 1s");
}

static int start(void *instance, struct err *e)
{
	struct health *h = instance;

	h->route = admin_route_add(h->address, "/health", on_health, h, e);
	if (h->route == NULL)
		return err_prefix(e, -EADDRINUSE, "plugin/health");
	if (h->loop != NULL)
		h->probe = probe_start(h->loop, h->address, "/health", on_probe, h);
	return 0;
}

static bool stop(void *instance)
{
	struct health *h = instance;
	uint64_t now = clock_ms();

	if (h->stop_ms == 0) {
		h->stop_ms = now;
		if (h->lameduck_ms > 0)
			log_info("plugin/health", "Going into lameduck mode for %gs",
				(double)h->lameduck_ms / 1000);
	}
	return now - h->stop_ms >= h->lameduck_ms;
}

static void metrics(void *instance, struct metrics *m)
{
	struct health *h = instance;
	uint64_t counts[BOUNDS + 1];
	struct metric_histogram histogram = {bounds, BOUNDS, counts, 0};

	for (size_t i = 0; i <= BOUNDS; i++)
		counts[i] = atomic_load(&h->counts[i]);
	histogram.sum = (double)atomic_load(&h->sum_ns) * 1e-9;
	metrics_histogram(m, &durations, "", &histogram);
	metrics_sample(m, &failures, "", (double)atomic_load(&h->failures));
}

static void teardown(void *instance)
{
	struct health *h = instance;

	probe_stop(h->probe);
	admin_route_del(h->route);
	free(h);
}

const struct plugin health_plugin = {
	.name = "health",
	.setup = setup,
	.start = start,
	.stop = stop,
	.metrics = metrics,
	.teardown = teardown,
};
