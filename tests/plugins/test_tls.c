/* What the directive may be, and what becomes of certificates that change. */
#include "rig.h"
#include "test.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/rcu.h"
#include "net/tls_files.h"

extern const struct plugin tls_plugin;

static char dir[] = "/tmp/seamark-tls.XXXXXX";

static void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void shell(const char *format, ...)
{
	char command[600];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	assert_int_equal(system(command), 0);
}

static int make_certs(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(dir));
	shell("sh %s/tests/apisim/certs.sh %s >/dev/null 2>&1", SRCDIR, dir);
	rcu_thread_offline();
	return 0;
}

static int remove_certs(void **state)
{
	(void)state;
	shell("rm -r %s", dir);
	return 0;
}

static int open_rig(struct rig *r, const char *arguments)
{
	char text[500];

	snprintf(text, sizeof(text), "tls://. {\nroot %s\ntls %s\n}", dir, arguments);
	return rig_open(r, &tls_plugin, text);
}

static void certificates_are_taken_from_files(void **state)
{
	static const char *const rows[] = {
	        "server.crt server.key",
	        "server.crt server.key ca.crt",
	        "server.crt server.key ca.crt {\nclient_auth nocert\n}",
	        "server.crt server.key {\nclient_auth request\n}",
	        "server.crt server.key {\nclient_auth require\n}",
	        "server.crt server.key ca.crt {\nclient_auth verify_if_given\n}",
	        "server.crt server.key ca.crt {\nclient_auth require_and_verify\n}",
	        "server.crt server.key {\nkeylog /dev/null\n}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct rig r;

		assert_int_equal(open_rig(&r, rows[i]), 0);
		assert_non_null(r.setup.tls);
		assert_non_null(tls_files_context(r.setup.tls));
		assert_true(tls_files_expiry_s(r.setup.tls) > 1700000000);
		rig_close(&r);
	}
}

static void a_check_makes_no_key_log(void **state)
{
	char path[64];
	struct rig r;

	(void)state;
	snprintf(path, sizeof(path), "%s/keys", dir);
	assert_int_equal(open_rig(&r, "server.crt server.key {\nkeylog keys\n}"), 0);
	assert_int_equal(access(path, F_OK), -1);
	rig_close(&r);
	assert_int_equal(open_rig(&r, "server.crt server.key {\nkeylog none/keys\n}"), -22);
	assert_non_null(strstr(r.err.text, "cannot open the key log"));
	assert_non_null(strstr(r.err.text, "none/keys: No such file"));
	rig_close(&r);
}

static void what_makes_no_sense_is_refused(void **state)
{
	static const char *const rows[][2] = {
	        {"", "wrong number of arguments"},
	        {"server.crt", "wrong number of arguments"},
	        {"server.crt server.key ca.crt more", "wrong number of arguments"},
	        {"acme {\ndomain example.org\n}", "ACME"},
	        {"none.crt server.key", "none.crt: No such file or directory"},
	        {"server.crt none.key", "none.key: No such file or directory"},
	        {"server.crt client.key", "client.key"},
	        {"server.key server.key", "cannot read the certificate"},
	        {"server.crt server.key none.crt {\nclient_auth require_and_verify\n}", "none.crt"},
	        {"server.crt server.key {\nclient_auth maybe\n}", "maybe"},
	        {"server.crt server.key {\nkeylog /nowhere/log\n}", "/nowhere/log"},
	        {"server.crt server.key {\nother\n}", "unknown property 'other'"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct rig r;

		assert_int_equal(open_rig(&r, rows[i][0]), -22);
		assert_non_null(strstr(r.err.text, " - plugin/tls: "));
		if (strstr(r.err.text, rows[i][1]) == NULL)
			fail_msg("'%s' for '%s'", r.err.text, rows[i][0]);
		rig_close(&r);
	}
}

static void changed_files_are_read_when_they_are_of_use(void **state)
{
	struct tls_server_options o;
	struct tls_context *first;
	struct tls_files *f;
	char cert[64], key[64];
	struct err e = {{0}};

	(void)state;
	snprintf(cert, sizeof(cert), "%s/live.crt", dir);
	snprintf(key, sizeof(key), "%s/live.key", dir);
	o = (struct tls_server_options){.cert = cert, .key = key};
	shell("cd %s && cp server.crt live.crt && cp server.key live.key", dir);
	f = tls_files_new(&o, &e);
	assert_non_null(f);
	first = tls_context_ref(tls_files_context(f));
	assert_int_equal(tls_files_check(f, &e), 0);
	assert_ptr_equal(tls_files_context(f), first);
	shell("cd %s && cp renewed.crt new && mv new live.crt", dir);
	assert_int_equal(tls_files_check(f, &e), -22); /* the key is still the old one */
	assert_non_null(strstr(e.text, "live.key"));
	assert_ptr_equal(tls_files_context(f), first);
	assert_false(tls_files_is_current(f));
	assert_int_equal(tls_files_check(f, &e), -22); /* and still */
	shell("cd %s && cp renewed.key new && mv new live.key", dir);
	assert_int_equal(tls_files_check(f, &e), 0);
	assert_ptr_not_equal(tls_files_context(f), first);
	assert_true(tls_files_is_current(f));
	rcu_reclaim();
	tls_free(tls_accept(first)); /* who holds the old one goes on */
	tls_context_unref(first);
	tls_files_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(certificates_are_taken_from_files),
	        cmocka_unit_test(a_check_makes_no_key_log),
	        cmocka_unit_test(what_makes_no_sense_is_refused),
	        cmocka_unit_test(changed_files_are_read_when_they_are_of_use),
	};

	return cmocka_run_group_tests(tests, make_certs, remove_certs);
}
