#include "test.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "base/rand.h"
#include "cluster/endpoints.h"
#include "cluster/store.h"
#include "cluster/yaml.h"

struct fixture {
	struct store *store;
	struct endpoints *endpoints;
	int source, other; /* whose services are computed, and another one */
};

static void start(struct fixture *f)
{
	unsigned kinds = 1u << OBJECT_SERVICE | 1u << OBJECT_SLICE | 1u << OBJECT_POD;

	f->store = store_new();
	f->source = store_source_add(f->store, "test", kinds);
	f->other = store_source_add(f->store, "other", kinds);
	f->endpoints = endpoints_new(f->store, f->source, NULL);
	assert_non_null(f->endpoints);
}

static void stop(struct fixture *f)
{
	endpoints_free(f->endpoints);
	store_free(f->store);
}

static void write_objects(struct fixture *f, int source, const char *text, bool is_delete)
{
	struct yaml_objects objects = {.n_ignored = 0};
	struct err e = {""};

	yaml_objects_read(&objects, str_from(text), &e);
	assert_string_equal(e.text, "");
	vec_for_each (&objects.list, y)
		if (is_delete)
			store_delete(f->store, source, y->object);
		else
			store_apply(f->store, source, y->object);
	store_commit(f->store);
	yaml_objects_fini(&objects);
}

static void apply(struct fixture *f, const char *text)
{
	write_objects(f, f->source, text, false);
}

static void delete_text(struct fixture *f, const char *text)
{
	write_objects(f, f->source, text, true);
}

static int compare_slices(const void *a, const void *b)
{
	const struct object *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static void describe_endpoint(struct buf *out, const struct slice_data *s, uint32_t i)
{
	struct endpoint p = slice_endpoint(s, i);
	char ip[IP_TEXT_SIZE];

	buf_printf(out, " %s=%s", p.target_name, ip_text(&p.ip, ip));
	buf_str(out, p.is_ready ? "" : "!");
	buf_str(out, p.is_terminating ? "~" : "");
	if (p.hostname != NULL)
		buf_printf(out, "(%s)", p.hostname);
}

/*
 * The slices of default/web, one after another, separated by "; ": name, ports as name:number,
 * and endpoints as pod=ip, "!" for not ready, "~" for terminating, (hostname).
 */
static void check(const struct fixture *f, const char *expected)
{
	struct object_list l = store_slices_of(f->store, "default", "web");
	const struct object *sorted[64];
	struct buf out = {0};

	assert_true(l.len <= ARRAY_LEN(sorted));
	if (l.len > 0)
		memcpy(sorted, l.at, l.len * sizeof(*sorted));
	qsort(sorted, l.len, sizeof(*sorted), compare_slices);
	for (size_t i = 0; i < l.len; i++) {
		const struct slice_data *s = &sorted[i]->slice;

		buf_printf(&out, "%s%s", i > 0 ? "; " : "", sorted[i]->name);
		for (uint32_t k = 0; k < s->ports.len; k++)
			buf_printf(&out, " %s:%d",
			        s->ports.at[k].name != NULL ? s->ports.at[k].name : "",
			        s->ports.at[k].port);
		for (uint32_t k = 0; k < s->n_endpoints; k++)
			describe_endpoint(&out, s, k);
	}
	assert_string_equal(buf_text(&out), expected);
	buf_free(&out);
}

#define SERVICE(spec) \
	"---\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}, " spec "}\n"
#define POD(name, ip, rest)                                                \
	"---\nkind: Pod\nmetadata: {name: " name ", labels: {app: web}}\n" \
	"status: {podIP: " ip "}\n" rest "\n"

static void slices_follow_the_rules_of_the_controller(void **state)
{
	static const char *const rows[][2] = {
	        {SERVICE("clusterIP: None"), ""},
	        {POD("a", "10.0.0.1", ""), ""},
	        {SERVICE("clusterIP: None") POD("b", "10.0.0.2", "") POD("a", "10.0.0.1", ""),
	                "web_v4_0 a=10.0.0.1 b=10.0.0.2"},
	        /* ports */
	        {SERVICE("ports: [{port: 80}]") POD("a", "10.0.0.1", ""),
	                "web_v4_0 :80 a=10.0.0.1"},
	        {SERVICE("ports: [{name: x, port: 80, targetPort: 8080}]") POD("a", "10.0.0.1", ""),
	                "web_v4_0 x:8080 a=10.0.0.1"},
	        {SERVICE("ports: [{name: x, port: 80, targetPort: h}, {name: y, port: 1}]") POD("a",
	                 "10.0.0.1",
	                 "spec: {containers: [{ports: [{name: h, containerPort: 81}]}]}") POD("b",
	                 "10.0.0.2",
	                 "spec: {containers: [{ports: [{name: h, "
	                 "containerPort: 82}]}]}") POD("c", "10.0.0.3", "") POD("d", "10.0.0.4",
	                 "spec: {containers: [{ports: [{name: "
	                 "h, containerPort: 81}]}]}"),
	                "web_v4_0 x:81 y:1 a=10.0.0.1 d=10.0.0.4; web_v4_1 x:82 y:1 b=10.0.0.2; "
	                "web_v4_2 y:1 c=10.0.0.3"},
	        {SERVICE("ports: [{name: x, port: 80, targetPort: h, protocol: UDP}]") POD("a",
	                 "10.0.0.1",
	                 "spec: {containers: [{ports: [{name: h, containerPort: 81}]}]}"),
	                "web_v4_0 a=10.0.0.1"},
	        /* families */
	        {SERVICE("clusterIP: None") POD("a", "fd00::1", ""), "web_v6_0 a=fd00::1"},
	        {SERVICE("clusterIP: None") "---\nkind: Pod\nmetadata: {name: a, labels: {app: "
	                                    "web}}\nstatus:\n"
	                                    "  podIPs: [{ip: 10.0.0.1}, {ip: 'fd00::1'}]\n",
	                "web_v4_0 a=10.0.0.1; web_v6_0 a=fd00::1"},
	        {SERVICE("clusterIP: None, ipFamilies: [IPv6]") POD("a", "10.0.0.1", "")
	                        POD("b", "fd00::1", ""),
	                "web_v6_0 b=fd00::1"},
	        {SERVICE("clusterIP: 10.96.0.1") POD("a", "10.0.0.1", "") POD("b", "fd00::1", ""),
	                "web_v4_0 a=10.0.0.1"},
	        /* readiness */
	        {SERVICE("clusterIP: None") "---\nkind: Pod\nmetadata: {name: a, labels: {app: "
	                                    "web}}\nstatus: {podIP: 10.0.0.1, "
	                                    "phase: Running, conditions: [{type: Ready, status: "
	                                    "'False'}]}\n"
	                                    "---\nkind: Pod\nmetadata: {name: b, labels: {app: "
	                                    "web}}\nstatus: {podIP: 10.0.0.2, "
	                                    "phase: Running}\n"
	                                    "---\nkind: Pod\nmetadata: {name: c, labels: {app: "
	                                    "web}}\nstatus: {podIP: 10.0.0.3, "
	                                    "phase: Pending}\n"
	                                    "---\nkind: Pod\nmetadata: {name: d, labels: {app: "
	                                    "web}}\nstatus: {podIP: 10.0.0.4, "
	                                    "phase: Failed}\n"
	                                    "---\nkind: Pod\nmetadata: {name: e, labels: {app: "
	                                    "web}}\nstatus: {podIP: 10.0.0.5, "
	                                    "phase: Succeeded}\n"
	                                    "---\nkind: Pod\nmetadata: {name: f, labels: {app: "
	                                    "web}}\nstatus: {podIP: 10.0.0.6, "
	                                    "phase: Pending, conditions: [{type: Ready, status: "
	                                    "'True'}]}\n"
	                                    "---\nkind: Pod\nmetadata: {name: g, labels: {app: "
	                                    "web}, deletionTimestamp: "
	                                    "'2026-01-01T00:00:00Z'}\nstatus: {podIP: 10.0.0.7, "
	                                    "phase: Running}\n"
	                                    "---\nkind: Pod\nmetadata: {name: h, labels: {app: "
	                                    "web}}\nstatus: {phase: Running}\n",
	                "web_v4_0 a=10.0.0.1! b=10.0.0.2 c=10.0.0.3! f=10.0.0.6 g=10.0.0.7!~"},
	        {SERVICE("clusterIP: None, publishNotReadyAddresses: true") "---\nkind: "
	                                                                    "Pod\nmetadata: {name: "
	                                                                    "a, labels: {app: "
	                                                                    "web}, "
	                                                                    "deletionTimestamp: "
	                                                                    "'2026-01-01T00:00:00Z'"
	                                                                    "}\nstatus: {podIP: "
	                                                                    "10.0.0.1, conditions: "
	                                                                    "[{type: Ready, "
	                                                                    "status: 'False'}]}\n",
	                "web_v4_0 a=10.0.0.1~"},
	        /* names */
	        {SERVICE("clusterIP: None") POD(
	                 "a", "10.0.0.1", "spec: {hostname: h, subdomain: web, nodeName: n1}"),
	                "web_v4_0 a=10.0.0.1(h)"},
	        {SERVICE("clusterIP: None")
	                        POD("a", "10.0.0.1", "spec: {hostname: h, subdomain: other}"),
	                "web_v4_0 a=10.0.0.1"},
	        /* what has no computed endpoints */
	        {SERVICE("type: ExternalName, externalName: x.example") POD("a", "10.0.0.1", ""),
	                ""},
	        {"kind: Service\nmetadata: {name: web}\nspec: {clusterIP: None}\n"
	         "---\nkind: Pod\nmetadata: {name: a}\nstatus: {podIP: 10.0.0.1}\n",
	                ""},
	        {SERVICE("clusterIP: None") "---\nkind: Pod\nmetadata: {name: a, labels: {app: "
	                                    "web}, "
	                                    "namespace: other}\nstatus: {podIP: 10.0.0.1}\n",
	                ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fixture f;

		start(&f);
		apply(&f, rows[i][0]);
		check(&f, rows[i][1]);
		stop(&f);
	}
}

static void slices_follow_changes(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	apply(&f, POD("a", "10.0.0.1", ""));
	apply(&f, SERVICE("clusterIP: None"));
	check(&f, "web_v4_0 a=10.0.0.1");
	apply(&f, POD("b", "10.0.0.2", ""));
	check(&f, "web_v4_0 a=10.0.0.1 b=10.0.0.2");
	apply(&f, POD("b", "10.0.0.3", ""));
	check(&f, "web_v4_0 a=10.0.0.1 b=10.0.0.3");
	/* other labels */
	apply(&f, "kind: Pod\nmetadata: {name: a, labels: {app: db}}\nstatus: {podIP: 10.0.0.1}\n");
	check(&f, "web_v4_0 b=10.0.0.3");
	delete_text(&f, POD("b", "10.0.0.3", ""));
	check(&f, "");
	apply(&f, POD("a", "10.0.0.1", ""));
	check(&f, "web_v4_0 a=10.0.0.1");
	/* other selector */
	apply(&f, "kind: Service\nmetadata: {name: web}\nspec: {selector: {app: db}}\n");
	check(&f, "");
	apply(&f, SERVICE("clusterIP: None, ports: [{port: 80}]"));
	check(&f, "web_v4_0 :80 a=10.0.0.1");
	delete_text(&f, SERVICE("clusterIP: None"));
	check(&f, "");
	stop(&f);
}

static void given_slices_win(void **state)
{
	static const char given[] =
	        "kind: EndpointSlice\nmetadata: {name: web-1, labels: "
	        "{kubernetes.io/service-name: web}}\naddressType: IPv4\n"
	        "endpoints: [{addresses: [10.9.9.9], targetRef: {kind: Pod, name: x}}]\n";
	struct fixture f;

	(void)state;
	start(&f);
	apply(&f, SERVICE("clusterIP: None") POD("a", "10.0.0.1", ""));
	check(&f, "web_v4_0 a=10.0.0.1");
	apply(&f, given);
	check(&f, "web-1 x=10.9.9.9");
	apply(&f, POD("b", "10.0.0.2", ""));
	check(&f, "web-1 x=10.9.9.9");
	delete_text(&f, given);
	check(&f, "web_v4_0 a=10.0.0.1 b=10.0.0.2");
	write_objects(&f, f.other, given, false);
	check(&f, "web-1 x=10.9.9.9");
	stop(&f);
}

static void services_of_other_sources_are_left_alone(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	apply(&f, POD("a", "10.0.0.1", ""));
	write_objects(&f, f.other, SERVICE("clusterIP: None"), false);
	check(&f, "");
	apply(&f, SERVICE("clusterIP: None"));
	check(&f, "web_v4_0 a=10.0.0.1");
	stop(&f);
}

static void slices_carry_the_labels_of_their_service(void **state)
{
	const struct object *o;
	struct fixture f;

	(void)state;
	start(&f);
	apply(&f, "kind: Service\nmetadata: {name: web, labels: {team: x, a: b, "
	          "kubernetes.io/service-name: y}}\nspec: {selector: {app: web}}\n" POD(
	                  "a", "10.0.0.1", ""));
	o = store_slices_of(f.store, "default", "web").at[0];
	assert_int_equal(o->labels.len, 4);
	assert_string_equal(labels_get(&o->labels, "team"), "x");
	assert_string_equal(labels_get(&o->labels, "kubernetes.io/service-name"), "web");
	for (uint32_t i = 1; i < o->labels.len; i++)
		assert_true(strcmp(o->labels.at[i - 1].key, o->labels.at[i].key) < 0);
	stop(&f);
}

static void objects_from_before_are_computed(void **state)
{
	struct fixture f = {.store = store_new()};

	(void)state;
	f.source = store_source_add(f.store, "test", 1u << OBJECT_SERVICE | 1u << OBJECT_POD);
	apply(&f, SERVICE("clusterIP: None") POD("a", "10.0.0.1", ""));
	f.endpoints = endpoints_new(f.store, f.source, NULL);
	check(&f, "web_v4_0 a=10.0.0.1");
	assert_false(store_is_synced(f.store, OBJECT_SLICE));
	endpoints_synced(f.endpoints);
	assert_true(store_is_synced(f.store, OBJECT_SLICE));
	stop(&f);
}

/* A reader that counts how often services were touched. */
static void count_services(void *arg, const struct changes *c)
{
	for (size_t i = 0; i < c->len; i++)
		*(unsigned *)arg += c->at[i].kind == TOUCH_SERVICE;
}

static void make_many(struct buf *b, unsigned services, unsigned pods)
{
	for (unsigned i = 0; i < services; i++)
		buf_printf(b,
		        "---\nkind: Service\nmetadata: {name: s%u}\n"
		        "spec: {clusterIP: None, selector: {all: x, app: a%u}}\n",
		        i, i);
	for (unsigned i = 0; i < pods; i++)
		buf_printf(b,
		        "---\nkind: Pod\nmetadata: {name: p%u, labels: {all: x, app: a%u}}\n"
		        "status: {podIP: 10.1.%u.%u}\n",
		        i, i % services, i / 250, i % 250 + 1);
}

static void many_services_and_pods_meet(void **state)
{
	struct buf text = {0};
	struct fixture f;
	unsigned touched = 0;
	struct store_reader r = {.on_changes = count_services, .arg = &touched};

	(void)state;
	start(&f);
	make_many(&text, 50, 500);
	apply(&f, buf_text(&text));
	for (unsigned i = 0; i < 50; i++) {
		char name[16];
		struct object_list l;

		snprintf(name, sizeof(name), "s%u", i);
		l = store_slices_of(f.store, "default", name);
		assert_int_equal(l.len, 1);
		assert_int_equal(l.at[0]->slice.n_endpoints, 10);
	}
	/* a change of one pod touches its service only */
	store_reader_add(f.store, &r);
	apply(&f, "kind: Pod\nmetadata: {name: p7, labels: {all: x, app: a7}}\n"
	          "status: {podIP: 10.2.0.1}\n");
	assert_int_equal(touched, 1);
	store_reader_remove(&r);
	delete_text(&f, buf_text(&text));
	for (size_t pos = 0; store_next(f.store, OBJECT_SLICE, &pos) != NULL;)
		fail_msg("a slice stayed");
	buf_free(&text);
	stop(&f);
}

static void big_services_take_several_slices(void **state)
{
	struct buf text = {0};
	struct fixture f;
	struct object_list l;
	size_t sum = 0;

	(void)state;
	start(&f);
	make_many(&text, 1, 2500);
	apply(&f, buf_text(&text));
	l = store_slices_of(f.store, "default", "s0");
	assert_int_equal(l.len, 3);
	for (size_t i = 0; i < l.len; i++)
		sum += l.at[i]->slice.n_endpoints;
	assert_int_equal(sum, 2500);
	buf_free(&text);
	stop(&f);
}

/* Every computed slice of every service in random_step(), in one text. */
static void describe_all(const struct store *st, struct buf *out)
{
	for (unsigned i = 0; i < 5; i++) {
		char name[16];
		struct object_list l;
		const struct object *sorted[16];

		snprintf(name, sizeof(name), "s%u", i);
		l = store_slices_of(st, "default", name);
		assert_true(l.len <= ARRAY_LEN(sorted));
		if (l.len > 0)
			memcpy(sorted, l.at, l.len * sizeof(*sorted));
		qsort(sorted, l.len, sizeof(*sorted), compare_slices);
		for (size_t k = 0; k < l.len; k++) {
			buf_printf(out, "%s:%u", sorted[k]->name, sorted[k]->slice.ports.len);
			for (uint32_t e = 0; e < sorted[k]->slice.n_endpoints; e++)
				describe_endpoint(out, &sorted[k]->slice, e);
			buf_char(out, '\n');
		}
	}
}

/* Text of a random object; small numbers, so that the same ones come again. */
static void random_object(struct buf *b)
{
	unsigned i = rand_below(5);

	buf_str(b, "---\n");
	if (rand_below(8) == 0)
		buf_printf(b,
		        "kind: EndpointSlice\nmetadata: {name: given-%u, labels: "
		        "{kubernetes.io/service-name: s%u}}\naddressType: IPv4\nendpoints: "
		        "[{addresses: [10.9.9.9], targetRef: {kind: Pod, name: x}}]\n",
		        i, i);
	else if (rand_below(3) == 0)
		buf_printf(b,
		        "kind: Service\nmetadata: {name: s%u}\nspec: {%sselector: {a: l%u%s}, "
		        "ports: [{port: 80, targetPort: h}]}\n",
		        i, rand_below(6) == 0 ? "type: ExternalName, " : "", rand_below(3),
		        rand_below(2) == 0 ? ", b: x" : "");
	else
		buf_printf(b,
		        "kind: Pod\nmetadata: {name: p%u, labels: {a: l%u, b: %s}}\nspec: "
		        "{containers: [{ports: [{name: h, containerPort: %u}]}]}\n"
		        "status: {podIP: '%s%u', phase: %s}\n",
		        rand_below(12), rand_below(3), rand_below(2) == 0 ? "x" : "y",
		        80 + rand_below(2), rand_below(4) == 0 ? "fd00::" : "10.0.0.",
		        1 + rand_below(9), rand_below(4) == 0 ? "Failed" : "Running");
}

/* The same objects in a fresh store, computed from nothing. */
static void describe_fresh(const struct fixture *from, struct buf *out)
{
	struct fixture f;
	const struct object *o;

	start(&f);
	for (int kind = OBJECT_SERVICE; kind < OBJECT_KINDS; kind++)
		for (size_t pos = 0;
		        (o = store_next(from->store, (enum object_kind)kind, &pos)) != NULL;)
			if (store_source_of(o) == from->source)
				store_apply(f.store, f.source, o);
	store_commit(f.store);
	describe_all(f.store, out);
	stop(&f);
}

static void changes_give_what_a_fresh_start_gives(void **state)
{
	struct buf text = {0}, ours = {0}, fresh = {0};
	struct fixture f;

	(void)state;
	rand_seed(7);
	start(&f);
	for (unsigned step = 0; step < 500; step++) {
		buf_clear(&text);
		buf_clear(&ours);
		buf_clear(&fresh);
		for (unsigned n = rand_below(step % 20 == 0 ? 60 : 3) + 1; n > 0; n--)
			random_object(&text);
		write_objects(&f, f.source, buf_text(&text), rand_below(3) == 0);
		describe_all(f.store, &ours);
		describe_fresh(&f, &fresh);
		assert_string_equal(buf_text(&ours), buf_text(&fresh));
	}
	stop(&f);
	buf_free(&text);
	buf_free(&ours);
	buf_free(&fresh);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(slices_follow_the_rules_of_the_controller),
	        cmocka_unit_test(slices_follow_changes),
	        cmocka_unit_test(given_slices_win),
	        cmocka_unit_test(services_of_other_sources_are_left_alone),
	        cmocka_unit_test(slices_carry_the_labels_of_their_service),
	        cmocka_unit_test(objects_from_before_are_computed),
	        cmocka_unit_test(many_services_and_pods_meet),
	        cmocka_unit_test(big_services_take_several_slices),
	        cmocka_unit_test(changes_give_what_a_fresh_start_gives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
