/*
 * The reflector against a simulated server under random faults, on a virtual clock: hundreds of
 * runs, each from its seed. After the faults the store must be what the server has, and names
 * that the server never lost must never have been away.
 */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/num.h"
#include "base/rand.h"
#include "cluster/audit.h"
#include "cluster/json_object.h"
#include "cluster/json_stream.h"
#include "cluster/reflector.h"

enum { NAMES = 8, KEPT = 3, HISTORY = 4096, RUNS = 500, FAULTS = 60, PAGE = 2 };

/* The server: rv of each name (0: absent), as it is now and as it was at each version. */
struct world {
	uint64_t rv, compacted;
	uint64_t at[HISTORY][NAMES]; /* state at a version */
};

/* The request that the reflector has in flight. */
struct flight {
	bool on, is_watch, is_open, wants_initial;
	char query[512];
	uint64_t sent; /* version */
	uint64_t bookmark, end; /* times */
};

struct sim {
	struct world w;
	struct flight f;
	struct store *store;
	struct reflector *r;
	struct json_stream decoder;
	struct audit *audit;
	bool wants_audit; /* its request is in flight */
	uint64_t now, seed;
	bool refuse_stream, down, silent, was_synced, is_faulty, hides;
	int next_status; /* answer the next request with this */
};

static int on_send(void *arg, const char *query, bool is_watch, struct err *e)
{
	struct sim *s = arg;
	struct object_sink sink = reflector_sink(s->r);

	(void)e;
	assert_false(s->f.on);
	s->f = (struct flight){.on = true, .is_watch = is_watch, .bookmark = s->now + 60000};
	snprintf(s->f.query, sizeof(s->f.query), "%s", query);
	json_stream_init(&s->decoder, is_watch ? JSON_WATCH : JSON_LIST, OBJECT_SERVICE, &sink);
	return 0;
}

static void on_cancel(void *arg)
{
	struct sim *s = arg;

	assert_true(s->f.on);
	s->f.on = false;
	json_stream_fini(&s->decoder);
}

static void on_refresh(void *arg)
{
	(void)arg;
}

static void on_log(void *arg, enum log_level level, const char *text)
{
	(void)arg;
	(void)level;
	if (getenv("SIM_VERBOSE"))
		printf("# %s\n", text);
}

/* ---- the answer ---- */

static void finish(struct sim *s, int rc)
{
	s->f.on = false;
	json_stream_fini(&s->decoder);
	reflector_on_done(s->r, s->now, rc, "broken");
}

static void feed(struct sim *s, struct buf *b)
{
	const char *why = NULL;

	reflector_on_bytes(s->r, s->now);
	if (json_stream_feed(&s->decoder, buf_text(b), b->len) < 0)
		why = json_stream_error(&s->decoder);
	reflector_on_decoded(s->r, s->now, why);
	buf_clear(b);
}

static uint64_t parameter(const struct sim *s, const char *name)
{
	const char *at = strstr(s->f.query, name);

	return at == NULL ? 0 : strtoull(at + strlen(name), NULL, 10);
}

static void put_object(struct buf *b, unsigned name, uint64_t rv)
{
	buf_printf(b,
	        "{\"kind\":\"Service\",\"metadata\":{\"name\":\"n%u\",\"namespace\":\"d\",\"uid\":"
	        "\"00000000-0000-0000-0000-00000000000%u\",\"resourceVersion\":\"%llu\"},\"spec\":"
	        "{\"clusterIP\":\"10.0.%u.%u\"}}",
	        name, name, (unsigned long long)rv, (unsigned)rv / 250, (unsigned)rv % 250 + 1);
}

static void put_event(struct buf *b, const char *type, unsigned name, uint64_t rv)
{
	buf_printf(b, "{\"type\":\"%s\",\"object\":", type);
	put_object(b, name, rv);
	buf_str(b, "}\n");
}

static void put_bookmark(struct buf *b, uint64_t rv, bool end)
{
	buf_printf(b,
	        "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Service\",\"metadata\":{"
	        "\"resourceVersion\":\"%llu\"%s}}}\n",
	        (unsigned long long)rv,
	        end ? ",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}" : "");
}

static void answer_status(struct sim *s, int status)
{
	struct object_sink sink = reflector_sink(s->r);
	struct api_status body = {.code = status, .reason = "", .message = "fault"};

	if (status == 504)
		body.message = "Timeout: Too large resource version: 1, current: 0";
	reflector_on_head(s->r, s->now, status, rand_below(3) ? -1 : 1);
	if (!s->f.on)
		return;
	sink.on_status(sink.arg, &body);
	finish(s, 0);
}

static void change(struct sim *s)
{
	unsigned i = rand_below(NAMES);
	uint64_t *next;

	if (s->w.rv + 1 == HISTORY)
		return;
	next = s->w.at[s->w.rv + 1];
	memcpy(next, s->w.at[s->w.rv], sizeof(s->w.at[0]));
	s->w.rv++;
	next[i] = i >= KEPT && next[i] != 0 && rand_below(3) == 0 ? 0 : s->w.rv;
}

/* A page of at most PAGE objects; the token is "VERSION.NEXT". */
static void answer_list(struct sim *s)
{
	const char *token = strstr(s->f.query, "continue=");
	unsigned limit = (unsigned)parameter(s, "limit="), left = 0;
	uint64_t rv = token ? strtoull(token + 9, NULL, 10) : s->w.rv;
	unsigned i = token ? (unsigned)atoi(strchr(token + 9, '.') + 1) : 0, n = 0;
	struct buf items = {0}, b = {0};

	if (token && s->is_faulty && rand_below(4) == 0) {
		change(s);
		s->w.compacted = s->w.rv;
	}
	if (rv < s->w.compacted || rv > s->w.rv) {
		answer_status(s, 410);
		return;
	}
	limit = limit > PAGE ? PAGE : limit;
	for (; i < NAMES && (limit == 0 || n < limit); i++) {
		if (s->w.at[rv][i] == 0)
			continue;
		buf_str(&items, n++ ? "," : "");
		put_object(&items, i, s->w.at[rv][i]);
	}
	buf_printf(&b, "{\"kind\":\"ServiceList\",\"metadata\":{\"resourceVersion\":\"%llu\"",
	        (unsigned long long)rv);
	for (unsigned k = i; k < NAMES; k++)
		left += s->w.at[rv][k] != 0;
	if (left > 0)
		buf_printf(&b, ",\"continue\":\"%llu.%u\",\"remainingItemCount\":%u",
		        (unsigned long long)rv, i, left);
	buf_printf(&b, "},\"items\":[%s]}", buf_text(&items));
	reflector_on_head(s->r, s->now, 200, -1);
	feed(s, &b);
	if (s->f.on)
		finish(s, 0);
	buf_free(&b);
	buf_free(&items);
}

static void open_watch(struct sim *s)
{
	uint64_t rv = parameter(s, "resourceVersion=");
	struct buf b = {0};

	if (s->f.wants_initial && rv > s->w.rv) {
		answer_status(s, 504);
		return;
	}
	reflector_on_head(s->r, s->now, 200, -1);
	s->f.is_open = true;
	s->f.end = s->now + parameter(s, "timeoutSeconds=") * 1000;
	s->f.sent = rv;
	if (!s->f.wants_initial && rv < s->w.compacted) {
		buf_str(&b, "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410,"
		            "\"message\":\"too old\"}}\n");
		feed(s, &b);
	}
	buf_free(&b);
}

/* ---- the audit beside the watch ---- */

static int on_audit_send(void *arg, const char *query)
{
	struct sim *s = arg;

	assert_non_null(strstr(query, "limit="));
	s->wants_audit = true;
	return 0;
}

static void on_audit_cancel(void *arg)
{
	((struct sim *)arg)->wants_audit = false;
}

static void answer_audit(struct sim *s)
{
	struct object_sink sink = audit_sink(s->audit);
	struct list_meta meta = {"", NULL, 0};

	s->wants_audit = false;
	audit_on_head(s->audit, s->now, s->down ? 503 : 200);
	for (unsigned i = 0; i < NAMES && !s->down; i++) {
		struct object o = {.rv = s->w.at[s->w.rv][i], .ns = "d"};
		char name[8];

		snprintf(name, sizeof(name), "n%u", i);
		o.name = name;
		o.uid[15] = (uint8_t)i;
		if (o.rv != 0)
			sink.on_object(sink.arg, EVENT_ADDED, &o);
	}
	if (!s->down)
		sink.on_list_end(sink.arg, &meta);
	audit_on_done(s->audit, s->now, 0);
}

static void pass_audit(struct sim *s)
{
	if (audit_deadline_ms(s->audit) <= s->now)
		audit_on_time(s->audit, s->now);
	if (s->wants_audit && !s->silent)
		answer_audit(s);
}

static void answer(struct sim *s)
{
	int status = s->next_status;

	s->next_status = 0;
	s->f.wants_initial = strstr(s->f.query, "sendInitialEvents") != NULL;
	if (s->down)
		finish(s, -ECONNREFUSED);
	else if (status != 0)
		answer_status(s, status);
	else if (s->f.wants_initial && s->refuse_stream)
		answer_status(s, 422);
	else if (s->f.is_watch)
		open_watch(s);
	else
		answer_list(s);
}

static void send_initial(struct sim *s, struct buf *b)
{
	for (unsigned i = 0; i < NAMES; i++) {
		if (s->w.at[s->w.rv][i] != 0)
			put_event(b, "ADDED", i, s->w.at[s->w.rv][i]);
	}
	put_bookmark(b, s->w.rv, true);
	s->f.wants_initial = false;
	s->f.sent = s->w.rv;
}

static void send_events(struct sim *s, struct buf *b)
{
	for (; s->f.sent < s->w.rv; s->f.sent++) {
		const uint64_t *was = s->w.at[s->f.sent], *is = s->w.at[s->f.sent + 1];

		for (unsigned i = 0; i < NAMES; i++) {
			if (was[i] == is[i])
				continue;
			if (s->hides && s->is_faulty && rand_below(4) == 0)
				continue; /* K36: a server that leaves events out */
			put_event(b,
			        is[i] == 0 ? "DELETED"
			        : was[i]   ? "MODIFIED"
			                   : "ADDED",
			        i, s->f.sent + 1);
		}
	}
}

/* What an open watch has to say at this time. */
static void stream(struct sim *s)
{
	struct buf b = {0};

	if (s->f.wants_initial)
		send_initial(s, &b);
	else
		send_events(s, &b);
	if (s->now >= s->f.bookmark) {
		put_bookmark(&b, s->w.rv, false);
		s->f.bookmark = s->now + 60000;
	}
	if (b.len > 0)
		feed(s, &b);
	buf_free(&b);
	if (s->f.on && s->f.is_open && s->now >= s->f.end)
		finish(s, 0);
}

static void check_kept(struct sim *s)
{
	s->was_synced |= reflector_is_synced(s->r);
	for (unsigned i = 0; s->was_synced && i < KEPT; i++) {
		char name[8];

		snprintf(name, sizeof(name), "n%u", i);
		if (store_service(s->store, "d", name) == NULL)
			fail_msg("seed %llu: %s was away", (unsigned long long)s->seed, name);
	}
}

static void pass_time(struct sim *s, uint64_t ms)
{
	for (uint64_t until = s->now + ms; s->now < until; s->now += 50) {
		if (reflector_deadline_ms(s->r) <= s->now)
			reflector_on_time(s->r, s->now);
		if (s->f.on && !s->silent && !s->f.is_open)
			answer(s);
		else if (s->f.on && !s->silent && s->f.is_open)
			stream(s);
		pass_audit(s);
		check_kept(s);
	}
}

/* ---- what happens ---- */

static void break_answer(struct sim *s)
{
	struct buf b = {0};

	if (!s->f.on || !s->f.is_open)
		return;
	if (rand_below(3) == 0) { /* an event that is cut short */
		put_event(&b, "MODIFIED", 0, s->w.rv + 1);
		b.len = rand_below((uint32_t)b.len - 2);
		b.at[b.len] = '\0';
		feed(s, &b);
	} else if (rand_below(3) == 0) {
		buf_str(&b, "<html>");
		feed(s, &b);
	}
	buf_free(&b);
	if (s->f.on)
		finish(s, rand_below(2) ? 0 : -ECONNRESET);
}

/* A restored backup. Nobody writes until the clients had time to notice, or nobody could. */
static void rewind_world(struct sim *s)
{
	uint64_t back = rand_below(5) + 1;

	if (s->w.rv < s->w.compacted + back)
		return;
	s->w.rv -= back;
	if (s->f.on && s->f.is_open)
		finish(s, -ECONNRESET);
	pass_time(s, 250000);
}

static void fault(struct sim *s)
{
	static const int statuses[] = {400, 401, 403, 404, 410, 429, 500, 502, 503, 504};

	switch (rand_below(10)) {
	case 0: s->down = !s->down; break;
	case 1: s->silent = !s->silent; break;
	case 2: s->next_status = statuses[rand_below(10)]; break;
	case 3: s->w.compacted = s->w.rv; break;
	case 4: s->refuse_stream = !s->refuse_stream; break;
	case 5:
		if (!s->down && !s->silent)
			rewind_world(s);
		break;
	default: break_answer(s);
	}
}

static void check_same(struct sim *s)
{
	for (unsigned i = 0; i < NAMES; i++) {
		char name[8];
		const struct object *o;
		uint64_t rv = s->w.at[s->w.rv][i];

		snprintf(name, sizeof(name), "n%u", i);
		o = store_service(s->store, "d", name);
		if ((o == NULL) != (rv == 0) || (o != NULL && o->rv != rv))
			fail_msg("seed %llu: %s is at %llu, not at %llu",
			        (unsigned long long)s->seed, name,
			        o ? (unsigned long long)o->rv : 0, (unsigned long long)rv);
	}
}

static void run(struct sim *s, uint64_t seed)
{
	struct reflector_options o = {.name = "services", .kind = OBJECT_SERVICE};
	struct reflector_ops ops = {s, on_send, on_cancel, on_refresh};
	struct audit_ops audit_ops = {s, on_audit_send, on_audit_cancel};

	memset(&s->f, 0, sizeof(s->f));
	s->seed = seed;
	s->now = 1000;
	s->down = s->silent = s->refuse_stream = s->was_synced = false;
	s->next_status = 0;
	s->is_faulty = true;
	s->hides = seed % 4 == 0;
	rand_seed(seed);
	s->w.rv = s->w.compacted = 1;
	for (unsigned i = 0; i < NAMES; i++)
		s->w.at[1][i] = i < KEPT;
	s->store = store_new();
	s->r = reflector_new(
	        &o, s->store, store_source_add(s->store, "api", 1u << OBJECT_SERVICE), &ops);
	s->wants_audit = false;
	s->audit = audit_new(s->r, &audit_ops, s->now);
	reflector_start(s->r, s->now);
	for (unsigned i = 0; i < FAULTS; i++) {
		for (unsigned n = rand_below(4); n > 0; n--)
			change(s);
		pass_time(s, rand_below(2) ? 100 : rand_below(8000));
		fault(s);
	}
	s->is_faulty = s->down = s->silent = false;
	/* what was left out is found by a comparison */
	pass_time(s, 300000);
	check_same(s);
	if (s->f.on)
		on_cancel(s);
	audit_free(s->audit);
	reflector_free(s->r);
	store_free(s->store);
}

static void any_mix_of_faults_ends_in_the_state_of_the_server(void **state)
{
	struct sim *s = calloc(1, sizeof(*s));
	const char *only = getenv("SIM_SEED");

	(void)state;
	log_set_sink(on_log, NULL);
	log_set_level(getenv("SIM_VERBOSE") ? LOG_DEBUG : LOG_INFO);
	for (uint64_t seed = 1; seed <= RUNS && only == NULL; seed++)
		run(s, seed);
	if (only != NULL)
		run(s, strtoull(only, NULL, 10));
	log_set_sink(NULL, NULL);
	free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(any_mix_of_faults_ends_in_the_state_of_the_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
