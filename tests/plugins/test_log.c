#include "rig.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/metadata.h"
#include "core/metrics.h"
#include "core/zone_list.h"
#include "log/json.h"
#include "test.h"

extern const struct plugin log_plugin;

/* In place of the clock: 37990 ns after each question. */
uint64_t clock_ns(void)
{
	return 1000037990;
}

uint64_t clock_ms(void)
{
	return 1000;
}

uint64_t clock_wall_s(void)
{
	return 0;
}

static struct buf lines;

static void keep_line(void *arg, enum log_level level, const char *text)
{
	(void)arg;
	(void)level;
	buf_str(&lines, text);
	buf_char(&lines, '\n');
}

static void open_log(struct rig *r, const char *text)
{
	assert_int_equal(rig_open(r, &log_plugin, text), 0);
	assert_int_equal(log_plugin.start(r->setup.instance, &r->err), 0);
	buf_clear(&lines);
}

static void answer(struct rig *r, const struct rig_ask *ask, uint16_t rcode)
{
	struct query *q = rig_query(r, ask);

	q->answer.rcode = rcode;
	q->answer.is_authoritative = true;
	rig_up(r, q, "whoami");
	query_release(q);
}

/* Close the rig, which writes what waits, and compare. */
static void assert_lines(struct rig *r, const char *wanted)
{
	rig_close(r);
	assert_string_equal(buf_text(&lines), wanted);
}

static void lines_look_like_those_of_coredns(void **state)
{
	struct rig r;

	(void)state;
	open_log(&r, ". {\nlog\n}");
	answer(&r,
		&(struct rig_ask){.name = "Example.org.", .type = TYPE_A, .udp_size = 4096,
			.client = "127.0.0.1:50759"},
		RCODE_NOERROR);
	answer(&r,
		&(struct rig_ask){.name = "a.", .type = TYPE_SRV, .transport = 1,
			.client = "[::1]:1"},
		RCODE_NXDOMAIN);
	assert_lines(&r,
		"[INFO] 127.0.0.1:50759 - 29008 \"A IN example.org. udp 40 false 4096\" NOERROR "
		"qr,aa,rd 40 0.00003799s\n"
		"[INFO] [::1]:1 - 29008 \"SRV IN a. tcp 19 false 65535\" NXDOMAIN "
		"qr,aa,rd 19 0.00003799s\n");
}

static void formats_have_words_in_braces(void **state)
{
	static const struct {
		const char *format, *line;
	} rows[] = {
		{"{name} {type} {class} {proto}", "a. A IN udp"},
		{"{remote} {port} {local}", "127.0.0.1 40000 127.0.0.1"},
		{"{>id} {>ID} {>opcode}", "29008 29008 0"},
		{"{size} {>do} {>bufsize}", "19 false 512"},
		{"{rcode} {>rflags} {rsize}", "REFUSED qr,aa,rd 19"},
		{"x{/kubernetes/client-pod}y", "x-y"},
		{"{what} {name", "{what} {name"},
		{"} {{name}}", "} {a.}"},
		{"a\tb{name}", "a?ba."},
		{"{combined}", "127.0.0.1:40000 - 29008 \"A IN a. udp 19 false 512\" REFUSED "
			       "qr,aa,rd 19 0.00003799s \"0\""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[256], wanted[256];
		struct rig r;

		snprintf(text, sizeof(text), ". {\nlog . \"%s\"\n}", rows[i].format);
		snprintf(wanted, sizeof(wanted), "[INFO] %s\n", rows[i].line);
		open_log(&r, text);
		answer(&r, &(struct rig_ask){.name = "a.", .type = TYPE_A}, RCODE_REFUSED);
		assert_lines(&r, wanted);
	}
}

static void unknown_words_are_warned_of_once(void **state)
{
	static const char warning[] =
		"[WARNING] plugin/log: Corefile:2: %s in the format stands for nothing and is "
		"written as it is; seamark-log(7) has the list of words\n";
	static const struct {
		const char *format, *first, *second;
	} rows[] = {
		{"{name} {common} {>ID} {/a/b}", NULL, NULL},
		{"{what} {name} {qname}", "{what}", "{qname}"},
		{"{Name} {name {>x}", "{Name}", "{>x}"},
		{"{/} {{nmae}}", "{/}", "{nmae}"},
		{"{'name':'{name}','a b': {}}", NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf wanted = {0};
		char text[256];
		struct rig r;

		buf_str(&wanted, "");
		if (rows[i].first != NULL)
			buf_printf(&wanted, warning, rows[i].first);
		if (rows[i].second != NULL)
			buf_printf(&wanted, warning, rows[i].second);
		snprintf(text, sizeof(text), ". {\nlog a.org b.org \"%s\"\n}", rows[i].format);
		buf_clear(&lines);
		assert_int_equal(rig_open(&r, &log_plugin, text), 0);
		assert_string_equal(buf_text(&lines), buf_text(&wanted));
		assert_int_equal(log_plugin.start(r.setup.instance, &r.err), 0);
		rig_close(&r);
		buf_free(&wanted);
	}
}

static void names_and_classes_choose_what_is_logged(void **state)
{
	static const uint16_t rcodes[] = {RCODE_NOERROR, RCODE_NXDOMAIN, RCODE_SERVFAIL};
	static const char *const names[] = {"a.org.", "b.net.", "c.net."};
	struct rig r;

	(void)state;
	open_log(&r, ". {\nlog org \"1 {name} {rcode}\" {\nclass error\n}\n"
		     "log b.net ORG \"2 {name} {rcode}\" {\nclass success denial\n}\n}");
	for (int n = 0; n < 3; n++)
		for (int i = 0; i < 3; i++)
			answer(&r, &(struct rig_ask){.name = names[n], .type = TYPE_A}, rcodes[i]);
	assert_lines(&r, "[INFO] 1 a.org. NXDOMAIN\n" /* without SOA: an error */
			 "[INFO] 1 a.org. SERVFAIL\n"
			 "[INFO] 2 b.net. NOERROR\n");
}

static void slow_answers_are_logged_whatever_they_are(void **state)
{
	struct rig r;

	(void)state;
	/* each takes 37990 ns */
	open_log(&r, ". {\nlog slow. \"{name}\" {\nclass error\nminDuration 1ms\n}\n}");
	answer(&r, &(struct rig_ask){.name = "a.slow.", .type = TYPE_A}, RCODE_NOERROR);
	r.worker.now_ns -= 1000000;
	answer(&r, &(struct rig_ask){.name = "b.slow.", .type = TYPE_A}, RCODE_NOERROR);
	answer(&r, &(struct rig_ask){.name = "c.slow.", .type = TYPE_A}, RCODE_SERVFAIL);
	assert_lines(&r, "[INFO] b.slow.\n[INFO] c.slow.\n");
}

static void a_denial_is_known_by_its_soa(void **state)
{
	struct rrset_builder b = {.type = TYPE_SOA, .ttl = 5};
	struct rrset *soa;
	struct rig r;

	(void)state;
	rrset_add(&b, "\0\0aaaabbbbccccddddeeee", 22);
	soa = rrset_build(&b);
	open_log(&r, ". {\nlog . {\nclass denial\n}\n}");
	for (int i = 0; i < 4; i++) {
		struct query *q =
			rig_query(&r, &(struct rig_ask){.name = "a.", .type = TYPE_A});

		q->answer.rcode = i < 2 ? RCODE_NOERROR : RCODE_NXDOMAIN;
		answer_add(&q->answer, SECTION_AUTHORITY, i % 2 == 0 ? soa : NULL);
		rig_up(&r, q, "file");
		query_release(q);
	}
	rig_close(&r);
	assert_non_null(strstr(lines.at, "NOERROR"));
	assert_non_null(strstr(strstr(lines.at, "NOERROR") + 1, "NXDOMAIN"));
	assert_null(strstr(strstr(lines.at, "NXDOMAIN") + 1, "IN a."));
	free(soa);
}

static void a_name_cannot_forge_a_line(void **state)
{
	struct rig r;

	(void)state;
	open_log(&r, ". {\nlog . \"{name}\"\n}");
	answer(&r, &(struct rig_ask){.name = "x\\010[INFO]\\032y.", .type = TYPE_A}, RCODE_NOERROR);
	assert_lines(&r, "[INFO] x\\010[info]\\032y.\n");
}

static void formats_write_metadata(void **state)
{
	struct zone_list zones = {.table = NULL};
	struct query *q;
	struct rig r;

	(void)state;
	zone_list_add(&zones, &(struct name){1, {0}});
	open_log(&r, ". {\nlog . \"{/a/b} {/a/label.io/x} {/c/d}\"\n}");
	metadata_enable(&r.chain, &zones);
	q = rig_query(&r, &(struct rig_ask){.name = "a.", .type = TYPE_A});
	assert_true(metadata_is_wanted(q, STR("a/label.io/x")));
	assert_false(metadata_is_wanted(q, STR("a/label")));
	metadata_put(q, STR("a/b"), STR("x\n[INFO] \x7f"));
	metadata_put(q, STR("a/label.io/x"), STR(""));
	rig_up(&r, q, "whoami");
	query_release(q);
	assert_lines(&r, "[INFO] x\\010[INFO] \\127  -\n");
	zone_list_free(&zones);
}

static uint64_t wall_ms(void)
{
	return 1700000000123;
}

static void json_lines_have_a_field_for_each_figure(void **state)
{
	struct zone_list zones = {.table = NULL};
	char out[FORMAT_LINE_MAX];
	struct format f = {{NULL, 0, 0}};
	struct query *q;
	struct rig r;
	size_t n;

	(void)state;
	zone_list_add(&zones, &(struct name){1, {0}});
	open_log(&r, ". {\nlog\n}");
	metadata_enable(&r.chain, &zones);
	format_init(&f, "{name} {/a/b} {/c/d}");
	format_want(&f, &r.chain);
	q = rig_query(&r, &(struct rig_ask){.name = "x\\\".Org.", .type = TYPE_A,
				  .udp_size = 1232, .client = "[::1]:50759"});
	q->answer.is_authoritative = true;
	metadata_put(q, STR("a/b"), STR("v"));
	log_set_json(wall_ms);
	n = json_write(&f, q, 37990, out);
	out[n] = '\0';
	assert_string_equal(out,
		"{\"time\":\"2023-11-14T22:13:20.123Z\",\"level\":\"INFO\",\"msg\":\"x\\\\\\\".org. v "
		"-\",\"plugin\":\"log\",\"client_ip\":\"::1\",\"client_port\":50759,\"local_ip\":"
		"\"127.0.0.1\",\"proto\":\"udp\",\"id\":29008,\"opcode\":0,\"qname\":"
		"\"x\\\\\\\".org.\",\"qtype\":\"A\",\"qclass\":\"IN\",\"do\":false,\"bufsize\":1232,"
		"\"request_size\":35,\"rcode\":\"NOERROR\",\"rflags\":\"qr,aa,rd\","
		"\"response_size\":35,\"duration_seconds\":0.00003799,\"metadata\":{\"a/b\":\"v\"}}"
		"\n");
	log_set_json(NULL);
	query_release(q);
	format_fini(&f);
	rig_close(&r);
	zone_list_free(&zones);
}

static void a_slow_reader_loses_lines_that_are_counted(void **state)
{
	struct metrics *m = metrics_new();
	unsigned written = 0, dropped;
	struct buf out = {0};
	const char *at;
	struct rig r;

	(void)state;
	open_log(&r, ". {\nlog\n}");
	for (int i = 0; i < 20000; i++)
		answer(&r, &(struct rig_ask){.name = "a.", .type = TYPE_A}, RCODE_NOERROR);
	log_plugin.metrics(r.setup.instance, m);
	metrics_finish(m, &out);
	at = strstr(out.at, "\nseamark_query_log_dropped_total ");
	assert_non_null(at);
	dropped = (unsigned)strtoul(strrchr(at, ' '), NULL, 10);
	rig_close(&r);
	for (const char *p = lines.at; (p = strchr(p, '\n')) != NULL; p++)
		written++;
	assert_int_equal(written + dropped, 20000);
	buf_free(&out);
}

static void mistakes_are_refused(void **state)
{
	static const char *const rows[] = {
		"{\nclass\n}", "{\nclass some\n}", "{\nformat x\n}", "a..b", "example.org x..y {name}"};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		rig_refuses_args(&log_plugin, rows[i], "");
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
		cmocka_unit_test(lines_look_like_those_of_coredns),
		cmocka_unit_test(formats_have_words_in_braces),
		cmocka_unit_test(unknown_words_are_warned_of_once),
		cmocka_unit_test(names_and_classes_choose_what_is_logged),
		cmocka_unit_test(slow_answers_are_logged_whatever_they_are),
		cmocka_unit_test(a_denial_is_known_by_its_soa),
		cmocka_unit_test(a_name_cannot_forge_a_line),
		{"1.12: formats write metadata", formats_write_metadata, NULL, NULL, NULL},
		cmocka_unit_test(json_lines_have_a_field_for_each_figure),
		cmocka_unit_test(a_slow_reader_loses_lines_that_are_counted),
		cmocka_unit_test(mistakes_are_refused),
	};

	log_set_sink(keep_line, NULL);
	return cmocka_run_group_tests(tests, NULL, free_lines);
}
