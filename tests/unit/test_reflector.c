/*
 * The reflector under scripts of events, with the real decoder and the real store, a clock that
 * the script moves, and no socket. The K numbers are those of the table of API faults that a
 * watch client has to survive.
 *
 * One command a line:
 *   > A B ...     a request is in flight whose query contains all of these (! before: not)
 *   idle          no request is in flight
 *   < CODE [S]    the answer begins, with Retry-After S
 *   + ~ - NAME V  ADDED, MODIFIED, DELETED event of a service, or an item of a list
 *   b V, end V    bookmark; bookmark that ends the initial events
 *   [ V [TOKEN]   a list begins;   ]  it ends
 *   status C T    a Status as the body of an error; in a 200 watch: an ERROR event
 *   raw TEXT      bytes of the body
 *   done, cut     the answer ends well, or breaks
 *   t MS          time passes;   wait A B   the next deadline is A to B ms away;   next  it comes
 *   = NAMES       the services in the store;   touched N   commits that changed something
 *   bare          first line: without selectors
 *   synced, unsynced, connected, log TEXT, nolog, refreshed N, errors KIND N
 */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/num.h"
#include "base/rand.h"
#include "cluster/json_object.h"
#include "cluster/json_stream.h"
#include "cluster/reflector.h"

struct bench {
	struct store *store;
	struct store_reader reader;
	struct reflector *r;
	struct json_stream decoder;
	bool in_flight, is_watch, first_item;
	int status;
	uint64_t now;
	char query[1024];
	struct buf body, log;
	unsigned refreshes, touched;
	const char *name; /* of the script */
	unsigned line;
};

static void broken(struct bench *b, const char *why)
{
	fail_msg("%s, line %u: %s (query \"%s\", log \"%s\")", b->name, b->line, why, b->query,
	        buf_text(&b->log));
}

static int on_send(void *arg, const char *query, bool is_watch, struct err *e)
{
	struct bench *b = arg;
	struct object_sink sink = reflector_sink(b->r);

	(void)e;
	assert_false(b->in_flight);
	snprintf(b->query, sizeof(b->query), "%s", query);
	b->in_flight = true;
	b->is_watch = is_watch;
	b->status = 0;
	buf_clear(&b->body);
	json_stream_init(&b->decoder, is_watch ? JSON_WATCH : JSON_LIST, OBJECT_SERVICE, &sink);
	return 0;
}

static void on_cancel(void *arg)
{
	struct bench *b = arg;

	assert_true(b->in_flight);
	b->in_flight = false;
	json_stream_fini(&b->decoder);
}

static void on_refresh(void *arg)
{
	((struct bench *)arg)->refreshes++;
}

static void on_changes(void *arg, const struct changes *c)
{
	struct bench *b = arg;

	for (size_t i = 0; i < c->len; i++) {
		if (c->at[i].kind == TOUCH_SERVICE) {
			b->touched++;
			return;
		}
	}
}

static void on_log(void *arg, enum log_level level, const char *text)
{
	struct bench *b = arg;

	if (level < LOG_INFO)
		return;
	buf_str(&b->log, text);
	buf_char(&b->log, '\n');
}

static void feed(struct bench *b, const char *text, size_t n)
{
	const char *why = NULL;

	reflector_on_bytes(b->r, b->now);
	if (json_stream_feed(&b->decoder, text, n) < 0)
		why = json_stream_error(&b->decoder);
	reflector_on_decoded(b->r, b->now, why);
}

static void feed_body(struct bench *b, const char *text)
{
	if (b->status == 200)
		feed(b, text, strlen(text));
	else
		buf_str(&b->body, text);
}

static void end_answer(struct bench *b, int rc)
{
	struct object_sink sink = reflector_sink(b->r);
	struct api_status s = {0};
	struct arena arena;

	arena_init(&arena);
	if (b->status != 200 && b->status != 0 &&
	        json_status_decode(&arena, (struct str){buf_text(&b->body), b->body.len}, &s) == 0)
		sink.on_status(sink.arg, &s);
	arena_reset(&arena);
	b->in_flight = false;
	json_stream_fini(&b->decoder);
	reflector_on_done(b->r, b->now, rc, rc < 0 ? "connection reset" : "");
}

static void add_object(struct buf *b, const char *name, const char *version)
{
	unsigned id = 0;

	for (const char *p = name; *p; p++)
		id = id * 31 + (unsigned char)*p;
	buf_printf(b,
	        "{\"kind\":\"Service\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"%s\","
	        "\"namespace\":\"d\",\"uid\":\"00000000-0000-0000-0000-%012u\","
	        "\"resourceVersion\":\"%s\"},\"spec\":{\"clusterIP\":\"10.0.%u.%u\",\"ports\":[{"
	        "\"port\":80}]}}",
	        name, id, version, (unsigned)atoi(version) / 250 % 250,
	        (unsigned)atoi(version) % 250);
}

static void do_object(struct bench *b, char op, const char *name, const char *version)
{
	struct buf t = {0};

	if (b->is_watch) {
		buf_printf(&t, "{\"type\":\"%s\",\"object\":",
		        op == '+'   ? "ADDED"
		        : op == '~' ? "MODIFIED"
		                    : "DELETED");
		add_object(&t, name, version);
		buf_str(&t, "}\n");
	} else {
		buf_str(&t, b->first_item ? "" : ",");
		b->first_item = false;
		add_object(&t, name, version);
	}
	feed_body(b, buf_text(&t));
	buf_free(&t);
}

static void do_bookmark(struct bench *b, const char *version, bool end)
{
	struct buf t = {0};

	buf_printf(&t,
	        "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Service\",\"apiVersion\":\"v1\","
	        "\"metadata\":{\"resourceVersion\":\"%s\"%s},\"spec\":{}}}\n",
	        version, end ? ",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}" : "");
	feed_body(b, buf_text(&t));
	buf_free(&t);
}

static void do_list(struct bench *b, const char *version, const char *token)
{
	struct buf t = {0};

	buf_printf(&t,
	        "{\"kind\":\"ServiceList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":"
	        "\"%s\"",
	        version);
	if (*token)
		buf_printf(&t, ",\"continue\":\"%s\"", token);
	buf_str(&t, "},\"items\":[");
	b->first_item = true;
	feed_body(b, buf_text(&t));
	buf_free(&t);
}

static void do_status(struct bench *b, const char *code, const char *text)
{
	struct buf t = {0};

	if (b->status == 200)
		buf_str(&t, "{\"type\":\"ERROR\",\"object\":");
	buf_printf(&t,
	        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\","
	        "\"message\":\"%s\",\"reason\":\"Expired\",\"code\":%s}%s",
	        text, code, b->status == 200 ? "}\n" : "\n");
	feed_body(b, buf_text(&t));
	buf_free(&t);
}

/* Let time pass in steps, as a loop that sleeps until each deadline. */
static void do_time(struct bench *b, uint64_t ms)
{
	uint64_t until = b->now + ms;

	while (reflector_deadline_ms(b->r) <= until) {
		uint64_t at = reflector_deadline_ms(b->r);

		b->now = at > b->now ? at : b->now;
		reflector_on_time(b->r, b->now);
	}
	b->now = until;
}

static void check_query(struct bench *b, struct str words)
{
	if (!b->in_flight)
		broken(b, "no request is in flight");
	for (struct str w = str_word(&words); w.len > 0; w = str_word(&words)) {
		bool want = w.at[0] != '!';
		size_t skip = want ? 0 : 1;

		if ((memmem(b->query, strlen(b->query), w.at + skip, w.len - skip) != NULL) != want)
			broken(b, "not the query that was expected");
	}
}

static void check_names(struct bench *b, struct str words)
{
	struct store_stats stats;
	size_t n = 0;

	for (struct str w = str_word(&words); w.len > 0; w = str_word(&words), n++) {
		char name[64];

		snprintf(name, sizeof(name), "%.*s", (int)w.len, w.at);
		if (store_service(b->store, "d", name) == NULL)
			broken(b, "a service is missing");
	}
	store_stats(b->store, &stats);
	if (stats.objects[OBJECT_SERVICE] != n)
		broken(b, "there are more services than expected");
}

static void check_errors(struct bench *b, const char *kind, const char *n)
{
	static const char *const names[REFLECTOR_ERRORS] = {"connect", "unauthorized", "forbidden",
	        "not-found", "expired", "throttled", "server", "decode", "silent"};

	for (size_t i = 0; i < REFLECTOR_ERRORS; i++) {
		if (strcmp(names[i], kind) == 0 &&
		        reflector_stats(b->r)->errors[i] != (uint64_t)atoi(n))
			broken(b, "not that many errors");
	}
}

static void check(struct bench *b, bool ok, const char *why)
{
	if (!ok)
		broken(b, why);
}

static bool run_check(struct bench *b, const char *op, const char *a, const char *rest)
{
	uint64_t left = reflector_deadline_ms(b->r) - b->now;

	if (strcmp(op, "idle") == 0)
		check(b, !b->in_flight, "a request is in flight");
	else if (strcmp(op, "wait") == 0)
		check(b, left >= (uint64_t)atoi(a) && left <= (uint64_t)atoi(rest), "other delay");
	else if (strcmp(op, "synced") == 0)
		check(b, store_is_synced(b->store, OBJECT_SERVICE) && reflector_is_synced(b->r),
		        "not synced");
	else if (strcmp(op, "unsynced") == 0)
		check(b, !store_is_synced(b->store, OBJECT_SERVICE), "synced");
	else if (strcmp(op, "connected") == 0)
		check(b, reflector_stats(b->r)->is_connected, "not connected");
	else if (strcmp(op, "nolog") == 0)
		check(b, b->log.len == 0, "there are log lines");
	else if (strcmp(op, "refreshed") == 0)
		check(b, b->refreshes == (unsigned)atoi(a), "other number of refreshes");
	else if (strcmp(op, "touched") == 0)
		check(b, b->touched == (unsigned)atoi(a), "other number of changes");
	else if (strcmp(op, "errors") == 0)
		check_errors(b, a, rest);
	else
		return false;
	return true;
}

static bool run_answer(struct bench *b, const char *op, const char *a, const char *rest)
{
	if (strcmp(op, "<") == 0) {
		b->status = atoi(a);
		reflector_on_head(b->r, b->now, b->status, *rest ? atoi(rest) : -1);
	} else if (strcmp(op, "b") == 0) {
		do_bookmark(b, a, false);
	} else if (strcmp(op, "end") == 0) {
		do_bookmark(b, a, true);
	} else if (strcmp(op, "[") == 0) {
		do_list(b, a, rest);
	} else if (strcmp(op, "]") == 0) {
		feed_body(b, "]}\n");
	} else if (strcmp(op, "status") == 0) {
		do_status(b, a, rest);
	} else if (strcmp(op, "done") == 0) {
		end_answer(b, 0);
	} else if (strcmp(op, "cut") == 0) {
		end_answer(b, -ECONNRESET);
	} else if (strchr("+~-", *op) != NULL && op[1] == '\0') {
		do_object(b, *op, a, rest);
	} else {
		return false;
	}
	return true;
}

static void run_line(struct bench *b, struct str line)
{
	struct str all = line, rest;
	char op[16], a[128], tail[256];

	snprintf(op, sizeof(op), "%.*s", (int)str_word(&line).len, all.at);
	rest = str_trim(line);
	all = line;
	snprintf(a, sizeof(a), "%.*s", (int)rest.len, rest.at);
	a[strcspn(a, " ")] = '\0';
	str_word(&all);
	all = str_trim(all);
	snprintf(tail, sizeof(tail), "%.*s", (int)all.len, all.at);
	if (strcmp(op, ">") == 0) {
		check_query(b, rest);
	} else if (strcmp(op, "=") == 0) {
		check_names(b, rest);
	} else if (strcmp(op, "t") == 0) {
		do_time(b, (uint64_t)atoi(a));
	} else if (strcmp(op, "next") == 0) {
		do_time(b, reflector_deadline_ms(b->r) - b->now);
	} else if (strcmp(op, "log") == 0) {
		if (memmem(buf_text(&b->log), b->log.len, rest.at, rest.len) == NULL)
			broken(b, "no such log line");
		buf_clear(&b->log);
	} else if (strcmp(op, "raw") == 0) {
		feed(b, rest.at, rest.len);
	} else if (!run_check(b, op, a, tail) && !run_answer(b, op, a, tail)) {
		broken(b, "unknown command");
	}
}

static void bench_init(struct bench *b, const char *name, bool optional, bool bare)
{
	struct reflector_options o = {
	        .name = "services",
	        .kind = OBJECT_SERVICE,
	        .labels = bare ? NULL : "app in (a,b)",
	        .is_optional = optional,
	};
	struct reflector_ops ops = {b, on_send, on_cancel, on_refresh};

	memset(b, 0, sizeof(*b));
	b->name = name;
	b->now = 1000000;
	b->store = store_new();
	b->reader = (struct store_reader){.on_changes = on_changes, .arg = b};
	store_reader_add(b->store, &b->reader);
	b->r = reflector_new(
	        &o, b->store, store_source_add(b->store, "api", 1u << OBJECT_SERVICE), &ops);
	rand_seed(7);
	log_set_sink(on_log, b);
	reflector_start(b->r, b->now);
}

static void bench_fini(struct bench *b)
{
	if (b->in_flight)
		on_cancel(b);
	reflector_free(b->r);
	store_reader_remove(&b->reader);
	store_free(b->store);
	buf_free(&b->body);
	buf_free(&b->log);
	log_set_sink(NULL, NULL);
}

static void run(const char *name, bool optional, const char *script)
{
	struct bench b;
	struct str rest = str_from(script);

	bool bare = str_has_prefix(rest, "bare\n");

	if (bare)
		str_cut(&rest, '\n');
	bench_init(&b, name, optional, bare);
	while (rest.len > 0) {
		struct str line = str_trim(str_cut(&rest, '\n'));

		b.line++;
		if (line.len > 0)
			run_line(&b, line);
	}
	bench_fini(&b);
}

#define START                                                                  \
	"> watch=1 sendInitialEvents=true resourceVersionMatch=NotOlderThan\n" \
	"< 200\n + a 5\n + b 6\n end 10\n = a b\n synced\n"

static const struct row {
	const char *name, *script;
} rows[] = {
        {"a streaming list fills the store and goes on as a watch",
                "> watch=1 allowWatchBookmarks=true timeoutSeconds= !resourceVersion= "
                "labelSelector=app%20in%20%28a%2Cb%29\n"
                "unsynced\n < 200\n + a 5\n = a\n unsynced\n end 10\n synced\n connected\n"
                "+ b 11\n ~ a 12\n - b 13\n = a\n nolog\n"},
        {"the watch ends as it should: on at the last version, no list",
                START "+ c 11\n b 40\n t 80000\n b 40\n t 80000\n b 40\n t 80000\n b 40\n"
                      "t 70000\n done\n wait 0 100\n t 100\n"
                      "> resourceVersion=40 !sendInitialEvents\n nolog\n errors silent 0\n"},
        {"K01: a clean end goes on at once",
                START "~ a 12\n t 5000\n done\n wait 0 1000\n t 1000\n"
                      "> watch=1 resourceVersion=12 !sendInitialEvents\n < 200\n + c 14\n = a b c\n"
                      "nolog\n"},
        {"K02: a refused connection backs off without a list",
                START "cut\n wait 800 1600\n t 1600\n > resourceVersion=10 !sendInitial\n cut\n"
                      "wait 1600 3200\n log cannot watch services: connection reset; the last\n"
                      "t 3200\n cut\n wait 3200 6400\n t 6400\n cut\n wait 6000 8000\n t 8000\n "
                      "cut\n t 8000\n"
                      "cut\n wait 6000 8000\n nolog\n = a b\n t 8000\n"
                      "> resourceVersion=10 !sendInitial\n < 200\n nolog\n t 3000\n"
                      "log watching services again\n"},
        {"K01: a server that restarts each half minute delays no update by more than 1.6 s",
                START "cut\n t 1600\n cut\n t 3200\n cut\n t 6400\n > resourceVersion=10\n < 200\n"
                      "t 20000\n cut\n wait 800 1600\n t 1600\n > resourceVersion=10\n < 200\n"
                      "t 30000\n cut\n wait 800 1600\n t 1600\n cut\n wait 1600 3200\n"},
        {"K01: a watch that brought an event proves the server after 2 s",
                START "cut\n t 1600\n cut\n t 3200\n cut\n t 6400\n < 200\n t 2100\n + c 11\n cut\n"
                      "wait 800 1600\n t 1600\n < 200\n + d 12\n cut\n wait 1600 3200\n"},
        {"K01: a watch that is cut soon and brings nothing makes the delay longer", START
                "t 20000\n cut\n wait 800 1600\n t 1600\n < 200\n t 5000\n cut\n wait 1600 3200\n"
                "t 3200\n < 200\n t 5000\n cut\n wait 3200 6400\n"},
        {"two minutes without a failure reset the delay",
                "< 500\n done\n t 1600\n < 500\n done\n wait 1600 3200\n t 3200\n < 200\n"
                "t 20000\n + a 5\n t 9000\n + b 5\n t 9000\n + c 5\n t 9000\n + d 5\n"
                "t 9000\n + e 5\n t 9000\n + f 5\n t 9000\n + g 5\n t 9000\n + h 5\n t 9000\n"
                "+ i 5\n t 9000\n + j 5\n t 9000\n + k 5\n t 9000\n + l 5\n t 9000\n"
                "+ m 5\n cut\n wait 800 1600\n"},
        {"K04: a silent watch is replaced after 90 s, without a list",
                START "t 89000\n > sendInitialEvents\n t 1500\n idle\n wait 0 1600\n t 1600\n"
                      "> resourceVersion=10 !sendInitial\n errors silent 1\n = a b\n"},
        {"bookmarks keep a watch alive", START
                "t 60000\n b 11\n t 60000\n b 12\n t 60000\n b 13\n t 60000\n errors silent 0\n"
                "cut\n t 1600\n > resourceVersion=13\n"},
        {"K05: 410 at the start of a watch: list by mark and sweep",
                START "cut\n t 1600\n < 410\n status 410 too old\n done\n wait 0 10100\n t 11000\n"
                      "> sendInitialEvents resourceVersion=10\n < 200\n + a 5\n = a b\n + c 20\n"
                      "= a b c\n end 21\n = a c\n"},
        {"K06: an ERROR event 410: list at once", START
                "t 5000\n status 410 too old resource version\n wait 0 100\n t 100\n"
                "> sendInitialEvents resourceVersion=10\n = a b\n < 200\n + b 6\n end 30\n = b\n"
                "errors expired 1\n nolog\n"},
        {"K07: 410 between pages begins again and applies no half list",
                "< 422\n status 422 forbidden\n done\n"
                "> limit=500 !watch !resourceVersion\n < 200\n [ 10 tok\n + a 5\n ]\n done\n"
                "> limit=500 continue=tok\n < 410\n status 410 too old\n done\n unsynced\n t 100\n"
                "> limit=500 !continue\n < 200\n [ 12\n + b 6\n ]\n done\n synced\n = b\n"
                "> watch=1 resourceVersion=12 !sendInitial\n"},
        {"K07: pages that expire twice are asked for all at once",
                "< 400\n done\n < 200\n [ 10 tok\n + a 5\n ]\n done\n < 410\n done\n t 100\n"
                "< 200\n [ 10 tok\n + a 5\n ]\n done\n < 410\n done\n t 6000\n > limit=0\n"},
        {"K08: an offer to go on with an inconsistent list is refused",
                "< 422\n done\n < 200\n [ 10 tok\n + a 5\n ]\n done\n > continue=tok\n < 410\n"
                "status 410 too old\",\"metadata\":{\"continue\":\"new\"},\"x\":\"\n done\n "
                "unsynced\n"
                "t 100\n > limit=500 !continue\n < 200\n [ 12\n + b 6\n ]\n done\n synced\n = b\n"},
        {"K09: a version from the future: ask without one", START
                "status 410 old\n t 100\n > resourceVersion=10\n < 504 1\n"
                "status 504 Timeout: Too large resource version: 10, current: 4\n done\n"
                "wait 1000 6000\n t 6000\n > sendInitialEvents !resourceVersion=\n < 200\n + a 3\n"
                "end 4\n > sendInitialEvents !resourceVersion=\n = a b\n < 200\n + a 3\n end 4\n"
                "= a\n"},
        {"K10: 429 at the start of a watch: Retry-After, no list",
                START "cut\n t 1600\n < 429 7\n done\n wait 7000 7800\n t 8000\n"
                      "> resourceVersion=10 !sendInitial\n < 429 900\n done\n wait 30000 30800\n"
                      "t 31000\n < 429\n done\n wait 3200 30000\n errors throttled 3\n"},
        {"K10: 429 in the middle of pages asks for the same page again",
                "< 422\n done\n < 200\n [ 10 tok\n + a 5\n ]\n done\n < 429 1\n done\n t 4000\n"
                "> continue=tok\n < 200\n [ 10\n + b 6\n ]\n done\n = a b\n synced\n"},
        {"K11: errors of a proxy are said once and change nothing", START
                "cut\n t 1600\n < 502\n done\n log HTTP 502\n t 7000\n < 503\n done\n t 9000\n"
                "nolog\n = a b\n"
                "> resourceVersion=10\n < 502\n done\n t 30000\n > sendInitialEvents\n"},
        {"K12: 401: fresh credentials and at once again", START
                "cut\n t 1600\n < 401\n status 401 Unauthorized\n done\n refreshed 1\n wait 0 100\n"
                "t 100\n > resourceVersion=10 !sendInitial\n < 401\n status 401 Unauthorized\n"
                "done\n refreshed 2\n wait 1600 12000\n log cannot watch services: HTTP 401: Una\n"
                "t 12000\n < 401\n done\n refreshed 3\n nolog\n"},
        {"K14: 403 is tried again slowly and said once",
                "< 403\n status 403 services is forbidden\n done\n"
                "log cannot list services: HTTP 403: services is forbidden\n wait 1600 3200\n t "
                "3200\n"
                "< 403\n done\n t 7000\n < 403\n done\n t 13000\n < 403\n done\n t 26000\n < 403\n "
                "done\n"
                "t 52000\n < 403\n done\n wait 40000 60000\n nolog\n unsynced\n t 60000\n"
                "< 200\n + a 5\n end 6\n log watching services again\n synced\n"},
        {"K15: a missing API is no synced state",
                "< 404\n done\n log cannot list services: HTTP 404\n unsynced\n"},
        {"K20: a list that is cut short is not applied",
                "< 422\n done\n < 200\n [ 10\n + a 5\n cut\n unsynced\n wait 800 1600\n t 1600\n"
                "> limit=500\n < 200\n [ 10\n + b 5\n done\n unsynced\n t 3200\n < 200\n [ 10\n + "
                "b 5\n ]\n"
                "done\n synced\n = b\n"},
        {"K20: a watch that is cut in an event goes on at the last whole one",
                START "+ c 11\n raw "
                      "{\"type\":\"MODIFIED\",\"object\":{\"kind\":\"Service\",\"metadata\":{\"n\n"
                      "cut\n t 1600\n > resourceVersion=11 !sendInitial\n = a b c\n"},
        {"K22: garbage ends the watch, with a delay",
                START "raw <html>what</html>\n idle\n wait 800 1600\n errors decode 1\n t 1600\n"
                      "> resourceVersion=10\n < 200\n raw \\x01\n idle\n wait 1600 3200\n = a b\n"},
        {"K22: a text instead of a list",
                "< 422\n done\n < 200\n raw hello\n idle\n wait 800 1600\n unsynced\n"},
        {"K27: an unknown type of event is left out", START
                "raw "
                "{\"type\":\"NEW\",\"object\":{\"kind\":\"Service\",\"metadata\":{\"name\":\"x\","
                "\"namespace\":\"d\",\"resourceVersion\":\"12\"}}}\n = a b\n"},
        {"K28: a bookmark moves the version and changes nothing",
                START "touched 2\n b 77\n touched 2\n cut\n t 1600\n > resourceVersion=77\n"},
        {"K29: without an end of the initial events pages are listed",
                "< 200\n + a 5\n t 29000\n > sendInitialEvents\n t 1500\n > limit=500 !watch\n = "
                "a\n"
                "< 200\n [ 10\n + b 6\n ]\n done\n = b\n synced\n > watch=1 resourceVersion=10\n"},
        {"K29: streams that break off twice before their end are given up for pages",
                "< 200\n + a 5\n cut\n t 1600\n > sendInitialEvents\n < 200\n + a 5\n done\n"
                "t 3200\n > limit=500 !watch\n < 200\n [ 10\n + b 6\n ]\n done\n = b\n synced\n"
                "> watch=1 resourceVersion=10 !sendInitial\n"},
        {"K29: initial events that still come prolong the wait",
                "< 200\n t 25000\n + a 5\n t 9000\n + b 6\n t 9000\n end 9\n synced\n = a b\n"},
        {"K30: repeated and unexpected events do no harm",
                START "+ a 11\n + a 11\n ~ x 12\n - x 13\n - x 13\n - y 14\n = a b\n > "
                      "sendInitialEvents\n"},
        {"K31: a deleted object without a name leads to a quorum list", START
                "raw {\"type\":\"DELETED\",\"object\":{\"kind\":\"Service\",\"metadata\":{}}}\n"
                "> sendInitialEvents !resourceVersion=\n = a b\n"},
        {"K31: a deleted object with its old version is deleted",
                START "~ c 30\n - a 5\n = b c\n cut\n t 1600\n > resourceVersion=30\n"},
        {"K33: an event of a stale server leads to a quorum list", START
                "~ a 20\n ~ a 15\n > sendInitialEvents !resourceVersion=\n < 200\n + a 20\n + b 6\n"
                "end 25\n = a b\n ~ a 22\n > sendInitialEvents\n t 5000\n b 26\n = a b\n"},
        {"K34: a restored backup is believed when it is asked twice", START
                "b 100\n b 50\n > sendInitialEvents !resourceVersion=\n < 200\n + c 40\n end 50\n"
                "= a b\n > sendInitialEvents !resourceVersion=\n < 200\n + c 40\n end 50\n = c\n"
                "+ d 51\n = c d\n cut\n t 1600\n > resourceVersion=51 !sendInitial\n"},
        {"P4: an old event of an object that is gone brings nothing back", START
                "~ a 20\n - b 21\n = a\n + b 15\n = a\n > sendInitialEvents !resourceVersion=\n"
                "< 200\n + a 20\n end 21\n = a\n"},
        {"P5: a list of a server that lags behind brings nothing back", START
                "~ a 20\n - b 21\n status 410 old\n t 100\n > resourceVersion=21\n < 200\n"
                "+ a 5\n + b 6\n = a\n end 12\n = a\n > sendInitialEvents !resourceVersion=\n"
                "< 200\n + a 20\n end 21\n = a\n"},
        {"P5: a list that lags behind one that broke off is asked for again", START
                "status 410 old\n t 100\n < 200\n + a 5\n + c 30\n cut\n = a b c\n t 16400\n < 200\n"
                "+ a 5\n + b 6\n end 20\n = a b c\n > sendInitialEvents !resourceVersion=\n < 200\n"
                "+ a 5\n + c 30\n end 31\n = a c\n"},
        {"P5: what was missed comes with the list, when its version is known", START
                "~ a 20\n status 410 old\n t 100\n < 200\n + a 20\n + b 6\n + c 15\n = a b\n"
                "end 30\n = a b c\n"},
        {"P5: what is deleted while the list streams does not come back with its end", START
                "~ a 20\n status 410 old\n t 100\n < 200\n + a 20\n + b 6\n + c 15\n + d 16\n"
                "- c 25\n = a b\n end 30\n = a b d\n"},
        {"K35: compaction while disconnected",
                START "cut\n t 1600\n cut\n t 3200\n < 200\n status 410 too old resource version\n"
                      "wait 0 10100\n t 10100\n > sendInitialEvents\n = a b\n < 200\n + z 900\n "
                      "end 901\n"
                      "= z\n"},
        {"P3: a new list of the same state touches nothing",
                START "touched 2\n status 410 old\n t 100\n < 200\n + a 5\n + b 6\n end 12\n "
                      "touched 2\n"},
        {"a watch that ends at once does not spin", START
                "t 2000\n done\n t 1000\n < 200\n done\n wait 800 1600\n t 1600\n < 200\n done\n"
                "wait 1600 3200\n"},
        {"K06: an ERROR event 410 to each streaming list ends in a quorum read", START
                "t 20000\n status 410 old\n t 100\n > sendInitialEvents resourceVersion=10\n"
                "< 200\n status 410 old\n t 2000\n > sendInitialEvents !resourceVersion=\n"
                "< 200\n + a 20\n end 30\n = a\n"},
        {"K22: a list without a resourceVersion is no list, and is not asked for in a circle",
                "< 422\n done\n < 200\n raw {\"kind\":\"ServiceList\",\"items\":[]}\n idle\n"
                "unsynced\n wait 800 1600\n log without a resourceVersion\n t 1600\n < 200\n"
                "[ 7\n + a 5\n ]\n done\n synced\n = a\n > watch=1 resourceVersion=7\n"},
        {"K22: pages that go nowhere are given up",
                "< 422\n done\n < 200\n [ 7 tok\n + a 5\n ]\n done\n > continue=tok\n"
                "< 200\n [ 7 tok\n + a 5\n ]\n idle\n unsynced\n wait 800 1600\n"
                "log the list does not go on\n t 1600\n > limit=500 !continue\n"},
        {"K25: an event that cannot be read, each time again, leads to a new list", START
                "t 20000\n raw {\"type\":\"ADDED\",\"object\":[]}\n t 1600\n"
                "> resourceVersion=10 !sendInitial\n < 200\n raw {\"type\":\"ADDED\"}\n t 3200\n"
                "> resourceVersion=10 !sendInitial\n < 200\n raw {\"type\":\"ADDED\"}\n t 6400\n"
                "> sendInitialEvents\n = a b\n < 200\n + a 5\n + c 20\n end 21\n = a c\n"},
        {"K04: watches that are never answered, as through a proxy that keeps all, lead to a list",
                START "t 20000\n cut\n t 1600\n > resourceVersion=10\n t 91000\n t 3200\n"
                "> resourceVersion=10 !sendInitial\n t 91000\n t 6400\n"
                "> resourceVersion=10 !sendInitial\n t 91000\n t 30000\n"
                "> sendInitialEvents resourceVersion=10\n = a b\n"},
        {"K01: watches that all end at once lead to a list", START
                "t 20000\n cut\n next\n < 200\n cut\n next\n > resourceVersion=10 !sendInit\n"
                "< 200\n done\n next\n > resourceVersion=10 !sendInit\n < 200\n cut\n next\n"
                "> sendInitialEvents resourceVersion=10\n = a b\n"},
        {"K01: one that brings something between them begins the row anew", START
                "t 20000\n cut\n next\n < 200\n cut\n next\n < 200\n cut\n next\n"
                "> resourceVersion=10 !sendInit\n < 200\n + c 11\n t 3000\n cut\n next\n"
                "> resourceVersion=11 !sendInit\n < 200\n cut\n next\n"
                "> resourceVersion=11 !sendInit\n < 200\n"},
        {"K29: streaming lists that are never answered are given up for pages",
                "> sendInitialEvents\n t 91000\n t 1600\n > sendInitialEvents\n t 91000\n t 3200\n"
                "> limit=500 !watch\n < 200\n [ 10\n + b 6\n ]\n done\n = b\n synced\n"},
        {"K48: a redirect is not followed", "< 301\n done\n log HTTP 301\n wait 800 1600\n"},
        {"a list instead of events is no watch",
                START "cut\n t 1600\n < 200\n [ 4\n ]\n done\n = a b\n wait 1000 100000\n"},
};

static void script_holds(void **state)
{
	const struct row *row = *state;

	run(row->name, false, row->script);
}

static void an_absent_optional_kind_counts_as_synced(void **state)
{
	(void)state;
	run("optional", true,
	        "< 404\n done\n synced\n = \n t 3200\n < 200\n + a 5\n end 9\n = a\n");
}

/* K20, exhaustive: a watch cut at every octet, then resumed, ends in the same state. */
static void a_watch_cut_at_any_octet_loses_nothing(void **state)
{
	struct buf text = {0};
	struct bench b;

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		char name[8], version[8];

		snprintf(name, sizeof(name), "s%u", i % 4);
		snprintf(version, sizeof(version), "%u", 20 + i);
		buf_printf(&text, "{\"type\":\"%s\",\"object\":", i == 5 ? "DELETED" : "MODIFIED");
		add_object(&text, name, version);
		buf_str(&text, "}\n");
	}
	for (size_t cut = 1; cut < text.len; cut++) {
		const char *at;

		bench_init(&b, "cut", false, false);
		b.line = (unsigned)cut;
		run_line(&b, STR("< 200"));
		run_line(&b, STR("end 10"));
		feed(&b, text.at, cut);
		end_answer(&b, -ECONNRESET);
		do_time(&b, 1600);
		at = strstr(b.query, "&resourceVersion=");
		check(&b, at != NULL && strstr(b.query, "sendInitial") == NULL, "not a new watch");
		/* the server goes on behind the version that it is told */
		b.status = 200;
		reflector_on_head(b.r, b.now, 200, -1);
		for (struct str rest = {text.at, text.len}; rest.len > 0;) {
			struct str line = str_cut(&rest, '\n');
			const char *v = memmem(line.at, line.len, "resourceVersion\":\"", 18);

			if (atoi(v + 18) > atoi(at + 17)) {
				feed(&b, line.at, line.len);
				feed(&b, "\n", 1);
			}
		}
		check_names(&b, STR("s0 s2 s3"));
		bench_fini(&b);
	}
	buf_free(&text);
}

/* A list that loses more than half needs a second one. */
static void a_sudden_shrink_is_asked_for_twice(void **state)
{
	struct bench b;
	char line[32];

	(void)state;
	bench_init(&b, "shrink", false, false);
	run_line(&b, STR("< 200"));
	for (unsigned i = 0; i < 250; i++) {
		snprintf(line, sizeof(line), "+ s%u %u", i, i + 1);
		run_line(&b, str_from(line));
	}
	run_line(&b, STR("end 300"));
	for (unsigned round = 0; round < 2; round++) {
		struct store_stats stats;

		if (round == 0)
			run_line(&b, STR("status 410 old"));
		do_time(&b, 100);
		run_line(&b, STR("> sendInitialEvents"));
		run_line(&b, STR("< 200"));
		run_line(&b, STR("+ s1 2"));
		run_line(&b, STR("end 400"));
		store_stats(b.store, &stats);
		check(&b, stats.objects[OBJECT_SERVICE] == (round == 0 ? 250 : 1), "other count");
	}
	bench_fini(&b);
}

/* Clients of one server: when they ask for what after they lost it, in tenths of a second. */
enum { CLIENTS = 50, TENTHS = 200 };

static void come_back(unsigned seed, unsigned *watches, unsigned *lists)
{
	struct bench b;
	uint64_t lost;

	bench_init(&b, "herd", false, false);
	run_line(&b, STR("< 200"));
	run_line(&b, STR("+ a 5"));
	run_line(&b, STR("end 10"));
	rand_seed(seed);
	do_time(&b, 60000);
	lost = b.now;
	end_answer(&b, seed % 2 ? -ECONNRESET : 0); /* killed, or shut down */
	do_time(&b, reflector_deadline_ms(b.r) - b.now);
	run_line(&b, STR("> resourceVersion=10 !sendInitialEvents"));
	watches[(b.now - lost) / 100]++;
	run_line(&b, STR("< 410"));
	run_line(&b, STR("done"));
	do_time(&b, reflector_deadline_ms(b.r) - b.now);
	run_line(&b, STR("> sendInitialEvents resourceVersion=10"));
	lists[(b.now - lost) / 100]++;
	bench_fini(&b);
}

static unsigned most_in(const unsigned *tenths, unsigned width)
{
	unsigned most = 0;

	for (unsigned i = 0; i + width <= TENTHS; i++) {
		unsigned n = 0;

		for (unsigned k = 0; k < width; k++)
			n += tenths[i + k];
		most = n > most ? n : most;
	}
	return most;
}

static void a_herd_is_spread(void **state)
{
	unsigned watches[TENTHS] = {0}, lists[TENTHS] = {0};

	(void)state;
	for (unsigned i = 0; i < CLIENTS; i++)
		come_back(i + 1, watches, lists);
	assert_in_range(most_in(watches, 1), 1, CLIENTS / 4); /* at the last version: cheap */
	assert_in_range(most_in(lists, 10), 1, CLIENTS / 4);
	assert_int_equal(most_in(lists, 150), CLIENTS); /* and nobody waits longer than that */
}

int main(void)
{
	static const struct CMUnitTest others[] = {
	        cmocka_unit_test(an_absent_optional_kind_counts_as_synced),
	        NAMED_TEST("K20: a watch cut at any octet loses nothing",
	                a_watch_cut_at_any_octet_loses_nothing),
	        NAMED_TEST("P6: a sudden shrink is asked for twice",
	                a_sudden_shrink_is_asked_for_twice),
	        NAMED_TEST("K43: the lists of 50 clients that lost their server are spread",
	                a_herd_is_spread),
	};
	struct CMUnitTest tests[ARRAY_LEN(rows) + ARRAY_LEN(others)];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		tests[i] = (struct CMUnitTest){
		        rows[i].name, script_holds, NULL, NULL, (void *)(uintptr_t)&rows[i]};
	memcpy(tests + ARRAY_LEN(rows), others, sizeof(others));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
