/*
 * The k8s_external plugin together with the kubernetes plugin: serials, transfers, and that what
 * `seamark explain` and `seamark names` say is what is answered.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../scenarios/fake_cluster.h"
#include "base/log.h"
#include "core/explain.h"
#include "core/transfer.h"
#include "explained.h"
#include "k8s_external/external.h"
#include "rig.h"
#include "test.h"

extern const struct plugin kubernetes_plugin, k8s_external_plugin;

#define SERVICE(name, rest)                                                                        \
	"---\napiVersion: v1\nkind: Service\nmetadata: {name: " name ", namespace: shop}\n" rest

static const char objects[] =
	"apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n"
	"---\napiVersion: v1\nkind: Namespace\nmetadata: {name: dns}\n"
	SERVICE("web", "spec: {clusterIP: 10.96.0.1, externalIPs: [192.0.2.1, '2001:db8::1'], "
		"ports: [{name: http, port: 80}, {name: dns, port: 53, protocol: UDP}]}\n")
	SERVICE("inside", "spec: {clusterIP: 10.96.0.2, ports: [{name: http, port: 80}]}\n")
	"---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: inside-1, "
	"namespace: shop, labels: {kubernetes.io/service-name: inside}}\naddressType: IPv4\n"
	"endpoints: [{addresses: [10.0.0.1]}]\nports: [{name: http, port: 8080, protocol: TCP}]\n"
	SERVICE("empty", "spec: {clusterIP: 10.96.0.3, ports: [{name: http, port: 80}]}\n")
	SERVICE("db", "spec: {clusterIP: None, ports: [{name: pg, port: 5432}]}\n")
	"---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: db-1, "
	"namespace: shop, labels: {kubernetes.io/service-name: db}}\naddressType: IPv4\n"
	"endpoints: [{addresses: [10.0.1.1], hostname: db-0}, {addresses: [10.0.1.2]}]\n"
	"ports: [{name: pg, port: 5432, protocol: TCP}]\n"
	SERVICE("front", "spec: {clusterIP: None, externalIPs: [192.0.2.2]}\n")
	SERVICE("lb", "spec: {type: LoadBalancer, clusterIP: 10.96.0.5, ports: [{name: http, port: "
		"80}]}\nstatus: {loadBalancer: {ingress: [{hostname: lb.example.net}]}}\n")
	SERVICE("alias", "spec: {type: ExternalName, externalName: example.net}\n");

#define PLAIN                                                                                      \
	".:53 {\nkubernetes cluster.local\n"                                       \
	"k8s_external example.org 192.0.2.0/24\n}\n"
#define ZONAL                                                                                      \
	".:53 {\nkubernetes cluster.local {\nzonal\n}\n"                                           \
	"k8s_external example.org {\nheadless\n}\n}\n"
#define ROOT ".:53 {\nkubernetes cluster.local 192.0.2.0/24\nk8s_external\n}\n"
#define HEADLESS                                                                                   \
	".:53 {\nkubernetes cluster.local {\nfallthrough\n}\n"                     \
	"k8s_external example.org 192.0.2.0/24 {\nheadless\nttl 60\n}\n}\n"
#define FALLS                                                                                      \
	".:53 {\nkubernetes cluster.local\n"                                       \
	"k8s_external example.org 192.0.2.0/24 {\nfallthrough in-addr.arpa shop.example.org\n"     \
	"headless\napex ns\n}\n}\n"

struct fixture {
	struct rig rig;
	void *kube, *external;
};

static void add_link(struct fixture *f, const struct plugin *p, void *instance)
{
	struct link l = {.plugin = p, .instance = instance};

	vec_push(&f->rig.chain.links, l);
	if (p->query != NULL)
		vec_push(&f->rig.chain.query_hooks, l);
}

/* Both plugins in one block, in the order of the chain. */
static void open_fixture(struct fixture *f, const char *corefile, bool is_synced)
{
	union addr own;
	struct err e;

	assert_int_equal(rig_open(&f->rig, &k8s_external_plugin, corefile), 0);
	assert_int_equal(addr_from_text(&own, STR("192.0.2.53"), 53), 0);
	vec_push(&f->rig.setup.binds, own);
	f->external = f->rig.setup.instance;
	f->rig.setup.first = block_find(f->rig.setup.block, "kubernetes", NULL);
	assert_int_equal(kubernetes_plugin.setup(&f->rig.setup, &e), 0);
	f->kube = f->rig.setup.instance;
	f->rig.setup.instance = f->external;
	add_link(f, &kubernetes_plugin, f->kube);
	f->rig.generation.corefile = f->rig.corefile;
	fake_cluster_change(STR(objects), false);
	if (is_synced)
		fake_cluster_synced();
	assert_int_equal(k8s_external_plugin.start(f->external, &e), 0);
	assert_int_equal(kubernetes_plugin.start(f->kube, &e), 0);
}

static void close_fixture(struct fixture *f)
{
	rig_close(&f->rig);
	kubernetes_plugin.teardown(f->kube);
}

/* --- explain agrees with answers --------------------------------------------------------- */

static void explain(struct fixture *f, const char *name, uint16_t type, struct explanation *x)
{
	struct explain_ask ask = {.type = type};

	memset(x, 0, sizeof(*x));
	assert_int_equal(name_from_text(&ask.name, str_from(name), NULL), 0);
	name_fold(ask.name.wire, ask.name.wire, ask.name.len);
	k8s_external_plugin.explain->explain(f->external, &ask, x);
}

static void compare(struct fixture *f, const char *name, uint16_t type)
{
	struct query *q = rig_query(&f->rig, &(struct rig_ask){.name = name, .type = type});
	struct explanation x;

	worker_enter(&f->rig.worker);
	assert_int_equal(query_run(q), QUERY_ANSWERED);
	explain(f, name, type, &x);
	explained_as_answered(&x, q, "k8s_external", name);
	explanation_fini(&x);
	query_release(q);
}

static void compare_types(struct fixture *f, const char *name)
{
	static const uint16_t types[] = {TYPE_A, TYPE_AAAA, TYPE_SRV, TYPE_TXT, TYPE_CNAME, TYPE_NS,
		TYPE_SOA, TYPE_PTR};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		compare(f, name, types[i]);
}

static void compare_all(struct fixture *f)
{
	static const char *const below[] = {"", "_http._tcp.", "http.tcp.", "_HTTP._tcp.",
		"_dns._udp.", "_tcp.", "_udp.", "_sctp.", "tcp.", "_pg._tcp.", "_x._tcp.",
		"10-0-0-1.", "10-0-1-2.", "db-0.", "DB-0.", "a.b.c.", "_.", "_._tcp.", "ns1.", "pin._zone.", "_zone.",
		"x.pin._zone."};
	static const char *const services[] = {"web.shop", "inside.shop", "empty.shop", "db.shop",
		"front.shop", "lb.shop", "alias.shop", "no.shop", "web.nope", "web.dns", "shop",
		"nope", "dns", "ns"};
	static const char *const fixed[] = {"example.org", "cluster.local", "example.com",
		"1.2.0.192.in-addr.arpa", "9.2.0.192.in-addr.arpa", "2.0.192.in-addr.arpa",
		"x.2.0.192.in-addr.arpa", "ns1.ns.example.org", "ns1.dns.example.org",
		"ns1.dns.2.0.192.in-addr.arpa", "dns.2.0.192.in-addr.arpa",
		"x.dns.2.0.192.in-addr.arpa", ".", "web.shop", "db.shop", "shop", "in-addr.arpa",
		"0.192.in-addr.arpa", "192.in-addr.arpa"};
	char name[300];

	for (size_t b = 0; b < sizeof(below) / sizeof(below[0]); b++)
		for (size_t s = 0; s < sizeof(services) / sizeof(services[0]); s++) {
			snprintf(name, sizeof(name), "%s%s.example.org", below[b], services[s]);
			compare_types(f, name);
		}
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		compare_types(f, fixed[i]);
}

static void what_is_said_is_what_is_answered(void **state)
{
	static const struct {
		const char *corefile;
		bool is_synced;
	} sets[] = {{PLAIN, true}, {PLAIN, false}, {HEADLESS, true}, {HEADLESS, false}, {FALLS, true},
		{ZONAL, true}, {ROOT, true}};

	(void)state;
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		struct fixture f;

		open_fixture(&f, sets[i].corefile, sets[i].is_synced);
		compare_all(&f);
		close_fixture(&f);
	}
}

static const struct {
	const char *corefile, *name;
	uint16_t type;
	const char *text; /* "VALUES|OBJECT|FIELD|WHY" has this in it */
} reasons[] = {
	{PLAIN, "web.shop.example.org", TYPE_A,
		"192.0.2.1|Service shop/web|spec.externalIPs, status.loadBalancer.ingress[]|"},
	{PLAIN, "web.shop.example.org", TYPE_MX, "it has no records of type MX"},
	{PLAIN, "_http._tcp.web.shop.example.org", TYPE_SRV, "port 80 of web.shop.example.org."},
	{PLAIN, "lb.shop.example.org", TYPE_A,
		"lb.example.net.|Service shop/lb|status.loadBalancer.ingress[].hostname|an alias"},
	{PLAIN, "inside.shop.example.org", TYPE_A,
		"|Service shop/inside||it has no address outside the cluster: neither"},
	{PLAIN, "x.web.shop.example.org", TYPE_A, "it has no such port, and no other names"},
	{PLAIN, "no.shop.example.org", TYPE_A, "there is no Service \"no\" in namespace \"shop\""},
	{PLAIN, "web.nope.example.org", TYPE_A, "there is no namespace \"nope\""},
	{PLAIN, "web.dns.example.org", TYPE_A, "names below \"dns\" are those of this server"},
	{PLAIN, "a.b.c.web.shop.example.org", TYPE_A, "no name has so many labels"},
	{PLAIN, "ns1.dns.example.org", TYPE_A, "192.0.2.53|this server itself|"},
	{PLAIN, "9.2.0.192.in-addr.arpa", TYPE_PTR, "no Service has this address"},
	{HEADLESS, "db.shop.example.org", TYPE_A, "10.0.1.1, 10.0.1.2|Service shop/db"},
	{HEADLESS, "x.db.shop.example.org", TYPE_A, "no endpoint"},
	{HEADLESS, "inside.shop.example.org", TYPE_A, "because those of its endpoints lie below"},
	{HEADLESS, "empty.shop.example.org", TYPE_A, "no address outside the cluster, and is not"},
	{HEADLESS, "alias.shop.example.org", TYPE_A, "the Service is an alias"},
	{FALLS, "no.shop.example.org", TYPE_A, "; fallthrough"},
};

static void every_reason_is_said(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		struct buf text = {0};
		struct explanation x;
		struct fixture f;

		open_fixture(&f, reasons[i].corefile, true);
		explain(&f, reasons[i].name, reasons[i].type, &x);
		buf_printf(&text, "%s|%s|%s|%s", buf_text(&x.values), buf_text(&x.object),
			buf_text(&x.field), buf_text(&x.why));
		if (strstr(buf_text(&text), reasons[i].text) == NULL)
			fail_msg("%s: \"%s\" has no \"%s\"", reasons[i].name, buf_text(&text),
				reasons[i].text);
		buf_free(&text);
		explanation_fini(&x);
		close_fixture(&f);
	}
}

static void every_name_in_the_list_is_answered(void **state)
{
	struct explain_names l = {.pattern = NULL};
	struct fixture f;

	(void)state;
	open_fixture(&f, HEADLESS, true);
	k8s_external_plugin.explain->names(f.external, &l);
	assert_int_equal(l.lines.len, 21);
	vec_for_each(&l.lines, line) {
		struct str rest = str_from(*line), name = str_word(&rest), type = str_word(&rest);
		char text[300];
		struct explanation x;

		snprintf(text, sizeof(text), "%.*s", (int)name.len, name.at);
		explain(&f, text, rr_type_from_text(type), &x);
		if (x.outcome != EXPLAIN_ANSWER)
			fail_msg("listed, but not answered: %s", *line);
		explanation_fini(&x);
		free(*line);
	}
	vec_free(&l.lines);
	close_fixture(&f);
}

/* --- transfers and serials --------------------------------------------------------------- */

static struct name zone_name(const char *text)
{
	struct name n;

	assert_int_equal(name_from_text(&n, str_from(text), NULL), 0);
	return n;
}

static uint32_t serial_of(struct fixture *f, const char *zone)
{
	struct name n = zone_name(zone);
	uint32_t serial = 0;

	assert_true(k8s_external_plugin.transfer->serial(f->external, &n, &serial));
	return serial;
}

static const struct {
	const char *what, *text;
	bool is_delete, is_visible;
} steps[] = {
	{"1.13: a service that has no external address", SERVICE("a", "spec: {clusterIP: 10.96.0.9}\n"),
		false, false},
	{"1.13: it gets one",
		SERVICE("a", "spec: {clusterIP: 10.96.0.9, externalIPs: [192.0.2.9]}\n"), false,
		true},
	{"1.13: its cluster address changes",
		SERVICE("a", "spec: {clusterIP: 10.96.0.10, externalIPs: [192.0.2.9]}\n"), false,
		false},
	{"1.13: it gets a port",
		SERVICE("a", "spec: {clusterIP: 10.96.0.10, externalIPs: [192.0.2.9], ports: "
			     "[{name: x, port: 1}]}\n"),
		false, true},
	{"1.13: the port's number changes",
		SERVICE("a", "spec: {clusterIP: 10.96.0.10, externalIPs: [192.0.2.9], ports: "
			     "[{name: x, port: 2}]}\n"),
		false, true},
	{"1.13: the address becomes one of a load balancer",
		SERVICE("a", "spec: {clusterIP: 10.96.0.10, ports: [{name: x, port: 2}]}\nstatus: "
			     "{loadBalancer: {ingress: [{ip: 192.0.2.9}]}}\n"),
		false, false},
	{"1.13: an alias instead",
		SERVICE("a", "spec: {clusterIP: 10.96.0.10}\nstatus: {loadBalancer: {ingress: "
			     "[{hostname: a.example.net}]}}\n"),
		false, true},
	{"1.13: it goes", SERVICE("a", ""), true, true},
	{"1.13: a namespace comes", "apiVersion: v1\nkind: Namespace\nmetadata: {name: new}\n", false,
		true},
	{"1.13: a namespace goes", "apiVersion: v1\nkind: Namespace\nmetadata: {name: new}\n", true,
		true},
	{"1.13: an endpoint comes, without `headless`",
		"apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: db-2, "
		"namespace: shop, labels: {kubernetes.io/service-name: db}}\naddressType: IPv4\n"
		"endpoints: [{addresses: [10.0.1.9]}]\nports: [{name: pg, port: 1}]\n",
		false, false},
};

static void the_serial_moves_with_what_can_be_seen(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f, PLAIN, true);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		uint32_t before = serial_of(&f, "example.org"), after;

		fake_cluster_change(str_from(steps[i].text), steps[i].is_delete);
		after = serial_of(&f, "example.org");
		if ((after != before) != steps[i].is_visible)
			fail_msg("%s: serial %u, then %u", steps[i].what, before, after);
		assert_false(zone_serial_is_newer(before, after));
	}
	close_fixture(&f);
}

static int compare_lines(const void *x, const void *y)
{
	return strcmp(*(char *const *)x, *(char *const *)y);
}

/* The records of a walk, sorted, one a line: "NAME TYPE VALUES". */
static void image_text(struct zone_image *image, struct buf *out)
{
	struct zone_cursor c = {0};
	VEC(char *) lines = {NULL, 0, 0};
	struct buf row = {0};

	while (image->ops->walk(image, &c, &row)) {
	}
	for (size_t pos = 0;;) {
		char name[NAME_TEXT_MAX], type[16];
		struct buf line = {0};
		struct record r;

		if (!records_next(&row, &pos, &r))
			break;
		name_to_text(name, r.owner);
		buf_printf(&line, "%s %s ", name, rr_type_text(r.type, type));
		explain_rdata_text(&line, r.type, r.rdata, r.rdlength);
		vec_push(&lines, mem_str(buf_text(&line)));
		buf_free(&line);
	}
	qsort(lines.at, lines.len, sizeof(*lines.at), compare_lines);
	vec_for_each(&lines, l) {
		buf_printf(out, "%s\n", *l);
		free(*l);
	}
	vec_free(&lines);
	buf_free(&row);
	zone_image_unref(image);
}

static void endpoints_move_the_serial_that_a_transfer_has_seen(void **state)
{
	static const char slice[] =
		"apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: db-2, "
		"namespace: shop, labels: {kubernetes.io/service-name: db}}\naddressType: IPv4\n"
		"endpoints: [{addresses: [10.0.1.9]}]\nports: [{name: pg, port: 1}]\n";
	static const char *const changes[2] = {
		"_pg._tcp.db.shop.example.org. SRV 0 33 1 10-0-1-9.db.shop.example.org.\n",
		"10-0-1-9.db.shop.example.org. A 10.0.1.9\n"};
	struct name zone = zone_name("example.org");
	struct fixture f;
	uint32_t before;

	(void)state;
	open_fixture(&f, HEADLESS, true);
	k8s_external_plugin.transfer->keep_changes(f.external, &zone);
	for (int i = 0; i < 2; i++) {
		struct buf text = {0};

		zone_image_unref(k8s_external_plugin.transfer->image(f.external, &zone));
		before = serial_of(&f, "example.org");
		fake_cluster_change(STR(slice), i == 1);
		assert_true(zone_serial_is_newer(serial_of(&f, "example.org"), before));
		image_text(k8s_external_plugin.transfer->changes(f.external, &zone, before), &text);
		assert_non_null(strstr(buf_text(&text), changes[i]));
		assert_null(strstr(buf_text(&text), "web.shop"));
		assert_null(strstr(buf_text(&text), "A 10.0.1.1\n"));
		buf_free(&text);
	}
	close_fixture(&f);
}

static void a_zone_that_is_not_known_is_not_handed_out(void **state)
{
	struct name zone = zone_name("example.org"), other = zone_name("example.com");
	struct fixture f;
	uint32_t serial;

	(void)state;
	open_fixture(&f, PLAIN, false);
	assert_false(k8s_external_plugin.ready(f.external));
	assert_false(k8s_external_plugin.transfer->serial(f.external, &zone, &serial));
	assert_null(k8s_external_plugin.transfer->image(f.external, &zone));
	fake_cluster_synced();
	assert_true(k8s_external_plugin.ready(f.external));
	assert_true(k8s_external_plugin.transfer->serial(f.external, &zone, &serial));
	assert_null(k8s_external_plugin.transfer->image(f.external, &other));
	close_fixture(&f);
}

static void an_image_has_the_records_of_the_zone(void **state)
{
	struct name zone = zone_name("example.org"), reverse = zone_name("2.0.192.in-addr.arpa");
	struct buf text = {0};
	struct fixture f;

	(void)state;
	open_fixture(&f, HEADLESS, true);
	image_text(k8s_external_plugin.transfer->image(f.external, &zone), &text);
	assert_string_equal(buf_text(&text),
		"10-0-1-2.db.shop.example.org. A 10.0.1.2\n"
		"_dns._udp.web.shop.example.org. SRV 0 50 53 web.shop.example.org.\n"
		"_http._tcp.lb.shop.example.org. SRV 0 100 80 lb.example.net.\n"
		"_http._tcp.web.shop.example.org. SRV 0 50 80 web.shop.example.org.\n"
		"_pg._tcp.db.shop.example.org. SRV 0 50 5432 10-0-1-2.db.shop.example.org.\n"
		"_pg._tcp.db.shop.example.org. SRV 0 50 5432 db-0.db.shop.example.org.\n"
		"db-0.db.shop.example.org. A 10.0.1.1\n"
		"db.shop.example.org. A 10.0.1.1\n"
		"db.shop.example.org. A 10.0.1.2\n"
		"example.org. NS ns1.dns.example.org.\n"
		"front.shop.example.org. A 192.0.2.2\n"
		"lb.shop.example.org. CNAME lb.example.net.\n"
		"ns1.dns.example.org. A 192.0.2.53\n"
		"web.shop.example.org. A 192.0.2.1\n"
		"web.shop.example.org. AAAA 2001:db8::1\n"
		"web.shop.example.org. SRV 0 25 53 web.shop.example.org.\n"
		"web.shop.example.org. SRV 0 25 80 web.shop.example.org.\n");
	buf_clear(&text);
	image_text(k8s_external_plugin.transfer->image(f.external, &reverse), &text);
	assert_string_equal(buf_text(&text),
		"1.2.0.192.in-addr.arpa. PTR web.shop.example.org.\n"
		"2.0.192.in-addr.arpa. NS ns1.dns.2.0.192.in-addr.arpa.\n"
		"2.2.0.192.in-addr.arpa. PTR front.shop.example.org.\n"
		"ns1.dns.2.0.192.in-addr.arpa. A 192.0.2.53\n");
	buf_free(&text);
	close_fixture(&f);
}

static void changes_are_kept_for_those_who_follow(void **state)
{
	struct name zone = zone_name("example.org");
	struct zone_image *changes;
	struct buf text = {0};
	struct fixture f;
	uint32_t before;

	(void)state;
	open_fixture(&f, PLAIN, true);
	k8s_external_plugin.transfer->keep_changes(f.external, &zone);
	before = serial_of(&f, "example.org");
	fake_cluster_change(
		STR(SERVICE("web", "spec: {clusterIP: 10.96.0.1, externalIPs: [192.0.2.1, "
				   "192.0.2.3], ports: [{name: http, port: 80}]}\n")),
		false);
	changes = k8s_external_plugin.transfer->changes(f.external, &zone, before);
	assert_non_null(changes);
	image_text(changes, &text);
	assert_non_null(strstr(buf_text(&text), "web.shop.example.org. A 192.0.2.3\n"));
	assert_null(strstr(buf_text(&text), "web.shop.example.org. A 192.0.2.1\n"));
	assert_null(k8s_external_plugin.transfer->changes(f.external, &zone, before - 1));
	buf_free(&text);
	close_fixture(&f);
}

static void drop_log(void *arg, enum log_level level, const char *text)
{
	(void)arg;
	(void)level;
	(void)text;
}

/* A tenant can have hundreds of ports and a hundred addresses, in some kilobytes of a Service. */
static void addresses_of_a_service_are_kept_once(void **state)
{
	static const uint8_t key[] = "\4http\3tcp\3web\4shop";
	const struct external_entry *entry;
	const struct table *t;
	struct fixture f;

	(void)state;
	open_fixture(&f, PLAIN, true);
	t = &((struct external *)f.external)->primary->table;
	entry = (const struct external_entry *)table_find(
		t, key, sizeof(key) - 1, table_hash(t, key, sizeof(key) - 1));
	assert_non_null(entry);
	assert_int_equal(entry->kind, EXTERNAL_PORT);
	assert_null(entry->a);
	assert_null(entry->aaaa);
	close_fixture(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_said_is_what_is_answered),
		cmocka_unit_test(every_reason_is_said),
		cmocka_unit_test(every_name_in_the_list_is_answered),
		cmocka_unit_test(the_serial_moves_with_what_can_be_seen),
		cmocka_unit_test(endpoints_move_the_serial_that_a_transfer_has_seen),
		cmocka_unit_test(a_zone_that_is_not_known_is_not_handed_out),
		cmocka_unit_test(an_image_has_the_records_of_the_zone),
		cmocka_unit_test(changes_are_kept_for_those_who_follow),
		cmocka_unit_test(addresses_of_a_service_are_kept_once),
	};

	log_set_sink(drop_log, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
