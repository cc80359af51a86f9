/*
 * Rows of records (dns/records.h), and their packing into messages (dns/packer.h), decoded by ldns.
 */
#include <ldns/ldns.h>
#include <stdio.h>

#include "dns/name.h"
#include "dns/packer.h"
#include "dns/rr.h"
#include "dns/wire.h"
#include "test.h"

static struct name name_of(const char *text)
{
	struct name n;

	assert_int_equal(name_from_text(&n, str_from(text), NULL), 0);
	return n;
}

static void add(struct buf *row, const char *owner, uint16_t type, const void *rdata, size_t n)
{
	struct name name = name_of(owner);
	struct record r = {.type = type, .ttl = 5, .rdata = rdata, .rdlength = (uint16_t)n};

	records_add(row, name.wire, &r);
}

static void add_a(struct buf *row, const char *owner, uint8_t last)
{
	add(row, owner, TYPE_A, (const uint8_t[]){10, 0, 0, last}, 4);
}

static void add_named(struct buf *row, const char *owner, uint16_t type, size_t skip,
	const char *target)
{
	uint8_t rdata[8 + NAME_MAX_OCTETS] = {0};
	struct name name = name_of(target);

	memcpy(rdata + skip, name.wire, name.len);
	add(row, owner, type, rdata, skip + name.len);
}

/* A message with the question ZONE AXFR; returns where records begin. */
static size_t begin(uint8_t *out, const char *zone)
{
	struct name name = name_of(zone);

	memset(out, 0, MSG_QNAME_AT);
	out[5] = 1;
	memcpy(out + MSG_QNAME_AT, name.wire, name.len);
	put16(out + MSG_QNAME_AT + name.len, TYPE_AXFR);
	put16(out + MSG_QNAME_AT + name.len + 2, CLASS_IN);
	return MSG_QNAME_AT + name.len + 4u;
}

static unsigned pack(struct packer *p, const struct buf *row, size_t *pos)
{
	struct record r;
	size_t before = *pos;

	while (records_next(row, pos, &r)) {
		if (!packer_add(p, &r)) {
			*pos = before;
			break;
		}
		before = *pos;
	}
	put16(p->out + 6, (uint16_t)p->count);
	return p->count;
}

static ldns_pkt *decode(const struct packer *p)
{
	ldns_pkt *pkt;

	assert_int_equal(ldns_wire2pkt(&pkt, p->out, p->at), LDNS_STATUS_OK);
	return pkt;
}

/* Every record of the row from `first` on is in the message, in order. */
static void expect_same(const struct packer *p, const struct buf *row, size_t first)
{
	ldns_pkt *pkt = decode(p);
	ldns_rr_list *list = ldns_pkt_answer(pkt);

	assert_int_equal(ldns_rr_list_rr_count(list), p->count);
	for (size_t i = 0; i < p->count; i++) {
		ldns_rr *rr;
		struct record r;
		size_t used = 0, pos = first;

		assert_true(records_next(row, &pos, &r));
		assert_int_equal(ldns_wire2rr(&rr, r.owner, r.size, &used, LDNS_SECTION_ANSWER),
			LDNS_STATUS_OK);
		assert_int_equal(ldns_rr_compare(rr, ldns_rr_list_rr(list, i)), 0);
		ldns_rr_free(rr);
		first = pos;
	}
	ldns_pkt_free(pkt);
}

static void names_are_compressed_where_resolvers_expect_it(void **state)
{
	static uint8_t out[65535];
	struct buf row = {0};
	struct packer p;
	size_t pos = 0, start = begin(out, "cluster.local.");

	(void)state;
	add_a(&row, "web.shop.svc.cluster.local.", 1);
	add_a(&row, "web.shop.svc.cluster.local.", 2);
	add_named(&row, "db.shop.svc.cluster.local.", TYPE_CNAME, 0, "web.shop.svc.cluster.local.");
	add_named(&row, "_http._tcp.web.shop.svc.cluster.local.", TYPE_SRV, 6,
		"web.shop.svc.cluster.local.");
	add_named(&row, "cluster.local.", TYPE_MX, 2, "mail.shop.svc.cluster.local.");
	packer_init(&p, out, start, sizeof(out));
	assert_int_equal(pack(&p, &row, &pos), 5);
	expect_same(&p, &row, 0);
	/* owner written once (13 + pointer), then pointers; of SRV the target is not compressed */
	assert_int_equal(p.at - start,
		(15 + 14) + (2 + 14) + (5 + 10 + 2) + (13 + 10 + 6 + 28) + (2 + 10 + 2 + 7));
	buf_free(&row);
}

static void a_full_message_is_as_before_the_record_that_did_not_fit(void **state)
{
	static uint8_t out[600];
	struct buf row = {0};
	struct packer p;
	size_t pos = 0, from = 0, messages = 0, records = 0;
	char owner[64];

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		snprintf(owner, sizeof(owner), "s%u.ns%u.svc.cluster.local.", i, i / 7);
		add_a(&row, owner, (uint8_t)i);
		add_named(&row, owner, TYPE_PTR, 0, owner);
	}
	while (pos < row.len) {
		size_t start = messages++ == 0 ? begin(out, "cluster.local.") : 12;

		if (start == 12)
			memset(out, 0, 12);
		from = pos;
		packer_init(&p, out, start, 580);
		records += pack(&p, &row, &pos);
		assert_true(p.at <= 580 && p.count > 0);
		assert_true(pos == row.len || p.at > 540);
		expect_same(&p, &row, from);
	}
	assert_int_equal(records, 400);
	buf_free(&row);
}

static void names_beyond_the_reach_of_pointers_are_written_out(void **state)
{
	static uint8_t out[65535];
	struct buf row = {0};
	struct packer p;
	size_t pos = 0;
	char owner[128];

	(void)state;
	for (unsigned i = 0; i < 6000; i++) {
		snprintf(owner, sizeof(owner), "pod-%u.web-%u.example.svc.cluster.local.", i, i / 50);
		add_a(&row, owner, (uint8_t)i);
	}
	packer_init(&p, out, begin(out, "cluster.local."), sizeof(out));
	assert_true(pack(&p, &row, &pos) > 1500);
	assert_true(p.at > 65000);
	expect_same(&p, &row, 0);
	buf_free(&row);
}

static void a_difference_is_what_went_and_what_came(void **state)
{
	struct buf before = {0}, after = {0}, removed = {0}, added = {0};
	struct record r;
	size_t pos = 0;

	(void)state;
	add_a(&before, "a.example.", 1);
	add_a(&before, "a.example.", 2);
	add_a(&before, "b.example.", 3);
	add_a(&after, "b.example.", 3);
	add_a(&after, "a.example.", 4);
	add_a(&after, "a.example.", 2);
	records_diff(&before, &after, &removed, &added);
	assert_true(records_next(&removed, &pos, &r));
	assert_int_equal(r.rdata[3], 1);
	assert_false(records_next(&removed, &pos, &r));
	pos = 0;
	assert_true(records_next(&added, &pos, &r));
	assert_int_equal(r.rdata[3], 4);
	assert_int_equal(r.ttl, 5);
	assert_false(records_next(&added, &pos, &r));
	buf_free(&before);
	buf_free(&after);
	buf_free(&removed);
	buf_free(&added);
}

static void a_set_is_added_in_steps(void **state)
{
	struct rrset_builder b = {.type = TYPE_TXT, .ttl = 30};
	struct name owner = name_of("t.example.");
	struct buf whole = {0}, steps = {0};
	struct rrset *set;
	size_t at = 0, n = 0;

	(void)state;
	for (size_t i = 1; i < 20; i++)
		rrset_add(&b, "\23abcdefghijklmnopqrst", i);
	set = rrset_build(&b);
	records_add_set(&whole, owner.wire, set);
	while (records_add_some(&steps, owner.wire, set, &at, steps.len + 1))
		n++;
	assert_int_equal(n, 18);
	assert_int_equal(steps.len, whole.len);
	assert_memory_equal(steps.at, whole.at, whole.len);
	assert_false(records_add_some(&steps, owner.wire, NULL, &at, SIZE_MAX));
	buf_free(&whole);
	buf_free(&steps);
	free(set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_compressed_where_resolvers_expect_it),
		cmocka_unit_test(a_full_message_is_as_before_the_record_that_did_not_fit),
		cmocka_unit_test(names_beyond_the_reach_of_pointers_are_written_out),
		cmocka_unit_test(a_difference_is_what_went_and_what_came),
		cmocka_unit_test(a_set_is_added_in_steps),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
