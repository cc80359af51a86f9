#include "cluster/source_audit.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cluster/decoder.h"
#include "cluster/rest.h"

#define METADATA ";as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
#define ACCEPT "application/vnd.kubernetes.protobuf" METADATA ",application/json" METADATA

struct source_audit {
	struct source_audit_options options;
	struct audit *audit;
	struct http_request *request; /* NULL: none */
	struct decoder decoder; /* when has_decoder, from the head of an answer on */
	bool has_decoder;
	int status;
	uint64_t sent_ms;
};

static void forget_request(struct source_audit *s)
{
	if (s->request == NULL)
		return;
	s->request = NULL;
	if (s->has_decoder)
		decoder_fini(&s->decoder);
	s->has_decoder = false;
}

static void on_head(void *arg, const struct http_head *head)
{
	struct source_audit *s = arg;
	struct decoder_options o = {.content_type = head->content_type, .kind = OBJECT_NONE};
	struct object_sink sink = audit_sink(s->audit);

	s->status = head->status;
	decoder_init(&s->decoder, &o, &sink);
	s->has_decoder = true;
	rest_stats_answered(
		s->options.requests, (unsigned)head->status, clock_ms() - s->sent_ms);
	audit_on_head(s->audit, clock_ms(), head->status);
}

static void on_body(void *arg, const uint8_t *data, size_t n)
{
	struct source_audit *s = arg;
	const char *why = NULL;

	if (s->status != 200)
		return;
	if (decoder_feed(&s->decoder, (const char *)data, n) < 0)
		why = decoder_error(&s->decoder);
	audit_on_decoded(s->audit, clock_ms(), why);
	if (why != NULL)
		s->options.on_event(s->options.arg);
}

static void on_done(void *arg, const struct http_result *result)
{
	struct source_audit *s = arg;

	if (s->status == 0)
		rest_stats_failed(s->options.requests);
	forget_request(s);
	audit_on_done(s->audit, clock_ms(), result->rc);
	s->options.on_event(s->options.arg);
}

static int on_send(void *arg, const char *query)
{
	struct source_audit *s = arg;
	const struct source_audit_options *o = &s->options;
	struct http_handler handler = {on_head, on_body, on_done, s};
	struct rest_question q = {*o->path, query, ACCEPT};
	struct err e;

	s->status = 0;
	s->sent_ms = clock_ms();
	s->request = rest_get(o->http, o->access, &q, &handler, &e);
	return s->request == NULL ? -EINVAL : 0;
}

static void on_cancel(void *arg)
{
	struct source_audit *s = arg;

	if (s->request != NULL && s->status == 0)
		rest_stats_failed(s->options.requests);
	if (s->request != NULL)
		http_cancel(s->request);
	forget_request(s);
}

struct source_audit *source_audit_new(const struct source_audit_options *o)
{
	struct source_audit *s = mem_new(struct source_audit);
	struct audit_ops ops = {s, on_send, on_cancel};

	s->options = *o;
	s->audit = audit_new(o->reflector, &ops, clock_ms());
	return s;
}

void source_audit_free(struct source_audit *s)
{
	if (s == NULL)
		return;
	on_cancel(s);
	audit_free(s->audit);
	free(s);
}

void source_audit_on_time(struct source_audit *s, uint64_t now_ms)
{
	if (s != NULL)
		audit_on_time(s->audit, now_ms);
}

uint64_t source_audit_deadline_ms(const struct source_audit *s)
{
	return s == NULL ? UINT64_MAX : audit_deadline_ms(s->audit);
}
