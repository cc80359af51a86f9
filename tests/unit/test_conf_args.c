#include "test.h"

#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "conf/args.h"

/* A tree around one directive, `. {` on line 1, the directive on line 2. */
static struct corefile *parse(const char *directive)
{
	struct corefile *c = NULL;
	struct buf text = {0};
	struct err e = {""};

	buf_printf(&text, "10.96.0.0/15 Example.org:5353 {\n%s\n}\n", directive);
	if (corefile_parse("Corefile", (struct str){text.at, text.len}, NULL, &c, &e) != 0)
		fail_msg("%s", e.text);
	buf_free(&text);
	return c;
}

static const struct directive *first(const struct corefile *c)
{
	return &c->blocks[0].directives[0];
}

struct settings {
	uint32_t ttl;
	bool has_reverse, has_tls;
	struct buf order;
};

static int set_ttl(void *conf, const struct directive *o, struct err *e)
{
	struct settings *s = conf;

	buf_str(&s->order, "ttl ");
	return args_u32(o, 0, ARGS_RANGE(1, 65535), &s->ttl, e);
}

static int set_reverse(void *conf, const struct directive *o, struct err *e)
{
	struct settings *s = conf;

	buf_str(&s->order, "reverse ");
	return o->arg_count == 0 ? 0 : args_on_off(o, 0, &s->has_reverse, e);
}

static int set_tls(void *conf, const struct directive *o, struct err *e)
{
	struct settings *s = conf;

	(void)e;
	s->has_tls = o->has_block;
	return 0;
}

static const struct arg_option options[] = {
        {"ttl", 1, 1, set_ttl, false},
        {"reverse", 0, 1, set_reverse, false},
        {"tls", 0, ARGS_ANY, set_tls, true},
        {"ignored", 2, ARGS_ANY, NULL, false},
        {NULL, 0, 0, NULL, false},
};

static void options_are_taken_in_order_from_a_table(void **state)
{
	struct corefile *c =
	        parse("hosts {\nreverse on\nttl 60\nignored a b\ntls {\n}\nreverse\n}");
	struct settings s = {0};
	struct err e = {""};

	(void)state;
	assert_int_equal(args_options(first(c), options, &s, &e), 0);
	assert_int_equal(s.ttl, 60);
	assert_true(s.has_reverse);
	assert_true(s.has_tls);
	assert_string_equal(buf_text(&s.order), "reverse ttl reverse ");
	buf_free(&s.order);
	corefile_free(c);
}

static void wrong_options_give_uniform_errors(void **state)
{
	static const struct {
		const char *text, *error;
	} rows[] = {
	        {"hosts {\nttl 1 2\n}",
	                "Corefile:3 - plugin/hosts: wrong number of arguments for 'ttl': expected "
	                "1, got 2"},
	        {"hosts {\n\nttl\n}",
	                "Corefile:4 - plugin/hosts: wrong number of arguments for 'ttl': expected "
	                "1, got 0"},
	        {"hosts {\nreverse a b\n}",
	                "Corefile:3 - plugin/hosts: wrong number of arguments for 'reverse': "
	                "expected 0 to 1, got 2"},
	        {"hosts {\nignored a\n}",
	                "Corefile:3 - plugin/hosts: wrong number of arguments for 'ignored': "
	                "expected at least 2, got 1"},
	        {"hosts {\nx\n}", "Corefile:3 - plugin/hosts: unknown property 'x'"},
	        {"hosts {\nrevers\n}", "Corefile:3 - plugin/hosts: unknown property 'revers', did "
	                               "you mean 'reverse'?"},
	        {"hosts {\nttl 5 {\n}\n}",
	                "Corefile:3 - plugin/hosts: 'ttl' takes no options in braces"},
	        {"hosts {\nttl x\n}", "Corefile:3 - plugin/hosts: 'ttl': 'x' is not a number"},
	        {"hosts {\nttl -1\n}", "Corefile:3 - plugin/hosts: 'ttl': '-1' is not a number"},
	        {"hosts {\nttl 0\n}",
	                "Corefile:3 - plugin/hosts: 'ttl' must be between 1 and 65535, not 0"},
	        {"hosts {\nttl 99999999999999999999999\n}",
	                "Corefile:3 - plugin/hosts: 'ttl' must be between 1 and 65535, not "
	                "99999999999999999999999"},
	        {"hosts {\nreverse maybe\n}",
	                "Corefile:3 - plugin/hosts: 'reverse': unknown value 'maybe', expected one "
	                "of: off, on, false, true"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct corefile *c = parse(rows[i].text);
		struct settings s = {0};
		struct err e = {""};

		assert_int_equal(args_options(first(c), options, &s, &e), -EINVAL);
		assert_string_equal(e.text, rows[i].error);
		buf_free(&s.order);
		corefile_free(c);
	}
}

static void plugin_used_twice_is_refused_at_the_second_place(void **state)
{
	struct corefile *c = parse("cache\nlog\ncache 30\nlog");
	struct err e = {""};

	(void)state;
	assert_int_equal(args_once(&c->blocks[0], "cache", &e), -EINVAL);
	assert_string_equal(e.text,
	        "Corefile:4 - plugin/cache: this plugin can only be used once per Server Block");
	assert_int_equal(args_once(&c->blocks[0], "errors", &e), 0);
	corefile_free(c);
}

static struct buf warnings;

static void keep_warning(void *arg, enum log_level level, const char *text)
{
	(void)arg;
	(void)level;
	buf_printf(&warnings, "%s\n", text);
}

static void where_coredns_takes_several_uses_one_counts(void **state)
{
	struct corefile *c = parse("health :1\nwhoami\nhealth :2\nwhoami\nhealth :3");
	const struct server_block *b = &c->blocks[0];

	(void)state;
	log_set_sink(keep_warning, NULL);
	assert_int_equal(args_first(b, "whoami")->line, 3);
	assert_string_equal(directive_arg(args_last(b, "health"), 0), ":3");
	assert_null(args_last(b, "errors"));
	log_set_sink(NULL, NULL);
	assert_string_equal(buf_text(&warnings), "[WARNING] Corefile:5 - plugin/whoami is used "
	                                         "more than once in the server block: what counts "
	                                         "is line 3 of Corefile\n"
	                                         "[WARNING] Corefile:2 - plugin/health is used "
	                                         "more than once in the server block: what counts "
	                                         "is line 4 of Corefile\n"
	                                         "[WARNING] Corefile:4 - plugin/health is used "
	                                         "more than once in the server block: what counts "
	                                         "is line 6 of Corefile\n");
	buf_free(&warnings);
	corefile_free(c);
}

static void numbers_ports_and_durations_are_read(void **state)
{
	struct corefile *c = parse("p 65536 8080 90s 15 0 x 1.5h");
	const struct directive *d = first(c);
	struct arg_range any = ARGS_RANGE(0, UINT64_MAX);
	uint16_t u16 = 0;
	uint32_t u32 = 0;
	uint64_t u64 = 0;
	struct err e;

	(void)state;
	assert_int_equal(args_u64(d, 0, any, &u64, &e), 0);
	assert_int_equal(u64, 65536);
	assert_int_equal(args_u32(d, 0, any, &u32, &e), 0);
	assert_int_equal(u32, 65536);
	assert_int_equal(args_u16(d, 0, any, &u16, &e), -EINVAL);
	assert_string_equal(e.text, "Corefile:2 - plugin/p: 'p' must be between 0 and 65535, not "
	                            "65536");
	assert_int_equal(args_port(d, 1, &u16, &e), 0);
	assert_int_equal(u16, 8080);
	assert_int_equal(args_port(d, 4, &u16, &e), -EINVAL);
	assert_int_equal(args_duration_ms(d, 2, any, &u64, &e), 0);
	assert_int_equal(u64, 90000);
	assert_int_equal(args_duration_ms(d, 6, any, &u64, &e), 0);
	assert_int_equal(u64, 5400000);
	assert_int_equal(args_duration_ms(d, 3, any, &u64, &e), -EINVAL);
	assert_string_equal(
	        e.text, "Corefile:2 - plugin/p: 'p': '15' is not a duration such as 5s or 1m30s");
	assert_int_equal(args_seconds_ms(d, 3, any, &u64, &e), 0);
	assert_int_equal(u64, 15000);
	assert_int_equal(args_seconds_ms(d, 2, any, &u64, &e), 0);
	assert_int_equal(u64, 90000);
	assert_int_equal(args_seconds_ms(d, 3, ARGS_RANGE(16000, 20000), &u64, &e), -EINVAL);
	assert_string_equal(e.text, "Corefile:2 - plugin/p: 'p' must be at least 16s, not 15");
	assert_int_equal(args_duration_ms(d, 2, ARGS_RANGE(0, 60000), &u64, &e), -EINVAL);
	assert_int_equal(args_duration_ms(d, 9, any, &u64, &e), -EINVAL);
	assert_string_equal(e.text, "Corefile:2 - plugin/p: wrong number of arguments for 'p': "
	                            "expected at least 10, got 7");
	corefile_free(c);
}

static void words_addresses_and_blocks_are_read(void **state)
{
	static const char *const policies[] = {"random", "round_robin", "sequential", NULL};
	struct corefile *c = parse("forward round_robin tls://1.1.1.1 :9153 10.0.0.0/8 x:y");
	const struct directive *d = first(c);
	struct address a;
	struct cidr block;
	size_t which = 9;
	struct err e;

	(void)state;
	assert_int_equal(args_choice(d, 0, policies, &which, &e), 0);
	assert_int_equal(which, 1);
	assert_int_equal(args_choice(d, 1, policies, &which, &e), -EINVAL);
	assert_string_equal(e.text,
	        "Corefile:2 - plugin/forward: 'forward': unknown value 'tls://1.1.1.1', "
	        "expected one of: random, round_robin, sequential");
	assert_int_equal(args_address(d, 1, 53, &a, &e), 0);
	assert_int_equal(a.port, 53);
	assert_int_equal(args_address(d, 1, 0, &a, &e), -EINVAL);
	assert_int_equal(args_address(d, 2, 0, &a, &e), 0);
	assert_int_equal(a.port, 9153);
	assert_int_equal(args_address(d, 4, 53, &a, &e), -EINVAL);
	assert_string_equal(e.text, "Corefile:2 - plugin/forward: 'forward': 'x:y' is not a valid "
	                            "address: the port must be 1 to 65535");
	assert_int_equal(args_cidr(d, 3, &block, &e), 0);
	assert_int_equal(block.bits, 8);
	assert_int_equal(args_cidr(d, 2, &block, &e), -EINVAL);
	corefile_free(c);
}

static void on_line(void *arg, enum log_level level, const char *text)
{
	(void)level;
	buf_str(arg, text);
}

static void expect_zones(const char *directive, size_t from, const char *zones)
{
	struct corefile *c = parse(directive);
	struct zone_names names = {0};
	struct buf got = {0};
	struct err e;

	assert_int_equal(args_zones_or_block(first(c), from, &c->arena, &names, &e), 0);
	vec_for_each (&names.list, z)
		buf_printf(&got, "%s ", *z);
	assert_string_equal(buf_text(&got), zones);
	vec_free(&names.list);
	buf_free(&got);
	corefile_free(c);
}

static void zones_come_from_arguments_or_from_the_server_block(void **state)
{
	struct buf log = {0};

	(void)state;
	log_set_sink(on_line, &log);
	expect_zones("kubernetes Cluster.Local 10.0.0.0/8", 0, "cluster.local. 10.in-addr.arpa. ");
	expect_zones("kubernetes", 0, "96.10.in-addr.arpa. 97.10.in-addr.arpa. example.org. ");
	expect_zones("file db.x a.b", 1, "a.b. ");
	expect_zones("file db.x", 1, "96.10.in-addr.arpa. 97.10.in-addr.arpa. example.org. ");
	assert_string_equal(buf_text(&log), "");
	expect_zones("kubernetes a..b c", 0, "c. ");
	assert_string_equal(buf_text(&log),
	        "[WARNING] plugin/kubernetes: Corefile:2: skipped: zone is not a valid domain "
	        "name: 'a..b' has an empty label");
	log_set_sink(NULL, NULL);
	buf_free(&log);
}

static void relative_paths_start_at_root(void **state)
{
	struct corefile *c = parse("file db.x /abs/db.y\nroot /etc/zones");
	struct corefile *plain = parse("file db.x");
	const char *path;
	struct err e;

	(void)state;
	assert_int_equal(args_path(first(c), 0, &c->arena, &path, &e), 0);
	assert_string_equal(path, "/etc/zones/db.x");
	assert_int_equal(args_path(first(c), 1, &c->arena, &path, &e), 0);
	assert_string_equal(path, "/abs/db.y");
	assert_int_equal(args_path(first(c), 2, &c->arena, &path, &e), -EINVAL);
	assert_int_equal(args_path(first(plain), 0, &plain->arena, &path, &e), 0);
	assert_string_equal(path, "db.x");
	corefile_free(c);
	corefile_free(plain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(options_are_taken_in_order_from_a_table),
	        cmocka_unit_test(wrong_options_give_uniform_errors),
	        cmocka_unit_test(plugin_used_twice_is_refused_at_the_second_place),
	        cmocka_unit_test(where_coredns_takes_several_uses_one_counts),
	        cmocka_unit_test(numbers_ports_and_durations_are_read),
	        cmocka_unit_test(words_addresses_and_blocks_are_read),
	        cmocka_unit_test(zones_come_from_arguments_or_from_the_server_block),
	        cmocka_unit_test(relative_paths_start_at_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
