#include "test.h"

#include "base/log.h"
#include "tree_text.h"

static void expect_file(const char *name, const char *expected)
{
	struct corefile *c = NULL;
	struct buf path = {0}, got = {0};
	struct err e = {""};

	buf_printf(&path, "%s/tests/data/corefiles/%s", SRCDIR, name);
	if (corefile_read(buf_text(&path), NULL, &c, &e) != 0)
		fail_msg("%s: %s", name, e.text);
	tree_write(&got, c);
	assert_string_equal(buf_text(&got), expected);
	assert_int_equal(c->file_count, 1);
	assert_string_equal(c->files[0], buf_text(&path));
	corefile_free(c);
	buf_free(&path);
	buf_free(&got);
}

#define KUBERNETES "kubernetes cluster.local in-addr.arpa ip6.arpa"
#define FALLTHROUGH "fallthrough in-addr.arpa ip6.arpa"
#define KUBEADM_PLUGIN KUBERNETES "{pods insecure;" FALLTHROUGH ";ttl 30};prometheus :9153;"
#define KUBEADM_START "errors;health{lameduck 5s};ready;" KUBEADM_PLUGIN
#define KUBEADM_END                                                             \
	"forward . /etc/resolv.conf{max_concurrent 1000};"                      \
	"cache 30{disable success cluster.local;disable denial cluster.local};" \
	"loop;reload;loadbalance"

static void kubeadm_and_kind_give_their_plugins_in_order(void **state)
{
	(void)state;
	expect_file("kubeadm", ".:53{" KUBEADM_START KUBEADM_END "}");
	expect_file("kind", ".:53{" KUBEADM_START KUBEADM_END "}");
}

#define HOSTS "hosts{192.168.49.1 host.minikube.internal;fallthrough};"
#define ALIAS(name) "rewrite name " name " registry.kube-system.svc.cluster.local;"

static void minikube_adds_log_hosts_and_rewrite(void **state)
{
	(void)state;
	expect_file("minikube", ".:53{log;" KUBEADM_START HOSTS KUBEADM_END "}");
	expect_file("minikube-registry-aliases",
	        ".:53{log;errors;health{lameduck 5s};" ALIAS("example.org") ALIAS("example.com")
	                ALIAS("test.com") ALIAS("test.org") ALIAS("registry.minikube")
	        "ready;" KUBEADM_PLUGIN HOSTS KUBEADM_END "}");
}

static void on_line(void *arg, enum log_level level, const char *text)
{
	(void)level;
	buf_printf(arg, "%s\n", text);
}

/* Its imports are under /etc; the copy that is parsed has them in a place that does not exist. */
static void k3s_parses_without_any_custom_file(void **state)
{
	struct buf text = {0}, got = {0}, log = {0};
	struct corefile *c = NULL;
	struct err e;
	char *etc;

	(void)state;
	assert_int_equal(buf_read_file(&text, SRCDIR "/tests/data/corefiles/k3s", 10000), 0);
	while ((etc = strstr(text.at, "/etc/coredns/custom")) != NULL)
		memcpy(etc, "/nowhere/at/all/ext", strlen("/etc/coredns/custom"));
	log_set_sink(on_line, &log);
	assert_int_equal(
	        corefile_parse("Corefile", (struct str){text.at, text.len}, NULL, &c, &e), 0);
	log_set_sink(NULL, NULL);
	tree_write(&got, c);
	assert_string_equal(buf_text(&got),
	        ".:53{errors;health;ready;" KUBERNETES "{pods insecure;" FALLTHROUGH "};"
	        "hosts /etc/coredns/NodeHosts{ttl 60;reload 15s;fallthrough};prometheus :9153;"
	        "forward . /etc/resolv.conf;cache 30;loop;reload;loadbalance}");
	assert_string_equal(buf_text(&log),
	        "[WARNING] No files matching import glob pattern: /nowhere/at/all/ext/*.override\n"
	        "[WARNING] No files matching import glob pattern: /nowhere/at/all/ext/*.server\n");
	corefile_free(c);
	buf_free(&text);
	buf_free(&got);
	buf_free(&log);
}

static void eks_parses(void **state)
{
	(void)state;
	expect_file("eks",
	        ".:53{errors;health{lameduck 5s};ready;" KUBERNETES "{pods insecure;" FALLTHROUGH
	        "};prometheus :9153;forward . /etc/resolv.conf;cache 30;loop;reload;loadbalance}");
}

static void openshift_parses_three_blocks(void **state)
{
	(void)state;
	expect_file("openshift",
	        "corp.example.com:5353{prometheus 127.0.0.1:9153;"
	        "forward . 10.1.0.53:53 tls://10.1.0.54{tls_servername dns.corp.example.com;"
	        "tls /etc/pki/dns.corp/ca-bundle.crt;policy round_robin};errors;"
	        "log .{class denial error};bufsize 1232;cache 900{denial 9984 30}}"
	        ".:5353{bufsize 1232;errors;log .{class error};health{lameduck "
	        "20s};ready;" KUBERNETES "{pods insecure;" FALLTHROUGH
	        "};prometheus 127.0.0.1:9153;"
	        "forward . /etc/resolv.conf{policy sequential};cache 900{denial 9984 30};reload}"
	        "hostname.bind:5353{chaos}");
}

#define NODELOCAL_END                                                                              \
	"reload;loop;bind __PILLAR__LOCAL__DNS__ __PILLAR__DNS__SERVER__;forward . __PILLAR__CLUSTER__DNS__{force_tcp};" \
	"prometheus :9253"

static void nodelocal_parses_four_blocks(void **state)
{
	(void)state;
	expect_file("nodelocal",
	        "__PILLAR__DNS__DOMAIN__:53{errors;cache{success 9984 30;denial 9984 5};" NODELOCAL_END
	        ";health __PILLAR__LOCAL__DNS__:8080}"
	        "in-addr.arpa:53{errors;cache 30;" NODELOCAL_END "}"
	        "ip6.arpa:53{errors;cache 30;" NODELOCAL_END "}"
	        ".:53{errors;cache 30;reload;loop;bind __PILLAR__LOCAL__DNS__ __PILLAR__DNS__SERVER__;"
	        "forward . __PILLAR__UPSTREAM__SERVERS__;prometheus :9253}");
}

static void default_text_is_whoami_and_log(void **state)
{
	struct corefile *c;
	struct buf got = {0};
	struct err e;

	(void)state;
	assert_int_equal(corefile_parse("Corefile", STR(COREFILE_DEFAULT_TEXT), NULL, &c, &e), 0);
	tree_write(&got, c);
	assert_string_equal(buf_text(&got), ".{whoami;log}");
	buf_free(&got);
	corefile_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(kubeadm_and_kind_give_their_plugins_in_order),
	        cmocka_unit_test(minikube_adds_log_hosts_and_rewrite),
	        cmocka_unit_test(k3s_parses_without_any_custom_file),
	        cmocka_unit_test(eks_parses),
	        cmocka_unit_test(openshift_parses_three_blocks),
	        cmocka_unit_test(nodelocal_parses_four_blocks),
	        cmocka_unit_test(default_text_is_whoami_and_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
