/* Plugins that change the look of an answer: header and minimal. */
#include "rig.h"
#include "test.h"

#include "dns/wire.h"

extern const struct plugin header_plugin, minimal_plugin;

static struct query *ask(struct rig *r)
{
	return rig_query(r, &(struct rig_ask){.name = "a.", .type = TYPE_A});
}

static void header_changes_the_flags_of_answers(void **state)
{
	static const struct {
		const char *lines;
		uint16_t flags;
	} rows[] = {
		{"set ra", FLAG_RD | FLAG_RA},
		{"response set aa RA", FLAG_AA | FLAG_RD | FLAG_RA},
		{"response clear rd", 0},
		{"Response Set aa\nresponse clear aa", FLAG_RD},
		{"clear aa\nset aa", FLAG_AA | FLAG_RD},
	};
	uint8_t out[512];
	char text[200];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct query *q;
		struct rig r;

		snprintf(text, sizeof(text), ". {\nheader {\n%s\n}\n}", rows[i].lines);
		assert_int_equal(rig_open(&r, &header_plugin, text), 0);
		q = ask(&r);
		assert_int_equal(rig_down(&r, q), NEXT);
		rig_up(&r, q, "whoami");
		query_encode(q, out, sizeof(out));
		assert_int_equal(get16(out + 2), FLAG_QR | rows[i].flags);
		query_release(q);
		rig_close(&r);
	}
}

static void header_changes_the_question_that_is_forwarded(void **state)
{
	struct query *q;
	struct rig r;

	(void)state;
	assert_int_equal(
		rig_open(&r, &header_plugin, ". {\nheader {\nquery clear rd\n}\n}"), 0);
	q = ask(&r);
	assert_int_equal(rig_down(&r, q), NEXT);
	assert_int_equal(q->msg.flags & FLAG_RD, 0);
	assert_int_equal(get16(q->buf + 2) & FLAG_RD, 0);
	query_release(q);
	rig_close(&r);
}

static void bad_header_lines_are_refused(void **state)
{
	static const struct {
		const char *text, *error;
	} rows[] = {
		{"header {\nset ad\n}", "unknown flag 'ad', expected aa, ra or rd"},
		{"header {\nresponse set\n}", "names no flag"},
		{"header {\nresponse\n}", "names no action"},
		{"header {\nquery flip ra\n}", "unknown action 'flip', expected set or clear"},
		{"header {\nanswer set ra\n}", "unknown action 'answer'"},
		{"header", "has no line such as"},
		{"header here {\nset ra\n}", "wrong number of arguments"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		rig_refuses(&header_plugin, rows[i].text, rows[i].error);
}

/* An address, and one more record in each of the other sections. */
static void fill(struct query *q, bool has_answer)
{
	const struct rrset *a =
		rrset_single(&q->arena, TYPE_A, 5, (struct str){"\x0a\0\0\1", 4});
	const struct rrset *ns = rrset_single(&q->arena, TYPE_NS, 5, (struct str){"\1b", 3});

	answer_add(&q->answer, SECTION_ADDITIONAL, a);
	answer_add(&q->answer, SECTION_AUTHORITY, ns);
	if (has_answer)
		answer_add(&q->answer, SECTION_ANSWER, a);
}

static void minimal_keeps_the_answer_alone(void **state)
{
	static const char whole[] = "NOERROR\na. 5 IN A 10.0.0.1\n--\na. 5 IN NS b.\n--\n"
				    "a. 5 IN A 10.0.0.1\n";
	struct rig r;

	(void)state;
	assert_int_equal(rig_open(&r, &minimal_plugin, ". {\nminimal\n}"), 0);
	for (int is_message = 0; is_message < 2; is_message++) {
		struct query *q = ask(&r);
		uint8_t *message = arena_alloc(&q->arena, 512);
		struct answer_env env = {.limit = 512};
		size_t n;

		fill(q, true);
		memcpy(message, q->buf, q->msg.question_end);
		n = answer_encode(&q->answer, &q->msg, &env, message);
		if (is_message == 1) {
			answer_reset(&q->answer);
			answer_set_message(&q->answer, message, n);
			assert_string_equal(rig_answer(&r, q), whole);
		}
		rig_up(&r, q, "forward");
		assert_string_equal(rig_answer(&r, q),
			"NOERROR\na. 5 IN A 10.0.0.1\n--\n--\n");
		query_release(q);
	}
	rig_close(&r);
}

static void minimal_leaves_negative_answers_and_referrals_alone(void **state)
{
	static const char rest[] = "--\na. 5 IN NS b.\n--\na. 5 IN A 10.0.0.1\n";
	struct rig r;

	(void)state;
	assert_int_equal(rig_open(&r, &minimal_plugin, ". {\nminimal\n}"), 0);
	for (int rcode = RCODE_NOERROR; rcode <= RCODE_NXDOMAIN; rcode += RCODE_NXDOMAIN) {
		struct query *q = ask(&r);

		fill(q, false);
		q->answer.rcode = (uint16_t)rcode;
		rig_up(&r, q, "forward");
		assert_non_null(strstr(rig_answer(&r, q), rest));
		query_release(q);
	}
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header_changes_the_flags_of_answers),
		cmocka_unit_test(header_changes_the_question_that_is_forwarded),
		cmocka_unit_test(bad_header_lines_are_refused),
		cmocka_unit_test(minimal_keeps_the_answer_alone),
		cmocka_unit_test(minimal_leaves_negative_answers_and_referrals_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
