/*
 * metadata: which values there are, when they are to be had, and what they are, asked for by a
 * plugin of the test that stands above kubernetes.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../scenarios/fake_cluster.h"
#include "base/must.h"
#include "base/rcu.h"
#include "conf/args.h"
#include "core/generation.h"
#include "core/metadata.h"
#include "core/query.h"
#include "core/worker.h"
#include "core/zone_list.h"
#include "dns/rr.h"
#include "dns/wire.h"
#include "rig.h"
#include "test.h"

extern const struct plugin metadata_plugin, rewrite_plugin, kubernetes_plugin;

/* --- a plugin that asks -------------------------------------------------------------------- */

static char answers[1024]; /* "KEY=VALUE" of each key asked for, "-" when there is none */

static int asker_setup(struct setup *s, struct err *e)
{
	(void)e;
	for (size_t i = 0; i < s->first->arg_count; i++)
		metadata_want(s->chain, str_from(directive_arg(s->first, i)));
	s->instance = (void *)(uintptr_t)s->first;
	return 0;
}

static void asker_reply(struct query *q, void *instance)
{
	const struct directive *d = instance;

	answers[0] = '\0';
	for (size_t i = 0; i < d->arg_count && !q->is_internal; i++) {
		struct str key = str_from(directive_arg(d, i)), value = STR("-");
		size_t at = strlen(answers);

		metadata_get(q, key, &value);
		snprintf(answers + at, sizeof(answers) - at, "%s%.*s", i > 0 ? "|" : "",
			(int)value.len, value.at);
	}
}

/* Leaves a value behind, as forward does. */
static enum verdict teller_query(struct query *q, void *instance)
{
	(void)instance;
	if (metadata_is_wanted(q, STR("teller/old")))
		metadata_put(q, STR("teller/old"), STR("never"));
	metadata_put(q, STR("teller/who"), STR("first"));
	metadata_put(q, STR("teller/who"), STR("me"));
	return NEXT;
}

static const struct plugin asker = {"asker", .setup = asker_setup, .reply = asker_reply};
static const struct plugin teller = {
	"teller", .setup = asker_setup, .query = teller_query, .takes_any_class = true};

/* Where a question that rewrite has changed goes to: keeps its options. */
static struct str seen;

static enum verdict looker_query(struct query *q, void *instance)
{
	static uint8_t options[200];
	const struct edns *edns = &q->msg.edns;

	(void)instance;
	seen = (struct str){(const char *)options, 0};
	if (edns->is_present)
		seen.len = edns->end - edns->offset - 11u;
	must(seen.len <= sizeof(options));
	memcpy(options, q->buf + edns->offset + 11, seen.len);
	return NEXT;
}

static const struct plugin looker = {"looker", .setup = asker_setup, .query = looker_query};

/* --- fixture ------------------------------------------------------------------------------- */

struct fixture {
	struct generation *g;
	struct worker w;
};

static void open_fixture(struct fixture *f, const char *text)
{
	static const struct plugin *const plugins[] = {
		&metadata_plugin, &asker, &teller, &rewrite_plugin, &looker, &kubernetes_plugin,
		NULL};
	struct generation_options options = {.plugins = plugins, .default_port = 53, .workers = 1};
	struct corefile *c;
	struct err e = {""};

	worker_init(&f->w, 0);
	must(corefile_parse("Corefile", str_from(text), NULL, &c, &e) == 0);
	f->g = generation_new(c, &options, &e);
	if (f->g == NULL)
		fail_msg("%s", e.text);
	must(generation_start(f->g, &e) == 0);
}

static void close_fixture(struct fixture *f)
{
	generation_free(f->g);
	worker_fini(&f->w);
	rcu_reclaim();
}

static const char *ask(struct fixture *f, const char *name, const char *client)
{
	struct query *q = worker_query(&f->w);

	rig_write(q, &(struct rig_ask){.name = name, .type = TYPE_A});
	if (client != NULL)
		must(addr_from_text(&q->client, str_from(client), 40000) == 0);
	else
		q->client.sa.sa_family = AF_UNSPEC;
	snprintf(answers, sizeof(answers), "not asked");
	if (query_prepare(q, &f->g->listens.at[0]->group))
		query_run(q);
	query_release(q);
	return answers;
}

/* --- names --------------------------------------------------------------------------------- */

#define NAME_KEYS                                                                                  \
	"kubernetes/kind kubernetes/namespace kubernetes/service kubernetes/endpoint "             \
	"kubernetes/protocol kubernetes/port-name kubernetes/parse-error"

static void names_are_told_by_their_parts(void **state)
{
	static const struct {
		const char *name, *values;
	} rows[] = {
		{"cluster.local", "||||||-"},
		{"svc.cluster.local", "||||||-"},
		{"shop.svc.cluster.local", "svc|shop|||||-"},
		{"Web.Shop.SVC.cluster.local", "svc|shop|web||||-"},
		{"db-0.web.shop.svc.cluster.local", "svc|shop|web|db-0|||-"},
		{"_http._tcp.web.shop.svc.cluster.local", "svc|shop|web||tcp|http|-"},
		{"http.tcp.web.shop.svc.cluster.local", "svc|shop|web||tcp|http|-"},
		{"10-0-0-1.shop.pod.cluster.local", "pod|shop|10-0-0-1||||-"},
		{"a.b.c.web.shop.svc.cluster.local", "-|-|-|-|-|-|invalid query name"},
		{"web.cluster.local", "-|-|-|-|-|-|invalid query name"},
		{"1.0.96.10.in-addr.arpa", "-|-|-|-|-|-|invalid query name"},
		{"a\\010b.shop.svc.cluster.local", "svc|shop|a\\010b||||-"},
		{"example.org", "-|-|-|-|-|-|-"},
	};
	struct fixture f;

	(void)state;
	open_fixture(&f, ".:53 {\nmetadata\nasker " NAME_KEYS
			 "\nkubernetes cluster.local in-addr.arpa\n}");
	fake_cluster_synced();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(ask(&f, rows[i].name, "10.9.9.9"), rows[i].values);
	close_fixture(&f);
}

static void names_may_have_a_cluster_or_a_zone(void **state)
{
	static const struct {
		const char *name, *values;
	} rows[] = {
		{"web.shop.svc.cluster.local", "web||-||||-"},
		{"eu-1.pin._zone.web.shop.svc.cluster.local", "web||-|eu-1|||-"},
		{"a.eu-1.prefer._zone.web.shop.svc.cluster.local", "web||-|a.eu-1|||-"},
		{"eu-1.near._zone.web.shop.svc.cluster.local", "-|-|-|-|-|-|invalid query name"},
		{"eu-1.pin._zone.web.shop.xxx.cluster.local", "-|-|-|-|-|-|invalid query name"},
		{"web.shop.svc.all.example", "web||||||-"},
		{"ep.west.web.shop.svc.all.example", "web|ep|west||||-"},
		{"_http._tcp.web.shop.svc.all.example", "web||||tcp|http|-"},
	};
	struct fixture f;

	(void)state;
	open_fixture(&f, ".:53 {\nmetadata\nasker kubernetes/service kubernetes/endpoint "
			 "kubernetes/cluster kubernetes/zone kubernetes/protocol "
			 "kubernetes/port-name kubernetes/parse-error\nkubernetes cluster.local "
			 "all.example {\nmulticluster all.example\nzonal\n}\n}");
	fake_cluster_synced();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(ask(&f, rows[i].name, "10.9.9.9"), rows[i].values);
	close_fixture(&f);
}

/* --- clients ------------------------------------------------------------------------------- */

#define POD(name, ns, more)                                                                        \
	"---\napiVersion: v1\nkind: Pod\nmetadata: {name: " name ", namespace: " ns                \
	", labels: {app: " name ", k8s-app/part: x}}\n" more "\n"
#define AT(ip) "status: {phase: Running, podIP: " ip "}"
#define HOST(ip) "spec: {hostNetwork: true}\n" AT(ip)

static const char pods[] =
	"apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n" POD("web-1", "shop", AT("10.1.0.1"))
		POD("six", "shop", AT("'fd00::6'")) POD("done", "other",
			"status: {phase: Succeeded, podIP: 10.1.0.1}")
			POD("h1", "shop", HOST("192.0.2.1")) POD("h2", "shop", HOST("192.0.2.1"))
				POD("h3", "shop", HOST("192.0.2.2")) POD("h4", "other", HOST("192.0.2.2"));

#define CLIENT_KEYS                                                                                \
	"kubernetes/client-namespace kubernetes/client-pod-name kubernetes/client-label/app "      \
	"kubernetes/client-label/k8s-app/part kubernetes/client-label/none"

#define CLIENTS(options)                                                                           \
	".:53 {\nmetadata\nasker " CLIENT_KEYS "\nkubernetes cluster.local {\n" options "\n}\n}"

static const char *ask_from(struct fixture *f, const char *client)
{
	return ask(f, "web.shop.svc.cluster.local", client);
}

static void clients_are_told_by_their_address(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f, CLIENTS("pods verified"));
	fake_cluster_change(STR(pods), false);
	/* a pod of another namespace may have the address, too */
	assert_string_equal(ask_from(&f, "10.1.0.1"), "-|-|-|-|-");
	fake_cluster_synced();
	assert_string_equal(ask_from(&f, "10.1.0.1"), "shop|web-1|web-1|x|-");
	assert_string_equal(ask_from(&f, "fd00::6"), "shop|six|six|x|-");
	assert_string_equal(ask_from(&f, "10.1.0.9"), "-|-|-|-|-");
	assert_string_equal(ask_from(&f, NULL), "-|-|-|-|-");
	/* on the network of a node: what the pods there have in common */
	assert_string_equal(ask_from(&f, "192.0.2.1"), "shop|-|-|-|-");
	assert_string_equal(ask_from(&f, "192.0.2.2"), "-|-|-|-|-");
	close_fixture(&f);
}

static void clients_follow_the_cluster(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f, CLIENTS("pods verified"));
	fake_cluster_change(STR(pods), false);
	fake_cluster_synced();
	fake_cluster_change(STR(POD("web-1", "shop", AT("10.1.0.1"))), true);
	assert_string_equal(ask_from(&f, "10.1.0.1"), "-|-|-|-|-");
	/* the address is used again */
	fake_cluster_change(STR(POD("new", "other", AT("10.1.0.1"))), false);
	assert_string_equal(ask_from(&f, "10.1.0.1"), "other|new|new|x|-");
	close_fixture(&f);
}

static void clients_need_verified_pods(void **state)
{
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		open_fixture(&f, i == 0 ? CLIENTS("") : CLIENTS("pods insecure"));
		fake_cluster_change(STR(pods), false);
		fake_cluster_synced();
		assert_string_equal(ask_from(&f, "10.1.0.1"), "-|-|-|-|-");
		close_fixture(&f);
	}
}

/* The API server does not send pods that the selector leaves out: they may share the address. */
static void a_selector_makes_node_addresses_unknown(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f, CLIENTS("pods verified\nlabels k8s-app/part=x"));
	fake_cluster_change(STR(pods), false);
	fake_cluster_synced();
	assert_string_equal(ask_from(&f, "10.1.0.1"), "shop|web-1|web-1|x|-");
	assert_string_equal(ask_from(&f, "192.0.2.1"), "-|-|-|-|-");
	close_fixture(&f);
}

static void clients_can_be_told_to_upstreams(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f, ".:53 {\nmetadata\nasker\nlooker\n"
			 "rewrite edns0 local set 0xfff0 {kubernetes/client-namespace}\n"
			 "kubernetes cluster.local {\npods verified\n}\n}");
	fake_cluster_change(STR(pods), false);
	fake_cluster_synced();
	ask(&f, "www.example.org", "10.1.0.1");
	assert_true(str_eq(seen, STR("\xff\xf0\0\4shop")));
	ask(&f, "www.example.org", "10.1.0.9"); /* no pod has it */
	assert_true(str_eq(seen, STR("\xff\xf0\0\0")));
	close_fixture(&f);
}

/* --- when ---------------------------------------------------------------------------------- */

static void values_are_for_blocks_and_zones_with_metadata(void **state)
{
	static const struct {
		const char *block, *values;
	} rows[] = {
		{".:53 {\nmetadata\nasker kubernetes/kind teller/who\nteller\nkubernetes "
		 "cluster.local\n}",
			"svc|me"},
		{".:53 {\nmetadata example.org cluster.local\nasker kubernetes/kind "
		 "teller/who\nteller\nkubernetes cluster.local\n}",
			"svc|me"},
		{".:53 {\nmetadata example.org\nasker kubernetes/kind teller/who\nteller\n"
		 "kubernetes cluster.local\n}",
			"-|-"},
		{".:53 {\nasker kubernetes/kind teller/who\nteller\nkubernetes cluster.local\n}",
			"-|-"},
		{".:53 {\nmetadata\nasker kubernetes/none nobody/none kubernetes "
		 "/x\nteller\nkubernetes cluster.local\n}",
			"-|-|-|-"},
	};
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		open_fixture(&f, rows[i].block);
		fake_cluster_synced();
		assert_string_equal(
			ask(&f, "web.shop.svc.cluster.local", "10.1.0.1"), rows[i].values);
		close_fixture(&f);
	}
}

static void keys_have_a_plugin_and_a_label(void **state)
{
	static const char *const good[] = {"a/b", "kubernetes/client-label/app.io/x"};
	static const char *const bad[] = {"", "a", "/a", "a/", "a/b c", "a/\x01"};
	char longest[METADATA_KEY_MAX + 2];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(metadata_is_key(str_from(good[i])));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(metadata_is_key(str_from(bad[i])));
	memset(longest, 'a', sizeof(longest));
	longest[1] = '/';
	assert_true(metadata_is_key((struct str){longest, METADATA_KEY_MAX}));
	assert_false(metadata_is_key((struct str){longest, METADATA_KEY_MAX + 1}));
}

static void the_directive_takes_zones_only(void **state)
{
	static const struct plugin *const plugins[] = {&metadata_plugin, NULL};
	static const char *const bad[] = {
		".:53 {\nmetadata\nmetadata\n}", ".:53 {\nmetadata {\nx\n}\n}"};
	struct generation_options options = {.plugins = plugins, .workers = 1};
	struct corefile *c;
	struct err e;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		must(corefile_parse("Corefile", str_from(bad[i]), NULL, &c, &e) == 0);
		assert_null(generation_new(c, &options, &e));
		assert_non_null(strstr(e.text, "Corefile:"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{"1.12: the parts of a name are metadata", names_are_told_by_their_parts, NULL, NULL, NULL},
		{"1.12: clusters and zones in names are metadata",
			names_may_have_a_cluster_or_a_zone, NULL, NULL, NULL},
		{"1.12: the pod that asks is metadata", clients_are_told_by_their_address, NULL, NULL, NULL},
		{"1.12: metadata of clients follows the cluster", clients_follow_the_cluster, NULL, NULL, NULL},
		{"1.12: metadata of clients needs verified pods", clients_need_verified_pods, NULL, NULL, NULL},
		{"1.12: rewrite tells metadata of clients to upstream servers",
			clients_can_be_told_to_upstreams, NULL, NULL, NULL},
		cmocka_unit_test(a_selector_makes_node_addresses_unknown),
		cmocka_unit_test(values_are_for_blocks_and_zones_with_metadata),
		cmocka_unit_test(keys_have_a_plugin_and_a_label),
		cmocka_unit_test(the_directive_takes_zones_only),
	};
	int failed;

	rcu_register_thread();
	failed = cmocka_run_group_tests_name("metadata", tests, NULL, NULL);
	rcu_unregister_thread();
	return failed;
}
