#include "test.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "base/vec.h"
#include "cluster/json_object.h"
#include "cluster/store.h"

/* ---- a store with a reader that writes down what it is told ---- */

struct fixture {
	struct store *st;
	int source;
	struct store_reader reader;
	VEC(char *) lines; /* of the last commits, sorted when they are compared */
	uint64_t trigger_ms;
};

static void note(void *arg, const struct changes *c)
{
	static const char *const kinds[] = {"ns", "svc", "import", "pod", "ip", "sync"};
	struct fixture *f = arg;

	f->trigger_ms = c->trigger_ms;
	for (size_t i = 0; i < c->len; i++) {
		const struct touch *t = &c->at[i];
		char text[IP_TEXT_SIZE];
		struct buf b = {0};

		buf_str(&b, kinds[t->kind]);
		if (t->ns != NULL)
			buf_printf(&b, " %s", t->ns);
		if (t->name != NULL)
			buf_printf(&b, "/%s", t->name);
		if (t->kind == TOUCH_IP)
			buf_printf(&b, " %s", ip_text(&t->ip, text));
		vec_push(&f->lines, b.at);
	}
}

static void setup(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	f->st = store_new();
	f->source = store_source_add(f->st, "test", ~0u);
	f->reader = (struct store_reader){.on_changes = note, .arg = f};
	store_reader_add(f->st, &f->reader);
	store_commit(f->st);
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Commit, and expect these lines in alphabetic order, joined by commas. */
static void told(struct fixture *f, const char *expected)
{
	struct buf got = {0};

	store_commit(f->st);
	if (f->lines.len > 0)
		qsort(f->lines.at, f->lines.len, sizeof(*f->lines.at), compare);
	vec_for_each (&f->lines, line) {
		buf_printf(&got, "%s%s", got.len > 0 ? ", " : "", *line);
		free(*line);
	}
	f->lines.len = 0;
	assert_string_equal(buf_text(&got), expected);
	buf_free(&got);
}

static void teardown(struct fixture *f)
{
	store_reader_remove(&f->reader);
	vec_for_each (&f->lines, line)
		free(*line);
	vec_free(&f->lines);
	store_free(f->st);
}

/* Decode a JSON object, ' written for ", and apply or delete it. */
static enum store_result put_from(
        struct fixture *f, int source, enum object_kind kind, const char *json, bool is_delete)
{
	enum store_result r;
	struct arena a;
	struct object o;
	char *text = mem_str(json);

	for (char *p = text; *p != '\0'; p++)
		*p = *p == '\'' ? '"' : *p;
	arena_init(&a);
	assert_int_equal(json_object_decode(&a, str_from(text), kind, &o), 0);
	r = is_delete ? store_delete(f->st, source, &o) : store_apply(f->st, source, &o);
	arena_reset(&a);
	free(text);
	return r;
}

static enum store_result put(struct fixture *f, enum object_kind kind, const char *json)
{
	return put_from(f, f->source, kind, json, false);
}

static enum store_result del(struct fixture *f, enum object_kind kind, const char *json)
{
	return put_from(f, f->source, kind, json, true);
}

#define NS "{'metadata':{'name':'web'}}"
#define SVC                                                                          \
	"{'metadata':{'name':'a','namespace':'web'},'spec':{'clusterIP':'10.0.0.1'," \
	"'ports':[{'port':80}]}}"
#define SLICE                                                                                      \
	"{'metadata':{'name':'a-1','namespace':'web','labels':{'kubernetes.io/"                    \
	"service-name':'a'}},"                                                                     \
	"'addressType':'IPv4','endpoints':[{'addresses':['10.1.0.1']},{'addresses':['10.1.0.2']}]" \
	"}"

static void changes_are_told_once_and_only_when_something_changed(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	assert_int_equal(put(&f, OBJECT_NAMESPACE, NS), STORE_CHANGED);
	assert_int_equal(put(&f, OBJECT_SERVICE, SVC), STORE_CHANGED);
	assert_int_equal(put(&f, OBJECT_SLICE, SLICE), STORE_CHANGED);
	told(&f, "ns web, svc web/a");
	assert_int_equal(put(&f, OBJECT_NAMESPACE, NS), STORE_SAME);
	assert_int_equal(put(&f, OBJECT_SERVICE, SVC), STORE_SAME);
	assert_int_equal(put(&f, OBJECT_SLICE, SLICE), STORE_SAME);
	told(&f, "");
	assert_int_equal(put(&f, OBJECT_SERVICE,
	                         "{'metadata':{'name':'a','namespace':'web'},"
	                         "'spec':{'clusterIPs':['10.0.0.1','fd00::1']}}"),
	        STORE_CHANGED);
	told(&f, "svc web/a");
	assert_int_equal(del(&f, OBJECT_SERVICE, SVC), STORE_CHANGED);
	assert_int_equal(del(&f, OBJECT_SERVICE, SVC), STORE_IGNORED);
	told(&f, "svc web/a");
	assert_int_equal(del(&f, OBJECT_NAMESPACE, NS), STORE_CHANGED);
	told(&f, "ns web");
	teardown(&f);
}

static void a_pod_touches_the_addresses_that_it_had_and_has(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	put(&f, OBJECT_POD,
	        "{'metadata':{'name':'p','namespace':'web'},"
	        "'status':{'podIP':'10.1.0.1','podIPs':[{'ip':'10.1.0.1'},{'ip':'fd00::1'}]}}");
	told(&f, "ip 10.1.0.1, ip fd00::1, pod web/p");
	put(&f, OBJECT_POD,
	        "{'metadata':{'name':'p','namespace':'web'},'status':{'podIP':'10.1.0.2'}}");
	told(&f, "ip 10.1.0.1, ip 10.1.0.2, ip fd00::1, pod web/p");
	teardown(&f);
}

#define POD(labels) \
	"{'metadata':{'name':'p','namespace':'web','labels':{" labels "}}," \
	"'spec':{'hostname':'h','containers':[{'ports':[{'name':'x','containerPort':1}]}]}," \
	"'status':{'phase':'Running','podIP':'10.1.0.1'}}"

static void slim_pods_differ_by_what_is_kept_of_them(void **state)
{
	const struct object *o;
	struct fixture f;

	(void)state;
	setup(&f);
	store_slim_pods(f.st);
	assert_int_equal(put(&f, OBJECT_POD, POD("'a':'1'")), STORE_CHANGED);
	o = store_get(f.st, OBJECT_POD, "web", "p");
	assert_int_equal(o->labels.len, 0);
	assert_int_equal(o->pod.ports.len, 0);
	assert_null(o->pod.hostname);
	assert_int_equal(o->pod.ips.len, 1);
	assert_int_equal(o->pod.phase, POD_RUNNING);
	assert_int_equal(put(&f, OBJECT_POD, POD("'a':'2'")), STORE_SAME);
	teardown(&f);
}

static void a_slice_that_moves_touches_both_services(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	put(&f, OBJECT_SLICE, SLICE);
	told(&f, "svc web/a");
	put(&f, OBJECT_SLICE,
	        "{'metadata':{'name':'a-1','namespace':'web','labels':"
	        "{'kubernetes.io/service-name':'b'}},'addressType':'IPv4',"
	        "'endpoints':[{'addresses':['10.1.0.1']}]}");
	told(&f, "svc web/a, svc web/b");
	assert_int_equal(store_slices_of(f.st, "web", "a").len, 0);
	assert_int_equal(store_slices_of(f.st, "web", "b").len, 1);
	put(&f, OBJECT_SLICE, "{'metadata':{'name':'a-1','namespace':'web'}}");
	told(&f, "svc web/b");
	put(&f, OBJECT_SLICE,
	        "{'metadata':{'name':'a-1','namespace':'web','labels':"
	        "{'multicluster.kubernetes.io/service-name':'b'}},'addressType':'IPv4',"
	        "'endpoints':[{'addresses':['10.1.0.1']}]}");
	told(&f, "import web/b");
	assert_int_equal(store_slices_of(f.st, "web", "b").len, 0);
	assert_int_equal(store_imported_slices_of(f.st, "web", "b").len, 1);
	/* controllers tie it to a Service of their own, too */
	put(&f, OBJECT_SLICE,
	        "{'metadata':{'name':'a-1','namespace':'web','labels':"
	        "{'multicluster.kubernetes.io/service-name':'b',"
	        "'kubernetes.io/service-name':'c'}},'addressType':'IPv4',"
	        "'endpoints':[{'addresses':['10.1.0.1']}]}");
	told(&f, "import web/b, svc web/c");
	assert_int_equal(store_slices_of(f.st, "web", "c").len, 1);
	assert_int_equal(store_imported_slices_of(f.st, "web", "b").len, 1);
	put(&f, OBJECT_SLICE, "{'metadata':{'name':'a-1','namespace':'web'}}");
	told(&f, "import web/b, svc web/c");
	assert_int_equal(store_imported_slices_of(f.st, "web", "b").len, 0);
	teardown(&f);
}

/* K32: every order of arrival gives the same state. */
static void order_of_kinds_does_not_matter(void **state)
{
	static const struct {
		enum object_kind kind;
		const char *json;
	} events[] = {
	        {OBJECT_NAMESPACE, NS},
	        {OBJECT_SERVICE, SVC},
	        {OBJECT_SLICE, SLICE},
	        {OBJECT_POD, "{'metadata':{'name':'p','namespace':'web'},"
	                     "'status':{'podIPs':[{'ip':'10.1.0.1'},{'ip':'fd00::5'}]}}"},
	};

	(void)state;
	for (int order = 0; order < 24; order++) {
		int left[4] = {0, 1, 2, 3}, code = order;
		struct ip ip;
		struct ip_owner owner;
		struct fixture f;
		size_t pos = 0;

		setup(&f);
		for (int n = 4; n > 0; n--) {
			int pick = code % n;
			int event = left[pick];

			code /= n;
			left[pick] = left[n - 1];
			put(&f, events[event].kind, events[event].json);
			store_commit(f.st);
		}
		assert_non_null(store_namespace(f.st, "web"));
		assert_non_null(store_service(f.st, "web", "a"));
		assert_int_equal(store_slices_of(f.st, "web", "a").len, 1);
		assert_int_equal(store_in_namespace(f.st, OBJECT_SERVICE, "web").len, 1);
		assert_int_equal(store_in_namespace(f.st, OBJECT_POD, "web").len, 1);
		ip_parse(STR("10.1.0.1"), &ip);
		assert_true(store_ip_next(f.st, OBJECT_SLICE, &ip, &pos, &owner));
		assert_int_equal(owner.item, 0);
		assert_string_equal(owner.object->name, "a-1");
		assert_false(store_ip_next(f.st, OBJECT_SLICE, &ip, &pos, &owner));
		ip_parse(STR("fd00::5"), &ip);
		pos = 0;
		assert_true(store_ip_next(f.st, OBJECT_POD, &ip, &pos, &owner));
		assert_int_equal(owner.item, 1);
		teardown(&f);
	}
}

/* P4 of the watch policy. */
static void older_versions_are_stale_whatever_their_uid(void **state)
{
	static const char *const format =
	        "{'metadata':{'name':'a','namespace':'web','uid':'%s','resourceVersion':'%s'},"
	        "'spec':{'clusterIP':'10.0.0.%d'}}";
	static const struct {
		const char *uid, *rv;
		enum store_result result;
	} rows[] = {
	        {"84fc62c6-3ab9-484d-a87a-49e7bc54487e", "100", STORE_CHANGED},
	        {"84fc62c6-3ab9-484d-a87a-49e7bc54487e", "99", STORE_STALE},
	        {"84fc62c6-3ab9-484d-a87a-49e7bc54487e", "100", STORE_CHANGED},
	        {"84fc62c6-3ab9-484d-a87a-49e7bc54487e", "1000", STORE_CHANGED},
	        {"84fc62c6-3ab9-484d-a87a-49e7bc54487e", "opaque", STORE_CHANGED},
	        {"84fc62c6-3ab9-484d-a87a-49e7bc54487e", "5", STORE_CHANGED},
	        {"95748569-04f2-4d51-afd2-52deb20a6106", "4", STORE_STALE},
	        {"95748569-04f2-4d51-afd2-52deb20a6106", "7", STORE_CHANGED},
	};
	struct store_stats stats;
	struct fixture f;
	char text[300];

	(void)state;
	setup(&f);
	for (int i = 0; i < (int)ARRAY_LEN(rows); i++) {
		snprintf(text, sizeof(text), format, rows[i].uid, rows[i].rv, i + 1);
		assert_int_equal(put(&f, OBJECT_SERVICE, text), rows[i].result);
	}
	store_stats(f.st, &stats);
	assert_int_equal(stats.stale, 2);
	snprintf(text, sizeof(text), format, rows[0].uid, "2000", 1);
	assert_int_equal(del(&f, OBJECT_SERVICE, text), STORE_STALE);
	snprintf(text, sizeof(text), format, rows[6].uid, "3", 1);
	assert_int_equal(del(&f, OBJECT_SERVICE, text), STORE_STALE);
	snprintf(text, sizeof(text), format, rows[6].uid, "9", 1);
	assert_int_equal(del(&f, OBJECT_SERVICE, text), STORE_CHANGED);
	teardown(&f);
}

static void relist_sweeps_what_was_not_in_it(void **state)
{
	struct fixture f;
	char text[200];

	(void)state;
	setup(&f);
	for (int round = 0; round < 2; round++) {
		store_relist_begin(f.st, f.source, OBJECT_SERVICE, false);
		for (int i = 0; i < 100; i += round + 1) {
			snprintf(text, sizeof(text),
			        "{'metadata':{'name':'s%d','namespace':'web'}}", i);
			put(&f, OBJECT_SERVICE, text);
		}
		assert_int_equal(store_in_namespace(f.st, OBJECT_SERVICE, "web").len, 100);
		assert_int_equal(store_relist_missing(f.st, f.source, OBJECT_SERVICE), round * 50);
		assert_int_equal(store_relist_end(f.st, f.source, OBJECT_SERVICE), round * 50);
	}
	assert_int_equal(store_in_namespace(f.st, OBJECT_SERVICE, "web").len, 50);
	store_relist_begin(f.st, f.source, OBJECT_SERVICE, false);
	store_relist_abort(f.st, f.source, OBJECT_SERVICE);
	assert_int_equal(store_relist_end(f.st, f.source, OBJECT_SERVICE), 0);
	assert_int_equal(store_in_namespace(f.st, OBJECT_SERVICE, "web").len, 50);
	teardown(&f);
}

/* P5: after an etcd restore the server's older versions are the truth. */
static void a_list_that_is_truth_goes_back_in_time(void **state)
{
	static const char new[] =
	        "{'metadata':{'name':'a','namespace':'web','resourceVersion':'9'},"
	        "'spec':{'clusterIP':'10.0.0.9'}}";
	static const char old[] =
	        "{'metadata':{'name':'a','namespace':'web','resourceVersion':'2'},"
	        "'spec':{'clusterIP':'10.0.0.2'}}";
	struct fixture f;

	(void)state;
	setup(&f);
	put(&f, OBJECT_SERVICE, new);
	store_relist_begin(f.st, f.source, OBJECT_SERVICE, false);
	assert_int_equal(put(&f, OBJECT_SERVICE, old), STORE_STALE);
	assert_int_equal(store_relist_end(f.st, f.source, OBJECT_SERVICE), 0);
	store_relist_begin(f.st, f.source, OBJECT_SERVICE, true);
	assert_int_equal(put(&f, OBJECT_SERVICE, old), STORE_CHANGED);
	store_relist_end(f.st, f.source, OBJECT_SERVICE);
	assert_int_equal(store_service(f.st, "web", "a")->service.cluster_ips.at[0].bytes[3], 2);
	teardown(&f);
}

static void the_first_source_wins_and_the_second_comes_forward(void **state)
{
	static const char first[] =
	        "{'metadata':{'name':'a','namespace':'web'},'spec':{'clusterIP':'10.0.0.1'}}";
	static const char second[] =
	        "{'metadata':{'name':'a','namespace':'web'},'spec':{'clusterIP':'10.0.0.2'}}";
	struct fixture f;
	int other;

	(void)state;
	setup(&f);
	other = store_source_add(f.st, "other", ~0u);
	put_from(&f, other, OBJECT_SERVICE, second, false);
	told(&f, "svc web/a");
	put(&f, OBJECT_SERVICE, first);
	told(&f, "svc web/a");
	assert_int_equal(store_source_of(store_service(f.st, "web", "a")), f.source);
	put_from(&f, other, OBJECT_SERVICE, "{'metadata':{'name':'a','namespace':'web'}}", false);
	told(&f, "");
	put_from(&f, other, OBJECT_SERVICE, second, false);
	del(&f, OBJECT_SERVICE, first);
	told(&f, "svc web/a");
	assert_int_equal(store_source_of(store_service(f.st, "web", "a")), other);
	assert_int_equal(store_in_namespace(f.st, OBJECT_SERVICE, "web").len, 1);
	put(&f, OBJECT_SERVICE, first);
	store_source_remove(f.st, other);
	assert_int_equal(store_source_of(store_service(f.st, "web", "a")), f.source);
	teardown(&f);
}

static void a_kind_is_synced_when_all_its_sources_are(void **state)
{
	struct fixture f;
	int other;

	(void)state;
	setup(&f);
	assert_false(store_is_synced(f.st, OBJECT_SERVICE));
	store_source_synced(f.st, f.source, OBJECT_SERVICE, true);
	told(&f, "sync");
	assert_true(store_is_synced(f.st, OBJECT_SERVICE));
	assert_false(store_is_synced(f.st, OBJECT_POD));
	other = store_source_add(f.st, "other", 1u << OBJECT_SERVICE);
	told(&f, "sync");
	assert_false(store_is_synced(f.st, OBJECT_SERVICE));
	store_source_synced(f.st, other, OBJECT_SERVICE, true);
	told(&f, "sync");
	assert_true(store_is_synced(f.st, OBJECT_SERVICE));
	store_source_synced(f.st, other, OBJECT_SERVICE, true);
	told(&f, "");
	teardown(&f);
}

static void one_address_has_many_owners_up_to_a_cap(void **state)
{
	struct fixture f;
	struct ip ip;
	struct ip_owner owner;
	size_t pos = 0, seen = 0;
	char text[300];

	(void)state;
	setup(&f);
	for (int i = 0; i < 2000; i++) {
		snprintf(text, sizeof(text),
		        "{'metadata':{'name':'p%d','namespace':'web'},'status':{'podIPs':["
		        "{'ip':'10.9.9.9'},{'ip':'10.%d.%d.1'}]}}",
		        i, i / 200, i % 200);
		put(&f, OBJECT_POD, text);
	}
	ip_parse(STR("10.9.9.9"), &ip);
	while (store_ip_next(f.st, OBJECT_POD, &ip, &pos, &owner))
		seen++;
	assert_int_equal(seen, STORE_MAX_SAME_IP);
	for (int i = 0; i < 2000; i++) {
		snprintf(text, sizeof(text), "{'metadata':{'name':'p%d','namespace':'web'}}", i);
		assert_int_equal(del(&f, OBJECT_POD, text), STORE_CHANGED);
	}
	pos = 0;
	assert_false(store_ip_next(f.st, OBJECT_POD, &ip, &pos, &owner));
	teardown(&f);
}

/* K30: any sequence of adds and deletes, from two sources, against a plain model. */
static void random_events_match_a_model(void **state)
{
	static int model[2][20]; /* last octet, 0: absent */
	struct fixture f;
	int sources[2];
	uint32_t seed = 7;
	char text[200];

	(void)state;
	memset(model, 0, sizeof(model));
	setup(&f);
	sources[0] = f.source;
	sources[1] = store_source_add(f.st, "second", ~0u);
	for (int round = 0; round < 20000; round++) {
		int who, name, octet;
		bool is_delete;

		seed = seed * 1664525 + 1013904223;
		who = seed >> 30 & 1;
		name = (int)(seed >> 20 & 255) % 20;
		is_delete = (seed >> 12 & 3) == 0;
		octet = (int)(seed >> 14 & 3) + 1;
		snprintf(text, sizeof(text),
		        "{'metadata':{'name':'s%d','namespace':'n%d'},'spec':{'clusterIP':"
		        "'10.0.0.%d'}}",
		        name, name % 3, octet);
		put_from(&f, sources[who], OBJECT_SERVICE, text, is_delete);
		model[who][name] = is_delete ? 0 : octet;
		if (round % 64 != 0)
			continue;
		for (int n = 0; n < 20; n++) {
			int expected = model[0][n] ? model[0][n] : model[1][n];
			const struct object *o;

			snprintf(text, sizeof(text), "s%d", n);
			o = store_service(f.st, n % 3 == 0 ? "n0" : n % 3 == 1 ? "n1" : "n2", text);
			assert_int_equal(o != NULL, expected != 0);
			if (o != NULL)
				assert_int_equal(o->service.cluster_ips.at[0].bytes[3], expected);
		}
		for (int octets = 1; octets <= 4; octets++) {
			struct ip ip = {4, {10, 0, 0, (uint8_t)octets}};
			struct ip_owner owner;
			size_t pos = 0, got = 0, expected = 0;

			while (store_ip_next(f.st, OBJECT_SERVICE, &ip, &pos, &owner))
				got++;
			for (int n = 0; n < 20; n++)
				expected += (model[0][n] ? model[0][n] : model[1][n]) == octets;
			assert_int_equal(got, expected);
		}
	}
	teardown(&f);
}

struct writer {
	struct store_reader reader;
	struct fixture *f;
	int rounds;
};

static void write_back(void *arg, const struct changes *c)
{
	struct writer *w = arg;
	char text[200];

	(void)c;
	if (w->rounds++ < 3) {
		snprintf(text, sizeof(text), "{'metadata':{'name':'x%d','namespace':'web'}}",
		        w->rounds);
		put(w->f, OBJECT_SERVICE, text);
		store_commit(w->f->st);
	} else if (w->rounds == 4) {
		store_reader_remove(&w->reader);
	}
}

static void readers_may_write_and_leave_while_they_are_told(void **state)
{
	struct fixture f;
	struct writer w = {.reader = {.on_changes = write_back}, .f = &f};

	(void)state;
	setup(&f);
	w.reader.arg = &w;
	store_reader_add(f.st, &w.reader);
	put(&f, OBJECT_NAMESPACE, NS);
	told(&f, "ns web, svc web/x1, svc web/x2, svc web/x3");
	assert_int_equal(w.rounds, 4);
	put(&f, OBJECT_SERVICE, SVC);
	told(&f, "svc web/a");
	assert_int_equal(w.rounds, 4);
	teardown(&f);
}

static void the_oldest_trigger_time_is_reported(void **state)
{
	struct fixture f;
	char text[300];

	(void)state;
	setup(&f);
	for (int i = 3; i < 6; i++) {
		snprintf(text, sizeof(text),
		        "{'metadata':{'name':'a-%d','namespace':'web','labels':"
		        "{'kubernetes.io/"
		        "service-name':'a'},'annotations':{'endpoints.kubernetes.io/"
		        "last-change-trigger-time':'2026-11-22T14:08:2%d.5Z'}}}",
		        i, i % 3);
		put(&f, OBJECT_SLICE, text);
	}
	told(&f, "svc web/a");
	assert_true(f.trigger_ms == 1795356500500u);
	teardown(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(changes_are_told_once_and_only_when_something_changed),
	        cmocka_unit_test(a_pod_touches_the_addresses_that_it_had_and_has),
	        cmocka_unit_test(slim_pods_differ_by_what_is_kept_of_them),
	        cmocka_unit_test(a_slice_that_moves_touches_both_services),
	        NAMED_TEST("K32: every order of arrival of the kinds gives the same state",
	        	order_of_kinds_does_not_matter),
	        NAMED_TEST("P4: older versions are stale, whatever their uid",
	        	older_versions_are_stale_whatever_their_uid),
	        NAMED_TEST("P3: a new list sweeps what was not in it, at its end",
	        	relist_sweeps_what_was_not_in_it),
	        NAMED_TEST("P5: a list that is truth goes back in time",
	        	a_list_that_is_truth_goes_back_in_time),
	        cmocka_unit_test(the_first_source_wins_and_the_second_comes_forward),
	        cmocka_unit_test(a_kind_is_synced_when_all_its_sources_are),
	        cmocka_unit_test(one_address_has_many_owners_up_to_a_cap),
	        NAMED_TEST("K30: random events match a model", random_events_match_a_model),
	        cmocka_unit_test(readers_may_write_and_leave_while_they_are_told),
	        cmocka_unit_test(the_oldest_trigger_time_is_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
