#include "rig.h"

#include <stdio.h>

#include "base/log.h"
#include "test.h"

extern const struct plugin errors_plugin;

static struct buf lines;

static void keep_line(void *arg, enum log_level level, const char *text)
{
	(void)arg;
	(void)level;
	buf_str(&lines, text);
	buf_char(&lines, '\n');
}

/* An answer to "Example.ORG. A" with this rcode and reason. */
static void answer(struct rig *r, uint16_t rcode, const char *why, const char *by)
{
	struct query *q = rig_query(r, &(struct rig_ask){.name = "Example.ORG.", .type = TYPE_A});

	q->answer.rcode = rcode;
	q->reason = why;
	rig_up(r, q, by);
	query_release(q);
}

static void open_errors(struct rig *r, const char *options)
{
	char text[512];

	snprintf(text, sizeof(text), ". {\nerrors %s\n}", options);
	assert_int_equal(rig_open(r, &errors_plugin, text), 0);
	buf_clear(&lines);
}

static void failures_are_told_with_their_reason(void **state)
{
	struct rig r;

	(void)state;
	open_errors(&r, "stdout {\nstacktrace\n}");
	answer(&r, RCODE_SERVFAIL, "read udp 10.0.0.1:4000->8.8.8.8:53: i/o timeout", "forward");
	answer(&r, RCODE_SERVFAIL, NULL, "");
	answer(&r, RCODE_SERVFAIL, NULL, "file");
	answer(&r, RCODE_REFUSED, "too many", "forward");
	assert_string_equal(buf_text(&lines),
		"[ERROR] plugin/errors: 2 example.org. A: "
		"read udp 10.0.0.1:4000->8.8.8.8:53: i/o timeout\n"
		"[ERROR] plugin/errors: 2 example.org. A: no next plugin found\n"
		"[ERROR] plugin/errors: 2 example.org. A: plugin/file: server failure\n"
		"[ERROR] plugin/errors: 5 example.org. A: too many\n");
	rig_close(&r);
}

static void what_is_no_failure_of_ours_is_not_told(void **state)
{
	static const uint8_t message[12];
	struct query *q;
	struct rig r;

	(void)state;
	open_errors(&r, "");
	answer(&r, RCODE_NOERROR, "odd", "file");
	answer(&r, RCODE_NXDOMAIN, NULL, "file");
	answer(&r, RCODE_REFUSED, NULL, "acl");
	answer(&r, RCODE_SERVFAIL, NULL, "cache");
	q = rig_query(&r, &(struct rig_ask){.name = "a.", .type = TYPE_A});
	answer_set_message(&q->answer, message, sizeof(message));
	q->answer.rcode = RCODE_SERVFAIL;
	rig_up(&r, q, "forward");
	query_release(q);
	assert_string_equal(buf_text(&lines), "");
	rig_close(&r);
}

static void errors_of_a_kind_are_consolidated(void **state)
{
	struct rig r;

	(void)state;
	open_errors(&r, "{\nconsolidate 90s \"timeout$\" warning\nconsolidate 1s \"^code \\d+\"\n}");
	for (int i = 0; i < 3; i++)
		answer(&r, RCODE_SERVFAIL, "i/o timeout", "forward");
	answer(&r, RCODE_SERVFAIL, "code 17", "forward");
	answer(&r, RCODE_SERVFAIL, "code x", "forward");
	r.worker.now_ns += 999000000;
	answer(&r, RCODE_NOERROR, NULL, "file");
	assert_string_equal(buf_text(&lines), "[ERROR] plugin/errors: 2 example.org. A: code x\n");
	buf_clear(&lines);
	r.worker.now_ns += 1000000;
	answer(&r, RCODE_NOERROR, NULL, "file");
	assert_string_equal(buf_text(&lines),
		"[ERROR] plugin/errors: 1 errors like '^code \\d+' occurred in last 1s\n");
	buf_clear(&lines);
	r.worker.now_ns += 90000000000;
	answer(&r, RCODE_SERVFAIL, "i/o timeout", "forward");
	assert_string_equal(buf_text(&lines),
		"[WARNING] plugin/errors: 3 errors like 'timeout$' occurred in last 1m30s\n");
	buf_clear(&lines);
	rig_close(&r);
	assert_string_equal(buf_text(&lines),
		"[WARNING] plugin/errors: 1 errors like 'timeout$' occurred in last 1m30s\n");
}

static void patterns_are_those_of_go(void **state)
{
	static const struct {
		const char *pattern, *why;
		bool fits;
	} rows[] = {
		{"^read udp .*?: i/o timeout$", "read udp 10.0.0.1:4000->8.8.8.8:53: i/o timeout", true},
		{"^failed to \\w+\\b", "failed to connect: refused", true},
		{"(?i)TIMEOUT", "i/o timeout", true},
		{"(?:refused|reset)\\s", "connection refused", false},
		{"\\D\\d{2}\\z", "code 17", true},
		{"^i/o$", "i/o timeout", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char options[128];
		struct rig r;

		snprintf(options, sizeof(options), "{\nconsolidate 1s \"%s\"\n}", rows[i].pattern);
		open_errors(&r, options);
		answer(&r, RCODE_SERVFAIL, rows[i].why, "forward");
		assert_int_equal(lines.len == 0, rows[i].fits);
		rig_close(&r);
	}
}

static void the_first_of_a_kind_can_be_shown(void **state)
{
	struct rig r;

	(void)state;
	open_errors(&r, "{\nconsolidate 1s timeout show_first\n}");
	answer(&r, RCODE_SERVFAIL, "timeout", "forward");
	assert_string_equal(buf_text(&lines), "[ERROR] plugin/errors: 2 example.org. A: timeout\n");
	buf_clear(&lines);
	r.worker.now_ns += 1000000000;
	answer(&r, RCODE_NOERROR, NULL, "file");
	assert_string_equal(buf_text(&lines), "");
	answer(&r, RCODE_SERVFAIL, "timeout", "forward");
	answer(&r, RCODE_SERVFAIL, "timeout", "forward");
	buf_clear(&lines);
	r.worker.now_ns += 1000000000;
	answer(&r, RCODE_NOERROR, NULL, "file");
	assert_string_equal(buf_text(&lines),
		"[ERROR] plugin/errors: 2 errors like 'timeout' occurred in last 1s\n");
	rig_close(&r);
}

static void a_flood_is_cut_and_counted(void **state)
{
	unsigned n = 0;
	struct rig r;

	(void)state;
	open_errors(&r, "");
	for (int i = 0; i < 1000; i++)
		answer(&r, RCODE_SERVFAIL, "x", "file");
	for (const char *p = lines.at; (p = strchr(p, '\n')) != NULL; p++)
		n++;
	assert_int_equal(n, 200);
	buf_clear(&lines);
	r.worker.now_ns += 1000000000;
	answer(&r, RCODE_SERVFAIL, "x", "file");
	assert_non_null(strstr(lines.at, "800 errors came too fast and are not shown\n"));
	rig_close(&r);
}

#define REPEATED "+++++++++++++++++++++++++"

static void mistakes_are_refused(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{"/var/log/x", "only to stdout"},
		{"{\nconsolidate 1s\n}", "wrong number of arguments"},
		{"{\nconsolidate 0s a\n}", "at least 1ms"},
		{"{\nconsolidate 1 a\n}", "is not a duration"},
		{"{\nconsolidate 1s \"(\"\n}", "the regular expression '(' is wrong at character 2"},
		{"{\nconsolidate 1s \"(a)\\1\"\n}", "uses what Go has not: back references"},
		/* one POSIX way to compile this takes 2^50 nodes */
		{"{\nconsolidate 1s \"a" REPEATED REPEATED "\"\n}", "possessive repetition"},
		{"{\nconsolidate 1s a fatal\n}", "unknown value 'fatal'"},
		{"{\ntrace\n}", "unknown property 'trace'"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		rig_refuses_args(&errors_plugin, rows[i].text, rows[i].why);
}

static int free_lines(void **state)
{
	(void)state;
	buf_free(&lines);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(failures_are_told_with_their_reason),
		cmocka_unit_test(what_is_no_failure_of_ours_is_not_told),
		cmocka_unit_test(errors_of_a_kind_are_consolidated),
		cmocka_unit_test(patterns_are_those_of_go),
		cmocka_unit_test(the_first_of_a_kind_can_be_shown),
		cmocka_unit_test(a_flood_is_cut_and_counted),
		cmocka_unit_test(mistakes_are_refused),
	};

	log_set_sink(keep_line, NULL);
	return cmocka_run_group_tests(tests, NULL, free_lines);
}
