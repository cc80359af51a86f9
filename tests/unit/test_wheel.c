#include "test.h"

#include "base/must.h"
#include "base/rand.h"
#include "net/wheel.h"

struct item {
	struct wheel_node timer;
	uint64_t due_ms, fired_ms;
	unsigned fires;
};

static struct wheel wheel;
static uint64_t now_ms;

static void on_item(struct wheel_node *n)
{
	struct item *i = container_of(n, struct item, timer);

	i->fired_ms = now_ms;
	i->fires++;
}

static void advance(uint64_t to_ms, uint64_t step_ms)
{
	while (now_ms < to_ms) {
		now_ms += step_ms;
		wheel_run(&wheel, now_ms);
	}
}

static void timeouts_fire_once_never_early_and_within_a_tick(void **state)
{
	static struct item items[1000];

	(void)state;
	rand_seed(7);
	now_ms = 123456;
	wheel_init(&wheel, now_ms);
	for (size_t i = 0; i < ARRAY_LEN(items); i++) {
		memset(&items[i], 0, sizeof(items[i]));
		wheel_node_init(&items[i].timer, on_item);
		items[i].due_ms = now_ms + rand_below(30000);
		wheel_set(&wheel, &items[i].timer, items[i].due_ms);
	}
	advance(now_ms + 31000, 1);
	for (size_t i = 0; i < ARRAY_LEN(items); i++) {
		assert_int_equal(items[i].fires, 1);
		assert_true(items[i].fired_ms >= items[i].due_ms);
		assert_true(items[i].fired_ms < items[i].due_ms + 2 * WHEEL_TICK_MS);
	}
	assert_int_equal(wheel.count, 0);
	assert_int_equal(wheel_wait_ms(&wheel, now_ms), -1);
}

static void a_long_sleep_runs_all_that_is_due_and_nothing_else(void **state)
{
	struct item early = {0}, late = {0};

	(void)state;
	now_ms = 1000;
	wheel_init(&wheel, now_ms);
	wheel_node_init(&early.timer, on_item);
	wheel_node_init(&late.timer, on_item);
	wheel_set(&wheel, &early.timer, 1400);
	wheel_set(&wheel, &late.timer, 100000);
	advance(60000, 59000);
	assert_int_equal(early.fires, 1);
	assert_int_equal(late.fires, 0);
	advance(100050, 40050);
	assert_int_equal(late.fires, 1);
}

static void cancelled_and_moved_timeouts_do_not_fire_at_the_old_time(void **state)
{
	struct item gone = {0}, moved = {0};

	(void)state;
	now_ms = 0;
	wheel_init(&wheel, now_ms);
	wheel_node_init(&gone.timer, on_item);
	wheel_node_init(&moved.timer, on_item);
	wheel_set(&wheel, &gone.timer, 100);
	wheel_set(&wheel, &moved.timer, 100);
	wheel_set(&wheel, &moved.timer, 300);
	wheel_cancel(&wheel, &gone.timer);
	wheel_cancel(&wheel, &gone.timer);
	advance(200, 4);
	assert_int_equal(gone.fires + moved.fires, 0);
	assert_true(wheel_wait_ms(&wheel, now_ms) > 0);
	assert_true(wheel_wait_ms(&wheel, now_ms) <= 112);
	advance(320, 4);
	assert_int_equal(moved.fires, 1);
}

static struct item other;

static void on_canceller(struct wheel_node *n)
{
	wheel_cancel(&wheel, &other.timer);
	wheel_set(&wheel, n, now_ms + 50);
}

static void a_callback_may_cancel_others_and_set_itself(void **state)
{
	struct wheel_node self;

	(void)state;
	now_ms = 0;
	memset(&other, 0, sizeof(other));
	wheel_init(&wheel, now_ms);
	wheel_node_init(&self, on_canceller);
	wheel_node_init(&other.timer, on_item);
	wheel_set(&wheel, &self, 10);
	wheel_set(&wheel, &other.timer, 10);
	advance(32, 1);
	assert_int_equal(other.fires, 0);
	assert_true(wheel_is_set(&self));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(timeouts_fire_once_never_early_and_within_a_tick),
	        cmocka_unit_test(a_long_sleep_runs_all_that_is_due_and_nothing_else),
	        cmocka_unit_test(cancelled_and_moved_timeouts_do_not_fire_at_the_old_time),
	        cmocka_unit_test(a_callback_may_cancel_others_and_set_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
