#include "test.h"

#include "dns/rr.h"
#include "names/zonefile.h"

static struct tree *load(const char *file, const char *zone)
{
	struct buf path = {0}, warnings = {0};
	struct name origin;
	struct tree *t;
	struct err e = {""};

	assert_int_equal(name_from_text(&origin, str_from(zone), NULL), 0);
	buf_printf(&path, "%s/tests/data/zones/%s", SRCDIR, file);
	t = zonefile_read(buf_text(&path), origin.wire, &warnings, &e);
	if (t == NULL)
		fail_msg("%s", e.text);
	assert_string_equal(buf_text(&warnings), "");
	buf_free(&warnings);
	buf_free(&path);
	return t;
}

static struct tree_result look(const struct tree *t, const char *text, uint16_t type)
{
	struct name n;

	assert_int_equal(name_from_text(&n, str_from(text), NULL), 0);
	name_fold(n.wire, n.wire, n.len);
	return tree_lookup(t, n.wire, type);
}

static void names_are_found_as_the_rfcs_say(void **state)
{
	static const struct {
		const char *name;
		uint16_t type;
		enum tree_kind kind;
		bool is_wildcard;
		unsigned above;
	} rows[] = {
	        {"example.org", TYPE_SOA, TREE_ANSWER, false, 0},
	        {"example.org", TYPE_A, TREE_NODATA, false, 0},
	        {"example.org", TYPE_ANY, TREE_ANSWER, false, 0},
	        {"org", TYPE_A, TREE_OUTSIDE, false, 0},
	        {"example.net", TYPE_A, TREE_OUTSIDE, false, 0},
	        {"badexample.org", TYPE_A, TREE_OUTSIDE, false, 0},
	        {".", TYPE_NS, TREE_OUTSIDE, false, 0},
	        {"www.example.org", TYPE_A, TREE_ANSWER, false, 0},
	        {"WWW.Example.ORG", TYPE_A, TREE_ANSWER, false, 0},
	        {"www6.example.org", TYPE_AAAA, TREE_ANSWER, false, 0},
	        {"www.example.org", TYPE_AAAA, TREE_NODATA, false, 0},
	        {"x.www.example.org", TYPE_A, TREE_NXDOMAIN, false, 1},
	        {"nope.example.org", TYPE_A, TREE_NXDOMAIN, false, 1},
	        {"c.example.org", TYPE_A, TREE_NODATA, false, 0},
	        {"b.c.example.org", TYPE_ANY, TREE_NODATA, false, 0},
	        {"a.b.c.example.org", TYPE_TXT, TREE_ANSWER, false, 0},
	        {"x.b.c.example.org", TYPE_A, TREE_NXDOMAIN, false, 1},
	        {"alias.example.org", TYPE_A, TREE_CNAME, false, 0},
	        {"alias.example.org", TYPE_CNAME, TREE_ANSWER, false, 0},
	        {"x.alias.example.org", TYPE_A, TREE_NXDOMAIN, false, 1},
	        {"foo.wild.example.org", TYPE_A, TREE_ANSWER, true, 1},
	        {"a.b.wild.example.org", TYPE_A, TREE_ANSWER, true, 2},
	        {"foo.wild.example.org", TYPE_AAAA, TREE_NODATA, true, 1},
	        {"wild.example.org", TYPE_A, TREE_NODATA, false, 0},
	        {"*.wild.example.org", TYPE_A, TREE_ANSWER, false, 0},
	        {"x.*.wild.example.org", TYPE_A, TREE_NXDOMAIN, false, 1},
	        {"ent.wild.example.org", TYPE_A, TREE_NODATA, false, 0},
	        {"x.ent.wild.example.org", TYPE_A, TREE_NXDOMAIN, false, 1},
	        {"foo.cwild.example.org", TYPE_A, TREE_CNAME, true, 1},
	        {"foo.cwild.example.org", TYPE_CNAME, TREE_ANSWER, true, 1},
	        {"child.example.org", TYPE_A, TREE_DELEGATION, false, 0},
	        {"child.example.org", TYPE_NS, TREE_DELEGATION, false, 0},
	        {"child.example.org", TYPE_SOA, TREE_DELEGATION, false, 0},
	        {"child.example.org", TYPE_DS, TREE_ANSWER, false, 0},
	        {"insecure.example.org", TYPE_DS, TREE_NODATA, false, 0},
	        {"ns.child.example.org", TYPE_A, TREE_DELEGATION, false, 1},
	        {"x.y.child.example.org", TYPE_DS, TREE_DELEGATION, false, 2},
	        {"old.example.org", TYPE_DNAME, TREE_ANSWER, false, 0},
	        {"old.example.org", TYPE_A, TREE_NODATA, false, 0},
	        {"host.old.example.org", TYPE_A, TREE_DNAME, false, 1},
	        {"a.host.old.example.org", TYPE_DNAME, TREE_DNAME, false, 2},
	        {"odd.example.org", 65400, TREE_ANSWER, false, 0},
	        {"svc.example.org", TYPE_HTTPS, TREE_ANSWER, false, 0},
	        {"*.lit\\.eral.example.org", TYPE_A, TREE_ANSWER, false, 0},
	        {"foo.lit\\.eral.example.org", TYPE_A, TREE_ANSWER, true, 1},
	        {"foo.lit.eral.example.org", TYPE_A, TREE_NXDOMAIN, false, 3},
	        {"_http._tcp.example.org", TYPE_SRV, TREE_ANSWER, false, 0},
	        {"_tcp.example.org", TYPE_SRV, TREE_NODATA, false, 0},
	};
	struct tree *t = load("example.zone", "example.org");

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tree_result r = look(t, rows[i].name, rows[i].type);

		if (r.kind != rows[i].kind || r.is_wildcard != rows[i].is_wildcard ||
		        r.above != rows[i].above)
			fail_msg("%s %u: kind %d wildcard %d above %u", rows[i].name, rows[i].type,
			        r.kind, r.is_wildcard, r.above);
		assert_int_equal(r.set != NULL,
		        r.kind != TREE_NODATA && r.kind != TREE_NXDOMAIN && r.kind != TREE_OUTSIDE);
	}
	tree_free(t);
}

static void sets_are_precompiled_with_one_ttl_and_no_duplicates(void **state)
{
	struct tree *t = load("example.zone", "example.org");
	struct tree_result r = look(t, "www.example.org", TYPE_A);

	(void)state;
	assert_int_equal(r.set->set->count, 2);
	assert_int_equal(r.set->set->ttl, 300);
	assert_int_equal(r.set->set->stride, 16);
	assert_int_equal(t->serial, 2026010101);
	assert_int_equal(t->soa->set->ttl, 3600);
	assert_int_equal(t->negative_soa->ttl, 600);
	r = look(t, "example.org", TYPE_MX);
	assert_int_equal(r.set->extras_len, 1);
	r = look(t, "ns.child.example.org", TYPE_A);
	assert_int_equal(r.set->extras_len, 3);
	assert_true(tree_node_at(t, (const uint8_t *)"\2ns\5child\7example\3org")->is_below_cut);
	tree_free(t);
}

static void nodes_stand_in_canonical_order(void **state)
{
	/* RFC 4034 6.1 */
	static const char text[] = "@ 60 SOA . . 1 2 3 4 5\n"
	                           "\\200 60 A 192.0.2.1\nz 60 A 192.0.2.1\n"
	                           "z.a 60 A 192.0.2.1\n* 60 A 192.0.2.1\n"
	                           "yljkjljk.a 60 A 192.0.2.1\n\\001.z 60 A 192.0.2.1\n"
	                           "Z.a 60 A 192.0.2.2\na 60 A 192.0.2.1\n*.z 60 A 192.0.2.1\n";
	static const char *const order[] = {"example.", "*.example.", "a.example.",
	        "yljkjljk.a.example.", "z.a.example.", "z.example.", "\\001.z.example.",
	        "*.z.example.", "\\200.example."};
	char shown[NAME_TEXT_MAX];
	struct tree *t =
	        zonefile_parse("text", str_from(text), (const uint8_t *)"\7example", NULL, NULL);

	(void)state;
	assert_non_null(t);
	assert_int_equal(t->len, sizeof(order) / sizeof(order[0]));
	for (size_t i = 0; i < t->len; i++) {
		name_to_text(shown, t->nodes[i].name);
		assert_string_equal(shown, order[i]);
	}
	tree_free(t);
}

static void the_root_zone_can_be_served(void **state)
{
	static const char text[] = ". 60 SOA . . 1 2 3 4 5\n. NS a.root.\na.root. A 192.0.2.1\n"
	                           "org. NS a.root.\n* TXT x\n";
	struct tree *t = zonefile_parse("text", str_from(text), (const uint8_t *)"", NULL, NULL);

	(void)state;
	assert_non_null(t);
	assert_int_equal(look(t, "a.b.org", TYPE_A).kind, TREE_DELEGATION);
	assert_int_equal(look(t, ".", TYPE_NS).kind, TREE_ANSWER);
	assert_int_equal(look(t, "x.y.example", TYPE_TXT).kind, TREE_ANSWER);
	assert_int_equal(look(t, "x.root", TYPE_TXT).kind, TREE_NXDOMAIN);
	tree_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(names_are_found_as_the_rfcs_say),
	        cmocka_unit_test(sets_are_precompiled_with_one_ttl_and_no_duplicates),
	        cmocka_unit_test(nodes_stand_in_canonical_order),
	        cmocka_unit_test(the_root_zone_can_be_served),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
