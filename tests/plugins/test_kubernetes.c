#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/rand.h"
#include "base/rcu.h"
#include "kube_rig.h"
#include "kube_transfer.h"
#include "kubernetes/cluster.h"
#include "kubernetes/kube.h"

#pragma GCC diagnostic ignored "-Wmissing-prototypes" /* the linker finds __wrap_... by name */

/* With room for 1232 octets. */
static const char *ask_wide(struct rig *r, const char *name, uint16_t type)
{
	return kube_ask_as(r, &(struct rig_ask){.name = name, .type = type, .udp_size = 1232});
}

#define SERVICE(name, ip)                                                                          \
	"{kind: Service, apiVersion: v1, metadata: {name: " name ", namespace: n}, "               \
	"spec: {clusterIP: \"" ip "\", ports: [{name: p, port: 80}]}}\n"

/* A slice of n endpoints 10.A.B.C, with hostnames or without. */
static void add_slice(struct buf *b, const char *service, unsigned number, unsigned n)
{
	buf_printf(b, "---\n{kind: EndpointSlice, apiVersion: discovery.k8s.io/v1, metadata: "
		      "{name: %s-%u, namespace: n, labels: {kubernetes.io/service-name: %s}}, "
		      "addressType: IPv4, ports: [{name: p, port: 8080}], endpoints: [",
		service, number, service);
	for (unsigned i = 0; i < n; i++)
		buf_printf(b, "{addresses: [10.%u.%u.%u]}, ", number, i / 250, i % 250 + 1);
	buf_str(b, "]}\n");
}

/* --- tests -------------------------------------------------------------------------------- */

static void answers_keep_the_case_of_the_question(void **state)
{
	struct rig r;
	const char *text;

	(void)state;
	kube_open(&r, "cluster.local", "");
	kube_apply(&r, SERVICE("web", "10.96.0.1"));
	assert_string_equal(kube_ask(&r, "WeB.n.sVc.cLuster.LOCAL", TYPE_A),
		"NOERROR aa\nWeB.n.sVc.cLuster.LOCAL. 5 IN A 10.96.0.1\n--\n--\n");
	/* the zone of the SOA, and that of the target */
	text = kube_ask(&r, "NoPe.n.svc.clUSTer.local", TYPE_A);
	assert_non_null(strstr(text, "\nclUSTer.local. 5 IN SOA "));
	text = kube_ask(&r, "_P._tcp.weB.n.sVc.clUSTer.local", TYPE_SRV);
	assert_non_null(strstr(text, " SRV 0 100 80 weB.n.sVc.clUSTer.local.\n"));
	assert_non_null(strstr(text, "\nweB.n.sVc.clUSTer.local. 5 IN A 10.96.0.1\n"));
	assert_non_null(strstr(kube_ask(&r, "Cluster.Local", TYPE_SOA), "\nCluster.Local. 5 IN SOA "));
	kube_close(&r);
}

static void names_of_more_than_255_octets_do_not_exist(void **state)
{
	/* 3 * 64 + 1 octets */
	static const char zone[] =
		"z23456789012345678901234567890123456789012345678901234567890123."
		"y23456789012345678901234567890123456789012345678901234567890123."
		"x23456789012345678901234567890123456789012345678901234567890123";
	struct rig r;
	struct buf name = {0}, text = {0};

	(void)state;
	kube_open(&r, zone, "");
	kube_apply(&r, SERVICE("web", "10.96.0.1"));
	kube_apply(&r, SERVICE("s2345678901234567890123456789012345678901234567890123456789012",
			"10.96.0.2"));
	buf_str(&text, SERVICE("head", "None"));
	add_slice(&text, "head", 1, 2);
	kube_apply(&r, buf_text(&text));
	buf_printf(&name, "web.n.svc.%s", zone);
	assert_non_null(strstr(kube_ask(&r, buf_text(&name), TYPE_A), "IN A 10.96.0.1"));
	/* its targets: 10-1-0-1.head.n.svc.ZONE have 217 octets, _p._tcp in front too */
	buf_clear(&name);
	buf_printf(&name, "head.n.svc.%s", zone);
	assert_non_null(strstr(ask_wide(&r, buf_text(&name), TYPE_SRV), "10-1-0-1.head.n.svc."));
	/* the SOA names ns.dns and hostmaster, which fit */
	assert_non_null(strstr(ask_wide(&r, zone, TYPE_SOA), "ns.dns.z234"));
	assert_non_null(strstr(ask_wide(&r, zone, TYPE_NS), "ns.dns.z234"));
	buf_free(&name);
	buf_free(&text);
	kube_close(&r);
}

static void a_zone_that_leaves_no_room_serves_what_fits(void **state)
{
	/* 3 * 64 + 60 + 1 octets: no room for "svc" */
	static const char zone[] =
		"z23456789012345678901234567890123456789012345678901234567890123."
		"y23456789012345678901234567890123456789012345678901234567890123."
		"x23456789012345678901234567890123456789012345678901234567890123."
		"w234567890123456789012345678901234567890123456789012345678";
	struct rig r;

	(void)state;
	kube_open(&r, zone, "");
	kube_apply(&r, SERVICE("web", "10.96.0.1"));
	assert_non_null(strstr(ask_wide(&r, zone, TYPE_SOA), "NOERROR aa\n"));
	assert_non_null(strstr(ask_wide(&r, zone, TYPE_NS), "NOERROR aa\n"));
	assert_non_null(strstr(ask_wide(&r, zone, TYPE_A), "NOERROR aa\n"));
	kube_close(&r);
}

static size_t count(const char *text, const char *what)
{
	size_t n = 0;

	for (; (text = strstr(text, what)) != NULL; text++)
		n++;
	return n;
}

/* What a question built in its arena and its answer. */
static size_t srv_octets(struct rig *r, uint8_t transport)
{
	struct query *q = rig_query(r,
		&(struct rig_ask){.name = "big.n.svc.cluster.local", .type = TYPE_SRV,
			.transport = transport});
	size_t n;

	assert_int_equal(rig_down(r, q), DONE);
	n = q->answer.refs[0].set->wire_len;
	query_release(q);
	return n;
}

static void the_work_for_a_huge_service_is_bounded(void **state)
{
	struct rig r;
	struct buf text = {0};
	const char *answer;
	char first[64];
	unsigned same = 0;

	(void)state;
	kube_open(&r, "cluster.local", "");
	buf_str(&text, SERVICE("big", "None"));
	for (unsigned i = 1; i <= 5; i++)
		add_slice(&text, "big", i, 1000);
	kube_apply(&r, buf_text(&text));
	/* one record more than fits, and never all 5000 */
	assert_in_range(srv_octets(&r, TRANSPORT_UDP), 512, 512 + 64);
	assert_in_range(srv_octets(&r, TRANSPORT_TCP), 65535, 65535 + 64);
	answer = kube_ask(&r, "big.n.svc.cluster.local", TYPE_SRV);
	assert_non_null(strstr(answer, "NOERROR aa tc\n"));
	assert_in_range(count(answer, " SRV 0 1 8080 "), 5, 12);
	/* each answer begins somewhere else */
	snprintf(first, sizeof(first), "%.60s", strstr(answer, "8080 ") + 5);
	for (int i = 0; i < 20; i++)
		same += strncmp(strstr(kube_ask(&r, "big.n.svc.cluster.local", TYPE_SRV), "8080 ") + 5,
				first, 12) == 0;
	assert_in_range(same, 0, 5);
	assert_non_null(strstr(kube_ask(&r, "big.n.svc.cluster.local", TYPE_A), "NOERROR aa tc\n"));
	assert_non_null(strstr(kube_ask(&r, "10-5-3-250.big.n.svc.cluster.local", TYPE_A),
		"A 10.5.3.250\n"));
	buf_free(&text);
	kube_close(&r);
}

static void lists_of_ports_are_bounded(void **state)
{
	struct rig r;
	struct buf text = {0};
	const struct table_entry *e;
	struct kube *k;

	(void)state;
	kube_open(&r, "cluster.local", "");
	k = r.setup.instance;
	buf_str(&text, SERVICE("many", "None"));
	for (unsigned i = 1; i <= 300; i++)
		buf_printf(&text, "---\n{kind: EndpointSlice, apiVersion: discovery.k8s.io/v1, "
				  "metadata: {name: many-%u, namespace: n, labels: "
				  "{kubernetes.io/service-name: many}}, addressType: IPv4, "
				  "ports: [{name: p%u, port: %u}], "
				  "endpoints: [{addresses: [10.1.%u.%u]}]}\n",
			i, i, i, i / 250, i % 250 + 1);
	kube_apply(&r, buf_text(&text));
	e = table_find(&k->primary->table, "\4many\1n\3svc", 11,
		table_hash(&k->primary->table, "\4many\1n\3svc", 11));
	assert_non_null(e);
	assert_in_range(((const struct kube_entry *)e)->n_ports, 2, 128);
	assert_int_equal(((const struct kube_entry *)e)->n_endpoints, 300);
	assert_non_null(strstr(kube_ask(&r, "10-1-0-2.many.n.svc.cluster.local", TYPE_A), "10.1.0.2"));
	buf_free(&text);
	kube_close(&r);
}

static void changes_free_what_they_replace(void **state)
{
	struct rig r;
	struct kube *k;

	(void)state;
	kube_open(&r, "cluster.local in-addr.arpa", "");
	k = r.setup.instance;
	for (int i = 0; i < 6000; i++) {
		kube_apply(&r, i % 2 == 0 ? SERVICE("web", "10.96.0.1") : SERVICE("web", "10.96.0.2"));
		assert_in_range(rcu_pending(), 0, 4096);
	}
	assert_int_equal(k->owners.v4.count, 1);
	assert_int_equal(k->owners.above4.count, 1);
	assert_int_equal(k->owners.entries.last, 1);
	/* svc, pod, dns, dns-version, ns.dns, the namespace and the service */
	assert_int_equal(k->primary->table.count, 7);
	kube_close(&r);
}

static const char *scrape(struct rig *r, struct buf *out)
{
	struct metrics *m = metrics_new();

	buf_clear(out);
	kube_metrics(r->setup.instance, m);
	metrics_finish(m, out);
	return buf_text(out);
}

#define HEADLESS "_count{service_kind=\"headless_with_selector\"}"

static void the_latency_of_changes_is_counted_by_kind(void **state)
{
	static const char slice[] =
		"{kind: EndpointSlice, apiVersion: discovery.k8s.io/v1, metadata: {name: head-1, "
		"namespace: n, labels: {kubernetes.io/service-name: head}, annotations: "
		"{endpoints.kubernetes.io/last-change-trigger-time: \"2020-01-01T00:00:00Z\"}}, "
		"addressType: IPv4, endpoints: [{addresses: [10.1.0.%u]}]}\n";
	struct rig r;
	struct buf text = {0}, out = {0};
	const char *name = "coredns_kubernetes_dns_programming_duration_seconds_count";

	(void)state;
	kube_open(&r, "cluster.local", "");
	kube_apply(&r, SERVICE("head", "None"));
	assert_null(strstr(scrape(&r, &out), HEADLESS " 1\n"));
	for (unsigned i = 1; i <= 2; i++) {
		buf_clear(&text);
		buf_printf(&text, slice, i);
		kube_apply(&r, buf_text(&text));
	}
	assert_non_null(strstr(scrape(&r, &out), name));
	assert_non_null(strstr(buf_text(&out), HEADLESS " 2\n"));
	assert_non_null(strstr(buf_text(&out), "_count{service_kind=\"cluster_ip\"} 0\n"));
	/* other changes have no trigger */
	kube_apply(&r, SERVICE("web", "10.96.0.1"));
	assert_non_null(strstr(scrape(&r, &out), "_count{service_kind=\"cluster_ip\"} 0\n"));
	buf_free(&text);
	buf_free(&out);
	kube_close(&r);
}

static void requests_are_told_as_client_go_does(void **state)
{
	static const char *const lines[] = {
		"\ncoredns_kubernetes_rest_client_requests_total{code=\"200\",method=\"GET\",host="
		"\"10.0.0.1:6443\"} 2\n",
		"_requests_total{code=\"410\",method=\"GET\",host=\"10.0.0.1:6443\"} 1\n",
		"_requests_total{code=\"<error>\",method=\"GET\",host=\"10.0.0.1:6443\"} 1\n",
		"_request_duration_seconds_bucket{verb=\"GET\",host=\"10.0.0.1:6443\",le=\"0.005\"} "
		"1\n",
		"_request_duration_seconds_count{verb=\"GET\",host=\"10.0.0.1:6443\"} 3\n",
		"_request_duration_seconds_sum{verb=\"GET\",host=\"10.0.0.1:6443\"} 12.02\n",
		"_rate_limiter_duration_seconds_count{verb=\"GET\",host=\"10.0.0.1:6443\"} 4\n",
		"_rate_limiter_duration_seconds_sum{verb=\"GET\",host=\"10.0.0.1:6443\"} 0\n",
	};
	struct rest_stats s = {.duration_ms = 0};
	struct metrics *m = metrics_new();
	struct buf out = {0};

	(void)state;
	rest_stats_failed(&s);
	rest_stats_answered(&s, 200, 0);
	rest_stats_answered(&s, 410, 20);
	rest_stats_answered(&s, 200, 12000);
	kube_report_requests(m, &s, "10.0.0.1:6443");
	metrics_finish(m, &out);
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		if (strstr(buf_text(&out), lines[i]) == NULL)
			fail_msg("%s is not in %s", lines[i], buf_text(&out));
	buf_free(&out);
	/* more codes than a server has */
	for (unsigned status = 300; status < 400; status++)
		rest_stats_answered(&s, status, 1);
	assert_int_equal(rest_stats_total(&s), 104);
}

/* --- any history ends in the same names ---------------------------------------------------- */

static const char *pick(const char *const *words, unsigned n)
{
	return words[rand_below(n)];
}

#define PICK(...)                                                                                  \
	pick((const char *const[]){__VA_ARGS__},                                                   \
		sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static const char *some_labels(void)
{
	return rand_below(4) == 0 ? "" : ", tier: a";
}

static void random_service(struct buf *b, const char *ns, const char *name)
{
	buf_printf(b, "---\n{kind: Service, apiVersion: v1, metadata: {name: %s, namespace: %s, "
		      "labels: {x: y%s}}, spec: {",
		name, ns, some_labels());
	if (rand_below(6) == 0)
		buf_str(b, "type: ExternalName, externalName: web.example}}\n");
	else if (rand_below(2) == 0)
		buf_str(b, "clusterIP: None, ports: [{name: p, port: 80}]}}\n");
	else
		buf_printf(b,
			"clusterIP: 10.96.%c.%c, ports: [{name: %s, port: 80}, {port: 81}]}}\n",
			'0' + ns[0] - 'a', '0' + name[0] - 's', PICK("p", "q"));
}

static void random_import(struct buf *b, const char *ns, const char *name)
{
	buf_printf(b, "---\n{kind: ServiceImport, apiVersion: multicluster.x-k8s.io/v1beta1, "
		      "metadata: {name: %s, namespace: %s, labels: {x: y%s}}, spec: {",
		name, ns, some_labels());
	if (rand_below(2) == 0)
		buf_str(b, "type: Headless, ports: [{name: p, port: 80}]}}\n");
	else
		buf_printf(b, "type: ClusterSetIP, ips: [10.96.%c.%c], ports: [{name: %s, port: 80}]}}\n",
			'0' + ns[0] - 'a', '0' + name[0] - 's', PICK("p", "q"));
}

/* Of a Service, of a ServiceImport, or of both. */
static void random_slice(struct buf *b, const char *ns, const char *name)
{
	unsigned of = rand_below(4);

	buf_printf(b, "---\n{kind: EndpointSlice, apiVersion: discovery.k8s.io/v1, metadata: "
		      "{name: %s-%u, namespace: %s, labels: {x: y%s",
		name, rand_below(3), ns, some_labels());
	if (of != 0)
		buf_printf(b, ", kubernetes.io/service-name: %s", name);
	if (of < 2)
		buf_printf(b, ", multicluster.kubernetes.io/service-name: %s%s%s",
			PICK("s", "t", "u"), ", multicluster.kubernetes.io/source-cluster: ",
			PICK("east", "west"));
	buf_printf(b, "}}, addressType: IPv4, ports: [{name: %s, port: %u}], endpoints: [",
		PICK("p", "q"), 80 + rand_below(2));
	for (unsigned i = rand_below(4); i > 0; i--)
		buf_printf(b, "{addresses: [10.1.0.%u], conditions: {ready: %s}, "
			      "targetRef: {kind: Pod, name: pod-%u}%s%s}, ",
			1 + rand_below(4), PICK("true", "true", "false"), rand_below(3),
			PICK("", "", ", hostname: one", ", hostname: two"),
			PICK("", ", zone: eu-1", ", zone: eu-2"));
	buf_str(b, "]}\n");
}

static void random_pod(struct buf *b, const char *ns)
{
	buf_printf(b, "---\n{kind: Pod, apiVersion: v1, metadata: {name: pod-%u, namespace: %s, "
		      "labels: {x: y%s}}, status: {phase: %s, podIPs: [{ip: 10.1.0.%u}]}}\n",
		rand_below(3), ns, some_labels(), PICK("Running", "Pending", "Failed"),
		1 + rand_below(4));
}

static void random_change(struct rig *r)
{
	struct kube *k = r->setup.instance;
	struct buf text = {0};

	for (unsigned i = 1 + rand_below(3); i > 0; i--) {
		const char *ns = PICK("a", "b"), *name = PICK("s", "t", "u");

		switch (rand_below(6)) {
		case 0:
		case 1: random_service(&text, ns, name); break;
		case 2: random_pod(&text, ns); break;
		case 3: random_import(&text, ns, name); break;
		default: random_slice(&text, ns, name); break;
		}
	}
	if (cluster_embed(k->shared, (struct str){text.at, text.len}, rand_below(3) == 0,
		    &r->err) != 0)
		fail_msg("%s in %s", r->err.text, buf_text(&text));
	buf_free(&text);
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* RCODE and answer section, its records in order; serials differ. */
static void note_answer(struct rig *r, struct buf *out, const char *name, uint16_t type)
{
	static char text[8192];
	char *lines[256], *end;
	size_t n = 0;

	snprintf(text, sizeof(text), "%s", ask_wide(r, name, type));
	end = strstr(text, "--\n");
	if (end != NULL)
		*end = '\0';
	for (char *at = strtok(text, "\n"); at != NULL && n < 256; at = strtok(NULL, "\n"))
		if (strstr(at, " SOA ") == NULL)
			lines[n++] = at;
	qsort(lines, n, sizeof(*lines), compare_lines);
	buf_printf(out, "%s %u:", name, type);
	for (size_t i = 0; i < n; i++)
		buf_printf(out, " %s;", lines[i]);
	buf_char(out, '\n');
}

static void note_name(struct rig *r, struct buf *out, const char *name)
{
	size_t from = out->len;

	note_answer(r, out, name, TYPE_CNAME);
	if (strstr(out->at + from, " CNAME ") != NULL)
		return; /* other types would be asked for elsewhere */
	note_answer(r, out, name, TYPE_SRV);
	note_answer(r, out, name, TYPE_A);
}

static void note_service(struct rig *r, struct buf *out, const char *service)
{
	static const char *const below[] = {"", "one.", "two.", "pod-0.", "10-1-0-1.", "10-1-0-2.",
		"_tcp.", "_p._tcp.", "_q._tcp.", "eu-1.pin._zone.", "eu-2.prefer._zone.",
		"pin._zone."};
	static const char *const imported[] = {"", "one.east.", "pod-0.west.", "10-1-0-1.east.",
		"east.", "west.", "_tcp.", "_p._tcp.", "_q._tcp."};
	char name[128];

	for (size_t i = 0; i < ARRAY_LEN(below); i++) {
		snprintf(name, sizeof(name), "%s%s.svc.cluster.local", below[i], service);
		note_name(r, out, name);
	}
	for (size_t i = 0; i < ARRAY_LEN(imported); i++) {
		snprintf(name, sizeof(name), "%s%s.svc.clusterset.local", imported[i], service);
		note_name(r, out, name);
	}
}

static char *note_everything(struct rig *r)
{
	static const char *const reverse[] = {"10.in-addr.arpa", "96.10.in-addr.arpa",
		"0.1.10.in-addr.arpa", "1.0.1.10.in-addr.arpa", "2.0.1.10.in-addr.arpa",
		"3.0.1.10.in-addr.arpa", "4.0.1.10.in-addr.arpa", "0.0.96.10.in-addr.arpa",
		"1.0.96.10.in-addr.arpa", "1.1.96.10.in-addr.arpa"};
	static const char *const others[] = {"a.svc.cluster.local", "b.svc.cluster.local",
		"b.pod.cluster.local", "10-1-0-1.a.pod.cluster.local",
		"10-1-0-2.b.pod.cluster.local", "ns.dns.cluster.local"};
	static const char *const services[] = {"s.a", "t.a", "u.a", "s.b", "t.b", "u.b"};
	struct buf out = {0};

	for (size_t i = 0; i < ARRAY_LEN(services); i++)
		note_service(r, &out, services[i]);
	for (size_t i = 0; i < ARRAY_LEN(reverse); i++)
		note_answer(r, &out, reverse[i], TYPE_PTR);
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		note_answer(r, &out, others[i], TYPE_A);
	note_answer(r, &out, "cluster.local", TYPE_NS);
	note_answer(r, &out, "in-addr.arpa", TYPE_NS);
	return out.at;
}

/* The lines that differ. */
static void compare_notes(char *followed, char *fresh, unsigned round)
{
	char *save[2];
	char *a = strtok_r(followed, "\n", &save[0]), *b = strtok_r(fresh, "\n", &save[1]);

	for (; a != NULL && b != NULL;
		a = strtok_r(NULL, "\n", &save[0]), b = strtok_r(NULL, "\n", &save[1]))
		if (strcmp(a, b) != 0)
			fail_msg("round %u: %s\nfrom scratch: %s", round, a, b);
	assert_ptr_equal(a, b);
}

static const char *ask_for_copy(void *arg, const char *name, uint16_t type)
{
	return ask_wide(arg, name, type);
}

static void check_copies(struct rig *r, struct zone_copies *copies)
{
	struct kube *k = r->setup.instance;

	for (size_t i = 0; i < k->zones.len; i++)
		copies_check(&copies[i], k, k->zones.at[i], ask_for_copy, r);
}

/* 1.11, 1.15.12: zones that are handed out belong to their serials, and so do changes. */
static void any_history_ends_in_the_names_of_a_fresh_start(void **state)
{
	static const char *const options[] = {"", "ignore empty_service\n", "noendpoints\n",
		"labels tier=a\n", "endpoint_pod_names\npods verified\n",
		"namespaces a\npods insecure\n", "zonal\n",
		"multicluster clusterset.local\n",
		"multicluster clusterset.local\nnamespaces a\nendpoint_pod_names\n",
		"multicluster clusterset.local cluster.local\nlabels tier=a\n"};
	const char *zones = "cluster.local clusterset.local in-addr.arpa";
	struct rig r, fresh;

	(void)state;
	rand_seed(42);
	for (size_t o = 0; o < ARRAY_LEN(options); o++) {
		struct shared *shared = shared_new();
		struct zone_copies copies[3] = {{.full = 0}};

		kube_open_with(&r, shared, zones, options[o]);
		copies_begin(r.setup.instance);
		for (unsigned round = 0; round < 60; round++) {
			char *followed, *scratch;

			random_change(&r);
			check_copies(&r, copies);
			kube_open_with(&fresh, shared, zones, options[o]);
			followed = note_everything(&r);
			scratch = note_everything(&fresh);
			compare_notes(followed, scratch, round);
			free(followed);
			free(scratch);
			rig_close(&fresh);
		}
		/* of zones without imports, all changes are known */
		assert_true(copies[0].incremental > 20 && copies[0].full == 0);
		for (unsigned i = 0; i < ARRAY_LEN(copies); i++)
			copies_free(&copies[i]);
		kube_close(&r);
	}
}

/* --- start-up ----------------------------------------------------------------------------- */

static struct buf said;

static void keep_log(void *arg, enum log_level level, const char *text)
{
	(void)arg;
	(void)level;
	buf_printf(&said, "%s\n", strstr(text, KUBE) == NULL ? text : strstr(text, KUBE));
}

/* One line each half second, and one when the time is over. */
static void the_first_seconds_are_told_as_operators_know_it(void **state)
{
	static const struct {
		uint64_t timeout_ms, ready_ms; /* UINT64_MAX: never */
		unsigned waiting, unsynced;
	} rows[] = {
		{5000, UINT64_MAX, 9, 1},
		{5000, 0, 0, 0},
		{5000, 400, 0, 0},
		{5000, 1250, 2, 0},
		{600, UINT64_MAX, 1, 1},
		{0, UINT64_MAX, 0, 1},
	};

	(void)state;
	log_set_sink(keep_log, NULL);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct kube_startup s = {
			.timeout_ms = rows[i].timeout_ms, .begin_ms = 7000, .said_ms = 7000};
		unsigned waiting = 0, unsynced = 0;
		uint64_t ms = 0;

		buf_clear(&said);
		while (kube_startup_check(&s, ms >= rows[i].ready_ms, 7000 + ms))
			ms += 100;
		for (const char *p = buf_text(&said); *p != '\0'; p = strchr(p, '\n') + 1) {
			waiting += strstr(p, "waiting for Kubernetes API") == strchr(p, 'w');
			unsynced += strncmp(p + strcspn(p, ":"), ": starting server with", 22) == 0;
		}
		assert_int_equal(waiting, rows[i].waiting);
		assert_int_equal(unsynced, rows[i].unsynced);
	}
	buf_free(&said);
	log_set_sink(NULL, NULL);
}

static void addresses_with_dashes_are_read_strictly(void **state)
{
	static const struct {
		const char *label, *address; /* "": none */
	} rows[] = {
		{"\0101-2-3-40", "1.2.3.40"},
		{"\0101-2-3-4\0", ""},
		{"\0121-2-3-4-5-", ""},
		{"\0071.2.3.4", ""},
		{"\0071-2-3-x", ""},
		{"\00701-2-3-4", ""},
		{"\003--1", "::1"},
		{"\005fd00-", ""},
		{"\006fd00--", "fd00::"},
		{"\007fd00--0", "fd00::"},
		{"\0171-2-3-4-5-6-7-8", "1:2:3:4:5:6:7:8"},
		{"\003::1", ""},
		{"\001-", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[IP_TEXT_SIZE];
		struct ip ip;
		bool is_read = kube_read_dashed(&ip, (const uint8_t *)rows[i].label);

		assert_string_equal(is_read ? ip_text(&ip, text) : "", rows[i].address);
	}
}

static void drop_log(void *arg, enum log_level level, const char *text)
{
	(void)arg;
	(void)level;
	(void)text;
}

/* --- a clock that jumps: the linker puts this in place of the C library's ------------------ */

int __real_clock_gettime(clockid_t id, struct timespec *out);

static int64_t wall_jump_s;

int __wrap_clock_gettime(clockid_t id, struct timespec *out)
{
	int rc = __real_clock_gettime(id, out);

	if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)
		out->tv_sec += wall_jump_s;
	return rc;
}

static void the_serial_never_goes_back(void **state)
{
	static const int64_t jumps[] = {0, -3600, 3600, -315360000, 315360000, 0, -3600};
	uint64_t before_ms = clock_ms();
	uint32_t serial = 0;
	struct rig r;

	(void)state;
	kube_open(&r, "cluster.local", "");
	kube_apply(&r, "{kind: Namespace, apiVersion: v1, metadata: {name: n}}\n");
	for (unsigned i = 0; i < ARRAY_LEN(jumps); i++) {
		struct kube *k = r.setup.instance;
		char service[200];

		wall_jump_s = jumps[i];
		snprintf(service, sizeof(service), SERVICE("web", "10.96.0.%u"), i + 1);
		kube_apply(&r, service);
		assert_true(k->primary->history.committed > serial);
		serial = k->primary->history.committed;
		zone_history_see(&k->primary->history); /* so that a change needs another one */
		snprintf(service, sizeof(service), "10.96.0.%u", i + 1);
		assert_non_null(strstr(kube_ask(&r, "web.n.svc.cluster.local", TYPE_A), service));
	}
	wall_jump_s = 0;
	assert_true(clock_ms() - before_ms < 60000);
	kube_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_keep_the_case_of_the_question),
		cmocka_unit_test(names_of_more_than_255_octets_do_not_exist),
		cmocka_unit_test(a_zone_that_leaves_no_room_serves_what_fits),
		cmocka_unit_test(the_work_for_a_huge_service_is_bounded),
		cmocka_unit_test(lists_of_ports_are_bounded),
		cmocka_unit_test(changes_free_what_they_replace),
		{"1.12: the latency of changes is counted by kind",
			the_latency_of_changes_is_counted_by_kind, NULL, NULL, NULL},
		{"1.12: requests to the API server are told as client-go does",
			requests_are_told_as_client_go_does, NULL, NULL, NULL},
		cmocka_unit_test(any_history_ends_in_the_names_of_a_fresh_start),
		{"1.7: the first seconds are told as operators know it",
			the_first_seconds_are_told_as_operators_know_it, NULL, NULL, NULL},
		cmocka_unit_test(addresses_with_dashes_are_read_strictly),
		NAMED_TEST("K44: the serial never goes back, whatever the clock does",
			the_serial_never_goes_back),
	};

	log_set_sink(drop_log, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
