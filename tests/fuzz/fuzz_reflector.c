/*
 * Answers of an API server, good or bad, through the decoder and the reflector into a store: the
 * input is split by 0xff octets into answers, whose first octet picks the HTTP status.
 */
#include "fuzz.h"

#include "base/log.h"
#include "base/must.h"
#include "base/rand.h"
#include "cluster/json_stream.h"
#include "cluster/reflector.h"

struct bench {
	struct reflector *r;
	struct json_stream decoder;
	bool in_flight;
	uint64_t now;
};

static int on_send(void *arg, const char *query, bool is_watch, struct err *e)
{
	struct bench *b = arg;
	struct object_sink sink = reflector_sink(b->r);

	(void)e;
	must(query != NULL && !b->in_flight);
	b->in_flight = true;
	json_stream_init(&b->decoder, is_watch ? JSON_WATCH : JSON_LIST, OBJECT_SERVICE, &sink);
	return 0;
}

static void on_cancel(void *arg)
{
	struct bench *b = arg;

	must(b->in_flight);
	b->in_flight = false;
	json_stream_fini(&b->decoder);
}

static void on_refresh(void *arg)
{
	(void)arg;
}

static void answer(struct bench *b, const uint8_t *p, size_t n)
{
	static const int statuses[] = {200, 200, 200, 400, 401, 403, 404, 410, 422, 429, 500, 504};
	int status = statuses[p[0] % 12], rc;

	while (!b->in_flight) {
		b->now = reflector_deadline_ms(b->r);
		reflector_on_time(b->r, b->now);
	}
	reflector_on_head(b->r, b->now, status, p[0] / 12);
	if (status == 200) {
		reflector_on_bytes(b->r, b->now);
		rc = json_stream_feed(&b->decoder, (const char *)p + 1, n - 1);
		reflector_on_decoded(b->r, b->now, rc < 0 ? json_stream_error(&b->decoder) : NULL);
	}
	if (!b->in_flight)
		return;
	on_cancel(b);
	reflector_on_done(b->r, b->now, p[0] & 0x80 ? -1 : 0, "cut");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct reflector_options o = {.name = "services", .kind = OBJECT_SERVICE};
	struct bench b = {.now = 1};
	struct reflector_ops ops = {&b, on_send, on_cancel, on_refresh};
	struct store *st = store_new();

	log_set_level(LOG_FATAL);
	rand_seed(1);
	b.r = reflector_new(&o, st, store_source_add(st, "fuzz", 1u << OBJECT_SERVICE), &ops);
	reflector_start(b.r, b.now);
	for (size_t at = 0; at < n;) {
		const uint8_t *end = memchr(data + at, 0xff, n - at);
		size_t len = end ? (size_t)(end - data) - at : n - at;

		if (len > 0)
			answer(&b, data + at, len);
		at += len + 1;
	}
	if (b.in_flight)
		on_cancel(&b);
	reflector_free(b.r);
	store_free(st);
	return 0;
}
