#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cluster/access.h"

#define PEM "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
/* base64 of PEM */
#define PEM64 "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCkFBQUEKLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo="

static char dir[128];

static const char *path_of(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void put(const char *name, const char *text)
{
	FILE *f = fopen(path_of(name), "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int make_dir(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/test-access-XXXXXX");
	return mkdtemp(dir) == NULL;
}

static int remove_dir(void **state)
{
	char command[200];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

#define HEAD "apiVersion: v1\nkind: Config\n"
#define CONTEXTS                                                                            \
	"current-context: main\ncontexts:\n- name: main\n  context: {cluster: c, user: u, " \
	"namespace: shop}\n- name: second\n  context: {cluster: d, user: u}\n"
#define CLUSTERS                                                                              \
	"clusters:\n- name: c\n  cluster: {server: 'https://10.0.0.1:6443/', "                \
	"certificate-authority: ca.crt}\n- name: d\n  cluster: {server: 'https://two:6443', " \
	"certificate-authority-data: " PEM64 ", tls-server-name: kube.example}\n"
#define USERS "users:\n- name: u\n  user: {token: abc}\n"

static const struct {
	const char *text, *context, *url, *token, *server_name, *error;
} kubeconfigs[] = {
        {HEAD CONTEXTS CLUSTERS USERS, NULL, "https://10.0.0.1:6443", "abc", NULL, NULL},
        {HEAD CONTEXTS CLUSTERS USERS, "second", "https://two:6443", "abc", "kube.example", NULL},
        {HEAD CONTEXTS CLUSTERS "users:\n- name: u\n  user: {tokenFile: token}\n", NULL,
                "https://10.0.0.1:6443", "from-file", NULL, NULL},
        {HEAD CONTEXTS CLUSTERS "users:\n- name: u\n  user: {tokenFile: token, token: x}\n", NULL,
                "https://10.0.0.1:6443", "from-file", NULL, NULL},
        {HEAD CONTEXTS CLUSTERS "users:\n- name: u\n  user: {client-certificate: ca.crt, "
                                "client-key-data: " PEM64 "}\n",
                NULL, "https://10.0.0.1:6443", NULL, NULL, NULL},
        {HEAD CONTEXTS "clusters:\n- name: c\n  cluster: {server: 'https://10.0.0.1', "
                       "proxy-url: '', certificate-authority: ca.crt, tls-server-name: '', "
                       "insecure-skip-tls-verify: false}\nusers:\n- name: u\n  user: {token: abc, "
                       "exec: null, auth-provider: ~, username: '', password: null, "
                       "tokenFile: ''}\n",
                NULL, "https://10.0.0.1", "abc", "", NULL},
        {HEAD CONTEXTS USERS "clusters:\n- name: c\n  cluster: {server: '127.0.0.1:8080', "
                             "certificate-authority: ca.crt}\n",
                NULL, "https://127.0.0.1:8080", "abc", NULL, NULL},
        {HEAD CONTEXTS CLUSTERS USERS, "third", NULL, NULL, NULL, "no context \"third\""},
        {HEAD CLUSTERS USERS, NULL, NULL, NULL, NULL, "no current-context"},
        {HEAD CONTEXTS USERS, NULL, NULL, NULL, NULL, "no cluster \"c\""},
        {HEAD CONTEXTS CLUSTERS, NULL, NULL, NULL, NULL, "no user \"u\""},
        {HEAD CONTEXTS CLUSTERS "users:\n- name: u\n  user:\n    exec: {command: aws}\n", NULL,
                NULL, NULL, NULL, "exec is not supported"},
        {HEAD CONTEXTS CLUSTERS "users:\n- name: u\n  user: {auth-provider: {name: gcp}}\n", NULL,
                NULL, NULL, NULL, "auth-provider is not supported"},
        {HEAD CONTEXTS CLUSTERS "users:\n- name: u\n  user: {client-certificate: ca.crt}\n", NULL,
                NULL, NULL, NULL, "go together"},
        {HEAD CONTEXTS CLUSTERS "users:\n- name: u\n  user: {token: \"a\\nb\"}\n", NULL, NULL, NULL,
                NULL, "control characters"},
        {HEAD CONTEXTS USERS "clusters:\n- name: c\n  cluster: {server: 'https://x', "
                             "insecure-skip-tls-verify: true}\n",
                NULL, NULL, NULL, NULL, "insecure-skip-tls-verify is refused"},
        {HEAD CONTEXTS USERS "clusters:\n- name: c\n  cluster: {}\n", NULL, NULL, NULL, NULL,
                "has no server"},
        {HEAD CONTEXTS USERS "clusters:\n- name: c\n  cluster: {server: ''}\n", NULL, NULL, NULL,
                NULL, "has no server"},
        {HEAD CONTEXTS USERS "clusters:\n- name: c\n  cluster: {server: 'https://x', "
                             "proxy-url: 'http://y'}\n",
                NULL, NULL, NULL, NULL, "proxy-url is not supported"},
        {HEAD CONTEXTS USERS "clusters:\n- name: c\n  cluster: {server: 'ftp://x'}\n", NULL, NULL,
                NULL, NULL, "not an http or https URL"},
        {HEAD CONTEXTS USERS "clusters:\n- name: c\n  cluster: {server: 'http://x'}\n", NULL, NULL,
                NULL, NULL, "not sent without TLS"},
        {HEAD CONTEXTS USERS "clusters:\n- name: c\n  cluster: {server: 'https://x', "
                             "certificate-authority: missing.crt}\n",
                NULL, NULL, NULL, NULL, "missing.crt: No such file"},
        {HEAD CONTEXTS USERS "clusters:\n- name: c\n  cluster: {server: 'https://x', "
                             "certificate-authority-data: '!!'}\n",
                NULL, NULL, NULL, NULL, "not base64 of PEM"},
        {"a: [", NULL, NULL, NULL, NULL, "not YAML"},
        {"", NULL, NULL, NULL, NULL, "no current-context"},
};

static void kubeconfigs_give_access_or_one_clear_sentence(void **state)
{
	(void)state;
	put("ca.crt", PEM);
	put("token", "from-file\n");
	for (size_t i = 0; i < sizeof(kubeconfigs) / sizeof(kubeconfigs[0]); i++) {
		char path[512];
		struct access_options o = {.kubeconfig = path, .context = kubeconfigs[i].context};
		struct access_credentials c;
		struct err e = {{0}};
		struct access *a;

		put("config", kubeconfigs[i].text);
		snprintf(path, sizeof(path), "%s", path_of("config"));
		a = access_new(&o, &e);
		if (kubeconfigs[i].error != NULL) {
			assert_null(a);
			if (strstr(e.text, kubeconfigs[i].error) == NULL)
				fail_msg("row %zu: \"%s\"", i, e.text);
			continue;
		}
		if (a == NULL)
			fail_msg("row %zu: %s", i, e.text);
		c = access_credentials(a);
		assert_string_equal(access_url(a), kubeconfigs[i].url);
		assert_true(c.use_proxy);
		assert_true(c.ca_pem.len > 40);
		assert_true((c.token == NULL) == (kubeconfigs[i].token == NULL));
		if (c.token != NULL)
			assert_string_equal(c.token, kubeconfigs[i].token);
		if (kubeconfigs[i].server_name != NULL)
			assert_string_equal(c.server_name, kubeconfigs[i].server_name);
		else
			assert_null(c.server_name);
		access_free(a);
	}
}

static void a_pod_uses_its_service_account(void **state)
{
	static const char *const sub[] = {"/var", "/var/run", "/var/run/secrets",
	        "/var/run/secrets/kubernetes.io", "/var/run/secrets/kubernetes.io/serviceaccount"};
	struct access_options o = {.root = dir};
	struct err e = {{0}};
	struct access *a;

	(void)state;
	unsetenv("KUBERNETES_SERVICE_HOST");
	assert_null(access_new(&o, &e));
	assert_non_null(strstr(e.text, "KUBERNETES_SERVICE_HOST"));
	setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
	setenv("KUBERNETES_SERVICE_PORT", "443", 1);
	assert_null(access_new(&o, &e));
	assert_non_null(strstr(e.text, "serviceaccount/token: No such file"));
	for (size_t i = 0; i < 5; i++)
		mkdir(path_of(sub[i] + 1), 0700);
	put("var/run/secrets/kubernetes.io/serviceaccount/token", "pod-token");
	put("var/run/secrets/kubernetes.io/serviceaccount/ca.crt", PEM);
	put("var/run/secrets/kubernetes.io/serviceaccount/namespace", "kube-system\n");
	a = access_new(&o, &e);
	assert_non_null(a);
	assert_string_equal(access_url(a), "https://[fd00::1]:443");
	assert_string_equal(access_credentials(a).token, "pod-token");
	assert_string_equal(access_namespace(a), "kube-system");
	assert_string_equal(access_pod_namespace(a), "kube-system");
	assert_false(access_credentials(a).use_proxy);
	access_free(a);
}

static void an_endpoint_takes_its_certificates_from_files(void **state)
{
	char file[512];
	struct access_options o = {.endpoint = "http://127.0.0.1:8080/"};
	struct err e = {{0}};
	struct access *a = access_new(&o, &e);

	(void)state;
	assert_non_null(a);
	assert_string_equal(access_url(a), "http://127.0.0.1:8080");
	access_free(a);
	o.endpoint = "127.0.0.1:6443";
	put("all.pem", PEM);
	snprintf(file, sizeof(file), "%s", path_of("all.pem"));
	o.tls_ca = o.tls_cert = o.tls_key = file;
	a = access_new(&o, &e);
	assert_non_null(a);
	assert_string_equal(access_url(a), "https://127.0.0.1:6443");
	assert_true(str_eq(access_credentials(a).key_pem, str_trim(STR(PEM))));
	access_free(a);
}

/* K13: whatever happens to the file, a good token stays until there is a better one. */
static void a_bad_token_file_keeps_the_old_token(void **state)
{
	static const struct {
		const char *text; /* NULL: the file is missing */
		const char *token;
		int rc;
	} rows[] = {
	        {"one\n", "one", 0},
	        {"", "one", -ENODATA},
	        {NULL, "one", -ENOENT},
	        {"  \n", "one", -ENODATA},
	        {"half a token", "one", -EINVAL},
	        {"two", "two", 0},
	        {"three\n", "three", 0},
	};
	char config[512];
	struct access_options o = {.kubeconfig = config};
	struct err e = {{0}};
	struct access *a;

	(void)state;
	put("ca.crt", PEM);
	put("token", "zero");
	put("config", HEAD CONTEXTS CLUSTERS "users:\n- name: u\n  user: {tokenFile: token}\n");
	snprintf(config, sizeof(config), "%s", path_of("config"));
	a = access_new(&o, &e);
	assert_non_null(a);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unlink(path_of("token"));
		if (rows[i].text != NULL)
			put("token", rows[i].text);
		assert_int_equal(access_refresh(a, 1000, true, &e), rows[i].rc);
		assert_string_equal(access_credentials(a).token, rows[i].token);
	}
	access_free(a);
}

static void files_are_read_again_each_minute_or_when_forced(void **state)
{
	char config[512];
	struct access_options o = {.kubeconfig = config};
	struct err e = {{0}};
	struct access *a;

	(void)state;
	put("ca.crt", PEM);
	put("token", "a");
	put("config", HEAD CONTEXTS CLUSTERS "users:\n- name: u\n  user: {tokenFile: token}\n");
	snprintf(config, sizeof(config), "%s", path_of("config"));
	a = access_new(&o, &e);
	assert_int_equal(access_refresh(a, 1000, false, &e), 0);
	put("token", "b");
	assert_int_equal(access_refresh(a, 60999, false, &e), 0);
	assert_string_equal(access_credentials(a).token, "a");
	assert_int_equal(access_refresh(a, 61000, false, &e), 0);
	assert_string_equal(access_credentials(a).token, "b");
	put("token", "c");
	assert_int_equal(access_refresh(a, 61001, true, &e), 0);
	assert_string_equal(access_credentials(a).token, "c");
	put("ca.crt", "-----BEGIN CERTIFICATE-----\nAA");
	assert_int_equal(access_refresh(a, 61001, true, &e), -EINVAL);
	assert_true(access_credentials(a).ca_pem.len > 40);
	access_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(kubeconfigs_give_access_or_one_clear_sentence),
	        NAMED_TEST("K46: a pod goes to the address in its environment",
	        	a_pod_uses_its_service_account),
	        cmocka_unit_test(an_endpoint_takes_its_certificates_from_files),
	        NAMED_TEST("K13: a bad token file keeps the old token",
	        	a_bad_token_file_keeps_the_old_token),
	        NAMED_TEST("K12: files are read again each minute or when forced",
	        	files_are_read_again_each_minute_or_when_forced),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
