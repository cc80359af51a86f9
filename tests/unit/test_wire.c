/* Names and records of received messages; ldns says what their names are. */
#include "test.h"

#include <ldns/ldns.h>

#include "dns/name.h"
#include "dns/rr.h"
#include "dns/wire.h"

#define OCTETS(text) (const uint8_t *)(text), sizeof(text) - 1

static void names_follow_pointers_backwards_only(void **state)
{
	static const struct {
		const char *what;
		const uint8_t *wire;
		size_t len, at;
		const char *name; /* NULL: malformed */
		size_t end;
	} rows[] = {
	        {"plain", OCTETS("zz\3www\3org\0zz"), 2, "www.org.", 11},
	        {"the root", OCTETS("\0"), 0, ".", 1},
	        {"a pointer", OCTETS("z\3org\0\3www\xc0\1zz"), 6, "www.org.", 12},
	        {"a pointer alone", OCTETS("z\3org\0\xc0\1"), 6, "org.", 8},
	        {"a pointer to the root", OCTETS("z\0\3www\xc0\1"), 2, "www.", 8},
	        {"a chain", OCTETS("z\3org\0\1b\xc0\1\1a\xc0\6"), 10, "a.b.org.", 14},
	        {"a chain of pointers alone", OCTETS("z\3org\0\xc0\1\xc0\6\xc0\x8"), 10, "org.",
	                12},
	        {"into the middle of a label that looks like one", OCTETS("z\3\1a\0\0\xc0\2"), 6,
	                "a.", 8},
	        {"a pointer to itself", OCTETS("zz\xc0\2"), 2, NULL, 0},
	        {"a pointer to the label before it", OCTETS("zz\1a\xc0\2"), 2, NULL, 0},
	        {"a pointer forward", OCTETS("zz\xc0\4\3org\0"), 2, NULL, 0},
	        {"two that point to each other", OCTETS("z\xc0\3\xc0\1"), 3, NULL, 0},
	        {"back, then forward below the start", OCTETS("z\xc0\4z\3org\0\xc0\1"), 9, NULL, 0},
	        {"back, into what is read already", OCTETS("z\1a\1b\xc0\1"), 3, NULL, 0},
	        {"back, into a label that covers the pointer", OCTETS("z\3a\xc0\1\0"), 3, NULL, 0},
	        {"a pointer past the end", OCTETS("zz\xc0\x40"), 2, NULL, 0},
	        {"half a pointer", OCTETS("z\0\xc0"), 2, NULL, 0},
	        {"a label past the end", OCTETS("zz\4org"), 2, NULL, 0},
	        {"no root", OCTETS("zz\3org"), 2, NULL, 0},
	        {"nothing", OCTETS("zz"), 2, NULL, 0},
	        {"label type 01",
	                OCTETS("zz\x41"
	                       "a\0"),
	                2, NULL, 0},
	        {"label type 10",
	                OCTETS("zz\x81"
	                       "a\0"),
	                2, NULL, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct reader r = reader_on(rows[i].wire, rows[i].len);
		uint8_t wire[NAME_MAX_OCTETS];
		char text[NAME_TEXT_MAX];
		ldns_rdf *rdf = NULL;
		size_t len, pos = rows[i].at;

		r.at = rows[i].at;
		len = read_name(&r, wire);
		if ((len == 0) != (rows[i].name == NULL) || r.is_bad != (rows[i].name == NULL))
			fail_msg("%s: length %zu", rows[i].what, len);
		if (rows[i].name == NULL)
			continue;
		name_to_text(text, wire);
		assert_string_equal(text, rows[i].name);
		assert_int_equal(r.at, rows[i].end);
		assert_int_equal(
		        ldns_wire2dname(&rdf, rows[i].wire, rows[i].len, &pos), LDNS_STATUS_OK);
		assert_int_equal(ldns_rdf_size(rdf), len);
		assert_memory_equal(ldns_rdf_data(rdf), wire, len);
		assert_int_equal(pos, r.at);
		ldns_rdf_deep_free(rdf);
	}
}

/* A name of 254 octets at 1, and a label of n in front of a pointer to its octet from. */
static size_t name_near_the_limit(uint8_t *msg, uint8_t label, uint8_t from)
{
	static const uint8_t labels[] = {63, 63, 63, 60};
	size_t at = 1;

	memset(msg, 'x', 600);
	for (int i = 0; i < 4; i++) {
		msg[at] = labels[i];
		at += labels[i] + 1u;
	}
	msg[at++] = 0;
	msg[at] = label;
	at += label + 1u;
	put16(msg + at, (uint16_t)(0xc000 | from));
	return at + 2;
}

static void no_name_gets_longer_than_255_octets(void **state)
{
	static const struct {
		uint8_t label, from;
		size_t want; /* 0: too long */
	} rows[] = {{1, 1, 0}, {63, 65, 254}, {63, 1, 0}, {2, 65, 193}, {63, 129, 190}};
	uint8_t msg[600], wire[NAME_MAX_OCTETS];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = name_near_the_limit(msg, rows[i].label, rows[i].from);
		struct reader r = reader_on(msg, len);

		r.at = 1 + 254;
		assert_int_equal(read_name(&r, wire), rows[i].want);
		assert_int_equal(r.is_bad, rows[i].want == 0);
	}
}

/* Labels of one octet in front of one another: 127 of them make 255 octets. */
static void long_chains_of_pointers_end_at_255_octets(void **state)
{
	uint8_t msg[1024] = {0}, wire[NAME_MAX_OCTETS];
	size_t at = 3, start = 0;
	struct reader r;

	(void)state;
	for (int i = 1; i <= 128; i++) {
		msg[at] = 1;
		msg[at + 1] = 'a';
		put16(msg + at + 2, (uint16_t)(0xc000 | start));
		start = at;
		at += 4;
		r = reader_on(msg, at);
		r.at = start;
		assert_int_equal(read_name(&r, wire), i < 128 ? 2 * i + 1 : 0);
	}
}

static void skipping_a_name_moves_as_reading_does(void **state)
{
	static const uint8_t wire[] = "z\3org\0\3www\xc0\1zz";
	struct reader r = reader_on(wire, sizeof(wire));

	(void)state;
	r.at = 6;
	assert_int_equal(read_name(&r, NULL), 9);
	assert_int_equal(r.at, 12);
}

static void a_reader_stays_bad_and_gives_zeros(void **state)
{
	struct reader r = reader_on((const uint8_t *)"\1\2\3\4\5\6\7", 7);

	(void)state;
	assert_int_equal(read8(&r), 1);
	assert_int_equal(read16(&r), 0x0203);
	assert_int_equal(read32(&r), 0x04050607);
	assert_false(r.is_bad);
	assert_non_null(read_bytes(&r, 0));
	assert_int_equal(read8(&r), 0);
	assert_true(r.is_bad);
	assert_null(read_bytes(&r, 0));
	r.at = 0;
	assert_int_equal(read32(&r), 0);
	assert_int_equal(read_name(&r, NULL), 0);
}

/* Messages whose record stands at 13: the name "org." is at 7. */
#define NAME_ORG "\0\0\0\0\0\0\0\3org\0\0"
#define RECORD(type, length) NAME_ORG "\xc0\7" type "\0\1\0\0\0\5" length

static void rdata_is_written_out_as_ldns_does(void **state)
{
	static const struct {
		const char *what;
		const uint8_t *wire;
		size_t len;
		int want; /* -1: malformed */
	} rows[] = {
	        {"A", OCTETS(RECORD("\0\1", "\0\4") "\1\2\3\4"), 4},
	        {"NS", OCTETS(RECORD("\0\2", "\0\2") "\xc0\7"), 5},
	        {"CNAME", OCTETS(RECORD("\0\5", "\0\6") "\3www\xc0\7"), 9},
	        {"SOA",
	                OCTETS(RECORD("\0\6", "\0\x1a") "\1m\xc0\7\xc0\7"
	                                                "\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5"),
	                32},
	        {"PTR", OCTETS(RECORD("\0\x0c", "\0\2") "\xc0\7"), 5},
	        {"MX", OCTETS(RECORD("\0\x0f", "\0\4") "\0\5\xc0\7"), 7},
	        {"TXT", OCTETS(RECORD("\0\x10", "\0\3") "\2\xc0\7"), 3},
	        {"RP", OCTETS(RECORD("\0\x11", "\0\4") "\xc0\7\xc0\7"), 10},
	        {"AFSDB", OCTETS(RECORD("\0\x12", "\0\4") "\0\1\xc0\7"), 7},
	        {"SRV", OCTETS(RECORD("\0\x21", "\0\x8") "\0\1\0\2\0\3\xc0\7"), 11},
	        {"KX", OCTETS(RECORD("\0\x24", "\0\4") "\0\1\xc0\7"), 7},
	        {"DNAME", OCTETS(RECORD("\0\x27", "\0\2") "\xc0\7"), 5},
	        {"NS, the record cut before its name ends", OCTETS(RECORD("\0\2", "\0\1") "\xc0\7"),
	                -1},
	        {"NS, octets behind the name", OCTETS(RECORD("\0\2", "\0\3") "\xc0\7x"), -1},
	        {"SOA that ends in its numbers",
	                OCTETS(RECORD("\0\6", "\0\x8") "\xc0\7\xc0\7\0\0\0\1"), -1},
	        {"SIG", OCTETS(RECORD("\0\x18", "\0\x17") "123456789012345678\xc0\7sig"), 26},
	        {"MX without a name", OCTETS(RECORD("\0\x0f", "\0\2") "\0\5"), -1},
	        {"MX of one octet", OCTETS(RECORD("\0\x0f", "\0\1") "\0"), -1},
	        {"CNAME to itself", OCTETS(RECORD("\0\5", "\0\2") "\xc0\x19"), -1},
	        {"SOA with one name", OCTETS(RECORD("\0\6", "\0\2") "\xc0\7"), -1},
	        {"empty", OCTETS(RECORD("\xff\1", "\0\0")), 0},
	};
	uint8_t out[128];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct reader r = reader_on(rows[i].wire, rows[i].len);
		ldns_buffer *b = ldns_buffer_new(128);
		struct rr_view rr;
		size_t pos = 13;
		ldns_rr *theirs = NULL;
		int len;

		r.at = 13;
		assert_true(read_rr(&r, &rr));
		assert_int_equal(rr.ttl, 5);
		len = rr_rdata(&r, &rr, out, sizeof(out));
		if (len != rows[i].want)
			fail_msg("%s: %d octets", rows[i].what, len);
		if (len > 0)
			assert_int_equal(rr_rdata(&r, &rr, out, (size_t)len - 1), -1);
		if (len > 0 && ldns_wire2rr(&theirs, rows[i].wire, rows[i].len, &pos,
		                       LDNS_SECTION_ANSWER) == LDNS_STATUS_OK) {
			assert_int_equal(ldns_rr_rdata2buffer_wire(b, theirs), LDNS_STATUS_OK);
			assert_int_equal(ldns_buffer_position(b), len);
			assert_memory_equal(ldns_buffer_begin(b), out, (size_t)len);
			ldns_rr_free(theirs);
		}
		ldns_buffer_free(b);
	}
}

static void a_record_that_is_cut_off_is_no_record(void **state)
{
	static const uint8_t wire[] = RECORD("\0\1", "\0\4") "\1\2\3\4";
	struct rr_view rr;

	(void)state;
	for (size_t n = 13; n < sizeof(wire) - 1; n++) {
		struct reader r = reader_on(wire, n);

		r.at = 13;
		assert_false(read_rr(&r, &rr));
		assert_true(r.is_bad);
	}
}

static void a_record_knows_where_its_parts_are(void **state)
{
	static const uint8_t wire[] = RECORD("\0\1", "\0\4") "\1\2\3\4";
	struct reader r = reader_on(wire, sizeof(wire) - 1);
	struct rr_view rr;

	(void)state;
	r.at = 13;
	assert_true(read_rr(&r, &rr));
	assert_int_equal(rr.start, 13);
	assert_int_equal(rr.owner_len, 5);
	assert_true(name_equal(rr.owner, (const uint8_t *)"\3ORG"));
	assert_int_equal(rr.type, TYPE_A);
	assert_int_equal(rr.rr_class, CLASS_IN);
	assert_int_equal(rr.ttl_at, 19);
	assert_int_equal(rr.rdata_at, 25);
	assert_int_equal(rr.rdlength, 4);
	assert_int_equal(r.at, 29);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(names_follow_pointers_backwards_only),
	        cmocka_unit_test(no_name_gets_longer_than_255_octets),
	        cmocka_unit_test(long_chains_of_pointers_end_at_255_octets),
	        cmocka_unit_test(skipping_a_name_moves_as_reading_does),
	        cmocka_unit_test(a_reader_stays_bad_and_gives_zeros),
	        cmocka_unit_test(rdata_is_written_out_as_ldns_does),
	        cmocka_unit_test(a_record_that_is_cut_off_is_no_record),
	        cmocka_unit_test(a_record_knows_where_its_parts_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
