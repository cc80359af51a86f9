/* Answers are decoded by ldns, so that our own reader and writer cannot agree on a mistake. */
#include "test.h"

#include <ldns/ldns.h>
#include <stdlib.h>

#include "dns/rr.h"
#include "dns/wire.h"
#include "names/zone_answer.h"
#include "names/zonefile.h"

static struct tree *tree;

static int setup(void **state)
{
	struct buf path = {0};
	struct name origin;
	struct err e = {""};

	(void)state;
	name_from_text(&origin, STR("example.org"), NULL);
	buf_printf(&path, "%s/tests/data/zones/example.zone", SRCDIR);
	tree = zonefile_read(buf_text(&path), origin.wire, NULL, &e);
	if (tree == NULL)
		fail_msg("%s", e.text);
	buf_free(&path);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tree_free(tree);
	return 0;
}

static size_t write_query(uint8_t *out, const char *name, uint16_t type)
{
	struct name n;

	memset(out, 0, 12);
	out[5] = 1;
	assert_int_equal(name_from_text(&n, str_from(name), NULL), 0);
	memcpy(out + 12, n.wire, n.len);
	put16(out + 12 + n.len, type);
	put16(out + 14 + n.len, CLASS_IN);
	return 16u + n.len;
}

static void print_list(struct buf *out, const char *section, const ldns_rr_list *list)
{
	for (size_t i = 0; i < ldns_rr_list_rr_count(list); i++) {
		char *text = ldns_rr2str(ldns_rr_list_rr(list, i));

		for (char *p = text; *p != '\0'; p++)
			*p = *p == '\t' ? ' ' : *p;
		buf_printf(out, "%s %.*s\n", section, (int)strcspn(text, "\n"), text);
		free(text);
	}
}

/* One question; the result as "RCODE aa\n" and one line a record. */
static void ask(struct buf *out, const char *name, uint16_t type, enum zone_outcome *outcome)
{
	uint8_t wire[4096], folded[256];
	struct answer_env env = {.udp_size = 1232, .limit = sizeof(wire), .is_stream = true};
	struct zone_question question = {wire + 12, folded, type, false};
	const uint8_t *target;
	struct arena arena;
	struct answer a;
	struct msg m;
	ldns_pkt *pkt;
	char rcode[16];
	size_t n = write_query(wire, name, type);

	assert_int_equal(msg_parse(&m, wire, n), MSG_ANSWER);
	name_fold(folded, wire + 12, m.qname_len);
	arena_init(&arena);
	answer_init(&a, &arena);
	*outcome = zone_answer(tree, &question, &a, &target);
	answer_keep(&a);
	n = answer_encode(&a, &m, &env, wire);
	assert_int_equal(ldns_wire2pkt(&pkt, wire, n), LDNS_STATUS_OK);
	buf_printf(out, "%s%s\n", rcode_text(ldns_pkt_get_rcode(pkt), rcode),
	        ldns_pkt_aa(pkt) ? " aa" : "");
	print_list(out, "AN", ldns_pkt_answer(pkt));
	print_list(out, "NS", ldns_pkt_authority(pkt));
	print_list(out, "AR", ldns_pkt_additional(pkt));
	ldns_pkt_free(pkt);
	arena_reset(&arena);
}

#define SOA_NEGATIVE                                                                           \
	"NS example.org. 600 IN SOA ns1.example.org. hostmaster.example.org. 2026010101 7200 " \
	"1800 86400 600\n"
#define WWW(owner) "AN " owner " 300 IN A 192.0.2.80\nAN " owner " 300 IN A 192.0.2.81\n"
#define CHILD                                                     \
	"NS child.example.org. 300 IN NS ns.child.example.org.\n" \
	"NS child.example.org. 300 IN NS ns1.example.org.\n"
#define CHILD_DS                                   \
	"child.example.org. 300 IN DS 12345 13 2 " \
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n"
#define NS1_GLUE \
	"AR ns1.example.org. 300 IN A 192.0.2.1\nAR ns1.example.org. 300 IN AAAA 2001:db8::1\n"
#define CHILD_GLUE "AR ns.child.example.org. 300 IN A 192.0.2.53\n" NS1_GLUE

static const struct {
	const char *name;
	uint16_t type;
	enum zone_outcome outcome;
	const char *answer;
} rows[] = {
        {"WwW.example.org", TYPE_A, ZONE_ANSWERED, "NOERROR aa\n" WWW("WwW.example.org.")},
        {"www.example.org", TYPE_AAAA, ZONE_ANSWERED, "NOERROR aa\n" SOA_NEGATIVE},
        {"x.Example.Org", TYPE_A, ZONE_MISS,
                "NXDOMAIN aa\n"
                "NS Example.Org. 600 IN SOA ns1.example.org. hostmaster.example.org. 2026010101 "
                "7200 1800 86400 600\n"},
        {"b.c.example.org", TYPE_A, ZONE_ANSWERED, "NOERROR aa\n" SOA_NEGATIVE},
        {"example.org", TYPE_ANY, ZONE_ANSWERED,
                "NOERROR aa\nAN example.org. 3600 IN SOA ns1.example.org. hostmaster.example.org. "
                "2026010101 7200 1800 86400 600\n"},
        {"example.org", TYPE_NS, ZONE_ANSWERED,
                "NOERROR aa\nAN example.org. 300 IN NS ns1.example.org.\n"
                "AN example.org. 300 IN NS ns2.example.net.\n" NS1_GLUE},
        {"example.org", TYPE_MX, ZONE_ANSWERED,
                "NOERROR aa\nAN example.org. 300 IN MX 10 mail.example.org.\n"
                "AR mail.example.org. 300 IN A 192.0.2.25\n"},
        {"_http._tcp.example.org", TYPE_SRV, ZONE_ANSWERED,
                "NOERROR aa\nAN _http._tcp.example.org. 300 IN SRV 0 5 80 www.example.org.\n"
                "AR www.example.org. 300 IN A 192.0.2.80\n"
                "AR www.example.org. 300 IN A 192.0.2.81\n"},
        {"odd.example.org", 65400, ZONE_ANSWERED,
                "NOERROR aa\nAN odd.example.org. 300 IN TYPE65400 \\# 4 deadbeef\n"},
        {"alias2.example.org", TYPE_A, ZONE_ANSWERED,
                "NOERROR aa\nAN alias2.example.org. 300 IN CNAME alias.example.org.\n"
                "AN alias.example.org. 300 IN CNAME www.example.org.\n" WWW("www.example.org.")},
        {"alias2.example.org", TYPE_CNAME, ZONE_ANSWERED,
                "NOERROR aa\nAN alias2.example.org. 300 IN CNAME alias.example.org.\n"},
        {"alias.example.org", TYPE_MX, ZONE_ANSWERED,
                "NOERROR aa\nAN alias.example.org. 300 IN CNAME www.example.org.\n" SOA_NEGATIVE},
        {"dangling.example.org", TYPE_A, ZONE_ANSWERED,
                "NXDOMAIN aa\nAN dangling.example.org. 300 IN CNAME "
                "nowhere.example.org.\n" SOA_NEGATIVE},
        {"outside.example.org", TYPE_A, ZONE_LEAVES,
                "NOERROR aa\nAN outside.example.org. 300 IN CNAME www.example.net.\n"},
        {"loop1.example.org", TYPE_A, ZONE_FAILED, "SERVFAIL\n"},
        {"loop1.example.org", TYPE_CNAME, ZONE_ANSWERED,
                "NOERROR aa\nAN loop1.example.org. 300 IN CNAME loop2.example.org.\n"},
        {"A.b.wild.example.org", TYPE_A, ZONE_ANSWERED,
                "NOERROR aa\nAN A.b.wild.example.org. 300 IN A 192.0.2.99\n"},
        {"a.wild.example.org", TYPE_TXT, ZONE_ANSWERED, "NOERROR aa\n" SOA_NEGATIVE},
        {"x.ent.wild.example.org", TYPE_A, ZONE_MISS, "NXDOMAIN aa\n" SOA_NEGATIVE},
        {"x.cwild.example.org", TYPE_A, ZONE_ANSWERED,
                "NOERROR aa\nAN x.cwild.example.org. 300 IN CNAME "
                "www.example.org.\n" WWW("www.example.org.")},
        {"x.owild.example.org", TYPE_A, ZONE_LEAVES,
                "NOERROR aa\nAN x.owild.example.org. 300 IN CNAME www.example.net.\n"},
        {"x.child.example.org", TYPE_A, ZONE_ANSWERED, "NOERROR\n" CHILD CHILD_GLUE},
        {"child.example.org", TYPE_NS, ZONE_ANSWERED, "NOERROR\n" CHILD CHILD_GLUE},
        {"child.example.org", TYPE_DS, ZONE_ANSWERED, "NOERROR aa\nAN " CHILD_DS},
        {"insecure.example.org", TYPE_DS, ZONE_ANSWERED, "NOERROR aa\n" SOA_NEGATIVE},
        {"insecure.example.org", TYPE_A, ZONE_ANSWERED,
                "NOERROR\nNS insecure.example.org. 300 IN NS ns2.example.net.\n"},
        {"to-child.example.org", TYPE_A, ZONE_ANSWERED,
                "NOERROR aa\nAN to-child.example.org. 300 IN CNAME x.child.example.org.\n" CHILD
                        CHILD_GLUE},
        {"host.old.example.org", TYPE_A, ZONE_ANSWERED,
                "NOERROR aa\nAN old.example.org. 300 IN DNAME new.example.org.\n"
                "AN host.old.example.org. 300 IN CNAME host.new.example.org.\n"
                "AN host.new.example.org. 300 IN A 192.0.2.12\n"},
        {"none.old.example.org", TYPE_A, ZONE_ANSWERED,
                "NXDOMAIN aa\nAN old.example.org. 300 IN DNAME new.example.org.\n"
                "AN none.old.example.org. 300 IN CNAME none.new.example.org.\n" SOA_NEGATIVE},
        {"host.old.example.org", TYPE_CNAME, ZONE_ANSWERED,
                "NOERROR aa\nAN old.example.org. 300 IN DNAME new.example.org.\n"
                "AN host.old.example.org. 300 IN CNAME host.new.example.org.\n"},
        {"a.b.away.example.org", TYPE_A, ZONE_LEAVES,
                "NOERROR aa\nAN away.example.org. 300 IN DNAME example.net.\n"
                "AN a.b.away.example.org. 300 IN CNAME a.b.example.net.\n"},
};

static void answers_read_back_by_ldns_are_those_of_the_rfcs(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum zone_outcome outcome;
		struct buf text = {0};

		ask(&text, rows[i].name, rows[i].type, &outcome);
		if (outcome != rows[i].outcome)
			print_error("%s: outcome %d\n", rows[i].name, outcome);
		assert_string_equal(buf_text(&text), rows[i].answer);
		assert_int_equal(outcome, rows[i].outcome);
		buf_free(&text);
	}
}

static void a_dname_that_makes_too_long_a_name_gives_yxdomain(void **state)
{
	enum zone_outcome outcome;
	struct buf text = {0};

	(void)state;
	ask(&text, "abcdefghij.long.example.org", TYPE_A, &outcome);
	assert_int_equal(outcome, ZONE_ANSWERED);
	assert_memory_equal(buf_text(&text), "YXDOMAIN aa\nAN long.example.org. 300 IN DNAME", 45);
	assert_null(strstr(buf_text(&text), "CNAME"));
	buf_free(&text);
}

static void ten_aliases_are_followed_and_eleven_are_too_many(void **state)
{
	struct buf zone = {0}, text = {0};
	struct tree *whole = tree;
	enum zone_outcome outcome;

	(void)state;
	buf_str(&zone, "@ 60 SOA . . 1 2 3 4 5\na0 60 A 192.0.2.1\n");
	for (int i = 1; i <= 11; i++)
		buf_printf(&zone, "a%d 60 CNAME a%d\n", i, i - 1);
	tree = zonefile_parse(
	        "z", (struct str){zone.at, zone.len}, (const uint8_t *)"\7example", NULL, NULL);
	assert_non_null(tree);
	ask(&text, "a10.example", TYPE_A, &outcome);
	assert_int_equal(outcome, ZONE_ANSWERED);
	assert_non_null(strstr(buf_text(&text), "AN a0.example. 60 IN A 192.0.2.1\n"));
	ask(&text, "a11.example", TYPE_A, &outcome);
	assert_int_equal(outcome, ZONE_FAILED);
	tree_free(tree);
	tree = whole;
	buf_free(&zone);
	buf_free(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(answers_read_back_by_ldns_are_those_of_the_rfcs),
	        cmocka_unit_test(a_dname_that_makes_too_long_a_name_gives_yxdomain),
	        cmocka_unit_test(ten_aliases_are_followed_and_eleven_are_too_many),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
