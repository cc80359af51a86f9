#include "test.h"

#include <stdio.h>

#include "dns/rr.h"
#include "names/zonefile.h"
#include "names/zonefile_rr.h"

#define SOA "@ 60 SOA ns1 hostmaster 1 2 3 4 5\n"
#define SIXTY "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefgh"

static const uint8_t origin[] = "\7example\3org";

static void errors_name_file_line_and_reason(void **state)
{
	static const struct {
		const char *text, *error;
	} rows[] = {
	        {"", "z: no SOA record at the apex of the zone"},
	        {"; nothing\n\n   \n", "z: no SOA record at the apex of the zone"},
	        {"www 60 A 192.0.2.1\n", "z: no SOA record at the apex of the zone"},
	        {SOA "@ 60 SOA ns1 hostmaster 2 2 3 4 5\n", "z:2: a second SOA record at one name"},
	        {SOA "www 60 SOA ns1 h 2 2 3 4 5\n", "z:2: SOA record below the apex of the zone"},
	        {SOA "www 60 CNAME a\nwww 60 A 192.0.2.1\n",
	                "z:3: CNAME and other data at one name (RFC 1034 3.6.2)"},
	        {SOA "www 60 A 192.0.2.1\nwww 60 CNAME a\n",
	                "z:3: CNAME and other data at one name (RFC 1034 3.6.2)"},
	        {SOA "@ 60 CNAME a\n", "z:2: CNAME and other data at one name (RFC 1034 3.6.2)"},
	        {SOA "www 60 CNAME a\nwww 60 CNAME b\n", "z:3: a second CNAME record at one name"},
	        {SOA "x 60 DNAME a\nx 60 DNAME b\n", "z:3: a second DNAME record at one name"},
	        {SOA "\nwww.example.net. 60 A 192.0.2.1\n",
	                "z:3: www.example.net. is outside the zone example.org."},
	        {SOA "www 60 CH TXT hello\n", "z:2: only class IN can be served, not 'CH'"},
	        {SOA "www 60 CLASS3 TXT hello\n", "z:2: only class IN can be served, not 'CLASS3'"},
	        {SOA "www 60 FOO hello\n", "z:2: unknown record type 'FOO'"},
	        {SOA "www 60\n", "z:2: record without a type"},
	        {SOA "www 60 TYPE41 \\# 0\n", NULL},
	        {SOA "www 60 ANY \\# 1 00\n", NULL},
	        {SOA "www 60 A \\# 0\n", NULL},
	        {SOA "www 60 A\n", NULL},
	        {SOA "www 60 A 1.2.3.4.5\n", NULL},
	        {SOA "www 60 A 1.2.3.4 5.6.7.8\n", NULL},
	        {SOA "www 60 AAAA 1.2.3.4\n", NULL},
	        {SOA "www 60 MX mail\n", NULL},
	        {SOA "www 60 A \\# 5 0102030405\n", NULL},
	        {" 60 A 192.0.2.1\n", "z:1: the first record has no owner name ' 60 A 192.0.2.1'"},
	        {"@ 60 SOA ns1 h ( 1 2 3\n4 5\n", "z:1: a parenthesis is not closed"},
	        {SOA "a 60 A 1.2.3.4 )\n", "z:2: a closing parenthesis without an opening one"},
	        {SOA "a 60 TXT \"abc\nb 60 A 1.2.3.4\n",
	                "z:2: a quoted string is not closed on its line"},
	        {SOA "a 60 TXT \"abc", "z:2: a quoted string is not closed"},
	        {SOA "a..b 60 A 1.2.3.4\n", "z:2: domain name has an empty label"},
	        {SOA SIXTY SIXTY " 60 A 1.2.3.4\n",
	                "z:2: label of domain name is longer than 63 octets"},
	        {SOA SIXTY "." SIXTY "." SIXTY "." SIXTY " 60 A 1.2.3.4\n",
	                "z:2: domain name is longer than 255 octets"},
	        {SOA "$INCLUDE /etc/passwd\n", "z:2: $INCLUDE is not allowed here '/etc/passwd'"},
	        {SOA "$FOO bar\n", "z:2: unknown directive '$FOO'"},
	        {SOA "$GENERATE 2-1 a$ A 192.0.2.$\n",
	                "z:2: $GENERATE takes START-STOP or START-STOP/STEP, not '2-1'"},
	        {SOA "$GENERATE 1-2/0 a$ A 192.0.2.$\n",
	                "z:2: $GENERATE takes START-STOP or START-STOP/STEP, not '1-2/0'"},
	        {SOA "$GENERATE 1 a$ A 192.0.2.$\n",
	                "z:2: $GENERATE takes START-STOP or START-STOP/STEP, not '1'"},
	        {SOA "$GENERATE 1-x a$ A 192.0.2.$\n",
	                "z:2: $GENERATE takes START-STOP or START-STOP/STEP, not '1-x'"},
	        {SOA "$GENERATE 0-65536 a$ A 192.0.2.1\n",
	                "z:2: $GENERATE takes START-STOP or START-STOP/STEP, not '0-65536'"},
	        {SOA "$GENERATE 1-2\n", "z:2: $GENERATE needs a name, a type and data"},
	        {SOA "$GENERATE 250-260 a$ A 192.0.2.$\n", NULL},
	        {SOA "$GENERATE 1-2 a${1 A 192.0.2.1\n",
	                "z:2: $GENERATE takes ${OFFSET,WIDTH,BASE} with a base of d, o, x or X "
	                "'a${1 A 192.0.2.1'"},
	        {SOA "$GENERATE 1-2 a${1,2,y} A 192.0.2.1\n",
	                "z:2: $GENERATE takes ${OFFSET,WIDTH,BASE} with a base of d, o, x or X "
	                "'a${1,2,y} A 192.0.2.1'"},
	        {SOA "$GENERATE 1-2 a${-2} A 192.0.2.1\n",
	                "z:2: an offset of $GENERATE leads out of the numbers that there are "
	                "'a${-2} A 192.0.2.1'"},
	        {SOA "$GENERATE 1-2 a$ FOO x\n", "z:2: unknown record type 'FOO'"},
	        {SOA "$TTL soon\n", "z:2: bad TTL 'soon'"},
	        {SOA "$TTL\n", "z:2: bad TTL"},
	        {SOA "$ORIGIN a..b\n", "z:2: domain name has an empty label"},
	        {SOA "x\033[1m 60 FOO\001 y\n", "z:2: unknown record type 'FOO\\001'"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err e = {"no error"};
		struct tree *t = zonefile_parse("z", str_from(rows[i].text), origin, NULL, &e);

		if (t != NULL)
			fail_msg("accepted: %s", rows[i].text);
		if (rows[i].error != NULL)
			assert_string_equal(e.text, rows[i].error);
		else
			assert_memory_equal(e.text, "z:2: ", 5);
	}
}

static const struct tree_set *set_at(const struct tree *t, const char *text, uint16_t type)
{
	struct name n;
	const struct tree_node *node;

	assert_int_equal(name_from_text(&n, str_from(text), NULL), 0);
	name_fold(n.wire, n.wire, n.len);
	node = tree_node_at(t, n.wire);
	return node == NULL ? NULL : tree_node_set(node, type);
}

static struct tree *parse(const char *text, const char *warnings)
{
	struct err e = {""};
	struct buf w = {0};
	struct tree *t = zonefile_parse("z", str_from(text), origin, &w, &e);

	if (t == NULL)
		fail_msg("%s", e.text);
	assert_string_equal(buf_text(&w), warnings);
	buf_free(&w);
	return t;
}

static void ttl_and_class_stand_in_any_order(void **state)
{
	struct tree *t = parse("$TTL 1h30m\n" SOA "a IN 60 A 192.0.2.1\nb 1d IN A 192.0.2.1\n"
	                       "c in A 192.0.2.1\nd CLASS1 2w A 192.0.2.1\ne A 192.0.2.1\n"
	                       "f TYPE1 \\# 4 c0000201\ng 4294967295 A 192.0.2.1\n"
	                       "$ttl 30\nh A 192.0.2.1\n",
	        "");

	(void)state;
	assert_int_equal(set_at(t, "a.example.org", TYPE_A)->set->ttl, 60);
	assert_int_equal(set_at(t, "b.example.org", TYPE_A)->set->ttl, 86400);
	assert_int_equal(set_at(t, "c.example.org", TYPE_A)->set->ttl, 5400);
	assert_int_equal(set_at(t, "d.example.org", TYPE_A)->set->ttl, 1209600);
	assert_int_equal(set_at(t, "e.example.org", TYPE_A)->set->ttl, 5400);
	assert_int_equal(set_at(t, "f.example.org", TYPE_A)->set->ttl, 5400);
	assert_int_equal(set_at(t, "g.example.org", TYPE_A)->set->ttl, 0);
	assert_int_equal(set_at(t, "h.example.org", TYPE_A)->set->ttl, 30);
	tree_free(t);
}

static void data_of_an_unknown_type_may_be_empty(void **state)
{
	struct tree *t = parse(SOA "a 60 TYPE65400 \\# 0\n", "");

	(void)state;
	assert_int_equal(set_at(t, "a.example.org", 65400)->set->count, 1);
	tree_free(t);
}

static void a_missing_ttl_is_taken_from_the_record_before_or_the_soa(void **state)
{
	struct tree *t = parse(SOA "a A 192.0.2.1\nb 7 A 192.0.2.1\nc A 192.0.2.1\n", "");

	(void)state;
	assert_int_equal(set_at(t, "a.example.org", TYPE_A)->set->ttl, 60);
	assert_int_equal(set_at(t, "c.example.org", TYPE_A)->set->ttl, 7);
	tree_free(t);
	t = parse("@ SOA ns1 h 1 2 3 4 55\na A 192.0.2.1\n",
	        "z:1: no TTL and no $TTL: taking the SOA's minimum");
	assert_int_equal(set_at(t, "a.example.org", TYPE_A)->set->ttl, 55);
	tree_free(t);
}

static void a_set_gets_its_lowest_ttl(void **state)
{
	struct tree *t = parse(SOA "a 60 A 192.0.2.1\na 30 A 192.0.2.2\na 90 A 192.0.2.3\n",
	        "z: 1 sets with unequal TTLs or below a DNAME");

	(void)state;
	assert_int_equal(set_at(t, "a.example.org", TYPE_A)->set->ttl, 30);
	assert_int_equal(set_at(t, "a.example.org", TYPE_A)->set->count, 3);
	tree_free(t);
}

static void lines_quotes_escapes_and_comments_read_as_in_rfc_1035(void **state)
{
	static const uint8_t txt[] = "\7a ;( b)\3c\"d\1e";
	struct tree *t = parse(SOA "t 60 ( TXT ; comment ( \" \n \"a ;( b)\" \t\"c\\\"d\"\r\n e )\n"
	                           "\t\tA 192.0.2.1 ; same owner\r\n"
	                           "$ORIGIN sub\n@ 60 A 192.0.2.2\n\\046x\\.y 60 A 192.0.2.3\n"
	                           "abs.example.org. 60 A 192.0.2.4",
	        "");
	const struct rrset *s = set_at(t, "t.example.org", TYPE_TXT)->set;
	uint16_t n;

	(void)state;
	assert_memory_equal(rrset_rdata(s, 0, &n), txt, sizeof(txt) - 1);
	assert_int_equal(n, sizeof(txt) - 1);
	assert_non_null(set_at(t, "t.example.org", TYPE_A));
	assert_non_null(set_at(t, "sub.example.org", TYPE_A));
	assert_non_null(set_at(t, "\\.x\\.y.sub.example.org", TYPE_A));
	assert_non_null(set_at(t, "abs.example.org", TYPE_A));
	tree_free(t);
}

static void one_line_can_stand_for_many(void **state)
{
	static const char *const names[] = {"h1", "h2", "h3", "001", "003", "x0a", "x0b", "XF",
	        "o7", "o10", "m9", "a$b", "c5d5"};
	struct tree *t = parse("$TTL 60\n" SOA "$GENERATE 1-3 h$ A 192.0.2.$\n"
	                       "$generate 1-4/2 ${0,3,d} 30 IN CNAME h$\n"
	                       "$GENERATE 10-11 x${0,2,x} A 192.0.2.1\n"
	                       "$GENERATE 14-14 X${+1,0,X} A 192.0.2.1\n"
	                       "$GENERATE 7-8 o${0,0,o} ( A ; comment\n 192.0.2.1 )\n"
	                       "$GENERATE 10-10 m${-1} A 192.0.2.1\n"
	                       "$GENERATE 1-1 a\\$b A 192.0.2.1\n"
	                       "$GENERATE 5-5 c$d${0} TXT \"$$ $ \\\"\"\n"
	                       "\tA 192.0.2.77 ; same owner\n",
	        "");
	const struct rrset *s;
	uint16_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char text[64];

		snprintf(text, sizeof(text), "%s.example.org", names[i]);
		if (set_at(t, text, TYPE_A) == NULL && set_at(t, text, TYPE_CNAME) == NULL)
			fail_msg("%s", text);
	}
	assert_null(set_at(t, "h4.example.org", TYPE_A));
	assert_null(set_at(t, "002.example.org", TYPE_CNAME));
	s = set_at(t, "h3.example.org", TYPE_A)->set;
	assert_memory_equal(rrset_rdata(s, 0, &n), "\300\0\2\3", 4);
	assert_int_equal(set_at(t, "001.example.org", TYPE_CNAME)->set->ttl, 30);
	s = set_at(t, "c5d5.example.org", TYPE_TXT)->set;
	assert_memory_equal(rrset_rdata(s, 0, &n), "\5$ 5 \"", 6);
	assert_non_null(set_at(t, "c5d5.example.org", TYPE_A));
	tree_free(t);
}

static void included_files_are_found_beside_the_one_that_names_them(void **state)
{
	struct buf path = {0};
	struct err e = {""};
	struct tree *t;

	(void)state;
	buf_printf(&path, "%s/tests/data/zones/include.zone", SRCDIR);
	t = zonefile_read(buf_text(&path), origin, NULL, &e);
	if (t == NULL)
		fail_msg("%s", e.text);
	assert_non_null(set_at(t, "one.sub.example.org", TYPE_A));
	assert_non_null(set_at(t, "two.example.org", TYPE_A));
	assert_non_null(set_at(t, "before.example.org", TYPE_TXT));
	tree_free(t);
	buf_clear(&path);
	buf_printf(&path, "%s/tests/data/zones/include-loop.zone", SRCDIR);
	assert_null(zonefile_read(buf_text(&path), origin, NULL, &e));
	assert_non_null(strstr(e.text, "include-loop.zone:2: $INCLUDE nested too deeply"));
	buf_clear(&path);
	buf_printf(&path, "%s/tests/data/zones/none.zone", SRCDIR);
	assert_null(zonefile_read(buf_text(&path), origin, NULL, &e));
	assert_non_null(strstr(e.text, "none.zone: No such file or directory"));
	buf_clear(&path);
	buf_printf(&path, "%s/tests/data/zones", SRCDIR);
	assert_null(zonefile_read(buf_text(&path), origin, NULL, &e));
	buf_free(&path);
}

#define LINES8 "\n\n\n\n\n\n\n\n"
#define LINES64 LINES8 LINES8 LINES8 LINES8 LINES8 LINES8 LINES8 LINES8

/* ldns 1.8 writes beyond its buffers for line ends in parentheses: it must not see any. */
static void a_record_alone_may_have_many_lines(void **state)
{
	static const struct {
		const char *text;
		uint16_t type, rdlength; /* 0: it is refused */
		uint32_t ttl;
	} rows[] = {
	        {"a.b. 60 IN A 10.0.0.1", TYPE_A, 4, 60},
	        {"a.b. A 10.0.0.1\n", TYPE_A, 4, 3600},
	        {"a.b. (" LINES64 "60" LINES64 "IN" LINES64 "A" LINES64 "10.0.0.1" LINES64 ")",
	                TYPE_A, 4, 60},
	        {"a.b. 60 SOA ns.b. h.b. ( ; comment" LINES64 "1 60 ; more" LINES64 "60 60 60)",
	                TYPE_SOA, 31, 60},
	        {"a.b. 60 TXT \"(x;\" y", TYPE_TXT, 6, 60},
	        {"a.b. 60 A 10.0.0.1\nc.d. 60 A 10.0.0.2", TYPE_A, 4, 60},
	        {"a.b. 60 A (10.0.0.1", 0, 0, 0},
	        {"a.b. 60 A 10.0.0.1)", 0, 0, 0},
	        {"a.b. 60 TXT \"x\ny\"", 0, 0, 0},
	        {"", 0, 0, 0},
	        {LINES64 ";", 0, 0, 0},
	};
	struct text_rr rr;
	struct arena a;
	struct err e;

	(void)state;
	arena_init(&a);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int rc = zonefile_rr(str_from(rows[i].text), &a, &rr, &e);

		if (rc != (rows[i].type == 0 ? -22 : 0))
			fail_msg("'%s': %d %s", rows[i].text, rc, rc == 0 ? "" : e.text);
		if (rc != 0)
			continue;
		assert_int_equal(rr.type, rows[i].type);
		assert_int_equal(rr.rdlength, rows[i].rdlength);
		assert_int_equal(rr.ttl, rows[i].ttl);
	}
	assert_int_equal(zonefile_rr((struct str){"a.b. \0 A 10.0.0.1", 17}, &a, &rr, &e), -22);
	arena_reset(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(errors_name_file_line_and_reason),
	        cmocka_unit_test(ttl_and_class_stand_in_any_order),
	        cmocka_unit_test(data_of_an_unknown_type_may_be_empty),
	        cmocka_unit_test(a_missing_ttl_is_taken_from_the_record_before_or_the_soa),
	        cmocka_unit_test(a_set_gets_its_lowest_ttl),
	        cmocka_unit_test(lines_quotes_escapes_and_comments_read_as_in_rfc_1035),
	        cmocka_unit_test(a_record_alone_may_have_many_lines),
	        cmocka_unit_test(one_line_can_stand_for_many),
	        cmocka_unit_test(included_files_are_found_beside_the_one_that_names_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
