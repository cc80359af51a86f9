/*
 * What seamark explain says about names of a cluster: each reason, and that it never says something
 * else than the query hook does.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../scenarios/fake_cluster.h"
#include "base/log.h"
#include "core/explain.h"
#include "kubernetes/kube.h"
#include "explained.h"
#include "rig.h"
#include "test.h"

extern const struct plugin kubernetes_plugin;

static const char objects[] =
	"apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {team: shop}}\n"
	"---\napiVersion: v1\nkind: Namespace\nmetadata: {name: data}\n"
	/* a ClusterIP of both families */
	"---\napiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\n"
	"spec: {clusterIPs: [10.96.0.1, 'fd00:96::1'], selector: {a: b}, ports: [{name: http, "
	"port: 80}, {name: dns, port: 53, protocol: UDP}]}\n"
	"---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: web-1, "
	"namespace: shop, labels: {kubernetes.io/service-name: web}}\naddressType: IPv4\nendpoints:\n"
	"- {addresses: [10.0.0.1]}\n- {addresses: [10.0.0.2], conditions: {ready: false}}\n"
	"- {addresses: [10.0.0.3], hostname: named}\n"
	"ports: [{name: http, port: 8080, protocol: TCP}]\n"
	/* without ports, without endpoints */
	"---\napiVersion: v1\nkind: Service\nmetadata: {name: bare, namespace: shop}\n"
	"spec: {clusterIP: 10.96.0.2}\n"
	/* headless with slices of different ports */
	"---\napiVersion: v1\nkind: Service\nmetadata: {name: db, namespace: data}\n"
	"spec: {clusterIP: None, clusterIPs: [None], selector: {a: b}, ports: [{name: pg, port: 1}]}\n"
	"---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: db-1, "
	"namespace: data, labels: {kubernetes.io/service-name: db}}\naddressType: IPv4\nendpoints:\n"
	"- {addresses: [10.0.1.1], hostname: db-0, targetRef: {kind: Pod, name: db-0}, zone: eu-1a}\n"
	"- {addresses: [10.0.1.2], hostname: db-1, conditions: {ready: false}}\n"
	"- {addresses: [10.0.1.3]}\n"
	"ports: [{name: pg, port: 5432, protocol: TCP}]\n"
	"---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: db-2, "
	"namespace: data, labels: {kubernetes.io/service-name: db}}\naddressType: IPv6\nendpoints:\n"
	"- {addresses: ['fd00::1']}\nports: [{name: admin, port: 9, protocol: SCTP}, {port: 10}]\n"
	/* an address of two names, in slices of other ports; a port of no ready endpoint */
	"---\napiVersion: v1\nkind: Service\nmetadata: {name: twice, namespace: data}\n"
	"spec: {clusterIP: None, selector: {a: b}, ports: [{name: pg, port: 1}]}\n"
	"---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: twice-1, "
	"namespace: data, labels: {kubernetes.io/service-name: twice}}\naddressType: IPv4\n"
	"endpoints: [{addresses: [10.0.3.1]}, {addresses: [10.0.3.2], hostname: db-0}]\n"
	"ports: [{name: pg, port: 5432, protocol: TCP}]\n"
	"---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: twice-2, "
	"namespace: data, labels: {kubernetes.io/service-name: twice}}\naddressType: IPv4\n"
	"endpoints: [{addresses: [10.0.3.1], hostname: named}, {addresses: [10.0.3.2], hostname: "
	"db-1}]\nports: [{name: pg, port: 5432, protocol: TCP}, {name: http, port: 80}]\n"
	"---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: twice-3, "
	"namespace: data, labels: {kubernetes.io/service-name: twice}}\naddressType: IPv4\n"
	"endpoints: [{addresses: [10.0.3.3], conditions: {ready: false}}]\n"
	"ports: [{name: dns, port: 53, protocol: UDP}]\n"
	/* headless without a ready endpoint; without any */
	"---\napiVersion: v1\nkind: Service\nmetadata: {name: jobs, namespace: data}\n"
	"spec: {clusterIP: None, selector: {a: c}, ports: [{port: 1}]}\n"
	"---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: jobs-1, "
	"namespace: data, labels: {kubernetes.io/service-name: jobs}}\naddressType: IPv4\nendpoints:\n"
	"- {addresses: [10.0.2.1], conditions: {ready: false}}\n"
	"- {addresses: [10.0.2.2], conditions: {ready: false}}\n"
	"---\napiVersion: v1\nkind: Service\nmetadata: {name: none, namespace: data}\n"
	"spec: {clusterIP: None, selector: {a: d}}\n"
	"---\napiVersion: v1\nkind: Service\nmetadata: {name: byhand, namespace: data}\n"
	"spec: {clusterIP: None}\n"
	/* aliases */
	"---\napiVersion: v1\nkind: Service\nmetadata: {name: pay, namespace: shop}\n"
	"spec: {type: ExternalName, externalName: pay.example.com}\n"
	"---\napiVersion: v1\nkind: Service\nmetadata: {name: payip, namespace: shop}\n"
	"spec: {type: ExternalName, externalName: 192.0.2.1}\n"
	"---\napiVersion: v1\nkind: Service\nmetadata: {name: paybad, namespace: shop}\n"
	"spec: {type: ExternalName, externalName: 'a..b'}\n"
	/* imported from other clusters */
	"---\napiVersion: multicluster.x-k8s.io/v1beta1\nkind: ServiceImport\nmetadata: {name: farweb, "
	"namespace: shop}\nspec: {type: ClusterSetIP, ips: [10.112.0.1], ports: [{name: http, port: "
	"80}]}\n"
	"---\napiVersion: multicluster.x-k8s.io/v1beta1\nkind: ServiceImport\nmetadata: {name: fardb, "
	"namespace: data}\nspec: {type: Headless, ports: [{name: pg, port: 5432}]}\n"
	"---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: fardb-east, "
	"namespace: data, labels: {multicluster.kubernetes.io/service-name: fardb, "
	"multicluster.kubernetes.io/source-cluster: east}}\naddressType: IPv4\nendpoints:\n"
	"- {addresses: [10.7.1.1], hostname: db-0}\n- {addresses: [10.7.1.3]}\n"
	"- {addresses: [10.7.1.2], hostname: db-1, conditions: {ready: false}}\n"
	"ports: [{name: pg, port: 5432, protocol: TCP}]\n"
	"---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: fardb-west, "
	"namespace: data, labels: {multicluster.kubernetes.io/service-name: fardb, "
	"multicluster.kubernetes.io/source-cluster: west}}\naddressType: IPv4\nendpoints:\n"
	"- {addresses: [10.8.1.1], hostname: db-0}\n"
	"ports: [{name: pg, port: 5432, protocol: TCP}]\n"
	"---\napiVersion: multicluster.x-k8s.io/v1beta1\nkind: ServiceImport\nmetadata: {name: farnone, "
	"namespace: data}\nspec: {type: Headless, ports: []}\n"
	/* pods */
	"---\napiVersion: v1\nkind: Pod\nmetadata: {name: p1, namespace: shop}\n"
	"status: {phase: Running, podIP: 10.0.0.1}\n"
	"---\napiVersion: v1\nkind: Pod\nmetadata: {name: done, namespace: shop}\n"
	"status: {phase: Succeeded, podIP: 10.0.9.9}\n"
	"---\napiVersion: v1\nkind: Pod\nmetadata: {name: host, namespace: data}\n"
	"spec: {hostNetwork: true}\nstatus: {phase: Running, podIP: 192.0.2.7}\n";

#define BLOCK(options) \
	".:53 {\nkubernetes cluster.local in-addr.arpa ip6.arpa {\n" options "\n}\n}\n"

#define IMPORTS                                                                                    \
	".:53 {\nkubernetes cluster.local clusterset.local in-addr.arpa {\n"                       \
	"multicluster clusterset.local\npods insecure\n}\n}\n"

#define ZONAL BLOCK("zonal\npods verified")

struct fixture {
	struct rig rig;
	bool is_synced;
};

static void open_fixture(struct fixture *f, const char *corefile, bool is_synced)
{
	assert_int_equal(rig_open(&f->rig, &kubernetes_plugin, corefile), 0);
	f->rig.generation.corefile = f->rig.corefile;
	vec_push(&f->rig.generation.chains, &f->rig.chain);
	f->rig.generation.chains.at[0]->links.at[0].plugin = &kubernetes_plugin;
	fake_cluster_change(STR(objects), false);
	if (is_synced)
		fake_cluster_synced();
	assert_int_equal(kubernetes_plugin.start(f->rig.setup.instance, &f->rig.err), 0);
}

static void close_fixture(struct fixture *f)
{
	vec_free(&f->rig.generation.chains);
	rig_close(&f->rig);
}

static void make_ask(struct explain_ask *ask, const char *name, uint16_t type)
{
	memset(ask, 0, sizeof(*ask));
	assert_int_equal(name_from_text(&ask->name, str_from(name), NULL), 0);
	name_fold(ask->name.wire, ask->name.wire, ask->name.len);
	ask->type = type;
}

static void explain(struct fixture *f, const char *name, uint16_t type, struct explanation *x)
{
	struct explain_ask ask;

	memset(x, 0, sizeof(*x));
	make_ask(&ask, name, type);
	kubernetes_plugin.explain->explain(f->rig.setup.instance, &ask, x);
}

/* --- one row a reason -------------------------------------------------------------------- */

#define VERIFIED BLOCK("pods verified")

static const struct {
	const char *corefile, *name;
	uint16_t type;
	enum explain_outcome outcome;
	const char *text; /* "VALUES|OBJECT|FIELD|WHY" has this in it */
} rows[] = {
	{VERIFIED, "web.shop.svc.cluster.local", TYPE_A, EXPLAIN_ANSWER,
		"10.96.0.1|Service shop/web|spec.clusterIPs|"},
	{VERIFIED, "web.shop.svc.cluster.local", TYPE_AAAA, EXPLAIN_ANSWER, "fd00:96::1|"},
	{VERIFIED, "web.shop.svc.cluster.local", TYPE_SRV, EXPLAIN_ANSWER,
		"port 80 of web, port 53 of web|Service shop/web|spec.ports|"},
	{VERIFIED, "web.shop.svc.cluster.local", TYPE_MX, EXPLAIN_NODATA,
		"it has no records of type MX"},
	{VERIFIED, "bare.shop.svc.cluster.local", TYPE_A, EXPLAIN_ANSWER,
		"10.96.0.2|Service shop/bare|spec.clusterIPs|the name resolves, but there is no"},
	{BLOCK("noendpoints"), "bare.shop.svc.cluster.local", TYPE_A, EXPLAIN_ANSWER,
		"spec.clusterIPs|"},
	{VERIFIED, "bare.shop.svc.cluster.local", TYPE_AAAA, EXPLAIN_NODATA,
		"it has no IPv6 address"},
	{VERIFIED, "bare.shop.svc.cluster.local", TYPE_SRV, EXPLAIN_NODATA, "it has no ports"},
	{VERIFIED, "_http._tcp.web.shop.svc.cluster.local", TYPE_SRV, EXPLAIN_ANSWER,
		"port 80 of web"},
	{VERIFIED, "_http._udp.web.shop.svc.cluster.local", TYPE_SRV, EXPLAIN_NXDOMAIN,
		"no port is named _http._udp; ports are: _http._tcp (80), _dns._udp (53)"},
	{VERIFIED, "_x._tcp.db.data.svc.cluster.local", TYPE_SRV, EXPLAIN_NXDOMAIN,
		"ports are: _pg._tcp (5432), _admin._sctp (9), one without a name (10/tcp)"},
	{VERIFIED, "_x._tcp.bare.shop.svc.cluster.local", TYPE_SRV, EXPLAIN_NXDOMAIN,
		"ports are: none"},
	{VERIFIED, "_tcp.web.shop.svc.cluster.local", TYPE_A, EXPLAIN_NODATA,
		"the name exists only because names lie below it"},
	{VERIFIED, "_sctp.web.shop.svc.cluster.local", TYPE_A, EXPLAIN_NXDOMAIN,
		"no port with a name has the protocol \"sctp\""},
	{VERIFIED, "db.data.svc.cluster.local", TYPE_A, EXPLAIN_ANSWER,
		"endpoints[].addresses of ready endpoints"},
	{VERIFIED, "db-0.db.data.svc.cluster.local", TYPE_A, EXPLAIN_ANSWER, "10.0.1.1|"},
	{VERIFIED, "db-1.db.data.svc.cluster.local", TYPE_A, EXPLAIN_NXDOMAIN,
		"the endpoint \"db-1\" is not ready"},
	{VERIFIED, "10-0-0-2.web.shop.svc.cluster.local", TYPE_A, EXPLAIN_NXDOMAIN,
		"the endpoint \"10-0-0-2\" is not ready"},
	{VERIFIED, "10-0-0-3.web.shop.svc.cluster.local", TYPE_A, EXPLAIN_NXDOMAIN,
		"the endpoint with this address is called \"named\""},
	{VERIFIED, "db-9.db.data.svc.cluster.local", TYPE_A, EXPLAIN_NXDOMAIN,
		"no endpoint is called \"db-9\""},
	{VERIFIED, "a.b.c.web.shop.svc.cluster.local", TYPE_A, EXPLAIN_NXDOMAIN,
		"a Service has names for endpoints (one label more) and ports (two)"},
	{VERIFIED, "jobs.data.svc.cluster.local", TYPE_A, EXPLAIN_NXDOMAIN,
		"Service data/jobs||it is headless and has no ready endpoint (2 not ready)"},
	{VERIFIED, "none.data.svc.cluster.local", TYPE_A, EXPLAIN_NXDOMAIN,
		"has no endpoint: no pod fits its selector"},
	{VERIFIED, "byhand.data.svc.cluster.local", TYPE_A, EXPLAIN_NXDOMAIN,
		"it has no selector, so that its EndpointSlices are made by hand"},
	{VERIFIED, "pay.shop.svc.cluster.local", TYPE_A, EXPLAIN_ANSWER,
		"pay.example.com.|Service shop/pay|spec.externalName|an alias"},
	{VERIFIED, "x.pay.shop.svc.cluster.local", TYPE_A, EXPLAIN_NXDOMAIN,
		"ExternalName has no names below its own"},
	{VERIFIED, "payip.shop.svc.cluster.local", TYPE_A, EXPLAIN_NXDOMAIN,
		"the ExternalName is the IP address 192.0.2.1"},
	{VERIFIED, "paybad.shop.svc.cluster.local", TYPE_A, EXPLAIN_NXDOMAIN,
		"the ExternalName \"a..b\" is no domain name"},
	{VERIFIED, "wep.shop.svc.cluster.local", TYPE_A, EXPLAIN_NXDOMAIN,
		"there is no Service \"wep\" in namespace \"shop\"; did you mean \"web\"?"},
	{VERIFIED, "db.shop.svc.cluster.local", TYPE_A, EXPLAIN_NXDOMAIN,
		"there is one in namespace \"data\""},
	{VERIFIED, "web.shopp.svc.cluster.local", TYPE_A, EXPLAIN_NXDOMAIN,
		"there is no namespace \"shopp\"; did you mean \"shop\"?"},
	{VERIFIED, "web.shop.cluster.local", TYPE_A, EXPLAIN_NXDOMAIN,
		"did you mean \"web.shop.svc.cluster.local.\"?"},
	{VERIFIED, "_dns._udp.twice.data.svc.cluster.local", TYPE_SRV, EXPLAIN_NXDOMAIN,
		"no port of a ready endpoint is named _dns._udp; ports are: _pg._tcp (5432)"},
	{VERIFIED, "shop.svc.cluster.local", TYPE_A, EXPLAIN_NODATA, "names lie below it"},
	{VERIFIED, "svc.cluster.local", TYPE_A, EXPLAIN_NODATA, "names lie below it"},
	{VERIFIED, "cluster.local", TYPE_A, EXPLAIN_NODATA, "SOA and NS records only"},
	{VERIFIED, "dns-version.cluster.local", TYPE_TXT, EXPLAIN_ANSWER, "\"1.1.0\"|"},
	{VERIFIED, "cluster.local", TYPE_AXFR, EXPLAIN_REFUSED, "it hands out no whole zone"},
	{VERIFIED, "10-0-0-1.shop.pod.cluster.local", TYPE_A, EXPLAIN_ANSWER,
		"10.0.0.1|Pod shop/p1|status.podIPs|"},
	{VERIFIED, "10-0-0-1.shop.pod.cluster.local", TYPE_AAAA, EXPLAIN_NODATA,
		"it has no IPv6 address"},
	{VERIFIED, "10-0-0-1.data.pod.cluster.local", TYPE_A, EXPLAIN_NXDOMAIN,
		"the pod with this address is in namespace \"shop\""},
	{VERIFIED, "10-0-9-9.shop.pod.cluster.local", TYPE_A, EXPLAIN_NXDOMAIN,
		"the pod is over: status.phase is Succeeded"},
	{VERIFIED, "10-9-9-9.shop.pod.cluster.local", TYPE_A, EXPLAIN_NXDOMAIN,
		"no pod has the address 10.9.9.9"},
	{VERIFIED, "p1.shop.pod.cluster.local", TYPE_A, EXPLAIN_NXDOMAIN,
		"a pod's name is its address with dashes"},
	{VERIFIED, "10-0-0-1.nope.pod.cluster.local", TYPE_A, EXPLAIN_NXDOMAIN,
		"there is no namespace \"nope\""},
	{BLOCK("pods disabled"), "10-0-0-1.shop.pod.cluster.local", TYPE_A, EXPLAIN_NXDOMAIN,
		"\"pods disabled\" is the default"},
	{BLOCK("pods insecure"), "10-9-9-9.shop.pod.cluster.local", TYPE_A, EXPLAIN_ANSWER,
		"10.9.9.9|none: \"pods insecure\" believes the name"},
	{VERIFIED, "1.0.96.10.in-addr.arpa", TYPE_PTR, EXPLAIN_ANSWER,
		"web.shop.svc.cluster.local.|Service shop/web"},
	{VERIFIED, "1.0.96.10.in-addr.arpa", TYPE_A, EXPLAIN_NODATA, "it has no IPv4 address"},
	{VERIFIED, "2.0.0.10.in-addr.arpa", TYPE_PTR, EXPLAIN_NXDOMAIN,
		"EndpointSlice shop/web-1||the endpoint is not ready"},
	{VERIFIED, "9.9.0.10.in-addr.arpa", TYPE_PTR, EXPLAIN_NXDOMAIN,
		"Pod shop/done||a pod has the address, but it is no endpoint of a Service"},
	{VERIFIED, "9.9.9.10.in-addr.arpa", TYPE_PTR, EXPLAIN_NXDOMAIN,
		"no Service and no endpoint has the address"},
	{VERIFIED, "9.10.in-addr.arpa", TYPE_PTR, EXPLAIN_NXDOMAIN,
		"the name does not stand for a whole address"},
	{BLOCK("namespaces data"), "web.shop.svc.cluster.local", TYPE_A, EXPLAIN_NXDOMAIN,
		"Namespace shop||the namespace is not served: it is not among those of"},
	{BLOCK("namespace_labels team=x"), "web.shop.svc.cluster.local", TYPE_A, EXPLAIN_NXDOMAIN,
		"do not match \"namespace_labels team=x\""},
	{BLOCK("labels x=y"), "web.shop.svc.cluster.local", TYPE_A, EXPLAIN_NXDOMAIN,
		"its labels do not match \"labels x=y\""},
	{BLOCK("noendpoints"), "db.data.svc.cluster.local", TYPE_A, EXPLAIN_NXDOMAIN,
		"it is headless and has no endpoints here: \"noendpoints\""},
	{BLOCK("noendpoints"), "10-0-0-1.web.shop.svc.cluster.local", TYPE_A, EXPLAIN_NXDOMAIN,
		"endpoints have no names: \"noendpoints\""},
	{BLOCK("ignore empty_service"), "bare.shop.svc.cluster.local", TYPE_A, EXPLAIN_NXDOMAIN,
		"\"ignore empty_service\" hides it"},
	{BLOCK("fallthrough"), "no.shop.svc.cluster.local", TYPE_A, EXPLAIN_PASSES, "; fallthrough"},
	{VERIFIED, "example.com", TYPE_A, EXPLAIN_PASSES, "|||"},
	{ZONAL, "eu-1a.pin._zone.db.data.svc.cluster.local", TYPE_A, EXPLAIN_ANSWER,
		"10.0.1.1|Service data/db"},
	{ZONAL, "x.pin._zone.db.data.svc.cluster.local", TYPE_A, EXPLAIN_NODATA,
		"no endpoint is in the zone asked for"},
	{ZONAL, "x.prefer._zone.db.data.svc.cluster.local", TYPE_A, EXPLAIN_ANSWER,
		"no endpoint is in the zone asked for: all"},
	{ZONAL, "pin._zone.db.data.svc.cluster.local", TYPE_A, EXPLAIN_NODATA, "names lie below"},
	{ZONAL, "x.y._zone.db.data.svc.cluster.local", TYPE_A, EXPLAIN_NXDOMAIN,
		"zonal names are ZONE.pin._zone and ZONE.prefer._zone of a headless Service"},
	{IMPORTS, "farweb.shop.svc.clusterset.local", TYPE_A, EXPLAIN_ANSWER,
		"10.112.0.1|ServiceImport shop/farweb|spec.ips|"},
	{IMPORTS, "db-0.west.fardb.data.svc.clusterset.local", TYPE_A, EXPLAIN_ANSWER,
		"10.8.1.1|ServiceImport data/fardb, EndpointSlice data/fardb-"},
	{IMPORTS, "fardb.data.svc.clusterset.local", TYPE_SRV, EXPLAIN_ANSWER,
		"port 5432 of db-0.east"},
	{IMPORTS, "db-1.east.fardb.data.svc.clusterset.local", TYPE_A, EXPLAIN_NXDOMAIN,
		"the endpoint \"db-1\" is not ready"},
	{IMPORTS, "db-0.fardb.data.svc.clusterset.local", TYPE_A, EXPLAIN_NXDOMAIN,
		"an imported Service has names for endpoints, ENDPOINT.CLUSTER"},
	{IMPORTS, "east.fardb.data.svc.clusterset.local", TYPE_A, EXPLAIN_NODATA,
		"names lie below it"},
	{IMPORTS, "farnone.data.svc.clusterset.local", TYPE_A, EXPLAIN_NXDOMAIN,
		"has no endpoint in any cluster that exports it"},
	{IMPORTS, "web.shop.svc.clusterset.local", TYPE_A, EXPLAIN_NXDOMAIN,
		"there is no ServiceImport \"web\" in namespace \"shop\""},
	{IMPORTS, "1.1.8.10.in-addr.arpa", TYPE_PTR, EXPLAIN_ANSWER,
		"db-0.west.fardb.data.svc.clusterset.local."},
};

static void every_reason_is_said(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fixture f;
		struct explanation x;
		struct buf text = {0};

		open_fixture(&f, rows[i].corefile, true);
		explain(&f, rows[i].name, rows[i].type, &x);
		buf_printf(&text, "%s|%s|%s|%s", buf_text(&x.values), buf_text(&x.object),
			buf_text(&x.field), buf_text(&x.why));
		if (x.outcome != rows[i].outcome || strstr(buf_text(&text), rows[i].text) == NULL)
			fail_msg("%s: outcome %d, \"%s\" has no \"%s\"", rows[i].name,
				(int)x.outcome, buf_text(&text), rows[i].text);
		buf_free(&text);
		explanation_fini(&x);
		close_fixture(&f);
	}
}

static void a_cluster_that_is_not_known_denies_nothing(void **state)
{
	struct fixture f;
	struct explanation x;

	(void)state;
	open_fixture(&f, VERIFIED, false);
	explain(&f, "web.shopp.svc.cluster.local", TYPE_A, &x);
	assert_int_equal(x.outcome, EXPLAIN_SERVFAIL);
	assert_non_null(strstr(buf_text(&x.why),
		"not read: Namespaces, Services, EndpointSlices, Pods"));
	explanation_fini(&x);
	explain(&f, "web.shop.svc.cluster.local", TYPE_A, &x);
	assert_int_equal(x.outcome, EXPLAIN_ANSWER);
	explanation_fini(&x);
	close_fixture(&f);
}

/* --- agreement with the query hook ------------------------------------------------------- */

static void compare(struct fixture *f, const char *name, uint16_t type)
{
	struct query *q = rig_query(&f->rig, &(struct rig_ask){.name = name, .type = type});
	struct explanation x;

	worker_enter(&f->rig.worker);
	assert_int_equal(query_run(q), QUERY_ANSWERED);
	explain(f, name, type, &x);
	explained_as_answered(&x, q, f->rig.plugin->name, name);
	explanation_fini(&x);
	query_release(q);
}

static void compare_types(struct fixture *f, const char *name)
{
	static const uint16_t types[] = {TYPE_A, TYPE_AAAA, TYPE_SRV, TYPE_TXT, TYPE_CNAME,
		TYPE_NS, TYPE_SOA, TYPE_PTR, TYPE_AXFR};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		compare(f, name, types[i]);
}

static void compare_all(struct fixture *f)
{
	static const char *const below[] = {"", "_http._tcp.", "http.tcp.", "_dns._udp.", "_tcp.",
		"_udp.", "_sctp.", "tcp.", "_pg._tcp.", "_admin._sctp.", "_x._tcp.", "10-0-0-1.",
		"10-0-0-2.", "10-0-0-3.", "named.", "10-0-1-3.", "db-0.", "DB-0.", "db-1.",
		"fd00--1.", "1-2-3.", "a.b.c.", "_.", "_._tcp.", "db-0.east.", "db-0.west.",
		"db-1.east.", "10-7-1-3.east.", "east.", "WEST.", "db-0._tcp.", "EU-1a.pin._zone.",
		"eu-1a.prefer._zone.", "x.pin._zone.", "x.prefer._zone.", "x.y._zone.",
		"pin._zone.", "prefer._zone.", "y._zone.", "_zone.", "a.b.pin._zone.",
		"eu-1a.pin.zone."};
	static const char *const services[] = {"web.shop", "bare.shop", "db.data", "jobs.data",
		"none.data", "pay.shop", "payip.shop", "paybad.shop", "no.shop", "web.nope",
		"10-0-0-1.shop", "10-9-9-9.shop", "shop", "data", "twice.data", "nope", "farweb.shop",
		"fardb.data", "farnone.data"};
	static const char *const zones[] = {"cluster", "clusterset"};
	static const char *const kinds[] = {"svc.", "pod.", "dns.", ""};
	static const char *const fixed[] = {"cluster.local", "svc.cluster.local",
		"pod.cluster.local", "dns.cluster.local", "ns.dns.cluster.local",
		"dns-version.cluster.local", "x.dns-version.cluster.local", "example.com",
		"1.0.96.10.in-addr.arpa", "2.0.96.10.in-addr.arpa", "2.0.0.10.in-addr.arpa",
		"1.0.0.10.in-addr.arpa",
		"1.1.0.10.in-addr.arpa", "9.10.in-addr.arpa", "in-addr.arpa", "x.in-addr.arpa",
		"clusterset.local", "dns-version.clusterset.local", "1.0.112.10.in-addr.arpa",
		"1.1.8.10.in-addr.arpa"};
	const struct kube *k = f->rig.setup.instance;
	size_t n_zones = k->imported == NULL ? 1 : 2;
	char name[300];

	for (size_t b = 0; b < ARRAY_LEN(below); b++)
		for (size_t s = 0; s < ARRAY_LEN(services); s++)
			for (size_t at = 0; at < ARRAY_LEN(kinds) * n_zones; at++) {
				snprintf(name, sizeof(name), "%s%s.%s%s.local", below[b],
					services[s], kinds[at / n_zones], zones[at % n_zones]);
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
	} sets[] = {
		{VERIFIED, true},
		{VERIFIED, false},
		{BLOCK("pods insecure\nfallthrough in-addr.arpa svc.cluster.local"), true},
		{BLOCK("ignore empty_service\nfallthrough"), true},
		{BLOCK("noendpoints"), true},
		{BLOCK("namespaces data\nendpoint_pod_names"), true},
		{BLOCK("labels x=y"), true},
		{ZONAL, true},
		{IMPORTS, true},
		{IMPORTS, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		struct fixture f;

		open_fixture(&f, sets[i].corefile, sets[i].is_synced);
		compare_all(&f);
		close_fixture(&f);
	}
}

/* Every name that is listed is answered with the same values. */
static void every_name_in_the_list_is_answered(void **state)
{
	struct explain_names l = {.pattern = NULL};
	struct fixture f;

	open_fixture(&f, *state, true);
	kubernetes_plugin.explain->names(f.rig.setup.instance, &l);
	assert_true(l.lines.len > 20);
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

static void a_pattern_chooses_names(void **state)
{
	struct explain_names l = {.pattern = "*.SHOP.svc.cluster.local"};
	struct fixture f;

	(void)state;
	open_fixture(&f, VERIFIED, true);
	kubernetes_plugin.explain->names(f.rig.setup.instance, &l);
	assert_true(l.lines.len >= 6);
	vec_for_each(&l.lines, line) {
		assert_non_null(strstr(*line, ".shop.svc.cluster.local. "));
		free(*line);
	}
	vec_free(&l.lines);
	close_fixture(&f);
}

/* --- clients ----------------------------------------------------------------------------- */

static void an_address_leads_to_the_namespace_of_its_pod(void **state)
{
	static const struct {
		const char *ip, *who, *ns;
		bool is_host;
	} clients[] = {
		{"10.0.0.1", "Pod shop/p1", "shop", false},
		{"192.0.2.7", "Pod data/host", "data", true},
		{"10.0.1.1", "Pod data/db-0", "data", false}, /* by its endpoint */
		{"10.0.9.9", NULL, NULL, false},
		{"fd00::9", NULL, NULL, false},
	};
	struct fixture f;

	(void)state;
	open_fixture(&f, VERIFIED, true);
	for (size_t i = 0; i < sizeof(clients) / sizeof(clients[0]); i++) {
		struct explain_search s;
		union addr from;
		bool is_found;

		memset(&s, 0, sizeof(s));
		assert_int_equal(addr_from_text(&from, str_from(clients[i].ip), 0), 0);
		is_found = kubernetes_plugin.explain->search(f.rig.setup.instance, &from, &s);
		assert_int_equal(is_found, clients[i].who != NULL);
		assert_string_equal(buf_text(&s.who), clients[i].who == NULL ? "" : clients[i].who);
		assert_string_equal(buf_text(&s.ns), clients[i].ns == NULL ? "" : clients[i].ns);
		assert_int_equal(s.is_host_network, clients[i].is_host);
		buf_free(&s.who);
		buf_free(&s.ns);
	}
	close_fixture(&f);
}

/* --- requests ---------------------------------------------------------------------------- */

/* The whole way, from the line of a request; the fixture listens at one address. */
static const char *request(struct fixture *f, const char *line, struct buf *out)
{
	struct listen listen = {.group = f->rig.group};
	struct listen *at[] = {&listen};
	struct err e = {""};

	f->rig.generation.listens.at = at;
	f->rig.generation.listens.len = 1;
	buf_clear(out);
	if (explain_run(&f->rig.generation, str_from(line), out, &e) != 0)
		buf_printf(out, "error: %s", e.text);
	f->rig.generation.listens.at = NULL;
	f->rig.generation.listens.len = 0;
	return buf_text(out);
}

static const struct {
	const char *line, *text;
} requests[] = {
	{"explain web.shop.svc.cluster.local - -",
		"web.shop.svc.cluster.local. A: NOERROR, 10.96.0.1\n"
		"    block    .:53 (Corefile:1)\n"
		"    plugin   kubernetes, zone cluster.local.\n"
		"    object   Service shop/web\n"
		"    field    spec.clusterIPs\n"},
	{"explain _http._tcp.web.shop.svc.cluster.local - -", " SRV: NOERROR, port 80 of web\n"},
	{"explain 10.96.0.1 - -", "1.0.96.10.in-addr.arpa. PTR: NOERROR, web.shop.svc"},
	{"explain WEB.shop.SVC.cluster.local. aaaa -", "AAAA: NOERROR, fd00:96::1\n"},
	{"explain example.com A -", "example.com. A: SERVFAIL\n"},
	{"explain example.com A -", "no plugin of the server block takes it"},
	{"explain web A 10.0.0.1",
		"10.0.0.1 is Pod shop/p1: it looks names up with \"ndots:5\" and \"search "
		"shop.svc.cluster.local svc.cluster.local cluster.local\"\n"
		"  1. web.shop.svc.cluster.local. A: NOERROR, 10.96.0.1\n"
		"web.shop.svc.cluster.local. A: NOERROR, 10.96.0.1\n"},
	{"explain db.data A 10.0.0.1",
		"  1. db.data.shop.svc.cluster.local. A: NXDOMAIN (there is no Service \"data\" in "
		"namespace \"shop\")\n"
		"  2. db.data.svc.cluster.local. A: NOERROR, "},
	{"explain web.shop.svc.cluster.local. A 10.0.0.1", "  1. web.shop.svc.cluster.local. A: NO"},
	{"explain a.b.c.d.e.f A 10.0.0.1", "  1. a.b.c.d.e.f. A: SERVFAIL"},
	{"explain nope. A 10.0.0.1", "1. nope. A: SERVFAIL"},
	{"explain web A 192.0.2.7", "it is on the network of its node"},
	{"explain web A 10.7.7.7", "no pod with the address 10.7.7.7 is known"},
	{"explain web A nobody", "error: --from needs the IP address of a client, not \"nobody\""},
	{"explain web NOTYPE -", "error: \"NOTYPE\" is no record type"},
	{"explain a..b A -", "error: \"a..b\" is no domain name"},
	{"explain", "error: \"\" is no domain name"},
	{"names web.shop.svc.cluster.local.",
		"web.shop.svc.cluster.local. A 10.96.0.1\n"
		"web.shop.svc.cluster.local. AAAA fd00:96::1\n"},
	{"names no.such.name", ""},
	{"names", "_http._tcp.web.shop.svc.cluster.local. SRV port 80 of web.shop.svc.cluster.local.\n"},
	{"reload", "error: unknown request \"reload\""},
	{"", "error: unknown request \"\""},
};

static void requests_are_answered_in_text(void **state)
{
	struct buf out = {0};
	struct fixture f;

	(void)state;
	open_fixture(&f, VERIFIED, true);
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		const char *got = request(&f, requests[i].line, &out);

		if (strstr(got, requests[i].text) == NULL)
			fail_msg("%s: \"%s\" has no \"%s\"", requests[i].line, got,
				requests[i].text);
	}
	buf_free(&out);
	close_fixture(&f);
}

static void words_that_would_break_a_request_are_refused(void **state)
{
	static const char *const bad[] = {"", "a b", "a\nb", "\x7f"};
	struct buf line = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(explain_request(&line, bad[i], NULL, NULL), -22);
		assert_int_equal(explain_request(&line, "a", bad[i], NULL), -22);
		assert_int_equal(explain_request(&line, "a", NULL, bad[i]), -22);
		assert_int_equal(explain_names_request(&line, bad[i]), -22);
	}
	assert_int_equal(line.len, 0);
	assert_int_equal(explain_request(&line, "a", NULL, "10.0.0.1"), 0);
	assert_string_equal(line.at, "explain a - 10.0.0.1");
	buf_free(&line);
}

static void drop_log(void *arg, enum log_level level, const char *text)
{
	(void)arg;
	(void)level;
	(void)text;
}

int main(void)
{
	static char verified[] = VERIFIED, imports[] = IMPORTS, zonal[] = ZONAL;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_reason_is_said),
		cmocka_unit_test(a_cluster_that_is_not_known_denies_nothing),
		cmocka_unit_test(what_is_said_is_what_is_answered),
		cmocka_unit_test_prestate(every_name_in_the_list_is_answered, verified),
		cmocka_unit_test_prestate(every_name_in_the_list_is_answered, imports),
		cmocka_unit_test_prestate(every_name_in_the_list_is_answered, zonal),
		cmocka_unit_test(a_pattern_chooses_names),
		cmocka_unit_test(an_address_leads_to_the_namespace_of_its_pod),
		cmocka_unit_test(requests_are_answered_in_text),
		cmocka_unit_test(words_that_would_break_a_request_are_refused),
	};

	log_set_sink(drop_log, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
