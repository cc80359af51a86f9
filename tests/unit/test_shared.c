#include "core/shared.h"

#include <errno.h>

#include "test.h"

static int made, destroyed;

static void *create(const char *key, void *arg, struct err *e)
{
	int *memory = arg;

	if (strcmp(key, "bad") == 0) {
		err_set(e, -EINVAL, "cannot make %s", key);
		return NULL;
	}
	return &memory[made++];
}

static void destroy(void *object)
{
	(void)object;
	destroyed++;
}

static const struct shared_kind listener = {"listener", create, destroy};
static const struct shared_kind source = {"source", create, destroy};

static int reset(void **state)
{
	(void)state;
	made = destroyed = 0;
	return 0;
}

static void an_object_is_made_once_and_dies_with_its_last_user(void **state)
{
	struct shared *s = shared_new();
	int memory[4];
	struct err e;
	void *a = shared_take(s, &listener, ":53", memory, &e);

	(void)state;
	assert_ptr_equal(shared_take(s, &listener, ":53", memory, &e), a);
	shared_drop(s, a);
	assert_int_equal(destroyed, 0);
	shared_drop(s, a);
	assert_int_equal(made, 1);
	assert_int_equal(destroyed, 1);
	shared_drop(s, NULL);
	shared_free(s);
}

static void kind_and_key_tell_objects_apart(void **state)
{
	struct shared *s = shared_new();
	int memory[4];
	struct err e;
	void *a = shared_take(s, &listener, "x", memory, &e);
	void *b = shared_take(s, &source, "x", memory, &e);
	void *c = shared_take(s, &listener, "y", memory, &e);

	(void)state;
	assert_true(a != b && a != c && b != c);
	shared_drop(s, a);
	shared_drop(s, b);
	shared_drop(s, c);
	assert_int_equal(destroyed, 3);
	shared_free(s);
}

static void a_failed_creation_leaves_nothing_behind(void **state)
{
	struct shared *s = shared_new();
	int memory[4];
	struct err e;

	(void)state;
	assert_null(shared_take(s, &listener, "bad", memory, &e));
	assert_string_equal(e.text, "cannot make bad");
	assert_int_equal(destroyed, 0);
	shared_free(s);
}

static void count(void *object, void *arg)
{
	(void)object;
	++*(int *)arg;
}

static void each_visits_one_kind(void **state)
{
	struct shared *s = shared_new();
	int memory[4], seen = 0;
	struct err e;
	void *all[3] = {
		shared_take(s, &listener, "x", memory, &e),
		shared_take(s, &listener, "y", memory, &e),
		shared_take(s, &source, "z", memory, &e),
	};

	(void)state;
	shared_each(s, &listener, count, &seen);
	assert_int_equal(seen, 2);
	for (int i = 0; i < 3; i++)
		shared_drop(s, all[i]);
	shared_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(an_object_is_made_once_and_dies_with_its_last_user, reset),
		cmocka_unit_test_setup(kind_and_key_tell_objects_apart, reset),
		cmocka_unit_test_setup(a_failed_creation_leaves_nothing_behind, reset),
		cmocka_unit_test_setup(each_visits_one_kind, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
