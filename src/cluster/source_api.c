#include "cluster/source_api.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "cluster/decoder.h"
#include "cluster/rest.h"
#include "cluster/source_audit.h"
#include "net/http_client.h"

#define LOG_NAME "plugin/kubernetes"
#define NOT_ASKED "the answer is compressed, which was not asked for"

enum {
	ERROR_BODY_BYTES = 64 << 10,
	PROTOBUF_TRIES = 2, /* answers in a row that may be broken before JSON is asked for */
	PROTOBUF_RETRY_MS = 3600000, /* then protobuf is tried again */
};

static const struct {
	const char *name, *path;
	enum object_kind kind;
	const char *fields;
} kind_table[SOURCE_KINDS] = {
        [SOURCE_NAMESPACES] = {"namespaces", "/api/v1/namespaces", OBJECT_NAMESPACE, NULL},
        [SOURCE_SERVICES] = {"services", "/api/v1/services", OBJECT_SERVICE, NULL},
        [SOURCE_SLICES] = {"endpointslices", "/apis/discovery.k8s.io/v1/endpointslices",
                OBJECT_SLICE, NULL},
        /* finished pods keep their address in the API although others may have it by now */
        [SOURCE_PODS] = {"pods", "/api/v1/pods", OBJECT_POD,
                "status.phase!=Succeeded,status.phase!=Failed,status.phase!=Unknown"},
        [SOURCE_IMPORTS] = {"serviceimports", "/apis/multicluster.x-k8s.io/v1beta1/serviceimports",
                OBJECT_IMPORT, NULL},
};

/* Where older servers have ServiceImports; what is read of them is the same there. */
static const char older_imports[] = "/apis/multicluster.x-k8s.io/v1alpha1/serviceimports";

/* One kind: its reflector, and the request in flight with its decoder. */
struct channel {
	struct source_api *source;
	enum source_kind kind;
	const char *path; /* of the resource, in the version that the server has */
	struct reflector *reflector; /* NULL: not watched */
	struct source_audit *audit;
	struct http_request *request;
	struct buf query; /* of the request */
	struct decoder decoder;
	bool has_decoder;
	struct buf error_body;
	int status;
	bool is_watch;
	uint64_t sent_ms;
	bool is_json_only; /* a custom resource has no protobuf */
	uint64_t json_until_ms; /* the server refuses protobuf, or breaks it */
	bool is_json; /* is asked for in this request */
	unsigned broken; /* protobuf answers in a row */
};

struct source_api {
	uv_loop_t *loop;
	uv_timer_t timer;
	struct http_client *http;
	struct access *access;
	struct store *store;
	int number;
	struct channel channels[SOURCE_KINDS];
	struct source_api_stats stats; /* of requests; those of kinds are their reflectors' */
	uv_mutex_t lock; /* of shown */
	struct source_api_stats shown; /* for other threads */
	struct err refresh_error; /* the last one that was logged */
};

const char *source_kind_name(enum source_kind kind)
{
	return kind_table[kind].name;
}

/* ---- figures ---- */

/* Let other threads see the present figures. */
static void show(struct source_api *s)
{
	for (size_t i = 0; i < SOURCE_KINDS; i++) {
		const struct reflector *r = s->channels[i].reflector;
		struct source_kind_stats *k = &s->stats.kinds[i];

		if (r == NULL)
			continue;
		k->is_watched = true;
		k->is_synced = reflector_is_synced(r);
		k->is_json_fallback = s->channels[i].json_until_ms > clock_ms();
		k->figures = *reflector_stats(r);
	}
	uv_mutex_lock(&s->lock);
	s->shown = s->stats;
	uv_mutex_unlock(&s->lock);
}

void source_api_stats(struct source_api *s, struct source_api_stats *out)
{
	uv_mutex_lock(&s->lock);
	*out = s->shown;
	uv_mutex_unlock(&s->lock);
}

/* ---- timer ---- */

static void on_timer(uv_timer_t *t);

/* After each event. */
static void set_timer(struct source_api *s)
{
	uint64_t at = UINT64_MAX, now = clock_ms();

	for (size_t i = 0; i < SOURCE_KINDS; i++) {
		uint64_t d;

		if (s->channels[i].reflector == NULL)
			continue;
		d = reflector_deadline_ms(s->channels[i].reflector);
		at = d < at ? d : at;
		d = source_audit_deadline_ms(s->channels[i].audit);
		at = d < at ? d : at;
	}
	if (at == UINT64_MAX)
		uv_timer_stop(&s->timer);
	else
		uv_timer_start(&s->timer, on_timer, at > now ? at - now : 1, 0);
	show(s);
}

static void on_timer(uv_timer_t *t)
{
	struct source_api *s = t->data;
	uint64_t now = clock_ms();

	for (size_t i = 0; i < SOURCE_KINDS; i++) {
		if (s->channels[i].reflector == NULL)
			continue;
		reflector_on_time(s->channels[i].reflector, now);
		source_audit_on_time(s->channels[i].audit, now);
	}
	set_timer(s);
}

/* ---- requests ---- */

/* 406 Not Acceptable: ask again for JSON, which every server has. */
static bool is_refused_encoding(const struct channel *c)
{
	return c->status == 406 && !c->is_json;
}

/* 404: perhaps the server knows the resource in an older version. */
static bool is_refused_version(const struct channel *c)
{
	return c->status == 404 && c->kind == SOURCE_IMPORTS && c->path != older_imports;
}

static void use_json(struct channel *c, const char *why)
{
	c->json_until_ms = clock_ms() + PROTOBUF_RETRY_MS;
	c->broken = 0;
	log_info(LOG_NAME, "%s are read as JSON: %s", kind_table[c->kind].name, why);
}

static void start_decoder(struct channel *c, const char *content_type)
{
	struct object_sink sink = reflector_sink(c->reflector);
	struct decoder_options o = {content_type, c->is_watch, kind_table[c->kind].kind};

	decoder_init(&c->decoder, &o, &sink);
	c->has_decoder = true;
}

static void on_head(void *arg, const struct http_head *head)
{
	struct channel *c = arg;

	c->status = head->status;
	rest_stats_answered(&c->source->stats.requests, (unsigned)head->status,
		clock_ms() - c->sent_ms);
	if (is_refused_encoding(c) || is_refused_version(c))
		return;
	if (head->status == 200)
		start_decoder(c, head->content_type);
	reflector_on_head(c->reflector, clock_ms(), head->status, head->retry_after_s);
	if (head->status == 200 && head->is_compressed) /* it may be a small bomb, too */
		reflector_on_decoded(c->reflector, clock_ms(), NOT_ASKED);
	set_timer(c->source);
}

static void decode(struct channel *c, const uint8_t *data, size_t n)
{
	uint64_t now = clock_ms();
	const char *why = NULL;

	reflector_on_bytes(c->reflector, now);
	if (decoder_feed(&c->decoder, (const char *)data, n) < 0) {
		why = decoder_error(&c->decoder);
		if (c->decoder.is_protobuf && ++c->broken >= PROTOBUF_TRIES)
			use_json(c, why);
	}
	reflector_on_decoded(c->reflector, now, why);
	set_timer(c->source);
}

static void on_body(void *arg, const uint8_t *data, size_t n)
{
	struct channel *c = arg;

	if (c->status == 200)
		decode(c, data, n);
	else if (c->error_body.len + n <= ERROR_BODY_BYTES)
		buf_add(&c->error_body, data, n);
}

/* The body of an error answer is a Status, or anything that a proxy sends. */
static void report_error_body(struct channel *c)
{
	struct object_sink sink = reflector_sink(c->reflector);
	struct api_status status = {0};
	struct arena arena;
	struct str text = {buf_text(&c->error_body), c->error_body.len};

	arena_init(&arena);
	if (decoder_read_status(&arena, text, &status) == 0)
		sink.on_status(sink.arg, &status);
	arena_reset(&arena);
}

static void forget_request(struct channel *c)
{
	if (c->has_decoder)
		decoder_fini(&c->decoder);
	c->has_decoder = false;
	buf_free(&c->error_body);
	c->request = NULL;
	c->status = 0;
}

/* Read credentials again; what goes wrong is said once. */
static void refresh(struct source_api *s, bool force)
{
	struct err e = {{0}};

	if (access_refresh(s->access, clock_ms(), force, &e) == 0) {
		s->refresh_error.text[0] = '\0';
	} else if (strcmp(e.text, s->refresh_error.text) != 0) {
		log_warning(
		        LOG_NAME, "credentials of the API: %s; the old ones stay in use", e.text);
		s->refresh_error = e;
	}
}

static void on_done(void *arg, const struct http_result *result);

static int send_query(struct channel *c, struct err *e)
{
	struct source_api *s = c->source;
	struct http_handler handler = {on_head, on_body, on_done, c};
	struct rest_question q = {c->path, buf_text(&c->query), DECODER_ACCEPT};

	refresh(s, false);
	c->is_json = c->is_json_only || clock_ms() < c->json_until_ms;
	if (c->is_json)
		q.accept = DECODER_ACCEPT_JSON;
	c->status = 0;
	c->sent_ms = clock_ms();
	c->request = rest_get(s->http, s->access, &q, &handler, e);
	return c->request != NULL ? 0 : -EINVAL;
}

/* The same question, for JSON. False when it cannot be asked: then the answer stays an error. */
static bool ask_for_json(struct channel *c)
{
	struct err e = {{0}};

	use_json(c, "HTTP 406");
	forget_request(c);
	return send_query(c, &e) == 0;
}

/* The same question, about the older version. False when it cannot be asked. */
static bool ask_older_version(struct channel *c)
{
	struct err e = {{0}};

	c->path = older_imports;
	forget_request(c);
	return send_query(c, &e) == 0;
}

static void on_done(void *arg, const struct http_result *result)
{
	struct channel *c = arg;
	int status = c->status;

	if (is_refused_encoding(c) && ask_for_json(c))
		return;
	if (is_refused_version(c) && ask_older_version(c))
		return;
	if (status == 404) /* neither: both are asked for again, later */
		c->path = kind_table[c->kind].path;
	if (result->rc == 0 && status == 200)
		c->broken = 0;
	if (status == 0)
		rest_stats_failed(&c->source->stats.requests);
	else if (status != 200)
		report_error_body(c);
	forget_request(c);
	if (result->rc == -EACCES) /* TLS: perhaps the CA or our certificate was renewed */
		refresh(c->source, true);
	reflector_on_done(c->reflector, clock_ms(), result->rc, result->text);
	set_timer(c->source);
}

/* ---- what the reflectors ask for ---- */

static void on_refresh(void *arg)
{
	struct channel *c = arg;

	refresh(c->source, true);
}

static int on_send(void *arg, const char *query, bool is_watch, struct err *e)
{
	struct channel *c = arg;

	buf_clear(&c->query);
	buf_str(&c->query, query);
	c->is_watch = is_watch;
	return send_query(c, e);
}

static void on_cancel(void *arg)
{
	struct channel *c = arg;

	if (c->status == 0 && c->request != NULL)
		rest_stats_failed(&c->source->stats.requests);
	http_cancel(c->request);
	forget_request(c);
}

static void on_audit_event(void *arg)
{
	set_timer(arg);
}

/* ---- life ---- */

static void add_channel(
        struct source_api *s, enum source_kind kind, const struct source_api_options *o)
{
	struct channel *c = &s->channels[kind];
	struct reflector_options want = {
	        .name = kind_table[kind].name,
	        .kind = kind_table[kind].kind,
	        .labels = kind == SOURCE_NAMESPACES ? o->namespace_labels : o->labels,
	        .fields = kind_table[kind].fields,
	        .is_optional = kind == SOURCE_IMPORTS,
	};
	struct reflector_ops ops = {c, on_send, on_cancel, on_refresh};

	c->source = s;
	c->kind = kind;
	c->path = kind_table[kind].path;
	c->is_json_only = kind == SOURCE_IMPORTS;
	c->reflector = reflector_new(&want, s->store, s->number, &ops);
	c->audit = source_audit_new(&(struct source_audit_options){
	        .http = s->http,
	        .access = s->access,
	        .path = &c->path,
	        .reflector = c->reflector,
	        .requests = &s->stats.requests,
	        .on_event = on_audit_event,
	        .arg = s,
	});
}

static bool is_wanted(enum source_kind kind, const struct source_api_options *o)
{
	switch (kind) {
	case SOURCE_SLICES: return !o->no_endpoints;
	case SOURCE_PODS: return o->pods;
	case SOURCE_IMPORTS: return o->imports;
	default: return true;
	}
}

static unsigned wanted_mask(const struct source_api_options *o)
{
	unsigned mask = 0;

	for (unsigned i = 0; i < SOURCE_KINDS; i++) {
		if (is_wanted(i, o))
			mask |= 1u << kind_table[i].kind;
	}
	return mask;
}

/* "10.96.0.1:443" of "https://10.96.0.1:443/path". */
static void host_of(const char *url, char *out, size_t room)
{
	const char *from = strstr(url, "://");

	from = from == NULL ? url : from + 3;
	snprintf(out, room, "%.*s", (int)strcspn(from, "/"), from);
}

struct source_api *source_api_new(
        uv_loop_t *loop, struct store *store, const struct source_api_options *o, struct err *e)
{
	struct access *access = access_new(&o->access, e);
	struct http_client *http = access ? http_client_new(loop, e) : NULL;
	struct source_api *s;
	int number = http ? store_source_add(store, "api", wanted_mask(o)) : -1;

	if (number < 0) {
		if (http != NULL)
			err_set(e, number, "too many sources of cluster state");
		access_free(access);
		http_client_free(http);
		return NULL;
	}
	s = mem_new(struct source_api);
	s->loop = loop;
	s->store = store;
	s->access = access;
	s->http = http;
	s->number = number;
	host_of(access_url(access), s->stats.host, sizeof(s->stats.host));
	must(uv_mutex_init(&s->lock) == 0);
	must(uv_timer_init(loop, &s->timer) == 0);
	s->timer.data = s;
	for (unsigned i = 0; i < SOURCE_KINDS; i++) {
		if (is_wanted(i, o))
			add_channel(s, i, o);
	}
	show(s);
	return s;
}

void source_api_start(struct source_api *s)
{
	for (size_t i = 0; i < SOURCE_KINDS; i++) {
		if (s->channels[i].reflector != NULL)
			reflector_start(s->channels[i].reflector, clock_ms());
	}
	set_timer(s);
}

static void on_closed(uv_handle_t *h)
{
	free(h->data);
}

void source_api_free(struct source_api *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < SOURCE_KINDS; i++) {
		struct channel *c = &s->channels[i];

		if (c->reflector == NULL)
			continue;
		source_audit_free(c->audit);
		on_cancel(c);
		buf_free(&c->query);
		reflector_free(c->reflector);
	}
	http_client_free(s->http);
	access_free(s->access);
	uv_mutex_destroy(&s->lock);
	uv_close((uv_handle_t *)&s->timer, on_closed);
}

const char *source_api_pod_namespace(const struct source_api *s)
{
	return access_pod_namespace(s->access);
}

int source_api_number(const struct source_api *s)
{
	return s->number;
}

bool source_api_is_synced(const struct source_api *s)
{
	for (size_t i = 0; i < SOURCE_KINDS; i++) {
		const struct reflector *r = s->channels[i].reflector;

		if (r != NULL && !reflector_is_synced(r))
			return false;
	}
	return true;
}

bool source_api_is_connected(const struct source_api *s)
{
	for (size_t i = 0; i < SOURCE_KINDS; i++) {
		const struct reflector *r = s->channels[i].reflector;

		if (r != NULL && !reflector_stats(r)->is_connected)
			return false;
	}
	return true;
}

unsigned source_api_kinds(const struct source_api *s)
{
	unsigned mask = 0;

	for (unsigned i = 0; i < SOURCE_KINDS; i++) {
		if (s->channels[i].reflector != NULL)
			mask |= 1u << kind_table[i].kind;
	}
	return mask;
}
