#include "rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/rand.h"
#include "dns/wire.h"
#include "test.h"

extern const struct plugin loadbalance_plugin;

/* An upstream's reply for a.: CNAME b., four addresses of b., one of c. */
static size_t make_reply(uint8_t *out, const struct query *q)
{
	static const uint8_t cname[] = {0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 9, 0, 3, 1, 'b', 0};
	uint8_t a[] = {0xc0, 31, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 10, 0, 0, 0};
	static const uint8_t c[] = {1, 'c', 0, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 10, 0, 0, 9};
	size_t n = q->msg.question_end;

	memcpy(out, q->buf, n);
	put16(out + 6, 6);
	memcpy(out + n, cname, sizeof(cname));
	n += sizeof(cname);
	for (uint8_t i = 0; i < 4; i++, n += sizeof(a)) {
		a[15] = i;
		memcpy(out + n, a, sizeof(a));
	}
	memcpy(out + n, c, sizeof(c));
	return n + sizeof(c);
}

/* Run a reply through the plugin and give the last octets of the six records' addresses. */
static void balance(struct rig *r, uint8_t last[4], const struct rig_ask *ask)
{
	struct query *q = rig_query(r, ask);
	uint8_t message[512], before[512];
	size_t n = make_reply(message, q), at = q->msg.question_end + 15;

	memcpy(before, message, n);
	answer_set_message(&q->answer, message, n);
	rig_up(r, q, "forward");
	assert_memory_equal(message, before, n);
	assert_int_equal(q->answer.message_len, n);
	for (int i = 0; i < 4; i++, at += 16)
		last[i] = q->answer.message[at + 15];
	assert_int_equal(q->answer.message[at + 16], 9);
	assert_memory_equal(q->answer.message, before, q->msg.question_end + 15);
	query_release(q);
}

static void replies_of_upstreams_come_in_every_order(void **state)
{
	struct rig_ask ask = {.name = "a.", .type = TYPE_A};
	unsigned first[4] = {0};
	struct rig r;

	(void)state;
	rand_seed(1);
	assert_int_equal(rig_open(&r, &loadbalance_plugin, ". {\nloadbalance\n}"), 0);
	for (int i = 0; i < 4000; i++) {
		uint8_t last[4];
		unsigned seen = 0;

		balance(&r, last, &ask);
		for (int k = 0; k < 4; k++)
			seen |= 1u << last[k];
		assert_int_equal(seen, 15);
		first[last[0]]++;
	}
	for (int i = 0; i < 4; i++)
		assert_in_range(first[i], 850, 1150);
	rig_close(&r);
}

static void other_questions_leave_the_reply_as_it_is(void **state)
{
	struct rig_ask ask = {.name = "a.", .type = TYPE_MX};
	struct rig r;

	(void)state;
	assert_int_equal(rig_open(&r, &loadbalance_plugin, ". {\nloadbalance\n}"), 0);
	for (int i = 0; i < 50; i++) {
		uint8_t last[4];

		balance(&r, last, &ask);
		assert_memory_equal(last, "\0\1\2\3", 4);
	}
	rig_close(&r);
}

static void preferred_networks_come_first(void **state)
{
	struct rig_ask ask = {.name = "a.", .type = TYPE_A};
	struct rig r;
	unsigned two_first = 0;

	(void)state;
	assert_int_equal(rig_open(&r, &loadbalance_plugin,
				 ". {\nloadbalance {\nprefer 10.0.0.2/31 fd00::/8\n}\n}"),
		0);
	for (int i = 0; i < 400; i++) {
		uint8_t last[4];

		balance(&r, last, &ask);
		assert_int_equal(last[0] + last[1], 5);
		assert_int_equal(last[2] + last[3], 1);
		two_first += last[0] == 2;
	}
	assert_in_range(two_first, 120, 280);
	rig_close(&r);
}

static void sets_of_the_name_table_are_not_touched(void **state)
{
	struct rrset_builder b = {.type = TYPE_A, .ttl = 5};
	struct rrset *set, *copy;
	struct rig r;
	struct query *q;
	uint16_t n;

	(void)state;
	for (uint8_t i = 0; i < 8; i++)
		rrset_add(&b, (uint8_t[]){10, 0, 0, i}, 4);
	set = rrset_build(&b);
	copy = mem_dup(set, sizeof(*set) + set->wire_len);
	assert_int_equal(rig_open(&r, &loadbalance_plugin,
				 ". {\nloadbalance round_robin {\nprefer 10.0.0.7\n}\n}"),
		0);
	q = rig_query(&r, &(struct rig_ask){.name = "a.", .type = TYPE_A});
	answer_add(&q->answer, SECTION_ANSWER, set);
	rig_up(&r, q, "kubernetes");
	assert_int_equal(rrset_rdata(q->answer.refs[0].set, 0, &n)[3], 7);
	assert_false(q->answer.rotates);
	assert_memory_equal(set, copy, sizeof(*set) + set->wire_len);
	query_release(q);
	rig_close(&r);
	free(set);
	free(copy);
}

/* Open the plugin with the policy weighted and a file of this text. */
static int open_weighted(struct rig *r, const char *weights, const char *options)
{
	char path[] = "/tmp/seamark-weights-XXXXXX", text[200];
	int fd = mkstemp(path), rc;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, weights, strlen(weights)), strlen(weights));
	close(fd);
	snprintf(text, sizeof(text), ". {\nloadbalance weighted %s %s\n}", path, options);
	rc = rig_open(r, &loadbalance_plugin, text);
	unlink(path);
	return rc;
}

static void weights_say_how_often_an_address_comes_first(void **state)
{
	struct rig_ask ask = {.name = "a.", .type = TYPE_A};
	unsigned first[4] = {0};
	struct rig r;

	(void)state;
	rand_seed(2);
	assert_int_equal(open_weighted(&r,
				 "# comment\n\nB\n10.0.0.1 3\n 10.0.0.2\t5 \nx.b.\n10.0.0.3 200\n"
				 "b.\n2001:db8::1 9\n",
				 ""),
		0);
	for (int i = 0; i < 4000; i++) {
		uint8_t last[4];

		balance(&r, last, &ask);
		first[last[0]]++;
		for (uint8_t k = 1; k < 4; k++) /* the others do not move */
			assert_true(last[k] == k || (last[k] == 0 && last[0] == k));
	}
	/* 10.0.0.0 and 10.0.0.3 weigh 1: no line is about them */
	assert_in_range(first[0], 330, 470);
	assert_in_range(first[1], 1100, 1300);
	assert_in_range(first[2], 1880, 2120);
	assert_in_range(first[3], 330, 470);
	rig_close(&r);
}

static void weights_hold_for_sets_of_plugins(void **state)
{
	struct rrset_builder b = {.type = TYPE_A, .ttl = 5};
	struct rrset *set;
	unsigned heavy = 0;
	struct rig r;

	(void)state;
	for (uint8_t i = 0; i < 8; i++)
		rrset_add(&b, (uint8_t[]){10, 0, 0, i}, 4);
	set = rrset_build(&b);
	assert_int_equal(open_weighted(&r, "Web.Example.\n10.0.0.5 193\n", "{\nreload 0\n}"), 0);
	for (int i = 0; i < 400; i++) {
		struct query *q =
			rig_query(&r, &(struct rig_ask){.name = "wEB.example.", .type = TYPE_A});
		uint16_t n;

		answer_add(&q->answer, SECTION_ANSWER, set);
		rig_up(&r, q, "kubernetes");
		heavy += rrset_rdata(q->answer.refs[0].set, 0, &n)[3] == 5;
		assert_false(q->answer.rotates);
		query_release(q);
	}
	assert_in_range(heavy, 370, 399);
	rig_close(&r);
	free(set);
}

static void mistakes_in_weights_are_named_with_their_line(void **state)
{
	static const char *const rows[][2] = {
		{"a.\n10.0.0.1 0\n", ":2 - plugin/loadbalance: "},
		{"a.\n10.0.0.1 0\n", ": line 2: the weight must be between 1 and 255"},
		{"a.\n10.0.0.1 256\n", "the weight must be between 1 and 255"},
		{"a.\n10.0.0.1 x\n", "the weight must be between 1 and 255"},
		{"a.\n10.0.0.1\n", "line 2: the address '10.0.0.1' has no weight"},
		{"10.0.0.1 2\n", "line 1: a name must stand above the first address"},
		{"a.\nb 2\n", "line 2: 'b' is not an IP address"},
		{"a.\n10.0.0.1 2 3\n", "line 2: expected a name, or an address and its weight"},
		{"a..b\n", "line 1: "},
	};
	struct rig r;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(open_weighted(&r, rows[i][0], ""), -22);
		if (strstr(r.err.text, rows[i][1]) == NULL)
			fail_msg("'%s' for '%s'", r.err.text, rows[i][0]);
		rig_close(&r);
	}
	/* a file that may come later is none */
	assert_int_equal(rig_open(&r, &loadbalance_plugin,
				 ". {\nloadbalance weighted /nowhere/weights\n}"),
		0);
	rig_close(&r);
}

static void rotation_is_left_to_the_encoder(void **state)
{
	struct rig r;
	struct query *q;

	(void)state;
	assert_int_equal(rig_open(&r, &loadbalance_plugin, ". {\nloadbalance\n}"), 0);
	q = rig_query(&r, &(struct rig_ask){.name = "a.", .type = TYPE_A});
	rig_up(&r, q, "kubernetes");
	assert_true(q->answer.rotates);
	answer_reset(&q->answer);
	q->answer.rcode = RCODE_NXDOMAIN;
	rig_up(&r, q, "kubernetes");
	assert_false(q->answer.rotates);
	query_release(q);
	rig_close(&r);
}

static void a_cut_reply_is_survived(void **state)
{
	struct rig r;

	(void)state;
	assert_int_equal(rig_open(&r, &loadbalance_plugin, ". {\nloadbalance\n}"), 0);
	for (size_t cut = 0; cut < 80; cut++) {
		struct query *q = rig_query(&r, &(struct rig_ask){.name = "a.", .type = TYPE_A});
		uint8_t message[512];
		size_t n = make_reply(message, q);

		if (cut < n - q->msg.question_end)
			answer_set_message(&q->answer, message, n - cut);
		rig_up(&r, q, "forward");
		query_release(q);
	}
	rig_close(&r);
}

static void policies_that_do_not_exist_are_refused(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{"weighted", "wrong number of arguments"},
		{"weighted /nowhere/w {\nreload 0\n}", "cannot read /nowhere/w: No such file"},
		{"weighted /nowhere/w {\nprefer 10.0.0.0/8\n}", "'prefer' is for the policy"},
		{"{\nreload 5s\n}", "'reload' is for the policy weighted"},
		{"fair", "unknown policy 'fair'"},
		{"round_robin 2", "wrong number of arguments"},
		{"{\nprefer 10.0.0.0/33\n}", "no address or address block"},
		{"{\nprefer\n}", "wrong number of arguments"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		rig_refuses_args(&loadbalance_plugin, rows[i].text, rows[i].why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies_of_upstreams_come_in_every_order),
		cmocka_unit_test(other_questions_leave_the_reply_as_it_is),
		cmocka_unit_test(preferred_networks_come_first),
		cmocka_unit_test(sets_of_the_name_table_are_not_touched),
		cmocka_unit_test(weights_say_how_often_an_address_comes_first),
		cmocka_unit_test(weights_hold_for_sets_of_plugins),
		cmocka_unit_test(mistakes_in_weights_are_named_with_their_line),
		cmocka_unit_test(rotation_is_left_to_the_encoder),
		cmocka_unit_test(a_cut_reply_is_survived),
		cmocka_unit_test(policies_that_do_not_exist_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
