/* The verdict on each shape of query, and what is taken from its OPT record. */
#include "test.h"

#include "dns/msg.h"
#include "dns/rr.h"
#include "dns/wire.h"

#define OCTETS(text) (const uint8_t *)(text), sizeof(text) - 1
#define QUESTION "\3www\7example\0\0\1\0\1"
/* OPT: UDP size 4096, extended RCODE, version, flags, RDLENGTH */
#define OPT_HEAD "\0\0\x29\x10\0"
#define OPT OPT_HEAD "\0\0\0\0\0\0"
#define OPT_WITH(length) OPT_HEAD "\0\0\0\0\0" length
#define NEWER_OPT_WITH(length) OPT_HEAD "\0\1\0\0\0" length
#define A_RECORD "\xc0\x0c\0\1\0\1\0\0\0\x1e\0\4\1\2\3\4"
#define COOKIE8       \
	"\0\x0a\0\x8" \
	"12345678"
#define TSIG "\3key\0\0\xfa\0\xff\0\0\0\0\0\0"

#define IXFR_QUESTION "\1a\0\0\xfb\0\1"
#define SOA_RECORD(n)                                                                              \
	"\xc0\x0c\0\6\0\1\0\0\0\0\0" n "\0\0" "\0\0\1\4" "\0\0\0\0" "\0\0\0\0" "\0\0\0\0" "\0\0\0\0"

struct message {
	uint16_t flags, counts[4];
	const uint8_t *body;
	size_t len;
};

static size_t write_message(uint8_t *out, const struct message *m)
{
	put16(out, 0xabcd);
	put16(out + 2, m->flags);
	for (int i = 0; i < 4; i++)
		put16(out + 4 + 2 * i, m->counts[i]);
	memcpy(out + MSG_HEADER, m->body, m->len);
	return MSG_HEADER + m->len;
}

static enum msg_verdict parse(struct msg *m, const struct message *in)
{
	uint8_t wire[2048];
	size_t n = write_message(wire, in);

	memset(m, 0xff, sizeof(*m)); /* whatever the last query left */
	return msg_parse(m, wire, n);
}

static void each_shape_of_query_has_one_verdict(void **state)
{
	static const struct {
		const char *what;
		struct message in;
		enum msg_verdict verdict;
		uint8_t rcode;
	} rows[] = {
	        {"a plain question", {0x0100, {1}, OCTETS(QUESTION)}, MSG_ANSWER, 0},
	        {"a question for the root", {0, {1}, OCTETS("\0\0\2\0\1")}, MSG_ANSWER, 0},
	        {"flags of no meaning here", {0x07f0, {1}, OCTETS(QUESTION)}, MSG_ANSWER, 0},
	        {"an RCODE in a query", {0x000f, {1}, OCTETS(QUESTION)}, MSG_ANSWER, 0},
	        {"any class is a matter of the plugins", {0, {1}, OCTETS("\1a\0\0\1\0\3")},
	                MSG_ANSWER, 0},
	        {"a type nobody knows", {0, {1}, OCTETS("\1a\0\xff\1\0\1")}, MSG_ANSWER, 0},
	        {"a response", {0x8100, {1}, OCTETS(QUESTION)}, MSG_DROP, 0},
	        {"a response that is malformed", {0x8100, {9}, OCTETS("")}, MSG_DROP, 0},
	        {"a response with another opcode", {0xa800, {1}, OCTETS(QUESTION)}, MSG_DROP, 0},
	        {"NOTIFY", {0x2400, {1}, OCTETS(QUESTION)}, MSG_REFUSE, RCODE_NOTIMP},
	        {"UPDATE", {0x2800, {1}, OCTETS(QUESTION)}, MSG_REFUSE, RCODE_NOTIMP},
	        {"an inverse query", {0x0800, {0, 1}, OCTETS(A_RECORD)}, MSG_REFUSE, RCODE_NOTIMP},
	        {"opcode 15 and nothing else", {0x7800, {0}, OCTETS("")}, MSG_REFUSE, RCODE_NOTIMP},
	        {"no question", {0, {0}, OCTETS("")}, MSG_REFUSE, RCODE_FORMERR},
	        {"no question but EDNS", {0, {0, 0, 0, 1}, OCTETS(OPT)}, MSG_REFUSE, RCODE_FORMERR},
	        {"a cookie and no question (RFC 7873 5.4)",
	                {0, {0, 0, 0, 1}, OCTETS(OPT_WITH("\x0c") COOKIE8)}, MSG_REFUSE, 0},
	        {"two questions", {0, {2}, OCTETS(QUESTION QUESTION)}, MSG_REFUSE, RCODE_FORMERR},
	        {"a question that is announced only", {0, {1}, OCTETS("")}, MSG_REFUSE,
	                RCODE_FORMERR},
	        {"a name without end", {0, {1}, OCTETS("\3www")}, MSG_REFUSE, RCODE_FORMERR},
	        {"a label past the end", {0, {1}, OCTETS("\4www")}, MSG_REFUSE, RCODE_FORMERR},
	        {"no type", {0, {1}, OCTETS("\3www\0")}, MSG_REFUSE, RCODE_FORMERR},
	        {"half a class", {0, {1}, OCTETS("\3www\0\0\1\0")}, MSG_REFUSE, RCODE_FORMERR},
	        {"a name that points to itself", {0, {1}, OCTETS("\xc0\x0c\0\1\0\1")}, MSG_REFUSE,
	                RCODE_FORMERR},
	        {"a name that points into the header", {0, {1}, OCTETS("\1a\xc0\0\0\1\0\1")},
	                MSG_REFUSE, RCODE_FORMERR},
	        {"a label of type 01", {0, {1}, OCTETS("\x41z\0\0\1\0\1")}, MSG_REFUSE,
	                RCODE_FORMERR},
	        {"one octet behind the question", {0, {1}, OCTETS(QUESTION "\0")}, MSG_REFUSE,
	                RCODE_FORMERR},
	        {"records that nobody counted", {0, {1}, OCTETS(QUESTION OPT)}, MSG_REFUSE,
	                RCODE_FORMERR},
	        {"an answer in a query", {0, {1, 1}, OCTETS(QUESTION A_RECORD)}, MSG_REFUSE,
	                RCODE_FORMERR},
	        {"IXFR with the SOA record that the client has (RFC 1995 3)",
	                {0, {1, 0, 1}, OCTETS(IXFR_QUESTION SOA_RECORD("\x16"))}, MSG_ANSWER, 0},
	        {"IXFR without one", {0, {1}, OCTETS(IXFR_QUESTION)}, MSG_ANSWER, 0},
	        {"IXFR with one that is cut", {0, {1, 0, 1}, OCTETS(IXFR_QUESTION SOA_RECORD("\x15"))},
	                MSG_REFUSE, RCODE_FORMERR},
	        {"IXFR with an address", {0, {1, 0, 1}, OCTETS(IXFR_QUESTION A_RECORD)}, MSG_REFUSE,
	                RCODE_FORMERR},
	        {"IXFR with two", {0, {1, 0, 2},
	                OCTETS(IXFR_QUESTION SOA_RECORD("\x16") SOA_RECORD("\x16"))}, MSG_REFUSE,
	                RCODE_FORMERR},
	        {"authority in a query", {0, {1, 0, 1}, OCTETS(QUESTION A_RECORD)}, MSG_REFUSE,
	                RCODE_FORMERR},
	        {"a foreign additional record is skipped",
	                {0, {1, 0, 0, 1}, OCTETS(QUESTION A_RECORD)}, MSG_ANSWER, 0},
	        {"a record before the OPT", {0, {1, 0, 0, 2}, OCTETS(QUESTION A_RECORD OPT)},
	                MSG_ANSWER, 0},
	        {"a record behind the OPT", {0, {1, 0, 0, 2}, OCTETS(QUESTION OPT A_RECORD)},
	                MSG_ANSWER, 0},
	        {"a record that is cut off",
	                {0, {1, 0, 0, 1},
	                        OCTETS(QUESTION "\xc0\x0c\0\1\0\1\0\0\0\x1e\0\5\1\2\3\4")},
	                MSG_REFUSE, RCODE_FORMERR},
	        {"more records announced than sent", {0, {1, 0, 0, 2}, OCTETS(QUESTION A_RECORD)},
	                MSG_REFUSE, RCODE_FORMERR},
	        {"records promised without end", {0, {1, 0, 0, 65535}, OCTETS(QUESTION OPT)},
	                MSG_REFUSE, RCODE_FORMERR},
	        {"octets behind the OPT", {0, {1, 0, 0, 1}, OCTETS(QUESTION OPT "\0")}, MSG_REFUSE,
	                RCODE_FORMERR},
	        {"a TSIG that nobody has the key of", {0, {1, 0, 0, 1}, OCTETS(QUESTION TSIG)},
	                MSG_REFUSE, RCODE_FORMERR},
	        {"a question for OPT", {0, {1}, OCTETS("\1a\0\0\x29\0\1")}, MSG_REFUSE,
	                RCODE_FORMERR},
	        {"a question for TSIG", {0, {1}, OCTETS("\1a\0\0\xfa\0\1")}, MSG_REFUSE,
	                RCODE_FORMERR},
	        {"a question for TKEY", {0, {1}, OCTETS("\1a\0\0\xf9\0\1")}, MSG_REFUSE,
	                RCODE_FORMERR},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct msg m;
		enum msg_verdict v = parse(&m, &rows[i].in);

		if (v != rows[i].verdict || (v == MSG_REFUSE && m.rcode != rows[i].rcode))
			fail_msg("%s: verdict %d, rcode %u", rows[i].what, v, m.rcode);
		if (v != MSG_DROP)
			assert_int_equal(m.id, 0xabcd);
	}
}

static void opt_records_are_judged_by_rfc_6891(void **state)
{
	static const struct {
		const char *what;
		struct message in;
		enum msg_verdict verdict;
		uint8_t rcode;
	} rows[] = {
	        {"plain", {0, {1, 0, 0, 1}, OCTETS(QUESTION OPT)}, MSG_ANSWER, 0},
	        {"two", {0, {1, 0, 0, 2}, OCTETS(QUESTION OPT OPT)}, MSG_REFUSE, RCODE_FORMERR},
	        {"an owner", {0, {1, 0, 0, 1}, OCTETS(QUESTION "\1a" OPT)}, MSG_REFUSE,
	                RCODE_FORMERR},
	        {"the root as a pointer",
	                {0, {1, 0, 0, 1},
	                        OCTETS("\0\0\1\0\1"
	                               "\xc0\x0c\0\x29\x10\0\0\0\0\0\0\0")},
	                MSG_ANSWER, 0},
	        {"version 1", {0, {1, 0, 0, 1}, OCTETS(QUESTION NEWER_OPT_WITH("\0"))}, MSG_REFUSE,
	                RCODE_BADVERS},
	        {"version 1 with an option of a shape unknown today",
	                {0, {1, 0, 0, 1}, OCTETS(QUESTION NEWER_OPT_WITH("\3") "abc")}, MSG_REFUSE,
	                RCODE_BADVERS},
	        {"version 1 without question", {0, {0, 0, 0, 1}, OCTETS(NEWER_OPT_WITH("\0"))},
	                MSG_REFUSE, RCODE_BADVERS},
	        {"an option of nobody",
	                {0, {1, 0, 0, 1}, OCTETS(QUESTION OPT_WITH("\6") "\xff\xfe\0\2zz")},
	                MSG_ANSWER, 0},
	        {"a client subnet is not looked at",
	                {0, {1, 0, 0, 1}, OCTETS(QUESTION OPT_WITH("\7") "\0\x8\0\3abc")},
	                MSG_ANSWER, 0},
	        {"padding", {0, {1, 0, 0, 1}, OCTETS(QUESTION OPT_WITH("\6") "\0\x0c\0\2\0\0")},
	                MSG_ANSWER, 0},
	        {"an option head that is cut off",
	                {0, {1, 0, 0, 1}, OCTETS(QUESTION OPT_WITH("\3") "\0\3\0")}, MSG_REFUSE,
	                RCODE_FORMERR},
	        {"an option longer than the record",
	                {0, {1, 0, 0, 1}, OCTETS(QUESTION OPT_WITH("\5") "\0\x0c\0\2z")},
	                MSG_REFUSE, RCODE_FORMERR},
	        {"an RDLENGTH past the end", {0, {1, 0, 0, 1}, OCTETS(QUESTION OPT_WITH("\5"))},
	                MSG_REFUSE, RCODE_FORMERR},
	        {"a cookie of 7",
	                {0, {1, 0, 0, 1},
	                        OCTETS(QUESTION OPT_WITH("\x0b") "\0\x0a\0\7"
	                                                         "1234567")},
	                MSG_REFUSE, RCODE_FORMERR},
	        {"a cookie of 9",
	                {0, {1, 0, 0, 1},
	                        OCTETS(QUESTION OPT_WITH("\x0d") "\0\x0a\0\x9"
	                                                         "123456789")},
	                MSG_REFUSE, RCODE_FORMERR},
	        {"a cookie of none",
	                {0, {1, 0, 0, 1}, OCTETS(QUESTION OPT_WITH("\4") "\0\x0a\0\0")}, MSG_REFUSE,
	                RCODE_FORMERR},
	        {"a cookie of 41",
	                {0, {1, 0, 0, 1},
	                        OCTETS(QUESTION OPT_WITH(
	                                "\x2d") "\0\x0a\0\x29"
	                                        "12345678901234567890123456789012345678901")},
	                MSG_REFUSE, RCODE_FORMERR},
	        {"a cookie of 40",
	                {0, {1, 0, 0, 1},
	                        OCTETS(QUESTION OPT_WITH(
	                                "\x2c") "\0\x0a\0\x28"
	                                        "1234567890123456789012345678901234567890")},
	                MSG_ANSWER, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct msg m;
		enum msg_verdict v = parse(&m, &rows[i].in);

		if (v != rows[i].verdict || (v == MSG_REFUSE && m.rcode != rows[i].rcode))
			fail_msg("OPT with %s: verdict %d, rcode %u", rows[i].what, v, m.rcode);
		assert_int_equal(m.edns.is_present, v == MSG_ANSWER || m.rcode != RCODE_FORMERR);
	}
}

static void the_question_is_measured(void **state)
{
	struct message in = {0x0110, {1, 0, 0, 1}, OCTETS(QUESTION OPT)};
	struct msg m;

	(void)state;
	assert_int_equal(parse(&m, &in), MSG_ANSWER);
	assert_int_equal(m.flags, FLAG_RD | FLAG_CD);
	assert_int_equal(m.opcode, OPCODE_QUERY);
	assert_int_equal(m.qname_len, 13);
	assert_int_equal(m.qname_labels, 2);
	assert_int_equal(m.qtype, TYPE_A);
	assert_int_equal(m.qclass, CLASS_IN);
	assert_int_equal(m.question_end, 29);
	assert_int_equal(m.len, 40);
	assert_int_equal(m.edns.offset, 29);
	assert_int_equal(m.edns.end, 40);
}

static void options_are_taken_in_any_order(void **state)
{
	struct message in = {0, {1, 0, 0, 2},
	        OCTETS(QUESTION A_RECORD "\0\0\x29\4\xd0\0\0\x80\0\0\x18"
	                                 "\0\x0b\0\0"
	                                 "\0\3\0\0"
	                                 "\0\x0a\0\x8"
	                                 "12345678"
	                                 "\xff\xff\0\0")};
	struct msg m;

	(void)state;
	assert_int_equal(parse(&m, &in), MSG_ANSWER);
	assert_true(m.edns.is_present && m.edns.wants_dnssec && !m.edns.wants_padding);
	assert_true(m.edns.wants_nsid && m.edns.wants_keepalive);
	assert_int_equal(m.edns.udp_size, 1232);
	assert_int_equal(m.edns.cookie_len, 8);
	assert_memory_equal(m.edns.cookie, "12345678", 8);
	assert_int_equal(m.edns.offset, 29 + 16);
	assert_int_equal(m.edns.end, m.len);
}

static void the_first_of_two_cookies_counts(void **state)
{
	struct message in = {0, {1, 0, 0, 1},
	        OCTETS(QUESTION OPT_WITH("\x18") COOKIE8 "\0\x0a\0\x8"
	                                                 "ABCDEFGH")};
	struct msg m;

	(void)state;
	assert_int_equal(parse(&m, &in), MSG_ANSWER);
	assert_int_equal(m.edns.cookie_len, 8);
	assert_memory_equal(m.edns.cookie, "12345678", 8);
}

static void a_query_of_a_later_version_has_no_cookie_when_its_options_are_odd(void **state)
{
	struct message in = {
	        0, {1, 0, 0, 1}, OCTETS(QUESTION NEWER_OPT_WITH("\x0f") COOKIE8 "abc")};
	struct msg m;

	(void)state;
	assert_int_equal(parse(&m, &in), MSG_REFUSE);
	assert_int_equal(m.rcode, RCODE_BADVERS);
	assert_int_equal(m.edns.cookie_len, 0);
}

static void only_a_usable_question_is_echoed(void **state)
{
	struct message bad_name = {0, {1}, OCTETS("\3www")};
	struct message trailing = {0, {1}, OCTETS(QUESTION "\0")};
	struct message notify = {0x2000, {1}, OCTETS(QUESTION)};
	struct msg m;

	(void)state;
	parse(&m, &bad_name);
	assert_int_equal(m.qname_len, 0);
	assert_int_equal(m.question_end, MSG_HEADER);
	parse(&m, &trailing);
	assert_int_equal(m.qname_len, 13);
	assert_int_equal(m.question_end, 29);
	parse(&m, &notify);
	assert_int_equal(m.question_end, MSG_HEADER);
}

static void what_is_shorter_than_a_header_is_dropped(void **state)
{
	static const uint8_t wire[MSG_HEADER];
	struct msg m;

	(void)state;
	for (size_t n = 0; n < MSG_HEADER; n++)
		assert_int_equal(msg_parse(&m, wire, n), MSG_DROP);
	assert_int_equal(msg_parse(&m, wire, MSG_HEADER), MSG_REFUSE);
}

/* Every prefix of a good query is refused with FORMERR, and nothing behind its end is read. */
static void a_query_cut_anywhere_is_refused(void **state)
{
	struct message in = {0, {1, 0, 0, 1}, OCTETS(QUESTION OPT_WITH("\x0c") COOKIE8)};
	uint8_t wire[128];
	size_t n = write_message(wire, &in);
	struct msg m;

	(void)state;
	assert_int_equal(msg_parse(&m, wire, n), MSG_ANSWER);
	for (size_t cut = MSG_HEADER; cut < n; cut++) {
		assert_int_equal(msg_parse(&m, wire, cut), MSG_REFUSE);
		assert_int_equal(m.rcode, RCODE_FORMERR);
		assert_false(m.edns.is_present);
	}
}

/* Labels of 63, 63, 63 and last octets in front of the root. */
static size_t long_question(uint8_t *out, uint8_t last)
{
	size_t at = 0;

	for (int i = 0; i < 4; i++) {
		uint8_t n = i < 3 ? 63 : last;

		out[at] = n;
		memset(out + at + 1, 'a' + i, n);
		at += n + 1u;
	}
	memcpy(out + at, "\0\0\1\0\1", 5);
	return at + 5;
}

static void a_name_may_have_255_octets(void **state)
{
	uint8_t body[300];
	struct message in = {0, {1}, body, long_question(body, 61)};
	struct msg m;

	(void)state;
	assert_int_equal(parse(&m, &in), MSG_ANSWER);
	assert_int_equal(m.qname_len, 255);
	assert_int_equal(m.qname_labels, 4);
	in.len = long_question(body, 62);
	assert_int_equal(parse(&m, &in), MSG_REFUSE);
	assert_int_equal(m.rcode, RCODE_FORMERR);
	assert_int_equal(m.question_end, MSG_HEADER);
}

static void a_name_may_have_127_labels(void **state)
{
	uint8_t body[300];
	struct message in = {0, {1}, body, 259};
	struct msg m;

	(void)state;
	for (size_t i = 0; i < 127; i++)
		memcpy(body + 2 * i, "\1a", 2);
	memcpy(body + 254, "\0\0\1\0\1", 5);
	assert_int_equal(parse(&m, &in), MSG_ANSWER);
	assert_int_equal(m.qname_len, 255);
	assert_int_equal(m.qname_labels, 127);
}

static void answers_are_limited_by_transport_offer_and_cap(void **state)
{
	static const struct {
		bool has_edns;
		uint16_t offer;
		enum transport transport;
		size_t cap, want;
	} rows[] = {
	        {false, 0, TRANSPORT_UDP, 1232, 512},
	        {true, 0, TRANSPORT_UDP, 1232, 512},
	        {true, 511, TRANSPORT_UDP, 1232, 512},
	        {true, 513, TRANSPORT_UDP, 1232, 513},
	        {true, 1232, TRANSPORT_UDP, 1232, 1232},
	        {true, 4096, TRANSPORT_UDP, 1232, 1232},
	        {true, 65535, TRANSPORT_UDP, 512, 512},
	        {false, 0, TRANSPORT_TCP, 1232, 65535},
	        {true, 512, TRANSPORT_TLS, 512, 65535},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct msg m = {
		        .edns = {.is_present = rows[i].has_edns, .udp_size = rows[i].offer}};

		assert_int_equal(msg_reply_limit(&m, rows[i].transport, rows[i].cap), rows[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(each_shape_of_query_has_one_verdict),
	        cmocka_unit_test(opt_records_are_judged_by_rfc_6891),
	        cmocka_unit_test(the_question_is_measured),
	        cmocka_unit_test(options_are_taken_in_any_order),
	        cmocka_unit_test(the_first_of_two_cookies_counts),
	        cmocka_unit_test(a_query_of_a_later_version_has_no_cookie_when_its_options_are_odd),
	        cmocka_unit_test(only_a_usable_question_is_echoed),
	        cmocka_unit_test(what_is_shorter_than_a_header_is_dropped),
	        cmocka_unit_test(a_query_cut_anywhere_is_refused),
	        cmocka_unit_test(a_name_may_have_255_octets),
	        cmocka_unit_test(a_name_may_have_127_labels),
	        cmocka_unit_test(answers_are_limited_by_transport_offer_and_cap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
