#include "test.h"

#include <errno.h>

#include "net/frame.h"

static void a_message_is_found_only_when_it_is_whole(void **state)
{
	static const struct {
		size_t promised, present;
		enum frame_status status;
	} rows[] = {
	        {12, 12, FRAME_MESSAGE},
	        {12, 11, FRAME_PARTIAL},
	        {12, 0, FRAME_PARTIAL},
	        {12, 100, FRAME_MESSAGE},
	        {0, 0, FRAME_BAD},
	        {0, 100, FRAME_BAD},
	        {5, 5, FRAME_BAD},
	        {11, 100, FRAME_BAD},
	        {65535, 65534, FRAME_PARTIAL},
	        {65535, 65535, FRAME_MESSAGE},
	};
	static uint8_t octets[2 + 65535];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct frame f = {0};

		octets[0] = (uint8_t)(rows[i].promised >> 8);
		octets[1] = (uint8_t)rows[i].promised;
		assert_int_equal(frame_next(octets, 2 + rows[i].present, &f), rows[i].status);
		if (rows[i].status == FRAME_MESSAGE) {
			assert_ptr_equal(f.message, octets + 2);
			assert_int_equal(f.len, rows[i].promised);
		}
	}
}

static void half_a_length_field_promises_nothing(void **state)
{
	const uint8_t octet = 0;
	struct frame f;

	(void)state;
	assert_int_equal(frame_next(&octet, 0, &f), FRAME_PARTIAL);
	assert_int_equal(frame_next(&octet, 1, &f), FRAME_PARTIAL);
}

static void room_grows_with_what_arrived_not_with_what_is_promised(void **state)
{
	static uint8_t octets[65537] = {0xff, 0xff};

	(void)state;
	assert_int_equal(frame_room(octets, 1), 511);
	assert_int_equal(frame_room(octets, 2), 510);
	assert_int_equal(frame_room(octets, 400), 400);
	assert_int_equal(frame_room(octets, 40000), 25537);
	assert_int_equal(frame_room(octets, 65536), 1);
	octets[0] = 0;
	octets[1] = 40;
	assert_int_equal(frame_room(octets, 20), 492);
	/* held back whole messages: still never 0 */
	assert_true(frame_room(octets, 600) > 0);
}

static void a_fifo_gives_back_what_it_took_in_order(void **state)
{
	struct fifo f = {0};
	uint8_t next_in = 0, next_out = 0;

	(void)state;
	for (unsigned round = 0; round < 2000; round++) {
		size_t n = round % 37;

		assert_int_equal(fifo_reserve(&f, n), 0);
		assert_true(fifo_room(&f) >= n);
		for (size_t i = 0; i < n; i++)
			fifo_put(&f, &(uint8_t){next_in++}, 1);
		for (size_t i = round % 41; i > 0 && f.len > 0; i--) {
			assert_int_equal(*fifo_head(&f), next_out++);
			fifo_take(&f, 1);
		}
	}
	assert_true(f.cap < 4096);
	fifo_take(&f, f.len);
	fifo_trim(&f, f.cap);
	assert_non_null(f.at);
	fifo_trim(&f, 0);
	assert_null(f.at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_message_is_found_only_when_it_is_whole),
	        cmocka_unit_test(half_a_length_field_promises_nothing),
	        cmocka_unit_test(room_grows_with_what_arrived_not_with_what_is_promised),
	        cmocka_unit_test(a_fifo_gives_back_what_it_took_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
