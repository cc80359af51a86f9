/*
 * Serials of zones that change by themselves, and the changes between them.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/shared.h"
#include "core/zone_history.h"
#include "dns/rr.h"
#include "dns/wire.h"
#include "test.h"

static struct name zone = {9, "\7example"};

static struct rrset *make_soa(uint32_t serial)
{
	struct rrset_builder b = {.type = TYPE_SOA, .ttl = 5};
	struct soa soa = {zone.wire, zone.wire, serial, 7200, 1800, 86400, 5};
	uint8_t rdata[600];

	rrset_add(&b, rdata, rrset_soa_rdata(rdata, &soa));
	return rrset_build(&b);
}

/* The row of addresses 10.0.0.X for each character X of text. */
static struct buf row_of(const char *text)
{
	struct buf row = {0};

	for (; *text != '\0'; text++) {
		uint8_t ip[4] = {10, 0, 0, (uint8_t)*text};
		struct record r = {.type = TYPE_A, .ttl = 5, .rdata = ip, .rdlength = 4};

		records_add(&row, zone.wire, &r);
	}
	return row;
}

static void change(struct zone_history *h, const char *before, const char *after)
{
	struct buf from = row_of(before), to = row_of(after);

	zone_history_change(h, &from, &to);
	buf_free(&from);
	buf_free(&to);
}

/* The changes since a serial as text: "[5]ab[7]c" - SOA serials in brackets, addresses. */
static const char *changes(struct zone_history *h, uint32_t since)
{
	static char text[256];
	struct rrset *soa = make_soa(h->committed);
	struct zone_image *image = zone_history_changes(h, zone.wire, soa, since);
	struct zone_cursor c = {0, 0, 0};
	struct buf row = {0};
	struct record r;
	size_t pos = 0, n = 0;

	free(soa);
	if (image == NULL)
		return "unknown";
	while (image->ops->walk(image, &c, &row))
		continue;
	while (records_next(&row, &pos, &r)) {
		if (r.type == TYPE_SOA)
			n += (size_t)sprintf(
				text + n, "[%u]", get32(r.rdata + r.rdlength - 20));
		else
			text[n++] = (char)r.rdata[3];
	}
	text[n] = '\0';
	assert_int_equal(image->serial, h->committed);
	buf_free(&row);
	zone_image_unref(image);
	return text;
}

static void the_serial_is_the_time_of_the_last_visible_change(void **state)
{
	struct zone_history h;

	(void)state;
	zone_history_init(&h, NULL, &zone);
	zone_history_note(&h);
	assert_true(zone_history_commit(&h, 1000));
	assert_int_equal(zone_history_serial(&h), 1000);
	assert_false(zone_history_commit(&h, 1001)); /* nothing changed */
	change(&h, "ab", "ba"); /* nothing that anybody sees */
	assert_false(zone_history_commit(&h, 1002));
	change(&h, "ab", "a");
	assert_true(zone_history_commit(&h, 1003));
	assert_int_equal(zone_history_serial(&h), 1003);
	zone_history_fini(&h);
}

static void two_changes_in_a_second_differ_when_a_transfer_saw_the_first(void **state)
{
	struct zone_history h;

	(void)state;
	zone_history_init(&h, NULL, &zone);
	zone_history_note(&h);
	zone_history_commit(&h, 1000);
	zone_history_note(&h);
	assert_false(zone_history_commit(&h, 1000)); /* nobody has seen it */
	zone_history_see(&h);
	zone_history_note(&h);
	assert_true(zone_history_commit(&h, 1000));
	assert_int_equal(zone_history_serial(&h), 1001);
	zone_history_note(&h);
	assert_false(zone_history_commit(&h, 1001));
	zone_history_note(&h);
	assert_false(zone_history_commit(&h, 990)); /* the clock was set back */
	assert_int_equal(zone_history_serial(&h), 1001);
	zone_history_fini(&h);
}

static void the_serial_goes_on_over_a_reload(void **state)
{
	struct shared *shared = shared_new();
	struct zone_history old, new;

	(void)state;
	zone_history_init(&old, shared, &zone);
	zone_history_note(&old);
	zone_history_commit(&old, 1000);
	zone_history_see(&old);
	zone_history_init(&new, shared, &zone);
	zone_history_note(&new);
	assert_true(zone_history_commit(&new, 1000));
	assert_int_equal(zone_history_serial(&new), 1001);
	/* the old one, still serving, does not meet the new one's */
	zone_history_note(&old);
	assert_true(zone_history_commit(&old, 1000));
	assert_int_equal(zone_history_serial(&old), 1002);
	zone_history_note(&new);
	assert_true(zone_history_commit(&new, 1001));
	assert_int_equal(zone_history_serial(&new), 1003);
	zone_history_fini(&old);
	zone_history_fini(&new);
	shared_free(shared);
}

static void changes_are_condensed_to_one_sequence(void **state)
{
	struct zone_history h;

	(void)state;
	zone_history_init(&h, NULL, &zone);
	zone_history_note(&h);
	zone_history_commit(&h, 100);
	zone_history_keep(&h);
	change(&h, "ab", "bc"); /* -a +c */
	zone_history_commit(&h, 200);
	change(&h, "bc", "bcd"); /* +d */
	zone_history_commit(&h, 300);
	change(&h, "bcd", "abd"); /* -c +a: a never went */
	zone_history_commit(&h, 400);
	assert_string_equal(changes(&h, 100), "[100][400]d");
	assert_string_equal(changes(&h, 200), "[200]c[400]da");
	assert_string_equal(changes(&h, 300), "[300]c[400]a");
	assert_string_equal(changes(&h, 400), "[400][400]");
	assert_string_equal(changes(&h, 150), "unknown");
	assert_string_equal(changes(&h, 99), "unknown");
	zone_history_fini(&h);
}

static void changes_within_a_serial_belong_to_it(void **state)
{
	struct zone_history h;

	(void)state;
	zone_history_init(&h, NULL, &zone);
	zone_history_note(&h);
	zone_history_commit(&h, 100);
	zone_history_keep(&h);
	change(&h, "a", "b"); /* nobody saw "a" with serial 100 */
	assert_false(zone_history_commit(&h, 100));
	assert_string_equal(changes(&h, 100), "[100][100]");
	change(&h, "b", "c");
	zone_history_commit(&h, 200);
	change(&h, "c", "d");
	assert_false(zone_history_commit(&h, 200));
	assert_string_equal(changes(&h, 100), "[100]b[200]d");
	change(&h, "d", "e"); /* and now 200 was seen */
	assert_true(zone_history_commit(&h, 200));
	assert_string_equal(changes(&h, 100), "[100]b[201]e");
	assert_string_equal(changes(&h, 200), "[200]d[201]e");
	zone_history_fini(&h);
}

static void unexplained_changes_end_what_is_known(void **state)
{
	struct zone_history h;

	(void)state;
	zone_history_init(&h, NULL, &zone);
	zone_history_note(&h);
	zone_history_commit(&h, 100);
	zone_history_keep(&h);
	change(&h, "a", "b");
	zone_history_commit(&h, 200);
	zone_history_touch(&h);
	change(&h, "b", "c");
	zone_history_commit(&h, 300);
	assert_string_equal(changes(&h, 100), "unknown");
	assert_string_equal(changes(&h, 200), "unknown");
	change(&h, "c", "d");
	zone_history_commit(&h, 400);
	assert_string_equal(changes(&h, 300), "[300]c[400]d");
	zone_history_fini(&h);
}

static void old_changes_are_forgotten_when_there_are_too_many(void **state)
{
	struct zone_history h;
	struct buf none = {0}, many = {0};
	uint32_t serial = 1000;

	(void)state;
	for (uint32_t i = 0; i < 20000; i++) {
		struct record r = {.type = TYPE_A, .ttl = i, .rdata = zone.wire, .rdlength = 4};

		records_add(&many, zone.wire, &r);
	}
	zone_history_init(&h, NULL, &zone);
	zone_history_note(&h);
	zone_history_commit(&h, serial);
	zone_history_keep(&h);
	for (unsigned i = 0; i < 50; i++) {
		zone_history_change(&h, i % 2 ? &many : &none, i % 2 ? &none : &many);
		zone_history_commit(&h, ++serial);
		assert_true(h.log.len <= ZONE_HISTORY_MAX);
	}
	assert_string_equal(changes(&h, 1000), "unknown");
	assert_true(h.marks.len > 0);
	assert_string_not_equal(changes(&h, serial), "unknown");
	buf_free(&many);
	zone_history_fini(&h);
}

static void serials_are_compared_around_the_circle(void **state)
{
	(void)state;
	assert_true(zone_serial_is_newer(2, 1));
	assert_false(zone_serial_is_newer(1, 1));
	assert_false(zone_serial_is_newer(1, 2));
	assert_true(zone_serial_is_newer(5, 0xfffffff0));
	assert_false(zone_serial_is_newer(0xfffffff0, 5));
	assert_false(zone_serial_is_newer(0x80000001, 1)); /* undefined: not newer */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_serial_is_the_time_of_the_last_visible_change),
		cmocka_unit_test(two_changes_in_a_second_differ_when_a_transfer_saw_the_first),
		cmocka_unit_test(the_serial_goes_on_over_a_reload),
		cmocka_unit_test(changes_are_condensed_to_one_sequence),
		cmocka_unit_test(changes_within_a_serial_belong_to_it),
		cmocka_unit_test(unexplained_changes_end_what_is_known),
		cmocka_unit_test(old_changes_are_forgotten_when_there_are_too_many),
		cmocka_unit_test(serials_are_compared_around_the_circle),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
