#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/log.h"
#include "tree_text.h"

/* A directory of its own for each test, and what the log said. */
struct place {
	char dir[64];
	struct arena arena;
	struct buf log;
};

static void on_line(void *arg, enum log_level level, const char *text)
{
	struct place *p = arg;

	(void)level;
	buf_printf(&p->log, "%s\n", text);
}

static int setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	snprintf(p->dir, sizeof(p->dir), "/tmp/seamark-test-XXXXXX");
	if (mkdtemp(p->dir) == NULL)
		return -1;
	arena_init(&p->arena);
	log_set_sink(on_line, p);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;
	struct buf command = {0};

	buf_printf(&command, "rm -r '%s'", p->dir);
	if (system(buf_text(&command)) != 0)
		return -1;
	buf_free(&command);
	log_set_sink(NULL, NULL);
	arena_reset(&p->arena);
	buf_free(&p->log);
	free(p);
	return 0;
}

static const char *path_of(struct place *p, const char *name)
{
	return arena_printf(&p->arena, "%s/%s", p->dir, name);
}

static void write_file(struct place *p, const char *name, const char *text)
{
	FILE *f = fopen(path_of(p, name), "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	assert_int_equal(fclose(f), 0);
}

static void expect_tree(struct place *p, const char *tree)
{
	struct corefile *c = NULL;
	struct buf got = {0};
	struct err e = {""};

	if (corefile_read(path_of(p, "Corefile"), NULL, &c, &e) != 0)
		fail_msg("%s", e.text);
	tree_write(&got, c);
	assert_string_equal(buf_text(&got), tree);
	buf_free(&got);
	corefile_free(c);
}

/* The error must be `DIR/` and then the text. */
static void expect_error(struct place *p, int rc, const char *text)
{
	struct corefile *c = NULL;
	struct err e = {""};
	const char *whole = path_of(p, text);

	assert_int_equal(corefile_read(path_of(p, "Corefile"), NULL, &c, &e), rc);
	if (strncmp(e.text, whole, strlen(whole)) != 0)
		assert_string_equal(e.text, whole);
}

static void imported_file_is_relative_to_the_importer(void **state)
{
	struct place *p = *state;

	assert_int_equal(mkdir(path_of(p, "sub"), 0700), 0);
	write_file(p, "Corefile", ". {\nimport sub/a.conf\nerrors\n}");
	write_file(p, "sub/a.conf", "log\nimport b.conf");
	write_file(p, "sub/b.conf", "health {\nimport ../opts\n}");
	write_file(p, "opts", "lameduck 5s");
	expect_tree(p, ".{log;health{lameduck 5s};errors}");
}

static void top_level_imports_bring_blocks_and_snippets(void **state)
{
	struct place *p = *state;

	write_file(p, "Corefile", "import snippets\nimport zones/*.server\n. {\nimport common\n}");
	write_file(p, "snippets", "(common) {\nlog\n}");
	assert_int_equal(mkdir(path_of(p, "zones"), 0700), 0);
	write_file(p, "zones/20.server", "b {\nimport common\n}");
	write_file(p, "zones/10.server", "a\nerrors\n");
	write_file(p, "zones/note.txt", "}}}");
	write_file(p, "zones/.hidden.server", "}}}");
	assert_int_equal(mkdir(path_of(p, "zones/dir.server"), 0700), 0);
	expect_tree(p, "a{errors}b{log}.{log}");
}

static void snippet_name_wins_over_a_file(void **state)
{
	struct place *p = *state;

	write_file(p, "Corefile", "(both) {\nlog\n}\n. {\nimport both\n}");
	write_file(p, "both", "errors");
	expect_tree(p, ".{log}");
}

static void glob_without_match_is_a_warning(void **state)
{
	struct place *p = *state;

	write_file(p, "Corefile", ". {\nlog\nimport custom/*.override\n}\nimport custom/*.server");
	expect_tree(p, ".{log}");
	assert_string_equal(buf_text(&p->log),
	        "[WARNING] No files matching import glob pattern: custom/*.override\n"
	        "[WARNING] No files matching import glob pattern: custom/*.server\n");
}

static void files_and_globs_are_recorded(void **state)
{
	struct place *p = *state;
	struct corefile *c;
	struct err e;

	write_file(p, "Corefile", ". {\nimport a\nimport a\nimport ?\nimport *.none\n}");
	write_file(p, "a", "log");
	assert_int_equal(corefile_read(path_of(p, "Corefile"), NULL, &c, &e), 0);
	assert_int_equal(c->file_count, 2);
	assert_string_equal(c->files[0], path_of(p, "Corefile"));
	assert_string_equal(c->files[1], path_of(p, "a"));
	assert_int_equal(c->glob_count, 2);
	assert_string_equal(c->globs[0], path_of(p, "?"));
	assert_string_equal(c->globs[1], path_of(p, "*.none"));
	assert_int_equal(c->blocks[0].directive_count, 3);
	assert_string_equal(c->blocks[0].directives[0].file, path_of(p, "a"));
	corefile_free(c);
}

static void missing_and_unreadable_files_are_errors(void **state)
{
	struct place *p = *state;

	write_file(p, "Corefile", ". {\nlog\nimport nowhere\n}");
	expect_error(
	        p, -ENOENT, "Corefile:3 - Error during parsing: File to import not found: nowhere");
	write_file(p, "Corefile", "import .\n");
	expect_error(p, -EISDIR, "Corefile:1 - Error during parsing: Could not import");
	write_file(p, "Corefile", "import /dev/zero\n");
	expect_error(p, -EINVAL, "Corefile:1 - Error during parsing: Could not import /dev/zero");
}

static void missing_corefile_says_which(void **state)
{
	struct place *p = *state;
	struct corefile *c = NULL;
	struct err e;

	assert_int_equal(corefile_read(path_of(p, "Corefile"), NULL, &c, &e), -ENOENT);
	assert_null(c);
	assert_non_null(strstr(e.text, path_of(p, "Corefile")));
	assert_non_null(strstr(e.text, "No such file"));
}

static void cycles_of_files_are_refused(void **state)
{
	struct place *p = *state;

	write_file(p, "Corefile", ". {\nimport a\n}");
	write_file(p, "a", "log\n\nimport b");
	write_file(p, "b", "import a");
	expect_error(p, -EINVAL, "b:1 - Error during parsing: ");
	write_file(p, "b", "import ./b");
	expect_error(p, -EINVAL, "");
}

static void globs_with_more_than_one_star_are_refused(void **state)
{
	static const char *const patterns[] = {"*/*", "a[bc]", "??", "**"};
	struct place *p = *state;

	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
		write_file(p, "Corefile", arena_printf(&p->arena, "import %s", patterns[i]));
		expect_error(p, -EINVAL,
		        "Corefile:1 - Error during parsing: Glob pattern may have one *");
	}
}

static void errors_inside_an_import_name_its_file(void **state)
{
	struct place *p = *state;

	write_file(p, "Corefile", ". {\nimport a\n}");
	write_file(p, "a", "log\nhealth {\n");
	expect_error(p, -EINVAL, "a:2 - Error during parsing: Unexpected EOF: the '{'");
	write_file(p, "a", "log\n}\n");
	expect_error(p, -EINVAL, "a:2 - Error during parsing: Unexpected '}'");
	write_file(p, "a", "log \"x\n");
	write_file(p, "Corefile", ". {\nimport a\n");
	expect_error(p, -EINVAL, "Corefile:1 - Error during parsing: Unexpected EOF");
}

static void braceless_import_does_not_swallow_the_next_file(void **state)
{
	struct place *p = *state;

	write_file(p, "Corefile", "import *.s\n. {\nlog\n}");
	write_file(p, "1.s", "a\nwhoami");
	write_file(p, "2.s", "b\nerrors");
	expect_tree(p, "a{whoami}b{errors}.{log}");
}

static void no_files_refuses_to_read(void **state)
{
	struct place *p = *state;
	struct corefile_options options = {.no_files = true};
	struct corefile *c = NULL;
	struct err e;
	const char *text;

	write_file(p, "a", "log");
	text = arena_printf(&p->arena, ". {\nimport %s/a\n}", p->dir);
	assert_int_equal(corefile_parse("C", str_from(text), &options, &c, &e), -EINVAL);
	assert_int_equal(corefile_parse("C", str_from(text), NULL, &c, &e), 0);
	corefile_free(c);
}

#define IN_PLACE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        IN_PLACE(imported_file_is_relative_to_the_importer),
	        IN_PLACE(top_level_imports_bring_blocks_and_snippets),
	        IN_PLACE(snippet_name_wins_over_a_file),
	        IN_PLACE(glob_without_match_is_a_warning),
	        IN_PLACE(files_and_globs_are_recorded),
	        IN_PLACE(missing_and_unreadable_files_are_errors),
	        IN_PLACE(missing_corefile_says_which),
	        IN_PLACE(cycles_of_files_are_refused),
	        IN_PLACE(globs_with_more_than_one_star_are_refused),
	        IN_PLACE(errors_inside_an_import_name_its_file),
	        IN_PLACE(braceless_import_does_not_swallow_the_next_file),
	        IN_PLACE(no_files_refuses_to_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
