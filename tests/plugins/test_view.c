/* view: what each function says about a question, and what is wrong with a view. */
#include <stdio.h>

#include "base/rcu.h"
#include "core/explain.h"
#include "core/metrics.h"
#include "core/view.h"
#include "prometheus/series.h"
#include "rig.h"
#include "test.h"

extern const struct plugin view_plugin, metadata_plugin, acl_plugin, whoami_plugin;

/* --- functions ------------------------------------------------------------------------------ */

/* Who asks in the rows below. */
static const struct rig_ask plain = {.name = "WWW.Example.Org.",
                                    .type = TYPE_AAAA,
                                    .client = "192.0.2.7:4711"},
                            edns = {.name = ".",
                                    .type = 65280,
                                    .rr_class = CLASS_CH,
                                    .udp_size = 1400,
                                    .wants_dnssec = true,
                                    .client = "[2001:db8::7]:53"},
                            small = {.name = "a.", .type = TYPE_A, .udp_size = 100},
                            stream = {.name = "a\\.b\\000.c.",
                                    .type = TYPE_A,
                                    .transport = TRANSPORT_TCP},
                            tls = {.name = "a.", .type = TYPE_A, .transport = TRANSPORT_TLS};

static const struct {
	const char *expr;
	const struct rig_ask *ask;
} rows[] = {
        {"bufsize() == 512", &plain},
        {"bufsize() == 1400", &edns},
        {"bufsize() == 512", &small},
        {"bufsize() == 65535", &stream},
        {"class() == 'IN'", &plain},
        {"class() == 'CH'", &edns},
        {"client_ip() == '192.0.2.7'", &plain},
        {"client_ip() == '2001:db8::7'", &edns},
        {"do()", &edns},
        {"!do()", &plain},
        {"id() == 29008", &plain},
        {"incidr(client_ip(), '192.0.2.0/24')", &plain},
        {"!incidr(client_ip(), '192.0.2.8/29')", &plain},
        {"incidr(client_ip(), '2001:db8::/32')", &edns},
        {"!incidr(client_ip(), '0.0.0.0/0')", &edns},
        {"incidr(client_ip() + '', '2001:db8::/32')", &edns},
        {"incidr(server_ip(), '127.0.0.0/8')", &plain},
        {"metadata('kubernetes/kind') == ''", &plain},
        {"name() == 'www.example.org.'", &plain},
        {"name() == '.'", &edns},
        {"name() == 'a\\\\.b\\\\000.c.'", &stream},
        {"opcode() == 0", &plain},
        {"port() == '4711'", &plain},
        {"int(port()) == 53", &edns},
        {"proto() == 'udp'", &plain},
        {"proto() == 'tcp'", &stream},
        {"proto() == 'tcp'", &tls},
        {"server_ip() == '127.0.0.1'", &plain},
        {"server_port() == '53'", &plain},
        {"size() == 33", &plain},
        {"size() == 28", &edns},
        {"type() == 'AAAA'", &plain},
        {"type() == 'TYPE65280'", &edns},
        /* as CoreDNS's manual has them */
        {"(type() == 'A' && name() == 'example.com') || client_ip() == '192.0.2.7'", &plain},
        {"name() matches '^www\\\\..*\\\\.org\\\\.$'", &plain},
};

static const char *failures(struct rig *r)
{
	struct metrics *m = metrics_new();

	view_plugin.metrics(r->setup.instance, m);
	buf_clear(&r->text);
	metrics_finish(m, &r->text);
	return strrchr(buf_text(&r->text), '{');
}

static bool asks(struct rig *r, const struct rig_ask *ask)
{
	struct query *q = rig_query(r, ask);
	bool takes = view_takes(r->setup.view, q);

	query_release(q);
	return takes;
}

static void functions_tell_about_the_question(void **state)
{
	char text[400];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rig r;

		snprintf(text, sizeof(text), ". {\nview v {\nexpr %s\n}\n}", rows[i].expr);
		if (rig_open(&r, &view_plugin, text) != 0)
			fail_msg("%s", r.err.text);
		if (!asks(&r, rows[i].ask))
			fail_msg("%s", rows[i].expr);
		rig_close(&r);
	}
}

static void all_lines_must_hold_and_quotes_keep_blanks(void **state)
{
	struct rig r;

	(void)state;
	assert_int_equal(rig_open(&r, &view_plugin,
	                         ". {\nview v {\nexpr type() == 'A'\nexpr \"'a  b' != 'a b'\"\n"
	                         "expr proto() == 'tcp'\n}\n}"),
	        0);
	assert_true(asks(&r, &stream));
	assert_false(asks(&r, &small));
	assert_false(asks(&r, &plain));
	rig_close(&r);
}

static void what_has_no_value_is_not_taken(void **state)
{
	struct query *q;
	struct rig r;

	(void)state;
	assert_int_equal(rig_open(&r, &view_plugin,
	                         ". {\nview v {\nexpr not incidr(server_ip(), '10.0.0.0/8')\n}\n}"),
	        0);
	q = rig_query(&r, &plain);
	assert_true(view_takes(r.setup.view, q));
	assert_string_equal(failures(&r), "{view=\"v\"} 0\n");
	q->local.sa.sa_family = AF_UNSPEC;
	assert_false(view_takes(r.setup.view, q));
	assert_string_equal(failures(&r), "{view=\"v\"} 1\n");
	query_release(q);
	rig_close(&r);
	assert_int_equal(
	        rig_open(&r, &view_plugin, ". {\nview v {\nexpr server_ip() == ''\n}\n}"), 0);
	q = rig_query(&r, &plain);
	q->local.sa.sa_family = AF_UNSPEC;
	assert_true(view_takes(r.setup.view, q));
	query_release(q);
	rig_close(&r);
}

static void a_question_of_the_server_is_the_clients_but_for_name_and_type(void **state)
{
	struct query *q, *child;
	struct rig r;

	(void)state;
	assert_int_equal(rig_open(&r, &view_plugin,
	                         ". {\nview v {\nexpr proto() == 'udp' and bufsize() == 512\n"
	                         "expr name() == 'a.' and id() == 29008\n}\n}"),
	        0);
	q = rig_query(&r, &plain);
	child = rig_query(&r, &small);
	child->parent = q;
	child->transport = TRANSPORT_TCP;
	assert_true(view_takes(r.setup.view, child));
	assert_false(view_takes(r.setup.view, q));
	child->parent = NULL;
	query_release(child);
	query_release(q);
	rig_close(&r);
}

static void without_conditions_all_are_taken(void **state)
{
	static const char *const views[] = {"view a", "view a {\n}"};

	(void)state;
	for (size_t i = 0; i < sizeof(views) / sizeof(views[0]); i++) {
		struct query *q;
		char text[64];
		struct rig r;

		snprintf(text, sizeof(text), ". {\n%s\n}", views[i]);
		assert_int_equal(rig_open(&r, &view_plugin, text), 0);
		q = rig_query(&r, &(struct rig_ask){.name = "a.", .type = TYPE_A});
		assert_true(view_takes(r.setup.view, q));
		query_release(q);
		rig_close(&r);
	}
}

/* --- mistakes ------------------------------------------------------------------------------- */

static const struct {
	const char *lines, *error;
} mistakes[] = {
        {"view {\nexpr true\n}", "Corefile:2 - plugin/view: wrong number of arguments"},
        {"view a b {\nexpr true\n}", "Corefile:2 - plugin/view: wrong number of arguments"},
        {"view a {\nexpr\n}", "Corefile:3 - plugin/view: wrong number of arguments for 'expr'"},
        {"view a {\nwhen true\n}", "Corefile:3 - plugin/view: unknown property 'when'"},
        {"view a {\nexpr true\n}\nview b {\nexpr true\n}",
                "Corefile:5 - plugin/view: this plugin can only be used once per Server Block"},
        {"view a {\nexpr true\nexpr nam() == 'a'\n}",
                "Corefile:4 - plugin/view: expr, column 1: unknown function 'nam'; did you mean "
                "'name'?"},
        {"view a {\nexpr name()   == \"example.org.\"\n}",
                "Corefile:3 - plugin/view: expr, column 11: unknown name 'example'; a text stands "
                "in single quotes, a function has brackets"},
        {"view a {\nexpr incidr(client_ip(), '10.0.0.0/40')\n}",
                "Corefile:3 - plugin/view: expr, column 21: '10.0.0.0/40' is no network; write an "
                "address and its bits, as in '10.0.0.0/8'"},
        {"view a {\nexpr type()\n}",
                "Corefile:3 - plugin/view: expr, column 1: the expression gives a text; it must "
                "give true or false: compare it with something"},
        {"view a {\nexpr metadata(name()) == ''\n}",
                "Corefile:3 - plugin/view: expr, column 10: metadata() takes a text in single "
                "quotes"},
        {"view a {\nexpr port() > 1024\n}", "Corefile:3 - plugin/view: expr, column 1: '>' "
                                            "compares a text with a whole number"},
};

static void mistakes_are_named_with_file_line_and_column(void **state)
{

	(void)state;
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++)
		rig_refuses(&view_plugin, mistakes[i].lines, mistakes[i].error);
}

/* --- in a generation ------------------------------------------------------------------------ */

static const char blocks[] = ".:53 {\n"
                             "    view lan {\n"
                             "        expr incidr(client_ip(), '10.0.0.0/8')\n"
                             "        expr name() endsWith '.org.'\n"
                             "    }\n"
                             "    acl {\n        allow\n    }\n"
                             "    whoami\n"
                             "}\n"
                             ".:53 {\n"
                             "    view \"a \\\"b\\\"\" {\n"
                             "        expr type() == 'A'\n"
                             "    }\n"
                             "    whoami\n"
                             "}\n"
                             ".:53 {\n    whoami\n}\n";

static struct generation *open_blocks(const char *text)
{
	static const struct plugin *const plugins[] = {
	        &metadata_plugin, &view_plugin, &acl_plugin, &whoami_plugin, NULL};
	struct generation_options options = {.plugins = plugins, .default_port = 53, .workers = 1};
	struct generation *g;
	struct corefile *c;
	struct err e = {""};

	assert_int_equal(corefile_parse("Corefile", str_from(text), NULL, &c, &e), 0);
	g = generation_new(c, &options, &e);
	if (g == NULL)
		fail_msg("%s", e.text);
	return g;
}

static void metrics_say_which_view(void **state)
{
	struct generation *g = open_blocks(blocks);
	struct metrics *m = metrics_new();
	struct buf text = {0};

	(void)state;
	assert_int_equal(g->servers.len, 3);
	assert_string_equal(server_view_name(g->servers.at[0]), "lan");
	assert_string_equal(server_view_name(g->servers.at[1]), "a \"b\"");
	assert_string_equal(server_view_name(g->servers.at[2]), "");
	generation_metrics(g, m);
	metrics_finish(m, &text);
	assert_non_null(strstr(buf_text(&text), "coredns_acl_allowed_requests_total{server="
	                                        "\"dns://:53\",view=\"lan\"} 0\n"));
	buf_free(&text);
	generation_free(g);
	rcu_reclaim();
}

static void questions_are_counted_under_their_view(void **state)
{
	static const char *const lines[] = {
	        "view=\"lan\",zone=\".\"} 1\n", "view=\"\",zone=\".\"} 1\n"};
	struct generation *g = open_blocks(blocks);
	struct rig r;

	(void)state;
	assert_int_equal(rig_open(&r, &view_plugin, ". {\nview v {\nexpr true\n}\n}"), 0);
	for (size_t i = 0; i < 2; i++) {
		const struct server *server = g->servers.at[i * 2];
		struct setup setup = {.generation = g, .chain = server->chain, .workers = 1};
		struct query *q = rig_query(&r, &plain);
		struct metrics *m = metrics_new();
		struct series series = {0};
		struct buf text = {0};

		q->server = server;
		series_init(&series, &setup);
		series_count(&series, q);
		series_report(&series, m);
		metrics_finish(m, &text);
		if (strstr(buf_text(&text), lines[i]) == NULL)
			fail_msg("%s", buf_text(&text));
		series_fini(&series);
		buf_free(&text);
		query_release(q);
	}
	rig_close(&r);
	generation_free(g);
	rcu_reclaim();
}

/* A request line, and what is said about each block that has or may have the question. */
static const struct {
	const char *request, *says;
} explained[] = {
        /* who asks is not known */
        {"explain a.org TXT -",
                "block    .:53 (Corefile:1)\n    view     lan, if incidr(client_ip(), "
                "'10.0.0.0/8') and name() endsWith '.org.'\n"},
        {"explain a.org TXT -", "block    .:53 (Corefile:17)\n"},
        {"explain a.net A -",
                "block    .:53 (Corefile:11)\n    view     a \"b\", because type() == 'A'\n"},
        /* who asks is known */
        {"explain a.org TXT 10.0.0.1",
                "block    .:53 (Corefile:1)\n    view     lan, because incidr("},
        {"explain a.org TXT 11.0.0.1", "block    .:53 (Corefile:17)\n"},
};

static const struct {
	const char *request, *not ;
} unexplained[] = {
        {"explain a.net A -", "Corefile:1)"},
        {"explain a.net A -", "Corefile:17)"},
        {"explain a.org TXT 10.0.0.1", "Corefile:17)"},
        {"explain a.org TXT 11.0.0.1", "view "},
};

static void explain_says_which_view(void **state)
{
	struct generation *g = open_blocks(blocks);
	struct buf out = {0};
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(explained) / sizeof(explained[0]); i++) {
		buf_clear(&out);
		assert_int_equal(explain_run(g, str_from(explained[i].request), &out, &e), 0);
		if (strstr(buf_text(&out), explained[i].says) == NULL)
			fail_msg("%s: %s", explained[i].request, buf_text(&out));
	}
	for (size_t i = 0; i < sizeof(unexplained) / sizeof(unexplained[0]); i++) {
		buf_clear(&out);
		assert_int_equal(explain_run(g, str_from(unexplained[i].request), &out, &e), 0);
		if (strstr(buf_text(&out), unexplained[i].not ) != NULL)
			fail_msg("%s: %s", unexplained[i].request, buf_text(&out));
	}
	buf_free(&out);
	generation_free(g);
	rcu_reclaim();
}

static void explain_says_that_a_view_may_be_all_there_is(void **state)
{
	static const char only[] =
	        "lan:53 {\nview v {\nexpr client_ip() == '10.0.0.1'\n}\nwhoami\n}";
	static const struct {
		const char *request, *says;
	} asked[] = {
	        {"explain a.lan A -", "view     v, if client_ip() == '10.0.0.1'\n"},
	        {"explain a.lan A -",
	                "REFUSED\n    why      no other server block has this name\n"},
	        {"explain a.lan A 10.0.0.1", "view     v, because client_ip() =="},
	        {"explain a.lan A 11.0.0.1",
	                "REFUSED\n    why      no server block has this name\n"},
	};
	struct generation *g = open_blocks(only);
	struct buf out = {0};
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
		buf_clear(&out);
		assert_int_equal(explain_run(g, str_from(asked[i].request), &out, &e), 0);
		if (strstr(buf_text(&out), asked[i].says) == NULL)
			fail_msg("%s: %s", asked[i].request, buf_text(&out));
	}
	buf_free(&out);
	generation_free(g);
	rcu_reclaim();
}

static void the_name_of_the_view_is_metadata(void **state)
{
	struct query *q;
	struct str value;
	struct rig r;

	(void)state;
	assert_int_equal(rig_open(&r, &view_plugin, ". {\nview lan {\nexpr true\n}\n}"), 0);
	q = rig_query(&r, &plain);
	assert_true(view_plugin.metadata(q, r.setup.instance, STR("name"), &value));
	assert_true(str_is(value, "lan"));
	assert_false(view_plugin.metadata(q, r.setup.instance, STR("other"), &value));
	query_release(q);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(functions_tell_about_the_question),
	        cmocka_unit_test(all_lines_must_hold_and_quotes_keep_blanks),
	        cmocka_unit_test(what_has_no_value_is_not_taken),
	        cmocka_unit_test(a_question_of_the_server_is_the_clients_but_for_name_and_type),
	        cmocka_unit_test(without_conditions_all_are_taken),
	        cmocka_unit_test(mistakes_are_named_with_file_line_and_column),
	        cmocka_unit_test(metrics_say_which_view),
	        cmocka_unit_test(questions_are_counted_under_their_view),
	        cmocka_unit_test(explain_says_which_view),
	        cmocka_unit_test(explain_says_that_a_view_may_be_all_there_is),
	        cmocka_unit_test(the_name_of_the_view_is_metadata),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
