#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/must.h"
#include "cluster/manifests.h"
#include "cluster/store.h"

#define SERVICE(name, ip)                                                \
	"---\nkind: Service\nmetadata: {name: " name ", namespace: n}\n" \
	"spec: {clusterIP: " ip "}\n"

struct fixture {
	char dir[64];
	struct store *store;
	struct manifests *manifests;
	struct buf log; /* lines but those of level info, with DIR for the directory */
};

static void on_log(void *arg, enum log_level level, const char *text)
{
	struct fixture *f = arg;
	const char *at = strstr(text, f->dir);

	if (level == LOG_INFO)
		return;
	buf_add(&f->log, text, at == NULL ? strlen(text) : (size_t)(at - text));
	if (at != NULL)
		buf_printf(&f->log, "DIR%s", at + strlen(f->dir));
	buf_char(&f->log, '\n');
}

static void start(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	strcpy(f->dir, "/tmp/test_manifests.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->store = store_new();
	f->manifests = manifests_new(f->store, f->dir, NULL);
	assert_non_null(f->manifests);
	log_set_sink(on_log, f);
}

static const char *path_of(const struct fixture *f, const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	return path;
}

static void put(const struct fixture *f, const char *name, const char *text)
{
	FILE *file = fopen(path_of(f, name), "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void drop(const struct fixture *f, const char *name)
{
	assert_int_equal(remove(path_of(f, name)), 0);
}

static void stop(struct fixture *f)
{
	static const char *const names[] = {"a.yaml", "b.yml", "c.json", "d.yaml", "Corefile",
	        ".hidden.yaml", "notes.txt", "sub.yaml"};

	log_set_sink(NULL, NULL);
	manifests_free(f->manifests);
	store_free(f->store);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		remove(path_of(f, names[i]));
	rmdir(f->dir);
	buf_free(&f->log);
}

static int compare_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* Load, then compare the names of all services and namespaces, and what was logged. */
static void check(struct fixture *f, const char *objects, const char *log)
{
	enum { ROWS = 32, SIZE = 64 };
	char rows[ROWS][SIZE];
	struct buf out = {0};
	size_t n = 0;

	manifests_load(f->manifests);
	for (int kind = OBJECT_NAMESPACE; kind < OBJECT_KINDS; kind++) {
		const struct object *o;

		for (size_t pos = 0; (o = store_next(f->store, (enum object_kind)kind, &pos));) {
			char ip[IP_TEXT_SIZE] = "";

			assert_true(n < ROWS);
			if (kind == OBJECT_SERVICE && o->service.cluster_ips.len > 0)
				ip_text(&o->service.cluster_ips.at[0], ip);
			snprintf(rows[n++], SIZE, "%s/%s%s%s", o->ns, o->name,
			        ip[0] != '\0' ? "=" : "", ip);
		}
	}
	qsort(rows, n, SIZE, compare_text);
	for (size_t i = 0; i < n; i++)
		buf_printf(&out, "%s%s", i > 0 ? " " : "", rows[i]);
	assert_string_equal(buf_text(&out), objects);
	assert_string_equal(buf_text(&f->log), log);
	buf_clear(&f->log);
	buf_free(&out);
}

static void files_are_read_by_their_names(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	put(&f, "a.yaml", SERVICE("one", "10.0.0.1") SERVICE("two", "10.0.0.2"));
	put(&f, "b.yml", SERVICE("three", "10.0.0.3"));
	put(&f, "c.json", "{\"kind\": \"Service\", \"metadata\": {\"name\": \"four\"}}\n");
	put(&f, "Corefile", ". {\n");
	put(&f, ".hidden.yaml", SERVICE("hidden", "10.0.0.4"));
	put(&f, "notes.txt", "hello\n");
	check(&f, "/default /n default/four n/one=10.0.0.1 n/three=10.0.0.3 n/two=10.0.0.2", "");
	stop(&f);
}

static void all_kinds_are_synced_after_the_first_load(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	assert_false(manifests_is_loaded(f.manifests));
	for (int kind = OBJECT_NAMESPACE; kind < OBJECT_KINDS; kind++)
		assert_false(store_is_synced(f.store, (enum object_kind)kind));
	check(&f, "", "");
	assert_true(manifests_is_loaded(f.manifests));
	for (int kind = OBJECT_NAMESPACE; kind < OBJECT_KINDS; kind++)
		assert_true(store_is_synced(f.store, (enum object_kind)kind));
	stop(&f);
}

static void a_missing_directory_is_waited_for(void **state)
{
	static const char log[] = "[ERROR] plugin/kubernetes: manifests DIR: No such file or "
	                          "directory; waiting for it\n";
	struct fixture f;

	(void)state;
	start(&f);
	assert_int_equal(rmdir(f.dir), 0);
	check(&f, "", log);
	check(&f, "", "");
	assert_false(store_is_synced(f.store, OBJECT_SERVICE));
	assert_int_equal(mkdir(f.dir, 0700), 0);
	put(&f, "a.yaml", SERVICE("one", "10.0.0.1"));
	check(&f, "/n n/one=10.0.0.1", "");
	assert_true(store_is_synced(f.store, OBJECT_SERVICE));
	stop(&f);
}

static void a_lost_directory_keeps_the_last_state(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	put(&f, "a.yaml", SERVICE("one", "10.0.0.1"));
	check(&f, "/n n/one=10.0.0.1", "");
	drop(&f, "a.yaml");
	rmdir(f.dir);
	check(&f, "/n n/one=10.0.0.1",
	        "[ERROR] plugin/kubernetes: manifests DIR: No such file or directory; the last "
	        "state stays\n");
	mkdir(f.dir, 0700);
	check(&f, "", "");
	stop(&f);
}

static void objects_follow_their_files(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	put(&f, "a.yaml", SERVICE("one", "10.0.0.1"));
	put(&f, "b.yml", "kind: Pod\nmetadata: {name: p, namespace: other}\n");
	check(&f, "/n /other n/one=10.0.0.1 other/p", "");
	/* the same length: content counts */
	put(&f, "a.yaml", SERVICE("one", "10.0.0.2"));
	check(&f, "/n /other n/one=10.0.0.2 other/p", "");
	put(&f, "a.yaml", SERVICE("two", "10.0.0.2"));
	check(&f, "/n /other n/two=10.0.0.2 other/p", "");
	/* one file goes, another comes */
	drop(&f, "b.yml");
	put(&f, "d.yaml", "");
	check(&f, "/n n/two=10.0.0.2", "");
	put(&f, "a.yaml", "");
	check(&f, "", "");
	stop(&f);
}

static void unchanged_files_touch_nothing(void **state)
{
	struct fixture f;
	struct store_stats before, after;

	(void)state;
	start(&f);
	put(&f, "a.yaml", SERVICE("one", "10.0.0.1"));
	check(&f, "/n n/one=10.0.0.1", "");
	store_stats(f.store, &before);
	check(&f, "/n n/one=10.0.0.1", "");
	put(&f, "a.yaml", "# a comment\n" SERVICE("one", "10.0.0.1"));
	check(&f, "/n n/one=10.0.0.1", "");
	store_stats(f.store, &after);
	assert_int_equal(before.revision, after.revision);
	stop(&f);
}

static void a_bad_file_keeps_its_last_good_objects(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	put(&f, "a.yaml", SERVICE("one", "10.0.0.1"));
	put(&f, "b.yml", "a: [\n");
	check(&f, "/n n/one=10.0.0.1",
	        "[ERROR] plugin/kubernetes: DIR/b.yml:2: this is not YAML: did not find expected "
	        "node content while parsing a flow node\n");
	put(&f, "a.yaml", SERVICE("two", "10.0.0.2") "---\nkind: Pod\nmetadata: {name: X}\n");
	check(&f, "/n n/one=10.0.0.1",
	        "[ERROR] plugin/kubernetes: DIR/a.yaml:6: a Pod that cannot be used: name \"X\"; "
	        "the last good version of the file stays\n");
	/* once only */
	check(&f, "/n n/one=10.0.0.1", "");
	put(&f, "b.yml", SERVICE("three", "10.0.0.3"));
	check(&f, "/n n/one=10.0.0.1 n/three=10.0.0.3", "");
	put(&f, "a.yaml", SERVICE("two", "10.0.0.2"));
	check(&f, "/n n/three=10.0.0.3 n/two=10.0.0.2", "");
	stop(&f);
}

static void an_unreadable_file_is_reported_once(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	assert_int_equal(mkdir(path_of(&f, "sub.yaml"), 0700), 0);
	check(&f, "", "[ERROR] plugin/kubernetes: DIR/sub.yaml: Is a directory\n");
	check(&f, "", "");
	stop(&f);
}

static void a_link_to_nowhere_is_no_file(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	put(&f, "d.yaml", SERVICE("one", "10.0.0.1"));
	assert_int_equal(symlink("d.yaml", path_of(&f, "a.yaml")), 0);
	check(&f, "/n n/one=10.0.0.1",
	        "[WARNING] plugin/kubernetes: DIR/d.yaml:2: Service n/one was given in a.yaml:2 "
	        "too; this one counts\n");
	drop(&f, "d.yaml");
	check(&f, "", "");
	put(&f, "d.yaml", SERVICE("one", "10.0.0.1"));
	drop(&f, "a.yaml");
	check(&f, "/n n/one=10.0.0.1", "");
	stop(&f);
}

static void the_last_of_two_objects_counts(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	put(&f, "a.yaml", SERVICE("one", "10.0.0.1"));
	put(&f, "b.yml", SERVICE("one", "10.0.0.2"));
	check(&f, "/n n/one=10.0.0.2",
	        "[WARNING] plugin/kubernetes: DIR/b.yml:2: Service n/one was given in a.yaml:2 "
	        "too; this one counts\n");
	put(&f, "d.yaml", SERVICE("two", "10.0.0.3"));
	check(&f, "/n n/one=10.0.0.2 n/two=10.0.0.3", "");
	drop(&f, "b.yml");
	check(&f, "/n n/one=10.0.0.1 n/two=10.0.0.3", "");
	stop(&f);
}

static void declared_namespaces_keep_their_labels(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	put(&f, "a.yaml", SERVICE("one", "10.0.0.1"));
	put(&f, "b.yml",
	        "kind: Namespace\nmetadata: {name: n, labels: {x: y}}\n---\n"
	        "kind: Namespace\nmetadata: {name: empty}\n");
	check(&f, "/empty /n n/one=10.0.0.1", "");
	assert_string_equal(labels_get(&store_namespace(f.store, "n")->labels, "x"), "y");
	drop(&f, "b.yml");
	check(&f, "/n n/one=10.0.0.1", "");
	assert_null(labels_get(&store_namespace(f.store, "n")->labels, "x"));
	stop(&f);
}

static void what_is_left_out_is_warned_of(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	put(&f, "a.yaml", "\n" SERVICE("one", "nonsense"));
	check(&f, "/n n/one",
	        "[WARNING] plugin/kubernetes: DIR/a.yaml:3: Service n/one: left out 1: clusterIP "
	        "\"nonsense\"\n");
	stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(files_are_read_by_their_names),
	        cmocka_unit_test(all_kinds_are_synced_after_the_first_load),
	        cmocka_unit_test(a_missing_directory_is_waited_for),
	        cmocka_unit_test(a_lost_directory_keeps_the_last_state),
	        cmocka_unit_test(objects_follow_their_files),
	        cmocka_unit_test(unchanged_files_touch_nothing),
	        cmocka_unit_test(a_bad_file_keeps_its_last_good_objects),
	        cmocka_unit_test(an_unreadable_file_is_reported_once),
	        cmocka_unit_test(a_link_to_nowhere_is_no_file),
	        cmocka_unit_test(the_last_of_two_objects_counts),
	        cmocka_unit_test(declared_namespaces_keep_their_labels),
	        cmocka_unit_test(what_is_left_out_is_warned_of),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
