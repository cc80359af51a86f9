/* What the encoder writes; ldns reads it. */
#include "test.h"

#include <stdlib.h>

#include "answer_bench.h"
#include "base/rand.h"

static struct answer_bench b;

static int close_bench(void **state)
{
	(void)state;
	bench_close(&b);
	memset(&b, 0, sizeof(b));
	return 0;
}

static const uint8_t *wire(const char *octets)
{
	return (const uint8_t *)octets;
}

static void expect_text(const char *want)
{
	bench_encode(&b);
	assert_string_equal(bench_text(&b), want);
}

/* Offset that the owner pointer of the record at at aims to; 0 when it is no pointer. */
static unsigned pointer_at(size_t at)
{
	return (b.out[at] & 0xc0) == 0xc0 ? get16(b.out + at) & 0x3fffu : 0;
}

static void an_answer_without_records_is_header_and_question(void **state)
{
	(void)state;
	bench_open(&b, "web.shop", NULL);
	expect_text("NOERROR\n");
	assert_int_equal(b.len, b.msg.question_end);
	assert_int_equal(get16(b.out), 0x1234);
	assert_int_equal(get16(b.out + 4), 1);
}

static void an_answer_to_no_question_echoes_none(void **state)
{
	(void)state;
	bench_open(&b, "web.shop", NULL);
	b.msg.question_end = MSG_HEADER;
	b.msg.qname_len = b.msg.qname_labels = 0;
	b.answer.rcode = RCODE_FORMERR;
	expect_text("FORMERR\n");
	assert_int_equal(b.len, MSG_HEADER);
	assert_int_equal(get16(b.out + 4), 0);
}

static void records_of_the_question_point_to_it(void **state)
{
	(void)state;
	bench_open(&b, "Web.Shop", NULL);
	answer_add(&b.answer, SECTION_ANSWER, bench_set(&b, TYPE_A, 2));
	answer_add(&b.answer, SECTION_ANSWER, NULL);
	expect_text("NOERROR\n"
	            "answer Web.Shop. 5 IN A 0.0.0.0\n"
	            "answer Web.Shop. 5 IN A 0.0.0.1\n");
	assert_int_equal(pointer_at(b.msg.question_end), MSG_QNAME_AT);
	assert_int_equal(pointer_at(b.msg.question_end + 16u), MSG_QNAME_AT);
}

static void an_owner_above_the_question_points_into_it(void **state)
{
	static const struct {
		const char *owner;
		unsigned at;
	} rows[] = {{"\4SHOP\3svc", 16}, {"\3svc", 21}, {"", 25}, {"\3web\4shop\3svc", 12}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bench_open(&b, "web.Shop.svc", NULL);
		answer_add_owned(&b.answer, SECTION_AUTHORITY, wire(rows[i].owner),
		        bench_set(&b, TYPE_A, 1));
		bench_encode(&b);
		assert_int_equal(pointer_at(b.msg.question_end), rows[i].at);
		close_bench(state);
	}
	bench_open(&b, "web.shop", NULL);
	answer_add_owned(&b.answer, SECTION_ANSWER, name_skip(b.out + MSG_HEADER, 1),
	        bench_set(&b, TYPE_A, 1));
	expect_text("NOERROR\nanswer shop. 5 IN A 0.0.0.0\n");
}

static void an_owner_in_earlier_rdata_points_there(void **state)
{
	const struct rrset *alias, *srv;
	uint16_t n;

	(void)state;
	bench_open(&b, "www", NULL);
	alias = bench_single(&b, TYPE_CNAME, "\3web\4shop", 10);
	srv = bench_set(&b, TYPE_SRV, 2);
	answer_add(&b.answer, SECTION_ANSWER, alias);
	answer_add_owned(&b.answer, SECTION_ANSWER, alias->wire + RR_FIXED, srv);
	answer_add_owned(&b.answer, SECTION_AUTHORITY, alias->wire + RR_FIXED + 4,
	        bench_single(&b, TYPE_NS, "", 1));
	answer_add_owned(&b.answer, SECTION_ADDITIONAL, rrset_rdata(srv, 1, &n) + 6,
	        bench_set(&b, TYPE_A, 2));
	expect_text("NOERROR\n"
	            "answer www. 5 IN CNAME web.shop.\n"
	            "answer web.shop. 5 IN SRV 0 0 0 ep.svc.\n"
	            "answer web.shop. 5 IN SRV 0 0 1 ep.svc.\n"
	            "authority shop. 5 IN NS .\n"
	            "additional ep.svc. 5 IN A 0.0.0.0\n"
	            "additional ep.svc. 5 IN A 0.0.0.1\n");
	assert_int_equal(pointer_at(b.msg.question_end + 22u), b.msg.question_end + 12);
	assert_int_equal(pointer_at(b.len - 16), pointer_at(b.len - 32));
}

static void another_owner_is_written_out_once(void **state)
{
	static const uint8_t other[] = "\5other\4name";
	size_t at;

	(void)state;
	bench_open(&b, "www", NULL);
	answer_add_owned(&b.answer, SECTION_ANSWER, other, bench_set(&b, TYPE_A, 2));
	answer_add_owned(&b.answer, SECTION_ADDITIONAL, other, bench_set(&b, TYPE_SRV, 2));
	expect_text("NOERROR\n"
	            "answer other.name. 5 IN A 0.0.0.0\n"
	            "answer other.name. 5 IN A 0.0.0.1\n"
	            "additional other.name. 5 IN SRV 0 0 0 ep.svc.\n"
	            "additional other.name. 5 IN SRV 0 0 1 ep.svc.\n");
	at = b.msg.question_end;
	assert_memory_equal(b.out + at, other, sizeof(other));
	assert_int_equal(pointer_at(at + sizeof(other) + 14), at);
	assert_int_equal(pointer_at(b.len - 26), at);
}

/* Pointers reach 16383 (RFC 1035 4.1.4). */
static void names_that_no_pointer_reaches_are_written_out(void **state)
{
	const struct rrset *alias;

	(void)state;
	bench_open(&b, "www", NULL);
	answer_add(&b.answer, SECTION_ANSWER, bench_set(&b, TYPE_A, 1500));
	alias = bench_single(&b, TYPE_CNAME, "\3web\4shop", 10);
	answer_add(&b.answer, SECTION_ANSWER, alias);
	answer_add_owned(
	        &b.answer, SECTION_ANSWER, alias->wire + RR_FIXED, bench_set(&b, TYPE_A, 1));
	bench_encode(&b);
	assert_int_equal(bench_count(&b, 0), 1502);
	assert_memory_equal(b.out + b.len - 24, "\3web\4shop", 10);
	assert_non_null(strstr(bench_text(&b), "answer web.shop. 5 IN A 0.0.0.0\n"));
	assert_null(strstr(b.text.at, " tc"));
}

static void several_records_of_a_name_out_of_reach_are_left_out_with_tc(void **state)
{
	(void)state;
	bench_open(&b, "www", NULL);
	answer_add(&b.answer, SECTION_ANSWER, bench_set(&b, TYPE_A, 1500));
	answer_add_owned(&b.answer, SECTION_ANSWER, wire("\3web"), bench_set(&b, TYPE_A, 2));
	bench_encode(&b);
	assert_int_equal(bench_count(&b, 0), 1500);
	assert_non_null(strstr(bench_text(&b), "NOERROR tc\n"));
}

/* Any number of sets and owners in any order: more than there are places to remember. */
static void many_owners_in_one_answer_stay_apart(void **state)
{
	static uint8_t owners[30][6];
	struct buf want = {0};

	(void)state;
	bench_open(&b, "www", NULL);
	buf_str(&want, "NOERROR\n");
	for (unsigned i = 0; i < 30; i++) {
		memcpy(owners[i], "\4n000", 6);
		owners[i][3] = (uint8_t)('0' + i / 10);
		owners[i][4] = (uint8_t)('0' + i % 10);
		answer_add_owned(&b.answer, SECTION_ANSWER, owners[i], bench_set(&b, TYPE_A, 2));
		buf_printf(&want, "answer n0%02u. 5 IN A 0.0.0.0\n", i);
		buf_printf(&want, "answer n0%02u. 5 IN A 0.0.0.1\n", i);
	}
	expect_text(buf_text(&want));
	buf_free(&want);
}

static void a_kept_answer_outlives_its_sets(void **state)
{
	struct rrset_builder name = {.type = TYPE_CNAME, .ttl = 5};
	struct rrset *alias;

	(void)state;
	bench_open(&b, "www", NULL);
	rrset_add(&name, "\3web", 5);
	alias = rrset_build(&name);
	answer_add(&b.answer, SECTION_ANSWER, alias);
	answer_add_owned(
	        &b.answer, SECTION_ANSWER, alias->wire + RR_FIXED, bench_set(&b, TYPE_A, 1));
	answer_keep(&b.answer);
	memset(alias->wire, 0xee, alias->wire_len);
	free(alias);
	expect_text("NOERROR\nanswer www. 5 IN CNAME web.\nanswer web. 5 IN A 0.0.0.0\n");
	assert_int_equal(pointer_at(b.len - 16), b.msg.question_end + 12);
}

static void the_size_is_that_of_an_uncompressed_message(void **state)
{
	struct edns edns = {.is_present = true};

	(void)state;
	bench_open(&b, "web.shop", &edns);
	assert_int_equal(answer_size(&b.answer, &b.msg), 26 + 11);
	answer_add(&b.answer, SECTION_ANSWER, bench_set(&b, TYPE_A, 3));
	answer_add_owned(&b.answer, SECTION_ADDITIONAL, wire("\1a"), bench_set(&b, TYPE_A, 1));
	assert_int_equal(answer_size(&b.answer, &b.msg), 26 + 3 * 24 + 17 + 11);
}

static void the_size_of_a_reply_is_that_without_compression(void **state)
{
	static const uint8_t reply[] = "\0\1\x81\x80\0\1\0\2\0\0\0\0\3web\4shop\0\0\1\0\1"
				       "\xc0\x0c\0\5\0\1\0\0\0\5\0\4\1x\xc0\x10"
				       "\xc0\x26\0\1\0\1\0\0\0\5\0\4\1\2\3";

	(void)state;
	bench_open(&b, "web.shop", NULL);
	answer_set_message(&b.answer, reply, sizeof(reply));
	assert_int_equal(answer_size(&b.answer, &b.msg), 26 + (10 + 10 + 8) + (8 + 10 + 4));
}

static void sections_come_in_order_whatever_was_added_first(void **state)
{
	(void)state;
	bench_open(&b, "www", NULL);
	assert_true(answer_is_empty(&b.answer));
	answer_add(&b.answer, SECTION_ADDITIONAL, bench_set(&b, TYPE_AAAA, 1));
	answer_add(&b.answer, SECTION_AUTHORITY, bench_single(&b, TYPE_NS, "", 1));
	assert_true(answer_is_empty(&b.answer));
	answer_add(&b.answer, SECTION_ANSWER, bench_set(&b, TYPE_A, 1));
	assert_false(answer_is_empty(&b.answer));
	expect_text("NOERROR\n"
	            "answer www. 5 IN A 0.0.0.0\n"
	            "authority www. 5 IN NS .\n"
	            "additional www. 5 IN AAAA ::\n");
}

static void header_flags_follow_question_and_answer(void **state)
{
	static const struct {
		uint16_t asked;
		bool aa, ra, ad, does;
		const char *want;
	} rows[] = {
	        {0, false, false, false, false, "NOERROR\n"},
	        {FLAG_RD | FLAG_CD, false, false, false, false, "NOERROR rd cd\n"},
	        {FLAG_AA | FLAG_TC | FLAG_RA | FLAG_Z, false, false, false, false, "NOERROR\n"},
	        {FLAG_RD, true, true, false, false, "NOERROR aa rd ra\n"},
	        {0, false, false, true, false, "NOERROR\n"},
	        {FLAG_AD, false, false, true, false, "NOERROR ad\n"},
	        {FLAG_AD, false, false, false, false, "NOERROR\n"},
	        {0, false, false, true, true, "NOERROR ad\n"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bench_open(&b, "www", NULL);
		b.msg.flags = rows[i].asked;
		b.msg.edns.wants_dnssec = rows[i].does;
		b.answer.is_authoritative = rows[i].aa;
		b.answer.has_recursion = rows[i].ra;
		b.answer.is_authentic = rows[i].ad;
		expect_text(rows[i].want);
		close_bench(state);
	}
	bench_open(&b, "www", NULL);
	b.msg.opcode = OPCODE_NOTIFY;
	b.msg.flags = OPCODE_NOTIFY << 11 | FLAG_RD;
	b.answer.rcode = RCODE_NOTIMP;
	b.answer.has_recursion = true;
	bench_encode(&b);
	assert_int_equal(get16(b.out + 2), FLAG_QR | OPCODE_NOTIFY << 11 | RCODE_NOTIMP);
}

static void opt_has_what_was_asked_for(void **state)
{
	static const uint8_t cookie[24] = {1, 2, 3};
	struct edns edns = {.is_present = true};
	static const char cookie_text[] =
	        "000a0018010203000000000000000000000000000000000000000000";
	struct buf want = {0};

	(void)state;
	bench_open(&b, "www", &edns);
	b.env.nsid = "me";
	b.env.nsid_len = 2;
	b.env.keepalive = 300;
	expect_text("NOERROR\nopt 1232 0\n");
	b.msg.edns.wants_nsid = b.msg.edns.wants_keepalive = b.msg.edns.wants_dnssec = true;
	b.env.cookie = cookie;
	b.answer.ede = EDE_STALE;
	buf_printf(&want, "NOERROR\nopt 1232 0 do %s000300026d65000b0002012c000f00020003\n",
	        cookie_text);
	expect_text(buf_text(&want));
	b.answer.ede_text = "old";
	buf_clear(&want);
	buf_printf(&want, "NOERROR\nopt 1232 0 do %s000300026d65000b0002012c000f000500036f6c64\n",
	        cookie_text);
	expect_text(buf_text(&want));
	b.env.is_stream = false;
	b.env.nsid = NULL;
	b.env.cookie = NULL;
	b.answer.ede = EDE_NONE; /* a text without an error is none */
	expect_text("NOERROR\nopt 1232 0 do\n");
	buf_free(&want);
}

static void answers_are_padded_to_a_block_when_asked(void **state)
{
	static const struct {
		unsigned records; /* of 16 octets behind 21 of header and question */
		size_t limit, len;
	} rows[] = {
	        {1, 65535, 468},
	        {27, 65535, 468}, /* 453 + 11 + 4: just so */
	        {28, 65535, 936},
	        {28, 600, 600}, /* as far as it goes */
	        {60, 65535, 1404},
	};
	struct edns edns = {.is_present = true};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bench_open(&b, "www", &edns);
		b.env.pad_block = 468;
		b.env.limit = rows[i].limit;
		answer_add(&b.answer, SECTION_ANSWER, bench_set(&b, TYPE_A, rows[i].records));
		b.msg.edns.wants_padding = true;
		bench_encode(&b);
		assert_int_equal(b.len, rows[i].len);
		bench_close(&b);
	}
	bench_open(&b, "www", &edns);
}

static void a_client_without_edns_gets_none(void **state)
{
	(void)state;
	bench_open(&b, "www", NULL);
	b.env.nsid = "me";
	b.env.nsid_len = 2;
	b.answer.ede = EDE_STALE;
	answer_add(&b.answer, SECTION_ADDITIONAL, bench_set(&b, TYPE_A, 1));
	expect_text("NOERROR\nadditional www. 5 IN A 0.0.0.0\n");
}

static void long_rcodes_are_split_between_header_and_opt(void **state)
{
	struct edns edns = {.is_present = true};

	(void)state;
	bench_open(&b, "www", &edns);
	b.answer.rcode = RCODE_BADVERS;
	expect_text("NOERROR\nopt 1232 1\n");
	b.answer.rcode = RCODE_BADCOOKIE;
	expect_text("YXRRSET\nopt 1232 1\n");
}

static void a_long_rcode_is_a_failure_to_a_client_without_edns(void **state)
{
	static const uint16_t rcodes[] = {RCODE_BADVERS, RCODE_BADCOOKIE};

	(void)state;
	for (size_t i = 0; i < sizeof(rcodes) / sizeof(rcodes[0]); i++) {
		bench_open(&b, "www", NULL);
		b.answer.rcode = rcodes[i];
		expect_text("SERVFAIL\n");
		bench_close(&b);
	}
	bench_open(&b, "www", NULL);
}

static void the_text_of_an_error_is_left_out_where_there_is_no_room(void **state)
{
	struct edns edns = {.is_present = true};
	char text[500];

	for (size_t n = 400; n < sizeof(text); n++) {
		memset(text, 'x', n);
		text[n] = '\0';
		bench_open(&b, "www", &edns);
		b.env.limit = 512;
		b.env.is_stream = false;
		b.answer.ede = EDE_STALE;
		b.answer.ede_text = text;
		bench_encode(&b); /* which fails beyond the limit */
		assert_int_equal(b.len < 100, strstr(bench_text(&b), " 000f00020003\n") != NULL);
		assert_int_equal(b.len < 100, n > 436);
		close_bench(state);
	}
}

static void a_long_identity_gives_way_to_a_long_name(void **state)
{
	struct edns edns = {.is_present = true, .wants_nsid = true};
	static const char nsid[255];
	char name[300] = "";

	(void)state;
	for (int i = 0; i < 126; i++)
		strcat(name, "a.");
	bench_open(&b, name, &edns);
	b.env.nsid = nsid;
	b.env.nsid_len = sizeof(nsid);
	b.env.limit = 512;
	b.env.is_stream = false;
	answer_add(&b.answer, SECTION_ANSWER, bench_set(&b, TYPE_A, 20));
	bench_encode(&b);
	assert_int_equal(bench_count(&b, 0), (512 - b.msg.question_end - 11) / 16);
	assert_non_null(strstr(bench_text(&b), "opt 1232 0\n"));
}

/* --- truncation */

static void an_answer_that_does_not_fit_is_cut_between_records_with_tc(void **state)
{
	struct edns edns = {.is_present = true};

	for (size_t limit = 512; limit < 560; limit++) {
		bench_open(&b, "www", &edns);
		b.env.limit = limit;
		answer_add(&b.answer, SECTION_ANSWER, bench_set(&b, TYPE_A, 100));
		answer_add(&b.answer, SECTION_AUTHORITY, bench_single(&b, TYPE_NS, "", 1));
		bench_encode(&b);
		assert_int_equal(bench_count(&b, 0), (limit - b.msg.question_end - 11) / 16);
		assert_int_equal(bench_count(&b, 1), 0);
		assert_non_null(strstr(bench_text(&b), "NOERROR tc\n"));
		assert_non_null(strstr(b.text.at, "opt 1232"));
		close_bench(state);
	}
}

static void records_of_different_lengths_are_cut_between_too(void **state)
{
	struct rrset_builder set = {.type = TYPE_TXT, .ttl = 5};
	uint8_t rdata[256] = {0};

	(void)state;
	bench_open(&b, "www", NULL);
	for (unsigned i = 1; i < 40; i++) {
		rdata[0] = (uint8_t)i;
		rrset_add(&set, rdata, i + 1);
	}
	answer_add(&b.answer, SECTION_ANSWER, rrset_build_in(&set, &b.arena));
	b.env.limit = 512;
	bench_encode(&b);
	/* 21 octets of question; records of 13 + i: 22 of them have 539 - that is too many */
	assert_int_equal(bench_count(&b, 0), 20);
	assert_non_null(strstr(bench_text(&b), "NOERROR tc\n"));
}

static void not_even_one_record_gives_tc_and_nothing(void **state)
{
	static uint8_t rdata[600];

	(void)state;
	bench_open(&b, "www", NULL);
	b.env.limit = 512;
	answer_add(&b.answer, SECTION_ANSWER, bench_single(&b, TYPE_NULL, rdata, sizeof(rdata)));
	answer_add(&b.answer, SECTION_ANSWER, bench_set(&b, TYPE_A, 1));
	expect_text("NOERROR tc\n");
}

static void an_owner_that_leaves_no_room_for_a_record_is_not_written(void **state)
{
	static uint8_t rdata[512 - 21 - 12 - 12];

	(void)state;
	for (size_t gap = 0; gap < 24; gap++) {
		bench_open(&b, "www", NULL);
		b.env.limit = 512;
		answer_add(&b.answer, SECTION_ANSWER,
		        bench_single(&b, TYPE_NULL, rdata, sizeof(rdata) - gap));
		answer_add_owned(&b.answer, SECTION_ANSWER, wire("\6longer\4name"),
		        bench_set(&b, TYPE_A, 1));
		bench_encode(&b);
		/* 13 octets of name, 14 of the rest of the record, 12 are free */
		assert_int_equal(bench_count(&b, 0), gap >= 15 ? 2 : 1);
		assert_int_equal(strstr(bench_text(&b), "NOERROR tc") != NULL, gap < 15);
		close_bench(state);
	}
}

static void authority_goes_whole_or_with_tc(void **state)
{
	(void)state;
	bench_open(&b, "www", NULL);
	b.env.limit = 512;
	b.answer.is_authoritative = true;
	answer_add(&b.answer, SECTION_ANSWER, bench_set(&b, TYPE_A, 30));
	answer_add(&b.answer, SECTION_AUTHORITY, bench_single(&b, TYPE_NULL, "123", 3));
	answer_add(&b.answer, SECTION_ADDITIONAL, bench_set(&b, TYPE_A, 1));
	bench_encode(&b);
	assert_int_equal(b.len, 21 + 480);
	assert_int_equal(bench_count(&b, 0), 30);
	assert_int_equal(bench_count(&b, 1), 0);
	assert_int_equal(bench_count(&b, 2), 0);
	assert_non_null(strstr(bench_text(&b), "NOERROR aa tc\n"));
}

static void additional_sets_that_do_not_fit_go_without_a_word(void **state)
{
	(void)state;
	bench_open(&b, "www", NULL);
	b.env.limit = 512;
	answer_add(&b.answer, SECTION_ANSWER, bench_set(&b, TYPE_A, 28));
	answer_add(&b.answer, SECTION_ADDITIONAL, bench_set(&b, TYPE_AAAA, 2));
	answer_add(&b.answer, SECTION_ADDITIONAL, bench_set(&b, TYPE_AAAA, 1));
	bench_encode(&b);
	assert_int_equal(bench_count(&b, 0), 28);
	assert_int_equal(bench_count(&b, 2), 1);
	assert_null(strstr(bench_text(&b), " tc"));
}

static void a_referral_without_room_for_its_glue_has_tc(void **state)
{
	(void)state;
	bench_open(&b, "www", NULL);
	b.env.limit = 512;
	answer_add(&b.answer, SECTION_AUTHORITY, bench_single(&b, TYPE_NS, "\2ns\3www", 8));
	answer_add(&b.answer, SECTION_ADDITIONAL, bench_set(&b, TYPE_A, 40));
	expect_text("NOERROR tc\nauthority www. 5 IN NS ns.www.\n");
	b.answer.is_authoritative = true; /* a denial, and its NS */
	expect_text("NOERROR aa\nauthority www. 5 IN NS ns.www.\n");
}

static void more_sets_than_there_is_memory_for_give_tc(void **state)
{
	const struct rrset *set;

	(void)state;
	bench_open(&b, "www", NULL);
	set = bench_set(&b, TYPE_A, 1);
	for (unsigned i = 0; i < 70000; i++)
		answer_add(&b.answer, SECTION_ADDITIONAL, set);
	assert_true(b.answer.is_full);
	b.env.limit = 512;
	bench_encode(&b);
	assert_non_null(strstr(bench_text(&b), "NOERROR tc\n"));
	answer_reset(&b.answer);
	expect_text("NOERROR\n");
}

/* --- an upstream's message */

/* "www A" with n answers, an authority record and no OPT. */
static void set_message(unsigned n, bool has_authority)
{
	size_t len = MSG_HEADER + 9;
	uint8_t *m = arena_alloc(&b.arena, len + 16 * (n + 1));

	memcpy(m + MSG_HEADER, "\3www\0\0\1\0\1", 9);
	put16(m + 6, (uint16_t)n);
	put16(m + 8, has_authority);
	for (unsigned i = 0; i < n + has_authority; i++) {
		memcpy(m + len, "\xc0\x0c\0\1\0\1\0\0\0\5\0\4\x0a", 13);
		put16(m + len + 14, (uint16_t)i);
		len += 16;
	}
	answer_set_message(&b.answer, m, len);
}

static void a_message_goes_out_with_our_header_and_opt(void **state)
{
	struct edns edns = {.is_present = true, .wants_dnssec = true};

	(void)state;
	bench_open(&b, "www", &edns);
	b.msg.flags = FLAG_RD;
	b.answer.has_recursion = true;
	b.answer.rcode = RCODE_NXDOMAIN;
	set_message(1, true);
	assert_false(answer_is_empty(&b.answer));
	expect_text("NXDOMAIN rd ra\n"
	            "answer www. 5 IN A 10.0.0.0\n"
	            "authority www. 5 IN A 10.0.0.1\n"
	            "opt 1232 0 do\n");
	assert_int_equal(get16(b.out), 0x1234);
	set_message(0, true);
	assert_true(answer_is_empty(&b.answer));
}

static void a_message_keeps_the_case_of_the_question(void **state)
{
	(void)state;
	bench_open(&b, "WwW", NULL);
	set_message(1, false);
	expect_text("NOERROR\nanswer WwW. 5 IN A 10.0.0.0\n");
}

static void a_message_is_cut_between_records_with_tc(void **state)
{
	struct edns edns = {.is_present = true};

	for (size_t limit = 512; limit < 545; limit++) {
		bench_open(&b, "www", &edns);
		b.env.limit = limit;
		set_message(60, true);
		bench_encode(&b);
		assert_int_equal(bench_count(&b, 0), (limit - 21 - 11) / 16);
		assert_int_equal(bench_count(&b, 1), 0);
		assert_non_null(strstr(bench_text(&b), "NOERROR tc\n"));
		assert_non_null(strstr(b.text.at, "opt 1232"));
		close_bench(state);
	}
}

static void tc_of_an_upstream_is_passed_on(void **state)
{
	(void)state;
	bench_open(&b, "www", NULL);
	set_message(1, false);
	b.answer.is_truncated = true;
	expect_text("NOERROR tc\nanswer www. 5 IN A 10.0.0.0\n");
}

/*
 * www A: a CNAME to b.www, two addresses of that, SOA of www in the authority section, and an
 * address of ns.b.www in the additional one; everything compressed.
 */
static void set_chain(void)
{
	static const char records[] = "\xc0\x0c\0\5\0\1\0\0\0\x09\0\4\1b\xc0\x0c"
				      "\xc0\x21\0\1\0\1\0\0\0\7\0\4\x0a\0\0\1"
				      "\xc0\x21\0\1\0\1\0\0\0\7\0\4\x0a\0\0\2"
				      "\xc0\x0c\0\6\0\1\0\0\0\7\0\x18\xc0\x21\xc0\x0c"
				      "\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5"
				      "\2ns\xc0\x21\0\1\0\1\0\0\0\7\0\4\x0a\0\0\3";
	size_t at = MSG_HEADER + 9, len = at + sizeof(records) - 1;
	uint8_t *m = arena_alloc(&b.arena, len);

	memcpy(m, "\0\0\0\0\0\1\0\3\0\1\0\1\3www\0\0\1\0\1", at);
	memcpy(m + at, records, sizeof(records) - 1);
	answer_set_message(&b.answer, m, len);
}

static void an_opened_message_says_the_same_in_as_few_octets(void **state)
{
	char *closed;
	size_t len;

	(void)state;
	bench_open(&b, "www", NULL);
	set_chain();
	bench_encode(&b);
	closed = strdup(bench_text(&b));
	len = b.len;
	assert_non_null(strstr(closed, "answer b.www. 7 IN A 10.0.0.2\n"));
	assert_non_null(strstr(closed, "additional ns.b.www. 7 IN A 10.0.0.3\n"));
	answer_open(&b.answer, &b.msg);
	assert_null(b.answer.message);
	assert_int_equal(b.answer.count, 4); /* the two addresses are one set */
	expect_text(closed);
	assert_true(b.len <= len + 16); /* the names of SOA are written out */
	answer_open(&b.answer, &b.msg);
	expect_text(closed);
	free(closed);
}

static void malformed_rdata_of_a_message_is_left_out_when_it_is_opened(void **state)
{
	uint8_t m[] = "\0\0\0\0\0\1\0\2\0\0\0\0\3www\0\0\1\0\1"
		      "\xc0\x0c\0\5\0\1\0\0\0\x09\0\2\1b"
		      "\xc0\x0c\0\1\0\1\0\0\0\x09\0\4\x0a\0\0\1";

	(void)state;
	bench_open(&b, "www", NULL);
	answer_set_message(&b.answer, m, sizeof(m) - 1);
	answer_open(&b.answer, &b.msg);
	expect_text("NOERROR\nanswer www. 9 IN A 10.0.0.1\n");
}

/* --- rotation */

/* The last octets of the addresses of the answer, in order. */
static unsigned read_order(uint8_t *order)
{
	unsigned n = bench_count(&b, 0);
	size_t at = b.msg.question_end;

	for (unsigned i = 0; i < n; i++) {
		at += RR_FIXED + get16(b.out + at + 10);
		order[i] = b.out[at - 1];
	}
	return n;
}

static void encode_again(void)
{
	b.len = answer_encode(&b.answer, &b.msg, &b.env, b.out);
}

/*
 * Chi-square of count[0..n) against a uniform distribution of total; true when it is within four
 * standard deviations of what chance makes of it.
 */
static bool is_uniform(const unsigned *count, unsigned n, double total, unsigned freedom)
{
	double sum = 0, want = total / n, f = freedom;

	for (unsigned i = 0; i < n; i++)
		sum += (count[i] - want) * (count[i] - want) / want;
	return (sum - f) * (sum - f) < 16 * 2 * f;
}

static void every_record_stands_in_every_place_equally_often(void **state)
{
	static const unsigned sizes[] = {2, 3, 4, 7, 13, 16};
	const unsigned rounds = 8000;

	rand_seed(29);
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		unsigned n = sizes[s], count[256] = {0};
		uint8_t order[16];

		bench_open(&b, "www", NULL);
		b.answer.rotates = true;
		answer_add(&b.answer, SECTION_ANSWER, bench_set(&b, TYPE_A, n));
		bench_encode(&b);
		for (unsigned r = 0; r < rounds; r++) {
			encode_again();
			assert_int_equal(read_order(order), n);
			for (unsigned i = 0; i < n; i++)
				count[i * n + order[i]]++;
		}
		assert_true(is_uniform(count, n * n, rounds * n, (n - 1) * (n - 1)));
		close_bench(state);
	}
}

static void every_order_of_four_is_equally_likely(void **state)
{
	unsigned count[256] = {0}, seen = 0, dense[24];
	uint8_t o[16];

	(void)state;
	rand_seed(31);
	bench_open(&b, "www", NULL);
	b.answer.rotates = true;
	answer_add(&b.answer, SECTION_ANSWER, bench_set(&b, TYPE_AAAA, 4));
	bench_encode(&b);
	for (unsigned r = 0; r < 24000; r++) {
		encode_again();
		read_order(o);
		count[o[0] << 6 | o[1] << 4 | o[2] << 2 | o[3]]++;
	}
	for (unsigned i = 0; i < 256; i++)
		if (count[i] > 0 && seen < 24)
			dense[seen++] = count[i];
	assert_int_equal(seen, 24);
	assert_true(is_uniform(dense, 24, 24000, 23));
}

static void large_sets_are_windows_around_the_end(void **state)
{
	unsigned starts[40] = {0};
	uint8_t order[40];

	(void)state;
	rand_seed(37);
	bench_open(&b, "www", NULL);
	b.answer.rotates = true;
	answer_add(&b.answer, SECTION_ANSWER, bench_set(&b, TYPE_A, 40));
	bench_encode(&b);
	for (unsigned r = 0; r < 8000; r++) {
		encode_again();
		assert_int_equal(read_order(order), 40);
		for (unsigned i = 1; i < 40; i++)
			assert_int_equal(order[i], (order[i - 1] + 1) % 40);
		starts[order[0]]++;
	}
	assert_true(is_uniform(starts, 40, 8000, 39));
}

/* Clients that get only a part get every part: no record is out of reach of the limit. */
static void a_cut_answer_is_a_window_from_anywhere(void **state)
{
	static const unsigned sizes[] = {16, 40};
	struct edns edns = {.is_present = true};

	rand_seed(41);
	for (unsigned s = 0; s < 2; s++) {
		unsigned n = sizes[s], seen[40] = {0}, room;
		uint8_t order[40];

		bench_open(&b, "www", &edns);
		b.answer.rotates = true;
		b.env.limit = 512;
		answer_add(&b.answer, SECTION_ANSWER, bench_set(&b, TYPE_AAAA, n));
		bench_encode(&b);
		room = (512 - 21 - 11) / 28;
		for (unsigned r = 0; r < 4000; r++) {
			encode_again();
			assert_int_equal(read_order(order), n < room ? n : room);
			for (unsigned i = 0; i < bench_count(&b, 0); i++)
				seen[order[i]]++;
		}
		for (unsigned i = 0; i < n; i++)
			assert_in_range(seen[i], 4000 * room / n * 8 / 10, 4000);
		close_bench(state);
	}
}

static void only_sets_that_may_rotate_do(void **state)
{
	uint8_t order[40];

	(void)state;
	rand_seed(43);
	bench_open(&b, "www", NULL);
	answer_add(&b.answer, SECTION_ANSWER, bench_set(&b, TYPE_A, 12));
	bench_encode(&b);
	for (unsigned i = 0; i < read_order(order); i++)
		assert_int_equal(order[i], i);
	answer_reset(&b.answer);
	b.answer.rotates = true;
	answer_add(&b.answer, SECTION_ANSWER, bench_set(&b, TYPE_SRV, 3));
	expect_text("NOERROR\n"
	            "answer www. 5 IN SRV 0 0 0 ep.svc.\n"
	            "answer www. 5 IN SRV 0 0 1 ep.svc.\n"
	            "answer www. 5 IN SRV 0 0 2 ep.svc.\n");
}

/* An owner that is written out stands before whichever record comes first. */
static void rotated_sets_of_another_owner_stay_whole(void **state)
{
	static const uint8_t other[] = "\5other\4name";
	unsigned sum = 0;

	(void)state;
	rand_seed(47);
	bench_open(&b, "www", NULL);
	b.answer.rotates = true;
	answer_add_owned(&b.answer, SECTION_ANSWER, other, bench_set(&b, TYPE_A, 5));
	answer_add_owned(&b.answer, SECTION_ANSWER, other, bench_set(&b, TYPE_AAAA, 20));
	for (unsigned r = 0; r < 50; r++) {
		const char *text;

		bench_encode(&b);
		text = bench_text(&b);
		sum = 0;
		for (const char *p = text; (p = strstr(p, "answer other.name. 5 IN A")) != NULL;
		        p++)
			sum++;
		assert_int_equal(sum, 25);
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_teardown(f, close_bench)
	const struct CMUnitTest tests[] = {
	        TEST(an_answer_without_records_is_header_and_question),
	        TEST(an_answer_to_no_question_echoes_none),
	        TEST(records_of_the_question_point_to_it),
	        TEST(an_owner_above_the_question_points_into_it),
	        TEST(an_owner_in_earlier_rdata_points_there),
	        TEST(another_owner_is_written_out_once),
	        TEST(names_that_no_pointer_reaches_are_written_out),
	        TEST(several_records_of_a_name_out_of_reach_are_left_out_with_tc),
	        TEST(many_owners_in_one_answer_stay_apart),
	        TEST(a_kept_answer_outlives_its_sets),
	        TEST(the_size_is_that_of_an_uncompressed_message),
	        TEST(the_size_of_a_reply_is_that_without_compression),
	        TEST(sections_come_in_order_whatever_was_added_first),
	        TEST(header_flags_follow_question_and_answer),
	        TEST(opt_has_what_was_asked_for),
	        TEST(a_client_without_edns_gets_none),
	        TEST(answers_are_padded_to_a_block_when_asked),
	        TEST(long_rcodes_are_split_between_header_and_opt),
	        TEST(a_long_rcode_is_a_failure_to_a_client_without_edns),
	        TEST(the_text_of_an_error_is_left_out_where_there_is_no_room),
	        TEST(a_long_identity_gives_way_to_a_long_name),
	        TEST(an_answer_that_does_not_fit_is_cut_between_records_with_tc),
	        TEST(records_of_different_lengths_are_cut_between_too),
	        TEST(not_even_one_record_gives_tc_and_nothing),
	        TEST(an_owner_that_leaves_no_room_for_a_record_is_not_written),
	        TEST(authority_goes_whole_or_with_tc),
	        TEST(additional_sets_that_do_not_fit_go_without_a_word),
	        TEST(a_referral_without_room_for_its_glue_has_tc),
	        TEST(more_sets_than_there_is_memory_for_give_tc),
	        TEST(a_message_goes_out_with_our_header_and_opt),
	        TEST(a_message_keeps_the_case_of_the_question),
	        TEST(a_message_is_cut_between_records_with_tc),
	        TEST(tc_of_an_upstream_is_passed_on),
	        TEST(an_opened_message_says_the_same_in_as_few_octets),
	        TEST(malformed_rdata_of_a_message_is_left_out_when_it_is_opened),
	        TEST(every_record_stands_in_every_place_equally_often),
	        TEST(every_order_of_four_is_equally_likely),
	        TEST(large_sets_are_windows_around_the_end),
	        TEST(a_cut_answer_is_a_window_from_anywhere),
	        TEST(only_sets_that_may_rotate_do),
	        TEST(rotated_sets_of_another_owner_stay_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
