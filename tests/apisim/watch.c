/* WATCH: a chunked stream of events, fed by the ring of the world. */
#include "sim.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/must.h"
#include "base/num.h"

enum { BATCH_BYTES = 65536, TICK_MS = 100 };

/* One open watch; the thread of its connection frees it. */
struct watch {
	struct watch *next;
	struct ask ask;
	struct body *initial; /* events still to be sent, from initial_at on; or NULL */
	size_t initial_at;
	uint64_t start_ms;
	uint64_t initial_rv;
	bool wants_initial_end;
	bool bookmarks;
	uint64_t seq; /* the next event to look at */
	uint64_t after_rv;
	struct buf out; /* bytes to send, from out_at on */
	size_t out_at;
	uint64_t end_ms, bookmark_at_ms;
	long cut_after; /* -1: never */
	bool ended, reset;
	int fd;
};

/* Send an event that is there as JSON, which is freed. */
static void write_json(struct watch *w, struct buf *event)
{
	if (!w->ask.protobuf)
		buf_add(&w->out, event->at, event->len);
	else
		must(encode_json_event(&w->out, event->at, event->len));
	buf_free(event);
}

static void write_event(struct watch *w, const char *type, const struct object *o, uint64_t rv)
{
	static const char key[] = "\"resourceVersion\":\"";
	const char *at = strstr(o->json, key);
	struct buf out = {0};

	if (w->ask.protobuf && rv == o->rv) {
		encode_unknown(&out, w->ask.kind->list_api, w->ask.kind->name,
		        (struct str){o->protobuf.at, o->protobuf.len});
		encode_event(&w->out, type, &out);
		buf_free(&out);
		return;
	}
	buf_printf(&out, "{\"type\":\"%s\",\"object\":{\"kind\":\"%s\",\"apiVersion\":\"%s\",",
	        type, w->ask.kind->name, w->ask.kind->list_api);
	if (rv == o->rv || at == NULL) {
		buf_add(&out, o->json + 1, o->len - 1);
	} else { /* a deleted object carries the version of its deletion */
		at += sizeof(key) - 1;
		buf_add(&out, o->json + 1, (size_t)(at - o->json) - 1);
		buf_printf(&out, "%llu", (unsigned long long)rv);
		buf_str(&out, at + strcspn(at, "\""));
	}
	buf_str(&out, "}\n");
	write_json(w, &out);
}

static void write_bookmark(struct watch *w, uint64_t rv, bool initial_end)
{
	struct buf out = {0};

	buf_printf(&out,
	        "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"%s\",\"apiVersion\":\"%s\","
	        "\"metadata\":{\"resourceVersion\":\"%llu\"%s}%s}}\n",
	        w->ask.kind->name, w->ask.kind->list_api, (unsigned long long)rv,
	        initial_end ? ",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}" : "",
	        w->ask.kind->bookmark);
	write_json(w, &out);
	w->bookmark_at_ms = now_ms() + world.bookmark_ms;
}

static void write_expired(struct watch *w, uint64_t rv)
{
	struct buf out = {0};

	buf_printf(&out,
	        "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"apiVersion\":\"v1\","
	        "\"metadata\":{},\"status\":\"Failure\",\"message\":\"too old resource version: "
	        "%llu (%llu)\",\"reason\":\"Expired\",\"code\":410}}\n",
	        (unsigned long long)rv, (unsigned long long)world.compacted);
	write_json(w, &out);
	w->ended = true;
}

static void feed_initial(struct watch *w)
{
	size_t left = w->initial == NULL ? 0 : w->initial->bytes.len - w->initial_at;

	if (left > 0) {
		size_t n = left < BATCH_BYTES ? left : BATCH_BYTES;

		body_pace(w->start_ms, w->initial_at);
		buf_add(&w->out, w->initial->bytes.at + w->initial_at, n);
		w->initial_at += n;
		return;
	}
	body_unref(w->initial);
	w->initial = NULL;
	if (w->wants_initial_end) {
		write_bookmark(w, w->initial_rv, true);
		w->wants_initial_end = false;
	}
}

static void feed_event(struct watch *w, const struct event *e)
{
	bool was, is;

	if (e->kind != w->ask.kind || e->hidden || e->rv <= w->after_rv)
		return;
	was = ask_matches(&w->ask, e->old);
	is = ask_matches(&w->ask, e->now);
	if (is)
		write_event(w, was ? "MODIFIED" : "ADDED", e->now, e->rv);
	else if (was)
		write_event(w, "DELETED", e->old, e->rv);
}

static bool is_event_due(const struct watch *w)
{
	return w->seq < world.seq_next &&
	       world.ring[w->seq % world.ring_size].rv <= world_seen();
}

static void feed(struct watch *w)
{
	if (w->initial != NULL || w->wants_initial_end) {
		feed_initial(w);
		return;
	}
	if (w->seq < world.seq_first) {
		write_expired(w, w->after_rv);
		return;
	}
	while (is_event_due(w) && w->out.len < BATCH_BYTES)
		feed_event(w, &world.ring[w->seq++ % world.ring_size]);
	if (w->out.len == 0 && w->bookmarks && now_ms() >= w->bookmark_at_ms)
		write_bookmark(w, world_seen(), false);
	if (w->out.len == 0 && now_ms() >= w->end_ms)
		w->ended = true;
}

/* Changes of other kinds wake nobody; what else may have happened is seen within a tick. */
static void wait_for_change(struct kind *k)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_nsec += TICK_MS * 1000000L;
	if (t.tv_nsec >= 1000000000L) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000L;
	}
	pthread_cond_timedwait(&k->changed, &world.lock, &t);
}

static bool peer_is_gone(const struct watch *w)
{
	struct pollfd p = {.fd = w->fd, .events = POLLRDHUP};

	return poll(&p, 1, 0) == 1 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

static ssize_t take_out(struct watch *w, char *to, size_t max)
{
	size_t n = w->out.len - w->out_at;

	n = n < max ? n : max;
	if (w->cut_after >= 0 && n > (size_t)w->cut_after)
		n = (size_t)w->cut_after;
	memcpy(to, w->out.at + w->out_at, n);
	w->out_at += n;
	if (w->cut_after >= 0) {
		w->cut_after -= (long)n;
		if (w->cut_after == 0)
			w->ended = w->reset = true;
	}
	if (w->out_at == w->out.len) {
		buf_clear(&w->out);
		w->out_at = 0;
	}
	return (ssize_t)n;
}

/* libmicrohttpd asks for bytes; block until there are some or the watch ends. */
static ssize_t on_more(void *cls, uint64_t pos, char *to, size_t max)
{
	struct watch *w = cls;
	ssize_t n = MHD_CONTENT_READER_END_WITH_ERROR;

	(void)pos;
	pthread_mutex_lock(&world.lock);
	for (;;) {
		if (w->ended && (w->reset || w->out.len == 0)) {
			n = w->reset ? MHD_CONTENT_READER_END_WITH_ERROR
			             : MHD_CONTENT_READER_END_OF_STREAM;
			break;
		}
		if (w->out.len == 0 && !world.stalled && !w->ended)
			feed(w);
		if (w->out.len > 0 && !world.stalled) {
			n = take_out(w, to, max);
			if (n > 0)
				break;
		}
		if (world.stopping || peer_is_gone(w))
			break;
		if (w->out.len == 0 && !w->ended)
			wait_for_change(w->ask.kind);
		else if (world.stalled)
			wait_for_change(w->ask.kind);
	}
	pthread_mutex_unlock(&world.lock);
	return n;
}

static void on_free(void *cls)
{
	struct watch *w = cls, **at = &world.watch_list;

	pthread_mutex_lock(&world.lock);
	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	world.watch_count--;
	body_unref(w->initial);
	pthread_mutex_unlock(&world.lock);
	selector_free(&w->ask.labels);
	selector_free(&w->ask.fields);
	buf_free(&w->out);
	free(w);
}

void watch_close(const char *resource, bool reset)
{
	for (struct watch *w = world.watch_list; w != NULL; w = w->next) {
		if (resource == NULL || strcmp(resource, w->ask.kind->plural) == 0) {
			w->ended = true;
			w->reset = reset;
			pthread_cond_broadcast(&w->ask.kind->changed);
		}
	}
}

void watch_inject(const char *resource, const char *data, size_t n)
{
	for (struct watch *w = world.watch_list; w != NULL; w = w->next) {
		if (*resource == '\0' || strcmp(resource, w->ask.kind->plural) == 0)
			buf_add(&w->out, data, n);
		pthread_cond_broadcast(&w->ask.kind->changed);
	}
}

static void start_from(struct watch *w, uint64_t rv)
{
	/* caches that lag behind tell a client again what it knows, as they learn of it */
	w->after_rv = rv < world_seen() ? rv : world_seen();
	w->seq = world.seq_first;
	if (rv < world.compacted)
		write_expired(w, rv);
}

/* The events of all present objects; they are written to the empty buffer of the watch. */
static struct body *write_initial(struct watch *w)
{
	struct body *b;

	vec_for_each (&w->ask.kind->objects.all, o) {
		if (ask_matches(&w->ask, *o))
			write_event(w, "ADDED", *o, (*o)->rv);
	}
	b = body_new(&w->ask, &w->out);
	body_keep(&w->ask, true, b);
	return b;
}

/* All present objects first, as streaming lists and watches without a version do. */
static void start_with_state(struct watch *w)
{
	w->initial = body_find(&w->ask, true);
	if (w->initial == NULL)
		w->initial = write_initial(w);
	w->start_ms = now_ms();
	if (w->ask.kind->streams++ == 0)
		w->ask.kind->first_stream_ms = w->start_ms;
	w->ask.kind->last_stream_ms = w->start_ms;
	w->initial_rv = world.rv;
	w->after_rv = world.rv;
	w->seq = world.seq_next;
}

static void take_cut(struct watch *w)
{
	w->cut_after = -1;
	if (world.cut_after < 0 ||
	        (world.cut_resource[0] && strcmp(world.cut_resource, w->ask.kind->plural) != 0))
		return;
	w->cut_after = world.cut_after;
	world.cut_after = -1;
}

/* A streaming list without the match parameter, or on a server that has none. */
static enum MHD_Result refuse_watchlist(struct ask *a, const char *message, const char *field)
{
	char extra[600], text[400];

	snprintf(extra, sizeof(extra),
	        "\"details\":{\"group\":\"meta.k8s.io\",\"kind\":\"ListOptions\",\"causes\":[{"
	        "\"reason\":\"FieldValueForbidden\",\"message\":\"Forbidden: %s\",\"field\":"
	        "\"%s\"}]},",
	        message, field);
	snprintf(text, sizeof(text), "ListOptions.meta.k8s.io \"\" is invalid: %s: Forbidden: %s",
	        field, message);
	return reply_status(a->connection, 422, "Invalid", extra, text);
}

static struct watch *watch_new(struct ask *a)
{
	struct watch *w = mem_new(struct watch);
	uint64_t timeout_s = 1800;

	num_u64(str_from(query(a->connection, "timeoutSeconds")), 86400, &timeout_s);
	w->ask = *a;
	a->labels = a->fields = (struct selector){0};
	w->bookmarks = strcmp(query(a->connection, "allowWatchBookmarks"), "true") == 0;
	w->end_ms = now_ms() + timeout_s * 1000;
	w->bookmark_at_ms = now_ms() + world.bookmark_ms;
	w->fd = MHD_get_connection_info(a->connection, MHD_CONNECTION_INFO_CONNECTION_FD)
	                ->connect_fd;
	take_cut(w);
	w->next = world.watch_list;
	world.watch_list = w;
	world.watch_count++;
	return w;
}

enum MHD_Result watch_serve(struct ask *a)
{
	const char *rv = query(a->connection, "resourceVersion");
	bool initial = strcmp(query(a->connection, "sendInitialEvents"), "true") == 0;
	struct MHD_Response *r;
	struct watch *w;
	uint64_t n = 0;

	if (initial && world.watchlist == WATCHLIST_REFUSE)
		return refuse_watchlist(a,
		        "sendInitialEvents is forbidden for watch unless the "
		        "WatchList feature gate is enabled",
		        "sendInitialEvents");
	if (initial && world.watchlist == WATCHLIST_SERVE &&
	        strcmp(query(a->connection, "resourceVersionMatch"), "NotOlderThan") != 0)
		return refuse_watchlist(a,
		        "sendInitialEvents requires setting "
		        "resourceVersionMatch to NotOlderThan",
		        "resourceVersionMatch");
	if (*rv && num_u64(str_from(rv), UINT64_MAX, &n) < 0)
		return reply_status(
		        a->connection, 400, "BadRequest", "", "invalid resource version");
	if (initial && n > world_seen())
		return reply_too_large(a, n);
	w = watch_new(a);
	if (n == 0 || (initial && world.watchlist == WATCHLIST_SERVE)) {
		start_with_state(w);
		w->wants_initial_end =
		        initial && w->bookmarks && world.watchlist == WATCHLIST_SERVE;
	} else {
		start_from(w, n);
	}
	r = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BATCH_BYTES, on_more, w, on_free);
	MHD_add_response_header(r, "Cache-Control", "no-cache, private");
	MHD_add_response_header(r, "Content-Type",
	        w->ask.protobuf ? "application/vnd.kubernetes.protobuf;stream=watch"
	                        : "application/json");
	world.protobuf_answers += w->ask.protobuf;
	return reply_later(200, r);
}
