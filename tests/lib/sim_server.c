/* The API server of the simulation. */
#include "sim.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/rand.h"

/* ---- what the client hears ---- */

/* A list may have been accepted: then all that it said counts. */
static void note_list(struct sim_channel *c)
{
	const struct reflector_stats *stats = reflector_stats(c->reflector);
	bool is_synced = reflector_is_synced(c->reflector);

	if (stats->relists == c->relists && is_synced == c->was_synced)
		return;
	c->relists = stats->relists;
	c->was_synced = is_synced;
	for (unsigned i = 0; i < c->sim->world.n && c->is_list_whole; i++)
		if (world_object(&c->sim->world, i)->kind == c->kind)
			sim_acknowledge(c->sim, i, c->listed[i]);
	sim_check(c->sim);
}

static void forget_request(struct sim_channel *c)
{
	if (c->has_decoder)
		decoder_fini(&c->decoder);
	c->is_in_flight = c->is_open = c->has_decoder = c->is_dead = false;
	c->marks.len = 0;
	buf_clear(&c->out);
}

static void finish(struct sim_channel *c, int rc)
{
	forget_request(c);
	reflector_on_done(c->reflector, sim_now_ms, rc, "broken");
	note_list(c);
}

static void begin_answer(struct sim_channel *c)
{
	struct object_sink sink = reflector_sink(c->reflector);
	struct decoder_options o = {c->sim->world.form, c->is_watch, c->kind};

	decoder_init(&c->decoder, &o, &sink);
	c->has_decoder = true;
	reflector_on_head(c->reflector, sim_now_ms, 200, -1);
}

/* One piece; false when the request is gone after it. */
static bool feed(struct sim_channel *c, const char *p, size_t n)
{
	const char *why = NULL;

	reflector_on_bytes(c->reflector, sim_now_ms);
	if (decoder_feed(&c->decoder, p, n) < 0)
		why = decoder_error(&c->decoder);
	reflector_on_decoded(c->reflector, sim_now_ms, why);
	return c->is_in_flight && c->has_decoder;
}

static void acknowledge(struct sim_channel *c, size_t done)
{
	for (size_t i = 0; i < c->marks.len && c->marks.at[i].end <= done; i++)
		if (!c->marks.at[i].is_old)
			sim_acknowledge(c->sim, c->marks.at[i].object, c->marks.at[i].at);
	sim_check(c->sim);
}

/* Send what is in c->out. False when the request is gone after it. */
static bool deliver(struct sim_channel *c)
{
	const struct sim_faults *f = &c->sim->faults;
	bool is_cut = f->cuts != 0 && rand_below(f->cuts) == 0;
	size_t done = 0, n, end = is_cut ? rand_below((uint32_t)c->out.len) : c->out.len;

	while (done < end) {
		n = end - done;
		if (f->is_rough && n > 1 && rand_below(2))
			n = 1 + rand_below((uint32_t)n - 1);
		if (!feed(c, c->out.at + done, n)) {
			note_list(c);
			return false;
		}
		done += n;
		acknowledge(c, done);
		note_list(c);
	}
	c->marks.len = 0;
	buf_clear(&c->out);
	if (is_cut)
		finish(c, rand_below(2) ? 0 : -ECONNRESET);
	return !is_cut;
}

/* ---- what is asked ---- */

static int on_send(void *arg, const char *query, bool is_watch, struct err *e)
{
	struct sim_channel *c = arg;

	(void)e;
	if (c->is_in_flight)
		sim_fail(c->sim, "two requests of one kind");
	c->is_in_flight = true;
	c->is_watch = is_watch;
	c->wants_initial = strstr(query, "sendInitialEvents") != NULL;
	snprintf(c->query, sizeof(c->query), "%s", query);
	return 0;
}

static void on_cancel(void *arg)
{
	struct sim_channel *c = arg;

	if (!c->is_in_flight)
		sim_fail(c->sim, "nothing to cancel");
	forget_request(c);
}

static void on_refresh(void *arg)
{
	(void)arg;
}

static int on_audit_send(void *arg, const char *query)
{
	struct sim_channel *c = arg;

	c->is_audit_in_flight = true;
	snprintf(c->audit_query, sizeof(c->audit_query), "%s", query);
	return 0;
}

static void on_audit_cancel(void *arg)
{
	((struct sim_channel *)arg)->is_audit_in_flight = false;
}

struct reflector_ops sim_reflector_ops(struct sim_channel *c)
{
	return (struct reflector_ops){c, on_send, on_cancel, on_refresh};
}

struct audit_ops sim_audit_ops(struct sim_channel *c)
{
	return (struct audit_ops){c, on_audit_send, on_audit_cancel};
}

void sim_cut_channel(struct sim_channel *c, int rc)
{
	if (c->is_in_flight)
		finish(c, rc);
	if (c->is_audit_in_flight) {
		c->is_audit_in_flight = false;
		audit_on_done(c->audit, sim_now_ms, rc < 0 ? rc : -ECONNRESET);
	}
}

void sim_forget_requests(struct sim_channel *c)
{
	forget_request(c);
	buf_free(&c->out);
	vec_free(&c->marks);
	c->is_audit_in_flight = c->was_synced = false;
	c->relists = 0;
}

static uint64_t parameter(const char *query, const char *name)
{
	const char *at = strstr(query, name);

	return at == NULL ? 0 : strtoull(at + strlen(name), NULL, 10);
}

/* The version that this server knows, for reads that need no quorum. */
static uint64_t view_rv(const struct sim *s)
{
	uint64_t least = s->world.compacted, lag = s->faults.lag;

	if (s->faults.lag_varies)
		lag = rand_below((uint32_t)lag + 1);
	return s->world.rv > least + lag ? s->world.rv - lag : least;
}

/* ---- answers ---- */

static void answer_status(struct sim_channel *c, int status)
{
	struct object_sink sink = reflector_sink(c->reflector);
	struct api_status body = {.code = status, .reason = "", .message = "fault"};

	if (status == 504)
		body.message = "Timeout: Too large resource version: 1, current: 0";
	reflector_on_head(c->reflector, sim_now_ms, status, rand_below(3) ? -1 : 1);
	if (!c->is_in_flight)
		return;
	sink.on_status(sink.arg, &body);
	finish(c, 0);
}

static struct world_state state_at(const struct sim *s, unsigned i, uint32_t at)
{
	return s->world.history[i].at[at];
}

/* Fillers that a broken list does not have. */
static bool is_lost(const struct sim_channel *c, unsigned i, bool is_quorum)
{
	return c->sim->faults.loses_fillers && !is_quorum && i >= WORLD_OBJECTS + 20;
}

struct page {
	uint64_t rv;
	unsigned from, limit;
	bool is_quorum;
};

/* The page that a query asks for. */
static struct page read_page(struct sim_channel *c, const char *query)
{
	const char *token = strstr(query, "continue=");
	struct page p = {.limit = (unsigned)parameter(query, "limit=")};

	p.is_quorum = strstr(query, "resourceVersion=") == NULL;
	p.rv = p.is_quorum ? c->sim->world.rv : view_rv(c->sim);
	if (token != NULL) {
		p.rv = strtoull(token + 9, NULL, 10);
		p.from = (unsigned)atoi(strchr(token + 9, '.') + 1);
		p.is_quorum = strstr(token, ".q") == NULL ? p.is_quorum : true;
	}
	return p;
}

struct listing {
	struct world_item items[WORLD_MAX];
	struct world_list list;
	char token[48];
};

/* Fill in a page; remembers what the client is told of. */
static void list_objects(struct sim_channel *c, struct listing *l, const struct page *p)
{
	const struct sim *s = c->sim;
	unsigned limit = p->limit == 1 || s->world.n > WORLD_OBJECTS ? p->limit : SIM_PAGE, end = 0;

	l->list = (struct world_list){.kind = c->kind, .rv = p->rv, .items = l->items};
	for (unsigned i = p->from; i < s->world.n; i++) {
		uint32_t at = world_at(&s->world, i, p->rv);

		if (world_object(&s->world, i)->kind != c->kind)
			continue;
		c->listed[i] = at;
		if (state_at(s, i, at).rv == 0 || is_lost(c, i, p->is_quorum))
			continue;
		if (p->limit != 0 && l->list.len >= limit) {
			l->list.remaining++;
			continue;
		}
		l->items[l->list.len++] = (struct world_item){i, state_at(s, i, at)};
		end = i + 1;
	}
	if (l->list.remaining > 0) {
		snprintf(l->token, sizeof(l->token), "%llu.%u%s", (unsigned long long)p->rv, end,
		        p->is_quorum ? ".q" : "");
		l->list.token = l->token;
	}
}

static void answer_list(struct sim_channel *c)
{
	const struct sim *s = c->sim;
	struct page p = read_page(c, c->query);
	uint64_t least = parameter(c->query, "resourceVersion=");
	struct listing l = {.list = {.rv = 0}};

	if (p.rv < s->world.compacted || p.rv > s->world.rv) {
		answer_status(c, 410);
		return;
	}
	if (!p.is_quorum && p.rv < least && !s->faults.lists_stale) {
		answer_status(c, 504);
		return;
	}
	if (p.from == 0)
		c->is_list_whole = !s->faults.loses_fillers || p.is_quorum;
	list_objects(c, &l, &p);
	begin_answer(c);
	world_put_list(&s->world, &c->out, &l.list);
	if (deliver(c))
		finish(c, 0);
}

/* The first event behind a version. */
static size_t event_after(const struct world *w, uint64_t rv)
{
	size_t n = w->events.len;

	while (n > 0 && w->events.at[n - 1].rv > rv)
		n--;
	return n;
}

/* An event that is due was forgotten, the server says. */
static bool is_expired(struct sim_channel *c)
{
	unsigned bit = 1u << (c - c->sim->channels);
	bool is = !c->wants_initial && (c->sim->faults.expired & bit) != 0;

	if (is)
		c->sim->faults.expired &= ~bit;
	return is;
}

static void open_watch(struct sim_channel *c)
{
	const struct sim *s = c->sim;
	uint64_t rv = parameter(c->query, "resourceVersion=");

	if (c->wants_initial && rv > view_rv(s) && !s->faults.lists_stale) {
		answer_status(c, 504);
		return;
	}
	if (is_expired(c)) {
		answer_status(c, 410);
		return;
	}
	begin_answer(c);
	if (!c->is_in_flight)
		return;
	c->is_open = true;
	c->from_rv = rv;
	c->bookmark_ms = sim_now_ms + 60000;
	c->end_ms = sim_now_ms + parameter(c->query, "timeoutSeconds=") * 1000;
	if (s->faults.lists_stale && rv > view_rv(s))
		rv = view_rv(s) > s->world.compacted + 3 ? view_rv(s) - 3 : s->world.compacted;
	c->sent_rv = rv;
	c->next_event = event_after(&s->world, rv);
	if (!c->wants_initial && rv < s->world.compacted) {
		world_put_error(&s->world, &c->out, 410, "too old resource version");
		deliver(c);
	}
}

static void answer(struct sim_channel *c)
{
	struct sim_faults *f = &c->sim->faults;
	int status = f->next_status;

	f->next_status = 0;
	if (f->is_down)
		finish(c, -ECONNREFUSED);
	else if (status != 0)
		answer_status(c, status);
	else if (c->wants_initial && f->refuses_streams)
		answer_status(c, 422);
	else if (c->is_watch)
		open_watch(c);
	else
		answer_list(c);
}

/* ---- streams ---- */

static void send_initial(struct sim_channel *c)
{
	const struct sim *s = c->sim;
	bool is_quorum = strstr(c->query, "resourceVersion=") == NULL;
	uint64_t rv = is_quorum ? s->world.rv : view_rv(s);

	c->is_list_whole = !s->faults.loses_fillers || is_quorum;
	for (unsigned i = 0; i < s->world.n; i++) {
		uint32_t at = world_at(&s->world, i, rv);
		struct world_item item = {i, state_at(s, i, at)};

		if (world_object(&s->world, i)->kind != c->kind)
			continue;
		c->listed[i] = at;
		if (item.state.rv != 0 && !is_lost(c, i, is_quorum))
			world_put_event(&s->world, &c->out, "ADDED", &item);
	}
	world_put_bookmark(&s->world, &c->out, c->kind, rv, true);
	c->wants_initial = false;
	c->sent_rv = rv;
	c->next_event = event_after(&s->world, rv);
	deliver(c);
}

static void put_event(struct sim_channel *c, const struct world_event *e)
{
	const struct sim *s = c->sim;
	struct world_item item = {e->object, state_at(s, e->object, e->at)};
	const char *type = e->before.rv == 0 ? "ADDED" : "MODIFIED";

	if (item.state.rv == 0) {
		type = "DELETED";
		item.state = e->before;
		item.state.rv = e->rv;
	}
	world_put_event(&s->world, &c->out, type, &item);
	vec_push(&c->marks, (struct sim_mark){c->out.len, e->object, e->at, e->rv <= c->from_rv});
	if (s->faults.doubles)
		world_put_event(&s->world, &c->out, type, &item);
}

static bool is_hidden(const struct sim_faults *f, const struct world_event *e)
{
	return (f->hidden != 0 && e->rv == f->hidden) ||
	       (f->hides != 0 && rand_below(f->hides) == 0);
}

/* True when there was something to send. */
static bool send_events(struct sim_channel *c)
{
	const struct world *w = &c->sim->world;
	uint64_t until = view_rv(c->sim);

	for (; c->next_event < w->events.len; c->next_event++) {
		const struct world_event *e = &w->events.at[c->next_event];

		if (e->rv > until)
			break;
		if (world_object(w, e->object)->kind == c->kind && !is_hidden(&c->sim->faults, e))
			put_event(c, e);
	}
	c->sent_rv = until > c->sent_rv ? until : c->sent_rv;
	if (sim_now_ms >= c->bookmark_ms) {
		world_put_bookmark(w, &c->out, c->kind, c->sent_rv, false);
		c->bookmark_ms = sim_now_ms + 60000;
	}
	if (c->out.len == 0)
		return false;
	deliver(c);
	return true;
}

static void answer_audit(struct sim_channel *c)
{
	const struct sim *s = c->sim;
	struct object_sink sink = audit_sink(c->audit);
	struct page p = read_page(c, c->audit_query);
	struct listing l = {.list = {.rv = 0}};
	bool is_gone = p.rv < s->world.compacted || p.rv > s->world.rv;
	int status = s->refuses_audits ? 403 : is_gone ? 410 : 200;
	uint32_t listed[WORLD_MAX];
	struct json_stream decoder;
	struct buf b = {0};

	c->is_audit_in_flight = false;
	if (s->faults.is_down) {
		audit_on_done(c->audit, sim_now_ms, -ECONNREFUSED);
		return;
	}
	audit_on_head(c->audit, sim_now_ms, status);
	if (status == 200) {
		memcpy(listed, c->listed, sizeof(listed));
		list_objects(c, &l, &p);
		memcpy(c->listed, listed, sizeof(listed));
		world_put_metadata(&s->world, &b, &l.list);
		json_stream_init(&decoder, JSON_LIST, OBJECT_NONE, &sink);
		assert_int_equal(json_stream_feed(&decoder, buf_text(&b), b.len), 0);
		audit_on_decoded(c->audit, sim_now_ms, NULL);
		json_stream_fini(&decoder);
		buf_free(&b);
	}
	audit_on_done(c->audit, sim_now_ms, 0);
}

/* One thing that the server does for a kind. False when there is nothing to do. */
static bool act(struct sim_channel *c)
{
	if ((c->sim->faults.paused & 1u << (c - c->sim->channels)) != 0)
		return false;
	if (c->is_audit_in_flight) {
		answer_audit(c);
		return true;
	}
	if (!c->is_in_flight || c->is_dead)
		return false;
	if (!c->is_open) {
		answer(c);
		return true;
	}
	if (c->wants_initial) {
		send_initial(c);
		return true;
	}
	if (send_events(c))
		return true;
	if (sim_now_ms < c->end_ms)
		return false;
	finish(c, 0);
	return true;
}

void sim_serve(struct sim *s)
{
	unsigned quiet = 0, at = s->faults.is_rough ? rand_below(SIM_KINDS) : 0;

	s->has_rest = false;
	for (unsigned i = 0; quiet < SIM_KINDS && !s->faults.is_silent; i++) {
		if (i > 10000)
			sim_fail(s, "client and server talk without end");
		if (s->faults.is_rough && rand_below(8) == 0) {
			s->has_rest = true;
			return;
		}
		quiet = act(&s->channels[(at + i) % SIM_KINDS]) ? 0 : quiet + 1;
	}
}

uint64_t sim_server_deadline(const struct sim *s)
{
	uint64_t at = s->has_rest ? sim_now_ms + 20 : UINT64_MAX;

	for (unsigned i = 0; i < SIM_KINDS; i++) {
		const struct sim_channel *c = &s->channels[i];

		if (!c->is_in_flight || !c->is_open || c->is_dead || s->faults.is_silent ||
		        (s->faults.paused & 1u << i) != 0)
			continue;
		at = c->bookmark_ms < at ? c->bookmark_ms : at;
		at = c->end_ms < at ? c->end_ms : at;
	}
	return at;
}
