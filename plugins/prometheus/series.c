#include "prometheus/series.h"

#include "base/hash.h"
#include "core/generation.h"

#define PROTOS 2u
#define FAMILIES 2u
#define TIME_BOUNDS 16u
#define SIZE_BOUNDS 14u
#define RCODES 25u /* 0 to 23, and all others */
#define BUCKETS(bounds) ((bounds) + 2u) /* one more for +Inf, and the sum */

/* Types with a label of their own; the rest is "other". */
static const uint16_t types[] = {TYPE_A, TYPE_AAAA, TYPE_CNAME, TYPE_DNSKEY, TYPE_DS, TYPE_HTTPS,
	TYPE_MX, TYPE_NS, TYPE_NSEC, TYPE_NSEC3, TYPE_PTR, TYPE_RRSIG, TYPE_SOA, TYPE_SRV, TYPE_TXT,
	TYPE_AXFR, TYPE_IXFR, TYPE_ANY};

#define TYPES (ARRAY_LEN(types) + 1)

/* Where the counters of a server begin. */
#define AT_REQUESTS 0u
#define AT_DO (AT_REQUESTS + PROTOS * FAMILIES * TYPES)
#define AT_TIME (AT_DO + 1u)
#define AT_ASKED (AT_TIME + BUCKETS(TIME_BOUNDS))
#define AT_ANSWERED (AT_ASKED + PROTOS * BUCKETS(SIZE_BOUNDS))
#define AT_RESPONSES (AT_ANSWERED + PROTOS * BUCKETS(SIZE_BOUNDS))

static const double size_bounds[SIZE_BOUNDS] = {
	0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16e3, 32e3, 48e3, 64e3};
static const double time_bounds[TIME_BOUNDS] = {0.00025, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.016,
	0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 2.048, 4.096, 8.192};
static const char *const proto_names[PROTOS] = {"udp", "tcp"};

static const struct metric_family requests = {"coredns_dns_requests_total",
	"Questions by zone, transport, address family and type.", METRIC_COUNTER};
static const struct metric_family durations = {"coredns_dns_request_duration_seconds",
	"Time from question to answer in seconds; answers made in one go count as 0.",
	METRIC_HISTOGRAM};
static const struct metric_family request_sizes = {
	"coredns_dns_request_size_bytes", "Size of questions in bytes.", METRIC_HISTOGRAM};
static const struct metric_family response_sizes = {"coredns_dns_response_size_bytes",
	"Size of answers in bytes, before compression.", METRIC_HISTOGRAM};
static const struct metric_family do_requests = {"coredns_dns_do_requests_total",
	"Questions with the DO bit, which ask for DNSSEC records.", METRIC_COUNTER};
static const struct metric_family responses = {"coredns_dns_responses_total",
	"Answers by zone, response code and the plugin that gave them.", METRIC_COUNTER};
static const struct metric_family plugin_enabled = {"coredns_plugin_enabled",
	"Always 1: the plugin is in use in this zone.", METRIC_GAUGE};

struct wanted {
	unsigned workers;
	size_t counters;
};

static void *create_counters(const char *key, void *arg, struct err *e)
{
	const struct wanted *w = arg;

	(void)key;
	(void)e;
	return counters_new(w->workers, w->counters);
}

static void destroy_counters(void *object)
{
	counters_free(object);
}

static const struct shared_kind counters_kind = {
	"prometheus counters", create_counters, destroy_counters};

static size_t slot_of(const struct series *s, const struct server *server)
{
	return hash_mix((uintptr_t)server, 0x9e3779b97f4a7c15u) & s->mask;
}

static void find_servers(struct series *s, const struct generation *g)
{
	size_t cap = 2, at;

	vec_for_each(&g->servers, server)
		if ((*server)->chain == s->chain)
			vec_push(&s->servers, *server);
	while (cap < s->servers.len * 2)
		cap *= 2;
	s->slots = mem_array(cap, sizeof(*s->slots));
	s->mask = cap - 1;
	for (size_t i = 0; i < s->servers.len; i++) {
		at = slot_of(s, s->servers.at[i]);
		while (s->slots[at].server != NULL)
			at = (at + 1) & s->mask;
		s->slots[at] = (struct server_slot){s->servers.at[i], i * s->per_server};
	}
}

/* Two blocks with the same key count the same things at the same places. */
static void write_key(const struct series *s, const struct setup *setup, struct buf *key)
{
	buf_printf(key, "%u", setup->workers);
	for (size_t i = 0; i < s->servers.len; i++)
		buf_printf(key, " %s %s \"%s\"", s->servers.at[i]->label,
			s->servers.at[i]->zone_text, server_view_name(s->servers.at[i]));
	vec_for_each(&s->chain->query_hooks, l)
		buf_printf(key, " /%s", l->plugin->name);
}

void series_init(struct series *s, const struct setup *setup)
{
	struct wanted wanted = {setup->workers, 0};
	struct buf key = {0};

	s->chain = setup->chain;
	s->per_server = AT_RESPONSES + RCODES * (s->chain->query_hooks.len + 1);
	find_servers(s, setup->generation);
	wanted.counters = s->per_server * s->servers.len;
	s->shared = setup->shared;
	if (s->shared != NULL) {
		write_key(s, setup, &key);
		s->counters = shared_take(s->shared, &counters_kind, buf_text(&key), &wanted, NULL);
		buf_free(&key);
	} else {
		s->counters = create_counters("", &wanted, NULL);
	}
}

void series_fini(struct series *s)
{
	if (s->shared != NULL)
		shared_drop(s->shared, s->counters);
	else
		counters_free(s->counters);
	free(s->slots);
	vec_free(&s->servers);
}

static size_t type_slot(uint16_t type)
{
	/* one more than the place in types, by number */
	static const uint8_t place[256] = {[TYPE_A] = 1, [TYPE_AAAA] = 2, [TYPE_CNAME] = 3,
		[TYPE_DNSKEY] = 4, [TYPE_DS] = 5, [TYPE_HTTPS] = 6, [TYPE_MX] = 7, [TYPE_NS] = 8,
		[TYPE_NSEC] = 9, [TYPE_NSEC3] = 10, [TYPE_PTR] = 11, [TYPE_RRSIG] = 12,
		[TYPE_SOA] = 13, [TYPE_SRV] = 14, [TYPE_TXT] = 15, [TYPE_AXFR] = 16,
		[TYPE_IXFR] = 17, [TYPE_ANY] = 18};

	if (type > 255 || place[type] == 0)
		return TYPES - 1;
	return place[type] - 1u;
}

/* The bucket of a size; most are below 400 octets, where the buckets are equal. */
static size_t size_slot(size_t n)
{
	static const uint32_t bounds[] = {511, 1023, 2047, 4095, 8291, 16000, 32000, 48000, 64000};
	size_t i = 0;

	if (n <= 400)
		return (n + 99) / 100;
	while (i < ARRAY_LEN(bounds) && n > bounds[i])
		i++;
	return i + 5;
}

static size_t time_slot(uint64_t ns)
{
	uint64_t bound = 250000;
	size_t i = 0;

	for (; i < TIME_BOUNDS && ns > bound; bound *= 2)
		i++;
	return i;
}

static void add(uint64_t *counter, uint64_t v)
{
	__atomic_store_n(counter, *counter + v, __ATOMIC_RELAXED);
}

/* One value into a histogram: its bucket, and the sum behind the buckets. */
static void observe(uint64_t *histogram, size_t bucket, size_t bounds, uint64_t v)
{
	add(histogram + bucket, 1);
	add(histogram + bounds + 1, v);
}

/* Counters of the query's server on its worker; NULL when the server is not of this block. */
static uint64_t *counters_of(const struct series *s, const struct query *q)
{
	size_t at = slot_of(s, q->server);

	while (s->slots[at].server != q->server) {
		if (s->slots[at].server == NULL)
			return NULL;
		at = (at + 1) & s->mask;
	}
	return s->counters->at + q->worker->index * s->counters->stride + s->slots[at].base;
}

void series_count(struct series *s, const struct query *q)
{
	size_t proto = q->transport == TRANSPORT_UDP ? 0 : 1;
	size_t family = q->client.sa.sa_family == AF_INET6 ? 1 : 0;
	size_t rcode = q->answer.rcode < RCODES - 1 ? q->answer.rcode : RCODES - 1;
	size_t hooks = s->chain->query_hooks.len;
	size_t by = q->position < hooks ? q->position : hooks;
	size_t answered = answer_size(&q->answer, &q->msg);
	uint64_t ns = q->worker->now_ns - q->start_ns;
	uint64_t *c = counters_of(s, q);

	if (c == NULL)
		return;
	add(c + AT_REQUESTS + (proto * FAMILIES + family) * TYPES + type_slot(q->msg.qtype), 1);
	add(c + AT_DO, q->msg.edns.wants_dnssec ? 1 : 0);
	observe(c + AT_TIME, time_slot(ns), TIME_BOUNDS, ns);
	observe(c + AT_ASKED + proto * BUCKETS(SIZE_BOUNDS), size_slot(q->wire_len), SIZE_BOUNDS,
		q->wire_len);
	observe(c + AT_ANSWERED + proto * BUCKETS(SIZE_BOUNDS), size_slot(answered), SIZE_BOUNDS,
		answered);
	add(c + AT_RESPONSES + by * RCODES + rcode, 1);
}

/* --- reporting ---------------------------------------------------------------------------- */

/* One server while it is reported. Labels come in the order of the alphabet, as Go writes them. */
struct report {
	const struct series *s;
	const struct server *server;
	struct metrics *m;
	size_t base;
	struct buf labels;
};

static uint64_t value(const struct report *r, size_t i)
{
	return counters_sum(r->s->counters, r->base + i);
}

static void add_server(struct report *r)
{
	metrics_label(&r->labels, "server", r->server->label);
}

/* The last labels of every series; returns the whole list. */
static const char *view_and_zone(struct report *r)
{
	metrics_label(&r->labels, "view", server_view_name(r->server));
	metrics_label(&r->labels, "zone", r->server->zone_text);
	return buf_text(&r->labels);
}

static void report_requests(struct report *r)
{
	char text[16];

	for (size_t i = 0; i < PROTOS * FAMILIES * TYPES; i++) {
		size_t type = i % TYPES, family = i / TYPES % FAMILIES,
		       proto = i / TYPES / FAMILIES;
		uint64_t n = value(r, AT_REQUESTS + i);

		if (n == 0)
			continue;
		buf_clear(&r->labels);
		metrics_label(&r->labels, "family", family == 0 ? "1" : "2");
		metrics_label(&r->labels, "proto", proto_names[proto]);
		add_server(r);
		metrics_label(&r->labels, "type",
			type == TYPES - 1 ? "other" : rr_type_text(types[type], text));
		metrics_sample(r->m, &requests, view_and_zone(r), (double)n);
	}
}

static void report_responses(struct report *r)
{
	size_t hooks = r->s->chain->query_hooks.len;
	char text[16];

	for (size_t i = 0; i < RCODES * (hooks + 1); i++) {
		size_t by = i / RCODES, rcode = i % RCODES;
		uint64_t n = value(r, AT_RESPONSES + i);

		if (n == 0)
			continue;
		buf_clear(&r->labels);
		metrics_label(&r->labels, "plugin",
			by == hooks ? "" : r->s->chain->query_hooks.at[by].plugin->name);
		metrics_label(&r->labels, "rcode",
			rcode == RCODES - 1 ? "other" : rcode_text((uint16_t)rcode, text));
		add_server(r);
		metrics_sample(r->m, &responses, view_and_zone(r), (double)n);
	}
}

/* The histogram at counter i, unless it is empty. */
static void report_histogram(
	struct report *r, const struct metric_family *f, size_t i, const char *proto)
{
	bool is_time = f == &durations;
	size_t n = is_time ? TIME_BOUNDS : SIZE_BOUNDS;
	uint64_t counts[TIME_BOUNDS + 1], total = 0;
	struct metric_histogram h = {is_time ? time_bounds : size_bounds, n, counts, 0};

	for (size_t k = 0; k <= n; k++) {
		counts[k] = value(r, i + k);
		total += counts[k];
	}
	if (total == 0)
		return;
	h.sum = (double)value(r, i + n + 1) * (is_time ? 1e-9 : 1);
	buf_clear(&r->labels);
	if (proto != NULL)
		metrics_label(&r->labels, "proto", proto);
	add_server(r);
	metrics_histogram(r->m, f, view_and_zone(r), &h);
}

static void report_plugins(struct report *r)
{
	vec_for_each(&r->s->chain->links, l) {
		buf_clear(&r->labels);
		metrics_label(&r->labels, "name", l->plugin->name);
		add_server(r);
		metrics_sample(r->m, &plugin_enabled, view_and_zone(r), 1);
	}
}

static void report_server(struct report *r)
{
	uint64_t with_do = value(r, AT_DO);

	report_plugins(r);
	report_requests(r);
	report_responses(r);
	report_histogram(r, &durations, AT_TIME, NULL);
	for (size_t p = 0; p < PROTOS; p++) {
		report_histogram(r, &request_sizes, AT_ASKED + p * BUCKETS(SIZE_BOUNDS),
			proto_names[p]);
		report_histogram(r, &response_sizes, AT_ANSWERED + p * BUCKETS(SIZE_BOUNDS),
			proto_names[p]);
	}
	if (with_do == 0)
		return;
	buf_clear(&r->labels);
	add_server(r);
	metrics_sample(r->m, &do_requests, view_and_zone(r), (double)with_do);
}

void series_report(const struct series *s, struct metrics *m)
{
	struct report r = {.s = s, .m = m};

	for (size_t i = 0; i < s->servers.len; i++) {
		r.server = s->servers.at[i];
		r.base = i * s->per_server;
		report_server(&r);
	}
	buf_free(&r.labels);
}
