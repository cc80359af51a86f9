/*
 * prometheus: counts the queries of a server block and serves the metrics of the whole process
 * at /metrics.
 */
#include "plugin.h"

#include <errno.h>

#include "admin/address.h"
#include "admin/http.h"
#include "admin/process.h"
#include "prometheus/series.h"

struct prometheus {
	struct setup setup; /* what start() needs of it; generation, chain, shared, control */
	char address[ADMIN_ADDRESS_MAX];
	struct admin_route *route;
	struct series series;
};

static const struct metric_family build_info = {"coredns_build_info",
	"Always 1; the labels tell the build. It is Seamark's, under CoreDNS's name.",
	METRIC_GAUGE};
static const struct metric_family panics = {
	"coredns_panics_total", "Always 0: a fault ends the process.", METRIC_COUNTER};

static int refuse_tls(void *conf, const struct directive *o, struct err *e)
{
	(void)conf;
	return args_error(o, e, "'tls' is not supported; put a proxy in front of the address");
}

static int setup(struct setup *s, struct err *e)
{
	static const struct arg_option options[] = {
		{.name = "runtime_metrics", .max_args = ARGS_ANY},
		{.name = "tls", .max_args = ARGS_ANY, .set = refuse_tls, .takes_block = true},
		{.name = NULL},
	};
	struct prometheus conf = {.route = NULL}, *p;
	int rc = args_once(s->block, "prometheus", e);

	if (rc == 0)
		rc = admin_address(s->first, "localhost:9153", conf.address, e);
	if (rc == 0)
		rc = args_options(s->first, options, &conf, e);
	if (rc != 0)
		return rc;
	p = mem_new(struct prometheus);
	*p = conf;
	p->setup = (struct setup){.generation = s->generation,
		.chain = s->chain,
		.workers = s->workers,
		.shared = s->shared,
		.control = s->control};
	s->instance = p;
	return 0;
}

static void on_scrape(void *arg, struct admin_reply *reply)
{
	struct prometheus *p = arg;
	struct metrics *m = metrics_new();

	if (p->setup.control != NULL)
		control_metrics(p->setup.control, m);
	process_metrics(m);
	metrics_finish(m, &reply->body);
	reply->content_type = "text/plain; version=0.0.4; charset=utf-8";
}

static int start(void *instance, struct err *e)
{
	struct prometheus *p = instance;

	series_init(&p->series, &p->setup);
	p->route = admin_route_add(p->address, "/metrics", on_scrape, p, e);
	return p->route == NULL ? err_prefix(e, -EADDRINUSE, "plugin/prometheus") : 0;
}

static void reply(struct query *q, void *instance)
{
	struct prometheus *p = instance;

	if (!q->is_internal)
		series_count(&p->series, q);
}

static void metrics(void *instance, struct metrics *m)
{
	struct prometheus *p = instance;

	metrics_sample(m, &build_info,
		"goversion=\"\",revision=\"\",version=\"" PACKAGE_VERSION "\"", 1);
	metrics_sample(m, &panics, "", 0);
	series_report(&p->series, m);
}

static void teardown(void *instance)
{
	struct prometheus *p = instance;

	admin_route_del(p->route);
	series_fini(&p->series);
	free(p);
}

const struct plugin prometheus_plugin = {
	.name = "prometheus",
	.takes_any_class = true,
	.observes = true,
	.setup = setup,
	.start = start,
	.reply = reply,
	.metrics = metrics,
	.teardown = teardown,
};
