/*
 * watch_dump [--kubeconfig F] [--context C] [--endpoint URL] [--ca F] [--cert F --key F]
 *            [--root DIR] [--labels S] [--pods] [--no-endpoints] [--debug] [--stats FILE]
 *
 * Follows an API server with source_api and prints what changes in the store, one line each:
 *
 *   synced
 *   namespace shop | -namespace shop
 *   service shop/web 10.96.0.1 endpoints 3 [latency_us N] | -service shop/web
 *   pod shop/web-1 10.244.1.4 | -pod shop/web-1
 *
 * latency_us is the time since the label "sent-ns", which apisim fills in when it stores the
 * object. SIGUSR1 writes figures to the file of --stats; SIGTERM ends it in an orderly way.
 */
#include <arpa/inet.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uv.h>

#include "base/log.h"
#include "base/must.h"
#include "cluster/source_api.h"
#include "cluster/store.h"

struct dump {
	struct store *store;
	struct source_api *source;
	struct store_reader reader;
	const char *stats_file;
	uv_signal_t term, usr1;
	bool is_synced;
};

static uint64_t wall_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void print_latency(const struct object *o)
{
	const char *sent = labels_get(&o->labels, "sent-ns");

	if (sent != NULL)
		printf(" latency_us %llu",
		        (unsigned long long)(wall_ns() - strtoull(sent, NULL, 10)) / 1000);
}

static void print_ip(const struct ip_list *l)
{
	char text[IP_TEXT_SIZE];

	for (uint32_t i = 0; i < l->len; i++)
		printf("%c%s", i ? ',' : ' ', ip_text(&l->at[i], text));
}

static void print_service(const struct dump *d, const struct touch *t)
{
	const struct object *o = store_service(d->store, t->ns, t->name);
	struct object_list slices = store_slices_of(d->store, t->ns, t->name);
	size_t n = 0;

	for (size_t i = 0; i < slices.len; i++)
		n += slices.at[i]->slice.n_endpoints;
	printf("%sservice %s/%s", o ? "" : "-", t->ns, t->name);
	if (o != NULL) {
		print_ip(&o->service.cluster_ips);
		printf(" endpoints %zu", n);
		print_latency(o);
	}
	putchar('\n');
}

static void print_touch(const struct dump *d, const struct touch *t)
{
	const struct object *o;

	if (t->kind == TOUCH_NAMESPACE) {
		printf("%snamespace %s\n", store_namespace(d->store, t->ns) ? "" : "-", t->ns);
	} else if (t->kind == TOUCH_SERVICE) {
		print_service(d, t);
	} else if (t->kind == TOUCH_POD) {
		o = store_get(d->store, OBJECT_POD, t->ns, t->name);
		printf("%spod %s/%s", o ? "" : "-", t->ns, t->name);
		if (o != NULL)
			print_ip(&o->pod.ips);
		putchar('\n');
	}
}

static void on_changes(void *arg, const struct changes *c)
{
	struct dump *d = arg;

	for (size_t i = 0; i < c->len; i++)
		print_touch(d, &c->at[i]);
	if (!d->is_synced && store_is_synced(d->store, OBJECT_NAMESPACE) &&
	        store_is_synced(d->store, OBJECT_SERVICE) &&
	        (d->source == NULL || source_api_is_synced(d->source))) {
		d->is_synced = true;
		printf("synced\n");
	}
	fflush(stdout);
}

static void on_term(uv_signal_t *h, int sig)
{
	struct dump *d = h->data;

	(void)sig;
	source_api_free(d->source);
	uv_close((uv_handle_t *)&d->term, NULL);
	uv_close((uv_handle_t *)&d->usr1, NULL);
}

static void on_usr1(uv_signal_t *h, int sig)
{
	struct dump *d = h->data;
	struct source_api_stats s;
	FILE *f = d->stats_file ? fopen(d->stats_file, "w") : NULL;

	(void)sig;
	if (f == NULL)
		return;
	source_api_stats(d->source, &s);
	for (unsigned i = 0; i < SOURCE_KINDS; i++) {
		const struct reflector_stats *r = &s.kinds[i].figures;

		if (!s.kinds[i].is_watched)
			continue;
		fprintf(f, "%s connected %d synced %d lists %llu watches %llu relists %llu",
		        source_kind_name(i), r->is_connected, s.kinds[i].is_synced,
		        (unsigned long long)r->lists, (unsigned long long)r->watches,
		        (unsigned long long)r->relists);
		for (unsigned e = 0; e < REFLECTOR_ERRORS; e++)
			fprintf(f, " %llu", (unsigned long long)r->errors[e]);
		fprintf(f, "\n");
	}
	fclose(f);
}

static void read_options(struct source_api_options *o, struct dump *d, int argc, char **argv)
{
	static const struct option table[] = {
	        {"kubeconfig", required_argument, NULL, 'k'},
	        {"context", required_argument, NULL, 'c'},
	        {"endpoint", required_argument, NULL, 'e'},
	        {"ca", required_argument, NULL, 'a'},
	        {"cert", required_argument, NULL, 't'},
	        {"key", required_argument, NULL, 'y'},
	        {"root", required_argument, NULL, 'r'},
	        {"labels", required_argument, NULL, 'l'},
	        {"stats", required_argument, NULL, 's'},
	        {"pods", no_argument, NULL, 'p'},
	        {"no-endpoints", no_argument, NULL, 'n'},
	        {"debug", no_argument, NULL, 'd'},
	        {0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", table, NULL)) != -1) {
		switch (c) {
		case 'k': o->access.kubeconfig = optarg; break;
		case 'c': o->access.context = optarg; break;
		case 'e': o->access.endpoint = optarg; break;
		case 'a': o->access.tls_ca = optarg; break;
		case 't': o->access.tls_cert = optarg; break;
		case 'y': o->access.tls_key = optarg; break;
		case 'r': o->access.root = optarg; break;
		case 'l': o->labels = optarg; break;
		case 's': d->stats_file = optarg; break;
		case 'p': o->pods = true; break;
		case 'n': o->no_endpoints = true; break;
		case 'd': log_set_level(LOG_DEBUG); break;
		default: exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	struct source_api_options o = {0};
	struct dump d = {0};
	struct err e = {{0}};
	uv_loop_t loop;

	signal(SIGPIPE, SIG_IGN);
	must(uv_loop_init(&loop) == 0);
	read_options(&o, &d, argc, argv);
	d.store = store_new();
	d.reader = (struct store_reader){.on_changes = on_changes, .arg = &d};
	store_reader_add(d.store, &d.reader);
	d.source = source_api_new(&loop, d.store, &o, &e);
	if (d.source == NULL) {
		fprintf(stderr, "watch_dump: %s\n", e.text);
		return 1;
	}
	uv_signal_init(&loop, &d.term);
	uv_signal_init(&loop, &d.usr1);
	d.term.data = d.usr1.data = &d;
	uv_signal_start(&d.term, on_term, SIGTERM);
	uv_signal_start(&d.usr1, on_usr1, SIGUSR1);
	source_api_start(d.source);
	uv_run(&loop, UV_RUN_DEFAULT);
	store_reader_remove(&d.reader);
	store_free(d.store);
	must(uv_loop_close(&loop) == 0);
	return 0;
}
