/*
 * autopath beside what scenarios show: its file, its figures, what explain says, and walks that are
 * given up or may not begin.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../scenarios/fake_cluster.h"
#include "autopath/autopath.h"
#include "base/must.h"
#include "base/rcu.h"
#include "core/explain.h"
#include "core/generation.h"
#include "core/metrics.h"
#include "dns/wire.h"
#include "files.h"
#include "rig.h"
#include "test.h"

extern const struct plugin autopath_plugin, kubernetes_plugin;

/* --- a plugin that answers everything as it is told ---------------------------------------- */

static struct query *waiting;  /* a question that waits for the plugin */
static char asked[4096];       /* names that it was asked for, with blanks between */
static const char *exists;     /* the one that is there; others are not */
static bool is_slow;           /* questions wait */

static int world_setup(struct setup *s, struct err *e)
{
	(void)e;
	s->instance = s;
	return 0;
}

static enum verdict world_answer(struct query *q)
{
	char text[NAME_TEXT_MAX];

	name_to_text(text, q->folded);
	q->answer.rcode = exists != NULL && strcmp(text, exists) == 0 ? RCODE_NOERROR
								     : RCODE_NXDOMAIN;
	if (q->answer.rcode == RCODE_NOERROR)
		answer_add(&q->answer, SECTION_ANSWER,
			rrset_single(&q->arena, TYPE_A, 60, (struct str){"\300\0\2\1", 4}));
	return DONE;
}

static enum verdict world_query(struct query *q, void *instance)
{
	size_t at = strlen(asked);

	(void)instance;
	must(at + NAME_TEXT_MAX + 1 < sizeof(asked));
	name_to_text(asked + at, q->folded);
	strcat(asked, " ");
	waiting = q;
	return is_slow ? WAIT : world_answer(q);
}

static void world_cancel(struct query *q, void *instance)
{
	(void)q;
	(void)instance;
	waiting = NULL;
}

static const struct plugin world = {
	"world", .setup = world_setup, .query = world_query, .cancel = world_cancel};

/* --- fixture ------------------------------------------------------------------------------- */

static const char objects[] =
	"apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n"
	"---\napiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\n"
	"spec: {clusterIP: 10.96.0.1}\n"
	"---\napiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: shop}\n"
	"status: {phase: Running, podIP: 10.1.0.1}\n"
	"---\napiVersion: v1\nkind: Pod\nmetadata: {name: h, namespace: shop}\n"
	"spec: {hostNetwork: true}\nstatus: {phase: Running, podIP: 192.0.2.7}\n";

struct fixture {
	struct generation *g;
	struct worker w;
	char path[64]; /* of a resolv.conf */
	struct query *done;
};

static struct fixture *current;

static void on_done(struct query *q)
{
	current->done = q;
}

/* In text, %s is a resolv.conf with the search list. */
static void open_fixture(struct fixture *f, const char *text, const char *search)
{
	static const struct plugin *const plugins[] = {
		&autopath_plugin, &kubernetes_plugin, &world, NULL};
	struct generation_options options = {.plugins = plugins, .default_port = 53, .workers = 1};
	struct buf config = {0};
	struct corefile *c;
	struct err e = {""};

	memset(f, 0, sizeof(*f));
	current = f;
	asked[0] = '\0';
	exists = NULL;
	is_slow = false;
	worker_init(&f->w, 0);
	snprintf(f->path, sizeof(f->path), "/tmp/autopath.XXXXXX");
	close(mkstemp(f->path));
	write_file(f->path, search);
	for (; *text != '\0'; text++)
		if (*text == '@' && text[1] == '@' && text++)
			buf_str(&config, f->path);
		else
			buf_char(&config, *text);
	must(corefile_parse("Corefile", (struct str){config.at, config.len}, NULL, &c, &e) == 0);
	f->g = generation_new(c, &options, &e);
	if (f->g == NULL)
		fail_msg("%s", e.text);
	must(generation_start(f->g, &e) == 0);
	buf_free(&config);
}

static void close_fixture(struct fixture *f)
{
	generation_free(f->g);
	worker_fini(&f->w);
	rcu_reclaim();
	unlink(f->path);
}

#define BY_FILE ".:53 {\nautopath @@\nworld\n}"
#define BY_POD                                                                                     \
	".:53 {\nautopath @kubernetes {\nresolvconf @@\n}\nkubernetes cluster.local {\n"           \
	"pods verified\n}\nworld\n}"

static struct query *make_query(struct fixture *f, const char *name, const char *client)
{
	struct query *q = worker_query(&f->w);

	rig_write(q, &(struct rig_ask){.name = name, .type = TYPE_A});
	q->client.sa.sa_family = AF_UNSPEC;
	if (client != NULL)
		must(addr_from_text(&q->client, str_from(client), 40000) == 0);
	q->generation = f->g;
	q->on_done = on_done;
	must(query_prepare(q, &f->g->listens.at[0]->group));
	return q;
}

/* Ask and forget; "RCODE SETS: NAMES THAT WERE ASKED FOR". */
static const char *ask(struct fixture *f, const char *name, const char *client)
{
	static char line[sizeof(asked) + 64];
	struct query *q = make_query(f, name, client);
	char rcode[16];

	asked[0] = '\0';
	must(query_run(q) == QUERY_ANSWERED);
	snprintf(line, sizeof(line), "%s %u: %s", rcode_text(q->answer.rcode, rcode),
		q->answer.count, asked);
	query_release(q);
	return line;
}

/* --- the file ------------------------------------------------------------------------------ */

static struct autopath *instance(struct fixture *f)
{
	return f->g->chains.at[0]->links.at[0].instance;
}

static void the_file_is_followed(void **state)
{
	struct fixture f;

	(void)state;
	open_fixture(&f, BY_FILE, "search a.example b.example\n");
	assert_string_equal(ask(&f, "x.a.example", NULL), "NXDOMAIN 0: x.a.example. x.b.example. x. ");
	write_file(f.path, "nameserver 192.0.2.1\nsearch C.example .\n");
	autopath_load(instance(&f));
	assert_string_equal(ask(&f, "x.a.example", NULL), "NXDOMAIN 0: x.a.example. ");
	assert_string_equal(ask(&f, "x.c.example", NULL), "NXDOMAIN 0: x.c.example. x. ");
	/* one that is gone changes nothing */
	unlink(f.path);
	autopath_load(instance(&f));
	assert_string_equal(ask(&f, "x.c.example", NULL), "NXDOMAIN 0: x.c.example. x. ");
	write_file(f.path, "nameserver 192.0.2.1\n");
	autopath_load(instance(&f));
	assert_string_equal(ask(&f, "x.c.example", NULL), "NXDOMAIN 0: x.c.example. ");
	close_fixture(&f);
}

static void a_walk_goes_on_with_the_path_that_it_began_with(void **state)
{
	struct fixture f;
	struct query *q;

	(void)state;
	open_fixture(&f, BY_FILE, "search a.example b.example\n");
	is_slow = true;
	q = make_query(&f, "x.a.example", NULL);
	assert_int_equal(query_run(q), QUERY_PARKED);
	write_file(f.path, "search c.example d.example\n");
	autopath_load(instance(&f));
	rcu_reclaim();
	for (int i = 0; i < 3; i++) {
		struct query *step = waiting;

		assert_null(f.done);
		exists = i == 2 ? "x." : NULL;
		query_resume(step, world_answer(step));
	}
	assert_ptr_equal(f.done, q);
	assert_string_equal(asked, "x.a.example. x.b.example. x. ");
	assert_int_equal(q->answer.rcode, RCODE_NOERROR);
	assert_int_equal(q->answer.count, 2);
	query_release(q);
	/* nothing but the question itself and the step in hand is kept */
	assert_int_equal(f.w.in_use, 0);
	assert_true(f.w.queries <= 3);
	close_fixture(&f);
}

/* --- walks that end otherwise -------------------------------------------------------------- */

static void a_walk_can_be_given_up(void **state)
{
	struct fixture f;
	struct query *q;

	(void)state;
	open_fixture(&f, BY_FILE, "search a.example b.example\n");
	is_slow = true;
	q = make_query(&f, "x.a.example", NULL);
	assert_int_equal(query_run(q), QUERY_PARKED);
	query_resume(waiting, world_answer(waiting));
	assert_null(f.done);
	worker_cancel_parked(&f.w, NULL);
	assert_ptr_equal(f.done, q);
	assert_true(q->is_dropped);
	assert_null(waiting);
	query_release(q);
	assert_int_equal(f.w.in_use, 0);
	close_fixture(&f);
}

static void without_room_for_a_step_the_answer_is_a_failure(void **state)
{
	struct fixture f;
	struct query *q;

	(void)state;
	open_fixture(&f, BY_FILE, "search a.example b.example\n");
	q = make_query(&f, "x.a.example", NULL);
	f.w.queries += WORKER_QUERIES_MAX;
	assert_int_equal(query_run(q), QUERY_ANSWERED);
	assert_int_equal(q->answer.rcode, RCODE_SERVFAIL);
	assert_non_null(q->reason);
	f.w.queries -= WORKER_QUERIES_MAX;
	query_release(q);
	close_fixture(&f);
}

static void names_that_get_too_long_are_left_out(void **state)
{
	char search[300] = "search a.example ";
	char name[256] = "";
	struct fixture f;

	(void)state;
	for (int i = 0; i < 24; i++)
		strcat(search, "long.name.");
	strcat(search, "example\n");
	strcpy(name, "x123456789.x123456789.x123456789.");
	strcat(name, "a.example");
	open_fixture(&f, BY_FILE, search);
	assert_string_equal(ask(&f, name, NULL),
		"NXDOMAIN 0: x123456789.x123456789.x123456789.a.example. "
		"x123456789.x123456789.x123456789. ");
	close_fixture(&f);
}

static void questions_of_the_server_are_not_walked(void **state)
{
	struct fixture f;
	struct query *q;

	(void)state;
	open_fixture(&f, BY_POD, "search corp.example\n");
	fake_cluster_change(STR(objects), false);
	fake_cluster_synced();
	exists = "x.";
	q = make_query(&f, "x.shop.svc.cluster.local", NULL);
	q->is_internal = true;
	assert_int_equal(query_run(q), QUERY_ANSWERED);
	assert_int_equal(q->answer.rcode, RCODE_NXDOMAIN);
	assert_string_equal(asked, "");
	query_release(q);
	/* and what it was told is no answer for the pod */
	assert_string_equal(ask(&f, "x.shop.svc.cluster.local", "10.1.0.1"),
		"NOERROR 2: x.corp.example. x. ");
	close_fixture(&f);
}

/* --- figures and explanations -------------------------------------------------------------- */

static void aliases_are_counted(void **state)
{
	struct buf out = {0};
	struct metrics *m;
	struct fixture f;

	(void)state;
	open_fixture(&f, BY_FILE, "search a.example b.example\n");
	exists = "x.b.example.";
	assert_string_equal(ask(&f, "x.a.example", NULL), "NOERROR 2: x.a.example. x.b.example. ");
	assert_string_equal(ask(&f, "y.a.example", NULL), "NXDOMAIN 0: y.a.example. y.b.example. y. ");
	exists = "x.a.example.";
	assert_string_equal(ask(&f, "x.a.example", NULL), "NOERROR 1: x.a.example. ");
	m = metrics_new();
	generation_metrics(f.g, m);
	metrics_finish(m, &out);
	assert_non_null(
		strstr(buf_text(&out), "\ncoredns_autopath_success_total{server=\"dns://:53\"} 1\n"));
	buf_free(&out);
	close_fixture(&f);
}

static void assert_explained(struct fixture *f, const char *line, const char *wanted)
{
	struct buf out = {0};
	struct err e = {""};

	if (explain_run(f->g, str_from(line), &out, &e) != 0)
		fail_msg("%s", e.text);
	if (strstr(buf_text(&out), wanted) == NULL)
		fail_msg("\"%s\" is not in: %s", wanted, buf_text(&out));
	buf_free(&out);
}

static void explain_shows_what_is_tried(void **state)
{
	struct buf out = {0};
	struct fixture f;
	struct err e;

	(void)state;
	open_fixture(&f, BY_POD, "search corp.example\n");
	fake_cluster_change(STR(objects), false);
	assert_explained(&f, "explain web A 10.1.0.1",
		"\nautopath: nothing is tried yet: the cluster has not been read completely\n");
	fake_cluster_synced();
	assert_explained(&f, "explain web A 10.1.0.1",
		"\nautopath: one question is enough, the server tries web.shop.svc.cluster.local. "
		"web.svc.cluster.local. web.cluster.local. web.corp.example. web.\n");
	assert_explained(&f, "explain web A 192.0.2.7",
		"\nautopath: nothing is tried for this client: it is not clear who asks");
	/* the path is for A and AAAA, and for names that are not complete */
	assert_int_equal(explain_run(f.g, STR("explain web SRV 10.1.0.1"), &out, &e), 0);
	assert_int_equal(explain_run(f.g, STR("explain web. A 10.1.0.1"), &out, &e), 0);
	assert_null(strstr(buf_text(&out), "autopath"));
	buf_free(&out);
	close_fixture(&f);
	/* with a file, whoever asks */
	open_fixture(&f, BY_FILE, "search a.example b.example\n");
	assert_explained(&f, "explain x.a.example A 10.7.7.7",
		"\nautopath: one question is enough, the server tries x.a.example. x.b.example. x.\n");
	close_fixture(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{"1.12: the file of autopath is followed", the_file_is_followed, NULL, NULL, NULL},
		cmocka_unit_test(a_walk_goes_on_with_the_path_that_it_began_with),
		cmocka_unit_test(a_walk_can_be_given_up),
		cmocka_unit_test(without_room_for_a_step_the_answer_is_a_failure),
		cmocka_unit_test(names_that_get_too_long_are_left_out),
		{"6.34: questions without a client are not walked (c#8390)",
			questions_of_the_server_are_not_walked, NULL, NULL, NULL},
		{"1.12: coredns_autopath_success_total counts aliases", aliases_are_counted, NULL,
			NULL, NULL},
		{"1.12: explain shows what autopath tries", explain_shows_what_is_tried, NULL, NULL,
			NULL},
	};
	int failed;

	rcu_register_thread();
	failed = cmocka_run_group_tests_name("autopath", tests, NULL, NULL);
	rcu_unregister_thread();
	return failed;
}
