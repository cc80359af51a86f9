/* Answers: headers and Status bodies as a real server sends them. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { PACED_BYTES = 64 << 10 }; /* at once */

/* What this thread answers when it has left the lock of the world. */
static _Thread_local struct {
	struct MHD_Response *response;
	unsigned status;
} waiting;

enum MHD_Result reply_later(unsigned status, struct MHD_Response *r)
{
	waiting.response = r;
	waiting.status = status;
	return MHD_YES;
}

enum MHD_Result reply_now(struct MHD_Connection *c)
{
	enum MHD_Result rc;

	if (waiting.response == NULL)
		return MHD_NO;
	rc = MHD_queue_response(c, waiting.status, waiting.response);
	MHD_destroy_response(waiting.response);
	waiting.response = NULL;
	return rc;
}

static enum MHD_Result send_response(unsigned status, const char *type, struct MHD_Response *r)
{
	MHD_add_response_header(r, "Cache-Control", "no-cache, private");
	MHD_add_response_header(r, "Content-Type", type);
	return reply_later(status, r);
}

enum MHD_Result reply_text(
        struct MHD_Connection *c, unsigned status, const char *type, const char *body)
{
	struct MHD_Response *r =
	        MHD_create_response_from_buffer(strlen(body), (void *)body, MHD_RESPMEM_MUST_COPY);

	(void)c;
	if (strncmp(type, "text/", 5) == 0)
		MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
	return send_response(status, type, r);
}

enum MHD_Result reply_json(struct MHD_Connection *c, unsigned status, struct buf *body)
{
	struct MHD_Response *r =
	        MHD_create_response_from_buffer(body->len, body->at, MHD_RESPMEM_MUST_FREE);

	(void)c;
	*body = (struct buf){0};
	if (status == 504 || status == 429)
		MHD_add_response_header(r, "Retry-After", "1");
	if (status == 403)
		MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
	return send_response(status, "application/json", r);
}

/* A body on its way. */
struct sending {
	struct body *body;
	uint64_t start_ms;
};

static ssize_t on_more(void *cls, uint64_t pos, char *to, size_t max)
{
	struct sending *s = cls;
	size_t left = s->body->bytes.len - (size_t)pos, n = left < max ? left : max;

	pthread_mutex_lock(&world.lock);
	body_pace(s->start_ms, (size_t)pos);
	pthread_mutex_unlock(&world.lock);
	memcpy(to, s->body->bytes.at + pos, n);
	return (ssize_t)n;
}

static void on_sent(void *cls)
{
	struct sending *s = cls;

	pthread_mutex_lock(&world.lock);
	body_unref(s->body);
	pthread_mutex_unlock(&world.lock);
	free(s);
}

enum MHD_Result reply_body(struct body *b)
{
	struct sending *s = mem_new(struct sending);
	struct MHD_Response *r;

	*s = (struct sending){b, now_ms()};
	r = world.pace > 0 ? MHD_create_response_from_callback(
	                             b->bytes.len, PACED_BYTES, on_more, s, on_sent)
	                   : MHD_create_response_from_buffer_with_free_callback_cls(
	                             b->bytes.len, b->bytes.at, on_sent, s);
	world.protobuf_answers += b->protobuf;
	return send_response(
	        200, b->protobuf ? "application/vnd.kubernetes.protobuf" : "application/json", r);
}

void json_quote(struct buf *b, const char *text)
{
	buf_char(b, '"');
	for (const char *p = text; *p != '\0'; p++) {
		if (*p == '"' || *p == '\\')
			buf_printf(b, "\\%c", *p);
		else if ((unsigned char)*p < 0x20)
			buf_printf(b, "\\u%04x", (unsigned char)*p);
		else
			buf_char(b, *p);
	}
	buf_char(b, '"');
}

enum MHD_Result reply_status(struct MHD_Connection *c, unsigned status, const char *reason,
        const char *extra, const char *message)
{
	struct buf b = {0};

	buf_str(&b, "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},"
	            "\"status\":\"Failure\",\"message\":");
	json_quote(&b, message);
	buf_printf(&b, ",\"reason\":\"%s\",%s\"code\":%u}\n", reason, extra, status);
	return reply_json(c, status, &b);
}

const char *query(struct MHD_Connection *c, const char *name)
{
	const char *v = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, name);

	return v == NULL ? "" : v;
}

enum MHD_Result reply_too_large(const struct ask *a, unsigned long long rv)
{
	char text[160];

	snprintf(text, sizeof(text), "Timeout: Too large resource version: %llu, current: %llu", rv,
	        (unsigned long long)world.rv);
	return reply_status(a->connection, 504, "Timeout",
	        "\"details\":{\"causes\":[{\"reason\":\"ResourceVersionTooLarge\",\"message\":"
	        "\"Too large resource version\"}],\"retryAfterSeconds\":1},",
	        text);
}
