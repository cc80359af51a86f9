/* Which server block a question belongs to: zones, DS at a cut, views. */
#include "test.h"

#include <stdio.h>

#include "base/must.h"
#include "core/server.h"
#include "core/view.h"

static struct server *match(
	const struct server_group *g, const uint8_t *name, unsigned labels, bool is_ds)
{
	return server_match(
		g, &(struct server_ask){.folded = name, .labels = labels, .is_ds = is_ds});
}

static void the_longest_zone_wins_and_ds_belongs_to_the_parent(void **state)
{
	static const char *const zones[] = {
	        "cluster.local", "svc.cluster.local", "arpa", "a.b.c.d.e.example", "deep.example"};
	static const struct {
		const char *name, *zone; /* NULL: nobody */
		bool is_ds;
	} rows[] = {
	        {"web.svc.cluster.local", "svc.cluster.local", false},
	        {"svc.cluster.local", "svc.cluster.local", false},
	        {"xsvc.cluster.local", "cluster.local", false},
	        {"x.y.z.cluster.local", "cluster.local", false},
	        {"local", NULL, false},
	        {".", NULL, false},
	        {"cluster.local.example", NULL, false},
	        {"a.b.c.d.e.example", "a.b.c.d.e.example", false},
	        {"1.2.3.4.5.6.a.b.c.d.e.example", "a.b.c.d.e.example", false},
	        {"b.c.d.e.example", NULL, false},
	        {"q.deep.example", "deep.example", false},
	        {"svc.cluster.local", "cluster.local", true},
	        {"web.svc.cluster.local", "svc.cluster.local", true},
	        {"cluster.local", "cluster.local", true}, /* no parent here */
	        {"arpa", "arpa", true},
	        {"1.arpa", "arpa", true},
	};
	struct server servers[5] = {{.view = NULL}};
	struct server_group g = {0};

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		name_from_text(&servers[i].zone, str_from(zones[i]), NULL);
		servers[i].zone_labels = name_labels(servers[i].zone.wire);
		vec_push(&g.servers, &servers[i]);
	}
	server_group_build(&g);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct name n, want;
		struct server *s;

		name_from_text(&n, str_from(rows[i].name), NULL);
		s = match(&g, n.wire, name_labels(n.wire), rows[i].is_ds);
		if ((s == NULL) != (rows[i].zone == NULL))
			fail_msg("%s", rows[i].name);
		if (s == NULL)
			continue;
		name_from_text(&want, str_from(rows[i].zone), NULL);
		assert_true(name_equal(s->zone.wire, want.wire));
	}
	server_group_fini(&g);
}

static void the_root_takes_what_no_other_zone_has(void **state)
{
	struct server servers[2] = {{.zone = {.len = 1}}, {.zone = {5, "\3org"}, .zone_labels = 1}};
	struct server_group g = {0};

	(void)state;
	vec_push(&g.servers, &servers[0]);
	vec_push(&g.servers, &servers[1]);
	server_group_build(&g);
	assert_ptr_equal(match(&g, (const uint8_t *)"", 0, false), &servers[0]);
	assert_ptr_equal(match(&g, (const uint8_t *)"", 0, true), &servers[0]);
	assert_ptr_equal(match(&g, (const uint8_t *)"\3net", 1, false), &servers[0]);
	assert_ptr_equal(match(&g, (const uint8_t *)"\1a\3org", 2, false), &servers[1]);
	assert_ptr_equal(match(&g, (const uint8_t *)"\3org", 1, true), &servers[0]);
	server_group_fini(&g);
}

/* Takes the questions that arg names. */
static bool takes_named(void *arg, const struct server *s)
{
	return strcmp(s->label, arg) == 0;
}

static void of_servers_with_one_zone_the_first_whose_view_takes_it_wins(void **state)
{
	static char labels[4][8] = {"one", "two", "default", "parent"};
	static const struct {
		const char *takes;
		int answers; /* who: index, or -1 */
		bool is_ds;
	} rows[] = {{"one", 0, false}, {"two", 1, false}, {"none", 2, false}, {"one", 3, true}};
	struct view view = {.name = NULL};
	struct server servers[4] = {{.view = NULL}};
	struct server_ask ask = {(const uint8_t *)"\1a\3org", 2, false, takes_named, NULL};
	char who[8] = "";
	struct server_group g = {0};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		name_from_text(&servers[i].zone, str_from(i == 3 ? "org" : "a.org"), NULL);
		servers[i].zone_labels = name_labels(servers[i].zone.wire);
		servers[i].label = labels[i];
		servers[i].view = i < 2 ? &view : NULL;
		vec_push(&g.servers, &servers[i]);
	}
	server_group_build(&g);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		snprintf(who, sizeof(who), "%s", rows[i].takes);
		ask.arg = who;
		ask.is_ds = rows[i].is_ds;
		assert_ptr_equal(server_match(&g, &ask), &servers[rows[i].answers]);
	}
	/* nobody takes it, and so does a shorter zone; without somebody to ask views take nothing */
	servers[2].view = &view;
	snprintf(who, sizeof(who), "none");
	ask.is_ds = false;
	assert_ptr_equal(server_match(&g, &ask), &servers[3]);
	ask.takes = NULL;
	assert_ptr_equal(server_match(&g, &ask), &servers[3]);
	server_group_fini(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_longest_zone_wins_and_ds_belongs_to_the_parent),
	        cmocka_unit_test(the_root_takes_what_no_other_zone_has),
	        cmocka_unit_test(of_servers_with_one_zone_the_first_whose_view_takes_it_wins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
