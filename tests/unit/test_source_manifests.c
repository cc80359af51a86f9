#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include "base/log.h"
#include "base/must.h"
#include "cluster/source_manifests.h"
#include "cluster/store.h"

/* A change has to be visible in 300 ms; a busy machine gets more before the test fails. */
enum { TIMEOUT_MS = 60000 };

struct fixture {
	char root[64]; /* holds everything; the manifests are in root/dir */
	char dir[80];
	uv_loop_t loop;
	uv_timer_t timer;
	struct store *store;
	struct source_manifests *source;
	struct store_reader reader;
	const char *wanted; /* name of the service to wait for */
	bool is_late;
};

static void on_log(void *arg, enum log_level level, const char *text)
{
	(void)arg;
	(void)level;
	(void)text;
}

/* Run a shell command in the directory that holds everything. */
static void run(const struct fixture *f, const char *script)
{
	char command[512];

	snprintf(command, sizeof(command), "cd '%s' && %s", f->root, script);
	assert_int_equal(system(command), 0);
}

/* Write a Service called name, and a Pod for it, into the file. */
static void put(const struct fixture *f, const char *file, const char *name)
{
	char path[160];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", f->root, file);
	out = fopen(path, "w");
	assert_non_null(out);
	fprintf(out,
	        "kind: Service\nmetadata: {name: %s}\nspec: {clusterIP: None, selector: {a: b}}\n"
	        "---\nkind: Pod\nmetadata: {name: p, labels: {a: b}}\nstatus: {podIP: 10.0.0.1}\n",
	        name);
	fclose(out);
}

static void on_changes(void *arg, const struct changes *c)
{
	struct fixture *f = arg;

	(void)c;
	if (f->wanted != NULL && store_service(f->store, "default", f->wanted) != NULL)
		uv_stop(&f->loop);
}

static void on_late(uv_timer_t *t)
{
	struct fixture *f = t->data;

	f->is_late = true;
	uv_stop(&f->loop);
}

static void start(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	strcpy(f->root, "/tmp/test_source.XXXXXX");
	assert_non_null(mkdtemp(f->root));
	snprintf(f->dir, sizeof(f->dir), "%s/dir", f->root);
	uv_loop_init(&f->loop);
	uv_timer_init(&f->loop, &f->timer);
	f->timer.data = f;
	log_set_sink(on_log, f);
	f->store = store_new();
	f->source = source_manifests_new(&f->loop, f->store, f->dir, NULL);
	assert_non_null(f->source);
	f->reader = (struct store_reader){.on_changes = on_changes, .arg = f};
	store_reader_add(f->store, &f->reader);
}

static void stop(struct fixture *f)
{
	source_manifests_free(f->source);
	uv_close((uv_handle_t *)&f->timer, NULL);
	store_reader_remove(&f->reader);
	store_free(f->store);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&f->loop), 0);
	run(f, "rm -r dir; rmdir \"$PWD\"");
	log_set_sink(NULL, NULL);
}

/* Run the loop until the service is there, with its endpoints. */
static void wait_for(struct fixture *f, const char *name)
{
	f->wanted = name;
	uv_update_time(&f->loop);
	uv_timer_start(&f->timer, on_late, TIMEOUT_MS, 0);
	while (!f->is_late && store_service(f->store, "default", name) == NULL)
		uv_run(&f->loop, UV_RUN_DEFAULT);
	uv_timer_stop(&f->timer);
	assert_false(f->is_late);
	assert_int_equal(store_slices_of(f->store, "default", name).len, 1);
}

static void the_first_load_is_done_when_start_returns(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	run(&f, "mkdir dir");
	put(&f, "dir/a.yaml", "web");
	assert_false(source_manifests_is_synced(f.source));
	source_manifests_start(f.source);
	assert_true(source_manifests_is_synced(f.source));
	for (int kind = OBJECT_NAMESPACE; kind < OBJECT_KINDS; kind++)
		assert_true(store_is_synced(f.store, (enum object_kind)kind));
	assert_int_equal(store_slices_of(f.store, "default", "web").len, 1);
	stop(&f);
}

static void changes_of_files_are_seen(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	run(&f, "mkdir dir");
	source_manifests_start(f.source);
	put(&f, "dir/a.yaml", "new");
	wait_for(&f, "new");
	put(&f, "dir/a.yaml", "written");
	wait_for(&f, "written");
	assert_null(store_service(f.store, "default", "new"));
	put(&f, "other.yaml", "renamed");
	run(&f, "mv other.yaml dir/a.yaml");
	wait_for(&f, "renamed");
	stop(&f);
}

static void a_config_map_is_switched(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	run(&f, "mkdir -p dir/..1 dir/..2; ln -s ..1 dir/..data; ln -s ..data/a.yaml dir/a.yaml");
	put(&f, "dir/..1/a.yaml", "one");
	put(&f, "dir/..2/a.yaml", "two");
	source_manifests_start(f.source);
	assert_non_null(store_service(f.store, "default", "one"));
	run(&f, "ln -s ..2 dir/..tmp && mv -T dir/..tmp dir/..data && rm -r dir/..1");
	wait_for(&f, "two");
	stop(&f);
}

static void a_directory_may_come_late_and_be_replaced(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	source_manifests_start(f.source);
	assert_false(store_is_synced(f.store, OBJECT_SERVICE));
	run(&f, "mkdir dir");
	put(&f, "dir/a.yaml", "late");
	wait_for(&f, "late");
	assert_true(store_is_synced(f.store, OBJECT_SERVICE));
	run(&f, "mkdir next");
	put(&f, "next/a.yaml", "next");
	run(&f, "rm -r dir; mv next dir");
	wait_for(&f, "next");
	put(&f, "dir/a.yaml", "again");
	wait_for(&f, "again");
	stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_first_load_is_done_when_start_returns),
	        cmocka_unit_test(changes_of_files_are_seen),
	        cmocka_unit_test(a_config_map_is_switched),
	        cmocka_unit_test(a_directory_may_come_late_and_be_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
