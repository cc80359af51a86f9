#include "test.h"

#include "base/must.h"
#include "cluster/source_embedded.h"
#include "cluster/store.h"

static void apply(struct embedded_source *s, const char *text)
{
	struct err e = {""};

	embedded_apply(s, str_from(text), &e);
	assert_string_equal(e.text, "");
}

static void delete_text(struct embedded_source *s, const char *text)
{
	struct err e = {""};

	embedded_delete(s, str_from(text), &e);
	assert_string_equal(e.text, "");
}

static void kinds_are_synced_from_the_start(void **state)
{
	struct store *st = store_new();
	struct embedded_source *s = embedded_source_new(st);

	(void)state;
	for (int kind = OBJECT_NAMESPACE; kind < OBJECT_KINDS; kind++)
		assert_true(store_is_synced(st, (enum object_kind)kind));
	embedded_source_free(s);
	store_free(st);
}

static void objects_come_change_and_go(void **state)
{
	static const char one[] = "kind: Service\nmetadata: {name: web, namespace: a, "
	                          "resourceVersion: '9'}\nspec: {clusterIP: 10.0.0.1}\n";
	static const char two[] = "{\"kind\": \"Service\", \"metadata\": {\"name\": \"web\", "
	                          "\"namespace\": \"a\", \"resourceVersion\": \"8\"}, "
	                          "\"spec\": {\"clusterIP\": \"10.0.0.2\"}}";
	struct store *st = store_new();
	struct embedded_source *s = embedded_source_new(st);

	(void)state;
	apply(s, one);
	assert_int_equal(store_service(st, "a", "web")->service.cluster_ips.at[0].bytes[3], 1);
	/* the text counts, whatever version it says it is */
	apply(s, two);
	assert_int_equal(store_service(st, "a", "web")->service.cluster_ips.at[0].bytes[3], 2);
	delete_text(s, "kind: Service\nmetadata: {name: web, namespace: a, uid: x}\n");
	assert_null(store_service(st, "a", "web"));
	delete_text(s, one);
	embedded_source_free(s);
	store_free(st);
}

static void namespaces_exist_while_they_are_used(void **state)
{
	static const char web[] = "kind: Service\nmetadata: {name: web, namespace: a}\n";
	static const char pod[] = "kind: Pod\nmetadata: {name: p, namespace: a}\n";
	static const char space[] = "kind: Namespace\nmetadata: {name: a, labels: {x: y}}\n";
	struct store *st = store_new();
	struct embedded_source *s = embedded_source_new(st);

	(void)state;
	apply(s, web);
	apply(s, web);
	apply(s, pod);
	assert_non_null(store_namespace(st, "a"));
	delete_text(s, web);
	assert_non_null(store_namespace(st, "a"));
	delete_text(s, pod);
	assert_null(store_namespace(st, "a"));
	apply(s, space);
	apply(s, web);
	assert_string_equal(labels_get(&store_namespace(st, "a")->labels, "x"), "y");
	delete_text(s, web);
	assert_non_null(store_namespace(st, "a"));
	apply(s, web);
	delete_text(s, space);
	assert_int_equal(store_namespace(st, "a")->labels.len, 0);
	delete_text(s, web);
	assert_null(store_namespace(st, "a"));
	delete_text(s, space);
	embedded_source_free(s);
	store_free(st);
}

static void a_bad_text_changes_nothing(void **state)
{
	struct store *st = store_new();
	struct embedded_source *s = embedded_source_new(st);
	struct err e = {""};

	(void)state;
	assert_int_equal(embedded_apply(s,
	                         STR("kind: Service\nmetadata: {name: web}\n---\nkind: Pod\n"), &e),
	        -22);
	assert_string_equal(e.text, "line 4: a Pod that cannot be used: no metadata.name \"\"");
	assert_null(store_service(st, "default", "web"));
	embedded_source_free(s);
	store_free(st);
}

static void endpoints_are_computed(void **state)
{
	struct store *st = store_new();
	struct embedded_source *s = embedded_source_new(st);

	(void)state;
	apply(s, "kind: Service\nmetadata: {name: web}\nspec: {clusterIP: None, selector: {a: "
	         "b}}\n");
	apply(s, "kind: Pod\nmetadata: {name: p, labels: {a: b}}\nstatus: {podIP: 10.0.0.1}\n");
	assert_int_equal(store_slices_of(st, "default", "web").len, 1);
	delete_text(s, "kind: Pod\nmetadata: {name: p}\n");
	assert_int_equal(store_slices_of(st, "default", "web").len, 0);
	embedded_source_free(s);
	store_free(st);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(kinds_are_synced_from_the_start),
	        cmocka_unit_test(objects_come_change_and_go),
	        cmocka_unit_test(namespaces_exist_while_they_are_used),
	        cmocka_unit_test(a_bad_text_changes_nothing),
	        cmocka_unit_test(endpoints_are_computed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
