/*
 * The watch of the API server against what a well-behaved server never does, at the level of
 * octets, chunks and connections: source_api with the real HTTP client on one loop with a scripted
 * server. The K numbers are those of the table of API faults that a watch client has to survive.
 *
 * FAULT_CYCLES=100000 in the environment makes K19 longer.
 */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "cluster/source_api.h"
#include "net/http_client.h"
#include "peer.h"

#define HEAD "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
#define END "0\r\n\r\n"

struct rig {
	struct peer *peer;
	struct store *store;
	struct source_api *source;
	/* Answers a request for services; nth counts from 0. */
	void (*serve)(struct rig *r, struct peer_conn *c, const char *request);
	unsigned nth;
	struct peer_conn *watch; /* the last one that serve() left open */
	size_t at; /* for the test */
	uint64_t began_ms, again_ms; /* the first watch and the second one */
};

static uv_loop_t loop;
static uv_timer_t tick;
static unsigned n_checks, n_failed;
static struct buf log_text;

static bool check(bool ok, const char *name)
{
	n_failed += !ok;
	printf("%sok %u - %s\n", ok ? "" : "not ", ++n_checks, name);
	if (!ok)
		printf("# log: %s\n", buf_text(&log_text));
	fflush(stdout);
	return ok;
}

static void on_log(void *arg, enum log_level level, const char *text)
{
	(void)arg;
	(void)level;
	buf_printf(&log_text, "%s; ", text);
}

static bool is_logged(const char *part)
{
	return strstr(buf_text(&log_text), part) != NULL;
}

static void on_tick(uv_timer_t *t)
{
	(void)t;
}

/* Let the loop run until that holds for r, at most so long; whether it did. */
static bool until(bool (*holds)(struct rig *r), struct rig *r, uint64_t ms)
{
	uint64_t end = clock_ms() + ms;

	while (!holds(r)) {
		if (clock_ms() >= end)
			return false;
		uv_run(&loop, UV_RUN_ONCE);
	}
	return true;
}

/* ---- what the server says ---- */

static void put_service(struct buf *b, const char *name, unsigned rv, const char *more)
{
	buf_printf(b,
	        "{\"kind\":\"Service\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"%s\","
	        "\"namespace\":\"d\",\"resourceVersion\":\"%u\"%s},"
	        "\"spec\":{\"clusterIP\":\"10.0.%u.%u\"}}",
	        name, rv, more, rv / 250 % 250, rv % 250 + 1);
}

static void put_event(struct buf *b, const char *type, const char *name, unsigned rv)
{
	buf_printf(b, "{\"type\":\"%s\",\"object\":", type);
	put_service(b, name, rv, "");
	buf_str(b, "}\n");
}

static void put_end(struct buf *b, const char *kind, unsigned rv)
{
	buf_printf(b,
	        "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"%s\",\"apiVersion\":\"v1\","
	        "\"metadata\":{\"resourceVersion\":\"%u\",\"annotations\":{"
	        "\"k8s.io/initial-events-end\":\"true\"}}}}\n",
	        kind, rv);
}

/* A body of one chunk. */
static void send_chunk(struct peer_conn *c, const struct buf *b)
{
	peer_chunk(c, b->at, b->len, "");
}

/* A watch with its initial events: the service a, version 10. It stays open. */
static void open_watch(struct rig *r, struct peer_conn *c)
{
	struct buf b = {0};

	put_event(&b, "ADDED", "a", 5);
	put_end(&b, "Service", 10);
	peer_text(c, HEAD "\r\n");
	send_chunk(c, &b);
	buf_free(&b);
	r->watch = c;
}

/* A watch that goes on, without a word. */
static void go_on(struct rig *r, struct peer_conn *c)
{
	peer_text(c, HEAD "\r\n");
	r->watch = c;
}

static void send_event(struct rig *r, const char *type, const char *name, unsigned rv)
{
	struct buf b = {0};

	put_event(&b, type, name, rv);
	send_chunk(r->watch, &b);
	buf_free(&b);
}

static void serve_namespaces(struct peer_conn *c)
{
	struct buf b = {0};

	buf_str(&b, "{\"type\":\"ADDED\",\"object\":{\"kind\":\"Namespace\",\"apiVersion\":\"v1\","
	            "\"metadata\":{\"name\":\"d\",\"resourceVersion\":\"1\"}}}\n");
	put_end(&b, "Namespace", 10);
	peer_text(c, HEAD "\r\n");
	send_chunk(c, &b);
	buf_free(&b);
}

static void on_request(void *arg, struct peer_conn *c, const char *request)
{
	struct rig *r = arg;

	if (strstr(request, "as=PartialObjectMetadataList") != NULL)
		peer_text(c, "HTTP/1.1 406 Not Acceptable\r\nContent-Length: 0\r\n\r\n");
	else if (strstr(request, "watch=1") == NULL)
		peer_text(c, "HTTP/1.1 500 None\r\nContent-Length: 0\r\n\r\n"); /* a probe */
	else if (strstr(request, "/namespaces?") != NULL)
		serve_namespaces(c);
	else
		r->serve(r, c, request);
	r->nth += strstr(request, "/services?") != NULL && strstr(request, "watch=1") != NULL;
}

/* ---- rigs ---- */

static struct rig *rig_new(void (*serve)(struct rig *r, struct peer_conn *c, const char *request))
{
	struct rig *r = mem_new(struct rig);
	struct source_api_options o = {.no_endpoints = true};
	struct buf url = {0};
	struct err e = {{0}};

	r->serve = serve;
	r->peer = peer_new(&loop, on_request, r);
	r->store = store_new();
	buf_printf(&url, "http://127.0.0.1:%u", peer_port(r->peer));
	o.access.endpoint = buf_text(&url);
	r->source = source_api_new(&loop, r->store, &o, &e);
	must(r->source != NULL);
	buf_free(&url);
	buf_clear(&log_text);
	source_api_start(r->source);
	return r;
}

static void rig_free(struct rig *r)
{
	source_api_free(r->source);
	peer_free(r->peer);
	for (int i = 0; i < 20; i++)
		uv_run(&loop, UV_RUN_NOWAIT);
	store_free(r->store);
	free(r);
}

static const struct object *service(struct rig *r, const char *name)
{
	return store_service(r->store, "d", name);
}

static bool is_synced(struct rig *r)
{
	return source_api_is_synced(r->source);
}

static bool has_b(struct rig *r)
{
	return service(r, "b") != NULL;
}

static bool has_c(struct rig *r)
{
	return service(r, "c") != NULL;
}

static struct reflector_stats figures(struct rig *r)
{
	struct source_api_stats s;

	source_api_stats(r->source, &s);
	return s.kinds[SOURCE_SERVICES].figures;
}

static bool has_broken(struct rig *r)
{
	return figures(r).errors[REFLECTOR_DECODE] > 0;
}

static size_t heap_bytes(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

static unsigned open_files(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += lseek(fd, 0, SEEK_CUR) >= 0 || errno != EBADF;
	return n;
}

/* ---- connections ---- */

/* The first watch falls silent, the second one tells of b. */
static void serve_two(struct rig *r, struct peer_conn *c, const char *request)
{
	(void)request;
	if (r->nth == 0) {
		open_watch(r, c);
		return;
	}
	if (r->again_ms == 0)
		r->again_ms = clock_ms();
	go_on(r, c);
	send_event(r, "ADDED", "b", 20);
}

/* One event takes half a minute, at ten octets a second. */
static void serve_slowly(struct rig *r, struct peer_conn *c, const char *request)
{
	struct buf b = {0};

	(void)request;
	open_watch(r, c);
	put_event(&b, "ADDED", "b", 20);
	b.len -= 1; /* without the line end */
	peer_pace(c, 10, 1000);
	send_chunk(c, &b);
	buf_free(&b);
}

/* Both take half a minute, so they take it together. */
static void test_black_hole_and_slow_stream(void)
{
	struct rig *hole = rig_new(serve_two), *slow = rig_new(serve_slowly);
	uint64_t begin, took_ms;
	bool is_found;

	until(is_synced, hole, 5000);
	until(is_synced, slow, 5000);
	begin = clock_ms();
	peer_black_hole(hole->watch);
	is_found = until(has_b, hole, 60000);
	took_ms = clock_ms() - begin;
	printf("# a black-holed watch was replaced after %llu ms\n", (unsigned long long)took_ms);
	check(is_found && took_ms <= 30000,
	        "K03: a connection whose packets vanish is replaced within 30 s");
	check(service(hole, "a") != NULL && figures(hole).lists == 1, "K03: without a list");
	check(until(has_b, slow, 30000) && figures(slow).watches == 0,
	        "K23: an event at 10 octets a second is applied when it is whole");
	rig_free(hole);
	rig_free(slow);
}

/*
 * A proxy keeps the connection open though the server behind it has forgotten the watch. This takes
 * a minute and a half, so the other tests run meanwhile.
 */
static struct rig *begin_silence(void)
{
	struct rig *r = rig_new(serve_two);

	until(is_synced, r, 5000);
	r->began_ms = clock_ms();
	return r;
}

static void end_silence(struct rig *r)
{
	bool is_found = until(has_b, r, 120000);
	uint64_t took_ms = r->again_ms - r->began_ms; /* which may be long ago */

	printf("# a silent watch was replaced after %llu ms\n", (unsigned long long)took_ms);
	check(is_found && took_ms <= 100000,
	        "K04: a connection on which the server has fallen silent is replaced");
	check(figures(r).lists == 1 && figures(r).watches == 1 && figures(r).audits >= 1 &&
	                figures(r).errors[REFLECTOR_SILENT] == 1,
	        "P9: after a comparison over a second connection, without a list");
	rig_free(r);
}

/* Cut after r->at octets behind the head, then go on as a server does that still has b. */
static void serve_cut(struct rig *r, struct peer_conn *c, const char *request)
{
	struct buf b = {0}, chunks = {0};

	if (r->nth > 0) {
		bool wants_b = strstr(request, "resourceVersion=10&") != NULL ||
		               strstr(request, "resourceVersion=10 ") != NULL;

		go_on(r, c);
		if (wants_b)
			send_event(r, "ADDED", "b", 20);
		send_event(r, "ADDED", "c", 21);
		return;
	}
	open_watch(r, c);
	put_event(&b, "ADDED", "b", 20);
	buf_printf(&chunks, "%zx\r\n%.*s\r\n", b.len / 2, (int)(b.len / 2), b.at);
	buf_printf(&chunks, "%zx\r\n%s\r\n", b.len - b.len / 2, b.at + b.len / 2);
	buf_str(&chunks, END);
	peer_send(c, chunks.at, r->at < chunks.len ? r->at : chunks.len);
	peer_close(c, r->at % 2 == 1);
	buf_free(&chunks);
	buf_free(&b);
}

static void test_cut_chunks(void)
{
	enum { RIGS = 24, STEP = 8 };
	struct rig *rigs[RIGS];
	unsigned good = 0;

	for (size_t i = 0; i < RIGS; i++) {
		rigs[i] = rig_new(serve_cut);
		/* at the first chunk's size, its end, the second's size, its end, and between */
		rigs[i]->at = i < 4 ? i : (i - 3) * STEP;
	}
	for (size_t i = 0; i < RIGS; i++) {
		until(has_c, rigs[i], 10000);
		good += has_b(rigs[i]) && has_c(rigs[i]) && service(rigs[i], "a") != NULL &&
		        figures(rigs[i]).lists == 1;
	}
	check(good == RIGS,
	        "K20: a body that is cut in chunk headers and events is taken up again");
	for (size_t i = 0; i < RIGS; i++)
		rig_free(rigs[i]);
}

/* ---- chunks ---- */

/* Every octet a chunk and a segment of its own; the end of the stream too. */
static void serve_octets(struct rig *r, struct peer_conn *c, const char *request)
{
	struct buf b = {0};

	(void)request;
	if (r->nth > 0) {
		go_on(r, c);
		return;
	}
	put_event(&b, "ADDED", "a", 5);
	put_end(&b, "Service", 10);
	put_event(&b, "ADDED", "b", 20);
	put_event(&b, "DELETED", "a", 21);
	put_event(&b, "ADDED", "c", 22);
	peer_pace(c, 1, 0);
	peer_text(c, HEAD "\r\n");
	for (size_t i = 0; i < b.len; i++)
		peer_chunk(c, b.at + i, 1, "");
	r->watch = c;
	buf_free(&b);
}

/* 1000 events in one chunk, with extensions before and trailers behind. */
static void serve_thousand(struct rig *r, struct peer_conn *c, const char *request)
{
	struct buf b = {0};

	(void)request;
	if (r->nth > 0) {
		go_on(r, c);
		send_event(r, "ADDED", "c", 5000);
		return;
	}
	open_watch(r, c);
	for (unsigned i = 0; i < 1000; i++) {
		char name[16];

		snprintf(name, sizeof(name), "s%u", i);
		put_event(&b, "ADDED", name, 100 + i);
	}
	put_event(&b, "ADDED", "b", 2000);
	peer_chunk(c, b.at, b.len, ";name=value;quoted=\"a;b\\\"c\"");
	peer_text(c, "0;last\r\nX-Trailer: one\r\nGrpc-Status: 13\r\n\r\n");
	buf_free(&b);
}

static void test_chunks(void)
{
	struct rig *r = rig_new(serve_octets);
	struct store_stats s;

	check(until(has_c, r, 20000) && has_b(r) && service(r, "a") == NULL &&
	                figures(r).lists == 1 && figures(r).watches == 0,
	        "K21: chunks of one octet, each in a segment of its own");
	rig_free(r);
	r = rig_new(serve_thousand);
	until(has_b, r, 10000);
	store_stats(r->store, &s);
	check(s.objects[OBJECT_SERVICE] == 1002, "K21: 1000 events in one chunk with extensions");
	check(until(has_c, r, 10000) && figures(r).lists == 1,
	        "K21: trailers behind the last chunk; the watch goes on");
	rig_free(r);
}

/* ---- bodies ---- */

/* A text, octets that are nothing, and then a good watch. */
static void serve_garbage(struct rig *r, struct peer_conn *c, const char *request)
{
	static const char octets[] = "\x00\xff\xfe\x1f\x8b\x08\x00\x00{\"type\"";

	(void)request;
	if (r->nth == 0) {
		open_watch(r, c);
		peer_chunk(c, octets, sizeof(octets) - 1, "");
	} else if (r->nth == 1) {
		peer_text(c,
		        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 7\r\n\r\n"
		        "success");
	} else {
		go_on(r, c);
		send_event(r, "ADDED", "b", 20);
	}
}

static void test_garbage(void)
{
	struct rig *r = rig_new(serve_garbage);

	check(until(has_b, r, 15000) && service(r, "a") != NULL,
	        "K22: binary octets and a text end a watch and nothing else");
	check(figures(r).errors[REFLECTOR_DECODE] == 2 && figures(r).lists == 1,
	        "K22: both are counted");
	check(r->nth == 3, "K22: there is a delay after each");
	rig_free(r);
}

/* gzip of "{}", of which the last octets are the CRC and the size. */
static const char gzip[] = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\xae\x05\x00"
                           "\x43\xbf\xa6\xa3\x02\x00\x00\x00";

/* Well, with a bad CRC, and what would be a gigabyte of zeros: a block that repeats itself. */
static void serve_gzip(struct rig *r, struct peer_conn *c, const char *request)
{
	static const char head[] = HEAD "Content-Encoding: gzip\r\n\r\n";
	char bad[sizeof(gzip) - 1];
	char zeros[65536];

	if (r->nth == 0) {
		open_watch(r, c);
		peer_close(c, true);
		r->at = strstr(request, "Accept-Encoding") != NULL;
		return;
	}
	if (r->nth > 3) {
		go_on(r, c);
		send_event(r, "ADDED", "b", 20);
		return;
	}
	memcpy(bad, gzip, sizeof(bad));
	bad[14] = (char)(bad[14] ^ (r->nth == 2));
	peer_text(c, head);
	peer_chunk(c, bad, sizeof(bad), "");
	memset(zeros, 0, sizeof(zeros));
	for (unsigned i = 0; i < 64 && r->nth == 3; i++)
		peer_chunk(c, zeros, sizeof(zeros), "");
}

static void test_gzip(void)
{
	struct rig *r = rig_new(serve_gzip);

	check(until(has_b, r, 90000) && service(r, "a") != NULL,
	        "K47: compressed bodies, a bad CRC and a bomb change nothing");
	check(r->at == 0, "K47: they were not asked for");
	check(figures(r).errors[REFLECTOR_DECODE] == 3 && is_logged("is compressed"),
	        "K47: they are counted and said");
	rig_free(r);
}

/* An object of almost the greatest size, then one over it. */
static void serve_huge(struct rig *r, struct peer_conn *c, const char *request)
{
	struct buf b = {0}, fields = {0};

	(void)request;
	if (r->nth > 1) {
		go_on(r, c);
		send_event(r, "ADDED", "c", 30);
		return;
	}
	if (r->nth == 1)
		go_on(r, c);
	else
		open_watch(r, c);
	buf_str(&fields, ",\"managedFields\":[{\"fieldsV1\":{\"f:x\":\"");
	for (unsigned i = 0; i < (r->nth == 0 ? 8387000u : 8389000u); i++)
		buf_char(&fields, 'x');
	buf_str(&fields, "\"}}]");
	buf_str(&b, "{\"type\":\"ADDED\",\"object\":");
	put_service(&b, r->nth == 0 ? "b" : "over", r->nth == 0 ? 20 : 21, buf_text(&fields));
	buf_str(&b, "}\n");
	send_chunk(c, &b);
	if (r->nth == 0)
		peer_text(c, END);
	buf_free(&fields);
	buf_free(&b);
}

static void test_huge(void)
{
	size_t before = heap_bytes(), after;
	struct rig *r = rig_new(serve_huge);

	check(until(has_b, r, 20000), "K25: an object of 8 MiB is read");
	check(until(has_broken, r, 20000) && service(r, "over") == NULL,
	        "K25: one that is larger is refused and counted");
	check(until(has_c, r, 20000) && service(r, "a") != NULL && has_b(r),
	        "K25: what comes after it is taken");
	rig_free(r);
	after = heap_bytes();
	check(after < before + (1 << 20), "K25: nothing of its size is kept");
}

/* ---- other servers ---- */

static struct peer *elsewhere;

static void serve_redirect(struct rig *r, struct peer_conn *c, const char *request)
{
	static const int statuses[] = {301, 302, 307, 308};
	char head[200];

	(void)request;
	if (r->nth == 0) {
		open_watch(r, c);
		peer_text(c, END);
	} else if (r->nth <= 2) {
		snprintf(head, sizeof(head),
		        "HTTP/1.1 %d Moved\r\nLocation: http://127.0.0.1:%u/\r\nContent-Length: "
		        "0\r\n\r\n",
		        statuses[r->nth], peer_port(elsewhere));
		peer_text(c, head);
	} else {
		go_on(r, c);
		send_event(r, "ADDED", "b", 20);
	}
}

static void test_redirect(void)
{
	struct rig *r;

	elsewhere = peer_new(&loop, on_request, NULL);
	r = rig_new(serve_redirect);
	check(until(has_b, r, 20000) && service(r, "a") != NULL, "K48: redirects are survived");
	check(peer_accepted(elsewhere) == 0, "K48: and nobody goes where they point");
	rig_free(r);
	peer_free(elsewhere);
}

/* ---- TLS ---- */

/* What comes in place of a handshake: nothing, half a record, an alert, a text, a reset. */
static void on_hello(void *arg, struct peer_conn *c, const char *request)
{
	static const char alert[] = "\x15\x03\x03\x00\x02\x02\x28";
	static const char half[] = "\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03 cut";
	unsigned *n = arg;

	(void)request;
	switch ((*n)++ % 5) {
	case 0: break;
	case 1: peer_send(c, half, sizeof(half) - 1); break;
	case 2: peer_send(c, alert, sizeof(alert) - 1); break;
	case 3: peer_text(c, "HTTP/1.1 400 Bad Request\r\n\r\n"); break;
	default: peer_close(c, true); return;
	}
	peer_close(c, false);
}

/* Whom to trust, so that the system's authorities need not be read each time; it signed nothing. */
static const char authority[] = "-----BEGIN CERTIFICATE-----\n"
                                "MIIBeTCCAR+gAwIBAgIUGC0dHWzX6p8rjsFWZgd8C2z2vWYwCgYIKoZIzj0EAwIw\n"
                                "ETEPMA0GA1UEAwwGbm9ib2R5MCAXDTI2MTEyMjE4NTMyM1oYDzIxMjYxMDI5MTg1\n"
                                "MzIzWjARMQ8wDQYDVQQDDAZub2JvZHkwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC\n"
                                "AAQ6nxiFhrrvRsadZMrbbVezhoI9PmhjJohReur+WjxT8wpR2Y6fxny8vXuo4nSf\n"
                                "YOF1xM6kqB4ysuXgEpUA7f4Mo1MwUTAdBgNVHQ4EFgQUrQEF5A86eRzqknTM0quc\n"
                                "NaoG8pgwHwYDVR0jBBgwFoAUrQEF5A86eRzqknTM0qucNaoG8pgwDwYDVR0TAQH/\n"
                                "BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiB9mOVyLZ538kVxRv6esU/9WmVxpaAJ\n"
                                "EQ+EzD3E5JLv/wIhAOykyr9Dmmj0dm32gOelj1OW7pjNErIPqb/W3Y2fTAht\n"
                                "-----END CERTIFICATE-----\n";

struct cycle {
	unsigned left, failed, done;
	struct http_client *http;
	struct http_options options;
};

static void on_cycle_done(void *arg, const struct http_result *result);

static void next_cycle(struct cycle *y)
{
	struct http_handler h = {.on_done = on_cycle_done, .arg = y};
	struct err e;

	if (y->left == 0)
		return;
	y->left--;
	must(http_get(y->http, &y->options, &h, &e) != NULL);
}

static void on_cycle_done(void *arg, const struct http_result *result)
{
	struct cycle *y = arg;

	y->done++;
	y->failed += result->rc < 0 && result->status == 0 && *result->text != '\0';
	next_cycle(y);
}

static void run_cycles(struct cycle *y, unsigned n)
{
	uint64_t end = clock_ms() + 600000;
	unsigned target = y->done + n;

	y->left = n;
	for (unsigned i = 0; i < 4; i++)
		next_cycle(y);
	while (y->done < target && clock_ms() < end)
		uv_run(&loop, UV_RUN_ONCE);
}

static void test_tls(void)
{
	const char *wanted = getenv("FAULT_CYCLES");
	unsigned n = wanted ? (unsigned)atoi(wanted) : 1000, hellos = 0, files;
	struct peer *p = peer_new(&loop, on_hello, &hellos);
	struct cycle y = {0};
	struct buf url = {0};
	struct err e;
	size_t before;

	peer_set_raw(p);
	y.http = http_client_new(&loop, &e);
	buf_printf(&url, "https://127.0.0.1:%u/", peer_port(p));
	y.options.url = buf_text(&url);
	y.options.ca_pem = STR(authority);
	run_cycles(&y, 200); /* caches fill */
	before = heap_bytes();
	files = open_files();
	run_cycles(&y, n);
	for (int i = 0; i < 20; i++)
		uv_run(&loop, UV_RUN_NOWAIT);
	printf("# %u handshakes: %zd octets more, %d descriptors more\n", n,
	        (ssize_t)(heap_bytes() - before), (int)(open_files() - files));
	check(y.failed == n + 200, "K19: handshakes that are cut, refused or nonsense are errors");
	check(open_files() <= files + 4 && heap_bytes() < before + (256 << 10),
	        "K19: and leave nothing behind");
	http_client_free(y.http);
	peer_free(p);
	buf_free(&url);
}

/* ---- descriptors ---- */

static void serve_again(struct rig *r, struct peer_conn *c, const char *request)
{
	(void)request;
	if (r->nth == 0)
		open_watch(r, c);
	else
		go_on(r, c);
}

static bool cannot_connect(struct rig *r)
{
	return figures(r).errors[REFLECTOR_CONNECT] >= 2;
}

static bool is_watched_again(struct rig *r)
{
	return figures(r).is_connected;
}

static void test_descriptors(void)
{
	struct rig *r = rig_new(serve_again);
	struct rlimit was, none;
	bool is_limited;

	until(is_synced, r, 5000);
	must(getrlimit(RLIMIT_NOFILE, &was) == 0);
	none = was;
	none.rlim_cur = 3;
	is_limited = setrlimit(RLIMIT_NOFILE, &none) == 0;
	send_event(r, "ADDED", "b", 20);
	check(is_limited && until(has_b, r, 5000),
	        "K45: an open watch goes on when there are no more descriptors");
	peer_close(r->watch, true);
	check(until(cannot_connect, r, 15000) && service(r, "a") != NULL,
	        "K45: a connection that cannot be opened is an error like others");
	must(setrlimit(RLIMIT_NOFILE, &was) == 0);
	check(until(is_watched_again, r, 15000), "K45: and is opened when there are some again");
	send_event(r, "ADDED", "c", 30);
	check(until(has_c, r, 5000) && figures(r).lists == 1, "K45: without a list");
	rig_free(r);
}

int main(void)
{
	struct rig *silent;

	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	must(uv_loop_init(&loop) == 0);
	must(uv_timer_init(&loop, &tick) == 0);
	uv_timer_start(&tick, on_tick, 10, 10);
	log_set_sink(on_log, NULL);
	silent = begin_silence();
	test_chunks();
	test_cut_chunks();
	test_garbage();
	test_gzip();
	test_huge();
	test_redirect();
	test_descriptors();
	test_tls();
	test_black_hole_and_slow_stream();
	end_silence(silent);
	uv_close((uv_handle_t *)&tick, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	must(uv_loop_close(&loop) == 0);
	buf_free(&log_text);
	printf("1..%u\n", n_checks);
	return n_failed > 0;
}
