#include "test.h"

#include "cluster/store.h"

#define KINDS (1u << OBJECT_SERVICE | 1u << OBJECT_POD)

/* A store with an API (source 0) and a state file (source 1) that brought services a and b. */
struct bench {
	struct store *st;
	struct store_reader reader;
	size_t touched; /* by the last commit */
};

static void on_changes(void *arg, const struct changes *c)
{
	((struct bench *)arg)->touched += c->len;
}

static struct object service(const char *name, uint8_t last)
{
	static struct ip ips[8];
	struct object o;

	memset(&o, 0, sizeof(o));
	ips[last] = (struct ip){4, {10, 0, 0, last}};
	o.kind = OBJECT_SERVICE;
	o.ns = "shop";
	o.name = name;
	o.uid[0] = 7;
	o.rv = 100;
	o.service.cluster_ips = (struct ip_list){&ips[last], 1};
	return o;
}

static enum store_result apply(struct bench *b, int source, const char *name, uint8_t last)
{
	struct object o = service(name, last);

	return store_apply(b->st, source, &o);
}

static size_t commit(struct bench *b)
{
	b->touched = 0;
	store_commit(b->st);
	return b->touched;
}

static uint8_t address(const struct bench *b, const char *name)
{
	const struct object *o = store_service(b->st, "shop", name);

	return o == NULL ? 0 : o->service.cluster_ips.at[0].bytes[3];
}

static void begin(struct bench *b)
{
	b->st = store_new();
	assert_int_equal(store_source_add(b->st, "api", KINDS), 0);
	assert_int_equal(store_source_add(b->st, "file", KINDS), 1);
	store_source_provisional(b->st, 1);
	apply(b, 1, "a", 1);
	apply(b, 1, "b", 2);
	store_source_synced(b->st, 1, OBJECT_SERVICE, true);
	store_source_synced(b->st, 1, OBJECT_POD, true);
	b->reader = (struct store_reader){.on_changes = on_changes, .arg = b};
	store_commit(b->st);
	store_reader_add(b->st, &b->reader);
}

static void end(struct bench *b)
{
	store_reader_remove(&b->reader);
	store_free(b->st);
}

static void a_kind_counts_as_synced_while_another_source_stands_in(void **state)
{
	struct bench b;

	(void)state;
	begin(&b);
	assert_true(store_is_synced(b.st, OBJECT_SERVICE));
	assert_false(store_is_synced(b.st, OBJECT_SLICE));
	store_source_clear(b.st, 1);
	assert_false(store_is_synced(b.st, OBJECT_SERVICE));
	assert_int_equal(address(&b, "a"), 0);
	end(&b);
}

static void an_equal_object_is_taken_over_without_a_touch(void **state)
{
	struct bench b;

	(void)state;
	begin(&b);
	assert_int_equal(apply(&b, 0, "a", 1), STORE_SAME);
	assert_int_equal(commit(&b), 0);
	assert_int_equal(store_source_of(store_service(b.st, "shop", "a")), 0);
	end(&b);
}

static void another_object_replaces_it_for_good(void **state)
{
	struct object o = service("a", 1);
	struct bench b;

	(void)state;
	begin(&b);
	assert_int_equal(apply(&b, 0, "a", 5), STORE_CHANGED);
	assert_int_equal(address(&b, "a"), 5);
	assert_int_equal(store_delete(b.st, 0, &o), STORE_CHANGED);
	assert_int_equal(address(&b, "a"), 0); /* the file's does not come forward again */
	end(&b);
}

static void the_rest_goes_when_the_kind_is_synced_and_in_the_same_commit(void **state)
{
	struct object o = service("p", 6);
	struct bench b;

	(void)state;
	begin(&b);
	o.kind = OBJECT_POD;
	memset(&o.pod, 0, sizeof(o.pod));
	store_apply(b.st, 1, &o);
	commit(&b);
	store_relist_begin(b.st, 0, OBJECT_SERVICE, false);
	apply(&b, 0, "a", 1);
	apply(&b, 0, "c", 3);
	commit(&b);
	assert_int_equal(address(&b, "b"), 2); /* until the list is complete */
	assert_int_equal(store_relist_end(b.st, 0, OBJECT_SERVICE), 0);
	store_source_synced(b.st, 0, OBJECT_SERVICE, true);
	assert_int_equal(commit(&b), 2); /* b and its address; still synced */
	assert_int_equal(address(&b, "a"), 1);
	assert_int_equal(address(&b, "b"), 0);
	assert_int_equal(address(&b, "c"), 3);
	assert_non_null(store_get(b.st, OBJECT_POD, "shop", "p")); /* of another kind */
	assert_true(store_is_synced(b.st, OBJECT_SERVICE));
	end(&b);
}

static void a_recreated_object_is_another_one(void **state)
{
	struct object o = service("a", 1);
	struct bench b;

	(void)state;
	begin(&b);
	o.uid[0] = 8;
	o.rv = 1;
	assert_int_equal(store_apply(b.st, 0, &o), STORE_CHANGED);
	assert_int_equal(store_service(b.st, "shop", "a")->uid[0], 8);
	end(&b);
}

static void held_objects_outlive_their_deletion(void **state)
{
	struct object a = service("a", 1);
	struct object_list held;
	struct bench b;
	size_t sum = 0;

	(void)state;
	begin(&b);
	held = store_hold(b.st, KINDS);
	assert_int_equal(held.len, 2);
	apply(&b, 0, "b", 4);
	store_delete(b.st, 1, &a);
	for (int i = 0; i < 100; i++)
		apply(&b, 0, "new", (uint8_t)(i % 8));
	assert_int_equal(address(&b, "a"), 0);
	for (size_t i = 0; i < held.len; i++)
		sum += held.at[i]->service.cluster_ips.at[0].bytes[3];
	assert_int_equal(sum, 3);
	store_release(b.st);
	held = store_hold(b.st, KINDS);
	assert_int_equal(held.len, 2);
	store_release(b.st);
	end(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_kind_counts_as_synced_while_another_source_stands_in),
	        cmocka_unit_test(an_equal_object_is_taken_over_without_a_touch),
	        cmocka_unit_test(another_object_replaces_it_for_good),
	        cmocka_unit_test(the_rest_goes_when_the_kind_is_synced_and_in_the_same_commit),
	        cmocka_unit_test(a_recreated_object_is_another_one),
	        cmocka_unit_test(held_objects_outlive_their_deletion),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
