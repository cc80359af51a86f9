/*
 * apisim [--port N] [--control N] [--cert F --key F [--client-ca F]] [--token T]...
 *        [--resource GROUP/VERSION/PLURAL/KIND]... [--bookmark-ms N] [--ring N] [--ports FILE]
 *        [--json-only] [--rv N] [MANIFEST]...
 *
 * Serves the manifests on 127.0.0.1 until a signal. Port 0 (the default) takes a free one; the
 * ports are printed, and written to FILE as "API CONTROL" once the server is ready.
 */
#include "serve.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/num.h"

enum { MAX_BODY = 64 << 20, MAX_FILE = 512 << 20, CONNECTION_BYTES = 256 << 10 };

struct options {
	uint16_t port, control;
	const char *cert, *key, *client_ca, *ports_file;
	uint64_t ring, rv;
};

/* A request whose body is being received. */
struct upload {
	struct buf body;
};

typedef enum MHD_Result serve_fn(
        struct MHD_Connection *c, const char *method, const char *path, struct buf *body);

static enum MHD_Result receive(struct MHD_Connection *c, const char *method, const char *path,
        const char *data, size_t *n, void **state, serve_fn *serve)
{
	struct upload *u = *state;

	if (u == NULL) {
		*state = mem_new(struct upload);
		return MHD_YES;
	}
	if (*n > 0) {
		if (u->body.len + *n > MAX_BODY)
			return MHD_NO;
		buf_add(&u->body, data, *n);
		*n = 0;
		return MHD_YES;
	}
	return serve(c, method, path, &u->body) == MHD_YES ? reply_now(c) : MHD_NO;
}

static enum MHD_Result on_api(void *cls, struct MHD_Connection *c, const char *path,
        const char *method, const char *version, const char *data, size_t *n, void **state)
{
	(void)cls;
	(void)version;
	return receive(c, method, path, data, n, state, api_serve);
}

static enum MHD_Result on_control(void *cls, struct MHD_Connection *c, const char *path,
        const char *method, const char *version, const char *data, size_t *n, void **state)
{
	(void)cls;
	(void)version;
	if (strncmp(path, "/apisim/", 8) != 0)
		return receive(c, method, path, data, n, state, api_serve);
	return receive(c, method, path + 8, data, n, state, control_serve);
}

static void on_complete(
        void *cls, struct MHD_Connection *c, void **state, enum MHD_RequestTerminationCode why)
{
	struct upload *u = *state;

	(void)cls;
	(void)c;
	(void)why;
	if (u != NULL)
		buf_free(&u->body);
	free(u);
	*state = NULL;
}

static void usage(void)
{
	fprintf(stderr, "usage: apisim [--port N] [--control N] [--cert F --key F "
	                "[--client-ca F]] [--token T] [--resource G/V/P/KIND] [--bookmark-ms N] "
	                "[--ring N] [--ports FILE] [--json-only] [--rv N] [MANIFEST]...\n");
	exit(2);
}

static void add_core_kinds(void)
{
	kind_add("", "v1", "namespaces", "Namespace")->namespaced = false;
	kind_find("", "namespaces")->bookmark = ",\"spec\":{},\"status\":{}";
	kind_add("", "v1", "services", "Service")->bookmark =
	        ",\"spec\":{},\"status\":{\"loadBalancer\":{}}";
	kind_add("", "v1", "pods", "Pod")->bookmark =
	        ",\"spec\":{\"containers\":null},\"status\":{}";
	kind_add("", "v1", "configmaps", "ConfigMap");
	kind_add("", "v1", "nodes", "Node")->namespaced = false;
	kind_add("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")->bookmark =
	        ",\"addressType\":\"\",\"endpoints\":null,\"ports\":null";
}

static void add_resource(char *text)
{
	char *part[4] = {0}, *save = NULL;

	for (int i = 0; i < 4; i++) {
		part[i] = strtok_r(i == 0 ? text : NULL, "/", &save);
		if (part[i] == NULL)
			usage();
	}
	kind_add(part[0], part[1], part[2], part[3]);
}

static uint64_t number(const char *text, uint64_t max)
{
	uint64_t n;

	if (num_u64(str_from(text), max, &n) < 0)
		usage();
	return n;
}

static void set_option(struct options *o, int c, char *arg)
{
	switch (c) {
	case 'p': o->port = (uint16_t)number(arg, UINT16_MAX); break;
	case 'c': o->control = (uint16_t)number(arg, UINT16_MAX); break;
	case 'e': o->cert = arg; break;
	case 'k': o->key = arg; break;
	case 'a': o->client_ca = arg; break;
	case 't': vec_push(&world.tokens, mem_str(arg)); break;
	case 'r': add_resource(arg); break;
	case 'b': world.bookmark_ms = number(arg, UINT32_MAX); break;
	case 'n': o->ring = number(arg, 10000000); break;
	case 'f': o->ports_file = arg; break;
	case 'j': world.json_only = true; break;
	case 'v': o->rv = number(arg, INT64_MAX); break;
	default: usage();
	}
}

static void read_options(struct options *o, int argc, char **argv)
{
	static const struct option table[] = {
	        {"port", required_argument, NULL, 'p'},
	        {"control", required_argument, NULL, 'c'},
	        {"cert", required_argument, NULL, 'e'},
	        {"key", required_argument, NULL, 'k'},
	        {"client-ca", required_argument, NULL, 'a'},
	        {"token", required_argument, NULL, 't'},
	        {"resource", required_argument, NULL, 'r'},
	        {"bookmark-ms", required_argument, NULL, 'b'},
	        {"ring", required_argument, NULL, 'n'},
	        {"ports", required_argument, NULL, 'f'},
	        {"json-only", no_argument, NULL, 'j'},
	        {"rv", required_argument, NULL, 'v'},
	        {0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", table, NULL)) != -1)
		set_option(o, c, optarg);
	if ((o->cert == NULL) != (o->key == NULL) || (o->client_ca && !o->cert))
		usage();
	world.need_cert = o->client_ca != NULL;
	world.need_auth = world.need_cert || world.tokens.len > 0;
}

static void load(const char *path)
{
	struct buf b = {0};
	char why[200] = "";
	int rc = buf_read_file(&b, path, MAX_FILE);

	if (rc < 0 || manifest_apply(b.at ? b.at : "", b.len, why) < 0) {
		fprintf(stderr, "apisim: %s: %s\n", path, rc < 0 ? strerror(-rc) : why);
		exit(1);
	}
	buf_free(&b);
}

static char *load_pem(const char *path)
{
	struct buf b = {0};
	int rc = buf_read_file(&b, path, 1 << 20);

	if (rc < 0) {
		fprintf(stderr, "apisim: %s: %s\n", path, strerror(-rc));
		exit(1);
	}
	return b.at;
}

static struct MHD_Daemon *listen_on(
        uint16_t port, MHD_AccessHandlerCallback on_request, const struct options *tls)
{
	struct sockaddr_in at = {
	        .sin_family = AF_INET,
	        .sin_port = htons(port),
	        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	unsigned flags =
	        MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL;
	struct MHD_OptionItem items[4] = {{0}};
	struct MHD_Daemon *d;
	size_t n = 0;

	if (tls->cert != NULL) {
		flags |= MHD_USE_TLS;
		items[n++] =
		        (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, load_pem(tls->cert)};
		items[n++] =
		        (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, load_pem(tls->key)};
	}
	if (tls->client_ca != NULL)
		items[n++] = (struct MHD_OptionItem){
		        MHD_OPTION_HTTPS_MEM_TRUST, 0, load_pem(tls->client_ca)};
	items[n] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
	d = MHD_start_daemon(flags, port, NULL, NULL, on_request, NULL, MHD_OPTION_SOCK_ADDR, &at,
	        MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
	        (size_t)CONNECTION_BYTES, MHD_OPTION_NOTIFY_COMPLETED, on_complete, NULL,
	        MHD_OPTION_ARRAY, items, MHD_OPTION_END);
	if (d == NULL) {
		fprintf(stderr, "apisim: cannot listen on 127.0.0.1:%u\n", port);
		exit(1);
	}
	for (size_t i = 0; i < n; i++)
		free(items[i].ptr_value);
	return d;
}

static unsigned port_of(struct MHD_Daemon *d)
{
	return MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT)->port;
}

static void announce(const struct options *o, unsigned api, unsigned control)
{
	char part[4096];
	FILE *f;

	printf("apisim: %s://127.0.0.1:%u control http://127.0.0.1:%u\n",
	        o->cert ? "https" : "http", api, control);
	fflush(stdout);
	if (o->ports_file == NULL)
		return;
	snprintf(part, sizeof(part), "%s.part", o->ports_file);
	f = fopen(part, "w");
	must(f != NULL);
	fprintf(f, "%u %u\n", api, control);
	fclose(f);
	must(rename(part, o->ports_file) == 0);
}

static void stop_world(void)
{
	pthread_mutex_lock(&world.lock);
	world.stopping = true;
	watch_close(NULL, true);
	pthread_cond_broadcast(&world.changed);
	pthread_mutex_unlock(&world.lock);
}

int main(int argc, char **argv)
{
	struct options o = {.ring = 100000}, plain = {0};
	struct MHD_Daemon *api, *control;
	sigset_t set;
	int sig;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	add_core_kinds();
	read_options(&o, argc, argv);
	world_init(o.ring);
	if (o.rv > 0) /* a later life of a world of which all events are forgotten */
		world.rv = world.compacted = o.rv;
	for (int i = optind; i < argc; i++)
		load(argv[i]);
	api = listen_on(o.port, on_api, &o);
	control = listen_on(o.control, on_control, &plain);
	announce(&o, port_of(api), port_of(control));
	sigwait(&set, &sig);
	stop_world();
	MHD_stop_daemon(control);
	MHD_stop_daemon(api);
	return 0;
}
