#include "core/offer.h"

#include "core/server.h"
#include "test.h"

struct greeter {
	int (*greet)(void *instance);
};

static int greet(void *instance)
{
	return *(int *)instance;
}

static const struct greeter greeter = {greet};
static const struct offer offers[] = {{"other", &offers}, {"greeter", &greeter}, {NULL, NULL}};
static const struct plugin with = {.name = "with", .offers = offers};
static const struct plugin without = {.name = "without"};

static struct chain chain_of(const struct plugin *a, const struct plugin *b, int *instances)
{
	struct chain c = {.has_forwarder = false};

	vec_push(&c.links, (struct link){.plugin = a, .instance = &instances[0]});
	vec_push(&c.links, (struct link){.plugin = b, .instance = &instances[1]});
	return c;
}

static void an_interface_is_found_by_its_name(void **state)
{
	int instances[2] = {3, 5};
	struct chain c = chain_of(&without, &with, instances);
	struct offered o;

	(void)state;
	assert_true(offer_find(&c, "greeter", &o));
	assert_string_equal(o.plugin, "with");
	assert_int_equal(((const struct greeter *)o.ops)->greet(o.instance), 5);
	assert_true(offer_find(&c, "other", &o));
	vec_free(&c.links);
}

static void an_interface_that_nobody_has_is_not_found(void **state)
{
	int instances[2] = {3, 5};
	struct chain c = chain_of(&without, &without, instances), empty = {.links = {NULL, 0, 0}};
	struct offered o;

	(void)state;
	assert_false(offer_find(&c, "greeter", &o));
	assert_null(o.ops);
	assert_false(offer_find(&empty, "greeter", &o));
	vec_free(&c.links);
}

static void all_instances_are_found_in_the_order_of_the_chain(void **state)
{
	int instances[2] = {3, 5};
	struct chain c = chain_of(&with, &with, instances);
	struct offered o;
	size_t pos = 0;

	(void)state;
	assert_true(offer_next(&c, "greeter", &pos, &o));
	assert_ptr_equal(o.instance, &instances[0]);
	assert_true(offer_next(&c, "greeter", &pos, &o));
	assert_ptr_equal(o.instance, &instances[1]);
	assert_false(offer_next(&c, "greeter", &pos, &o));
	vec_free(&c.links);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_interface_is_found_by_its_name),
		cmocka_unit_test(an_interface_that_nobody_has_is_not_found),
		cmocka_unit_test(all_instances_are_found_in_the_order_of_the_chain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
