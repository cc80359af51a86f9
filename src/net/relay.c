#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rand.h"
#include "dns/rr.h"
#include "dns/wire.h"
#include "net/relay_internal.h"

#define JOIN_MS 2000u /* a later equal question is sent again: it has its own deadline */
#define WAITERS_MAX 4096u
#define SETTLE_MS 1000u /* what slower servers get after another one said no */
#define TCP_WAIT_MS 1000u
#define KEPT_MAX 4096u /* a longer answer is given at once, whatever its RCODE */

/* Time from one query to the next for the same question; the last one repeats. */
static const uint16_t schedule_ms[] = {400, 600, 1000};

static void try_or_give_up(struct exchange *x, bool is_scheduled);

void relay_config_init(struct relay_config *c)
{
	*c = (struct relay_config){
	        .policy = RELAY_RANDOM,
	        .max_fails = 2,
	        .probe_interval_ms = 500,
	        .expire_ms = 10000,
	        .deadline_ms = 4500,
	        .in_flight_max = 2048,
	        .probe_name = {.len = 1},
	};
}

/* --- time --- */

uint64_t relay_now_ms(const struct relay *r)
{
	return r->host.now_ns(r->host.arg) / 1000000u;
}

static void arm(struct relay *r)
{
	uint64_t now = relay_now_ms(r);
	int64_t wait = wheel_wait_ms(&r->wheel, now);

	r->armed_ms = UINT64_MAX;
	if (wait < 0)
		return;
	r->armed_ms = now + (uint64_t)wait;
	relay_io_arm(r->io, (uint64_t)wait);
}

void relay_timer(struct relay *r, struct wheel_node *n, uint64_t in_ms)
{
	uint64_t due = relay_now_ms(r) + in_ms;

	wheel_set(&r->wheel, n, due);
	if (due + WHEEL_TICK_MS < r->armed_ms)
		arm(r);
}

void relay_on_timer(void *arg)
{
	struct relay *r = arg;

	wheel_run(&r->wheel, relay_now_ms(r));
	relay_reap(r);
	arm(r);
}

void relay_reap(struct relay *r)
{
	channels_free(r);
	upstreams_free(r);
}

/* --- exchanges and attempts: pools, tables --- */

static struct exchange *exchange_new(struct relay *r, void (*on_timer)(struct wheel_node *))
{
	struct list *node = list_first(&r->free_exchanges);
	struct exchange *x;

	if (node != NULL) {
		x = container_of(node, struct exchange, node);
		list_remove(node);
	} else {
		x = mem_new(struct exchange);
	}
	memset(x, 0, offsetof(struct exchange, question));
	list_init(&x->node);
	list_init(&x->waiters);
	list_init(&x->attempts);
	wheel_node_init(&x->timer, on_timer);
	x->relay = r;
	x->start_ms = relay_now_ms(r);
	return x;
}

static struct attempt *attempt_new(
        struct exchange *x, struct upstream *up, bool is_tcp, bool has_edns)
{
	struct relay *r = x->relay;
	struct list *node = list_first(&r->free_attempts);
	struct attempt *a;

	if (node != NULL) {
		a = container_of(node, struct attempt, node);
		list_remove(node);
		memset(a, 0, sizeof(*a));
	} else {
		a = mem_new(struct attempt);
	}
	list_init(&a->on_channel);
	list_push(&x->attempts, &a->node);
	a->exchange = x;
	a->upstream = up;
	a->is_tcp = is_tcp;
	a->has_edns = has_edns;
	return a;
}

static struct exchange **question_bucket(struct relay *r, const struct question *q)
{
	return &r->by_question[q->hash % QUESTION_BUCKETS];
}

static void unlink_question(struct exchange *x)
{
	struct exchange **at = question_bucket(x->relay, &x->question);

	while (*at != NULL && *at != x)
		at = &(*at)->next_question;
	if (*at == x)
		*at = x->next_question;
}

/* Out of every table; only its waiters are left. */
static void detach(struct exchange *x)
{
	struct relay *r = x->relay;
	struct upstream *up = x->probed;

	x->is_done = true;
	wheel_cancel(&r->wheel, &x->timer);
	if (up == NULL) {
		unlink_question(x);
		list_remove(&x->node);
		r->count--;
	}
	for (unsigned i = 0; up != NULL && i < PROBES; i++)
		if (up->probes[i] == x)
			up->probes[i] = NULL;
	list_for_each (&x->attempts, node) {
		attempt_close(container_of(node, struct attempt, node));
		list_remove(node);
		list_push_first(&r->free_attempts, node); /* the caches still have it */
	}
}

void exchange_drop(struct exchange *x)
{
	if (!x->is_done)
		detach(x);
	free(x->kept);
	x->kept = NULL;
	list_push_first(&x->relay->free_exchanges, &x->node);
}

/* --- the end of a question --- */

static void finish(struct exchange *x, const struct relay_reply *reply)
{
	struct list *node;

	detach(x);
	while ((node = list_first(&x->waiters)) != NULL) {
		struct relay_waiter *w = container_of(node, struct relay_waiter, node);

		list_remove(node);
		w->exchange = NULL;
		w->on_reply(w, reply);
	}
	exchange_drop(x);
}

/* True when every attempt met an error of the network. */
static bool is_unreachable(const struct exchange *x)
{
	for (struct list *at = x->attempts.next; at != &x->attempts; at = at->next)
		if (!container_of(at, struct attempt, node)->has_error)
			return false;
	return !list_is_empty(&x->attempts);
}

/* An answer of which another server might have had a better one. */
static void give_kept(struct exchange *x)
{
	const struct kept_reply *k = x->kept;
	struct relay_reply reply = {
	        .rcode = k->rcode,
	        .ede = EDE_NONE,
	        .is_authoritative = k->is_authoritative,
	        .is_authentic = k->is_authentic,
	        .message = k->message,
	        .len = k->len,
	        .from = &k->from,
	};

	finish(x, &reply);
}

/* No server gave an answer: pass on the best of what they said, or say so ourselves. */
static void fail(struct exchange *x)
{
	union addr asked = x->asked;
	struct relay_reply reply = {.rcode = RCODE_SERVFAIL, .ede = EDE_NONE};

	if (x->kept != NULL && !x->has_truncated) {
		give_kept(x);
		return;
	}
	reply.from = list_is_empty(&x->attempts) ? NULL : &asked;
	reply.is_tcp = x->asked_by_tcp;
	if (x->has_truncated) {
		reply.rcode = RCODE_NOERROR;
		reply.is_truncated = true;
	} else if (x->has_failure) {
		reply.rcode = x->failure;
	} else {
		reply.error = is_unreachable(x) && x->error != 0 ? x->error : -ETIMEDOUT;
		reply.ede = reply.error == -ETIMEDOUT ? EDE_NO_REACHABLE : EDE_NETWORK;
	}
	finish(x, &reply);
}

static void succeed(struct exchange *x, const struct upstream *up)
{
	const struct reply *r = &x->relay->reply;
	union addr from = up->way.to;
	struct relay_reply reply = {
	        .rcode = r->rcode,
	        .ede = EDE_NONE,
	        .is_truncated = r->is_truncated,
	        .is_authoritative = r->is_authoritative,
	        .is_authentic = r->is_authentic,
	        .message = r->wire,
	        .len = r->len,
	        .from = &from,
	};

	finish(x, &reply);
}

/* --- sending --- */

static bool send_to(struct exchange *x, struct upstream *up, bool is_tcp, bool has_edns)
{
	struct attempt *a = attempt_new(x, up, is_tcp, has_edns);
	int rc = attempt_send(a);

	x->asked = up->way.to;
	x->asked_by_tcp = is_tcp;
	if (rc == 0)
		return true;
	x->error = rc;
	a->has_error = true;
	upstream_suspect(up);
	return false;
}

static bool try_next(struct exchange *x, bool is_scheduled)
{
	struct upstream *up;

	while ((up = upstream_pick(x, is_scheduled)) != NULL) {
		x->tries++;
		if (send_to(x, up, upstream_is_stream(up), true))
			return true;
	}
	return false;
}

/* Set the timer to the next step of the schedule, or to the deadline. */
static void set_timer(struct exchange *x, uint64_t in_ms)
{
	uint64_t end = x->start_ms + x->relay->config.deadline_ms, now = relay_now_ms(x->relay);
	uint64_t left = end > now ? end - now : 0;

	relay_timer(x->relay, &x->timer, in_ms < left ? in_ms : left);
}

static uint64_t next_step(struct exchange *x)
{
	unsigned last = ARRAY_LEN(schedule_ms) - 1;
	unsigned step = x->sends < last ? x->sends : last;
	uint32_t limit = x->relay->config.read_timeout_ms, wait = schedule_ms[step];

	x->sends++;
	return limit != 0 && limit < wait ? limit : wait;
}

/* An attempt that may still be answered. */
static bool is_waiting(const struct exchange *x)
{
	for (struct list *at = x->attempts.next; at != &x->attempts; at = at->next) {
		const struct attempt *a = container_of(at, struct attempt, node);

		if (a->channel != NULL && !a->has_error)
			return true;
	}
	return false;
}

/* All servers were asked and one said no: the others get a little time, no more. */
static void settle(struct exchange *x)
{
	x->is_settling = true;
	set_timer(x, SETTLE_MS);
}

/*
 * Go on with the next server. When there is none: wait for slower ones, or for the schedule to ask
 * again where the network failed, or end.
 */
static void try_or_give_up(struct exchange *x, bool is_scheduled)
{
	if (try_next(x, is_scheduled))
		return;
	if (is_waiting(x)) {
		if (x->has_failure && !x->is_settling)
			settle(x);
		return;
	}
	if (x->has_failure || x->has_truncated || upstream_pick(x, true) == NULL)
		fail(x);
}

/* Servers that have been silent since they were asked are not asked first again. */
static void mark_silent(struct exchange *x)
{
	uint64_t now_ns = x->relay->host.now_ns(x->relay->host.arg);

	list_for_each (&x->attempts, node) {
		struct attempt *a = container_of(node, struct attempt, node);

		if (a->is_tcp && now_ns - a->sent_ns < TCP_WAIT_MS * 1000000ull)
			continue; /* perhaps it shakes hands */
		if (a->channel != NULL && a->upstream->heard_ns < a->sent_ns)
			upstream_suspect(a->upstream);
	}
}

static void on_exchange_timer(struct wheel_node *n)
{
	struct exchange *x = container_of(n, struct exchange, timer);
	struct relay *r = x->relay;

	mark_silent(x);
	if (x->is_settling || relay_now_ms(r) >= x->start_ms + r->config.deadline_ms) {
		fail(x);
		return;
	}
	if (try_next(x, true))
		set_timer(x, next_step(x));
	else if (!is_waiting(x))
		fail(x);
	else if (x->has_failure)
		settle(x);
	else
		set_timer(x, r->config.deadline_ms);
}

/* --- replies --- */

static void count_reply(const struct attempt *a, uint16_t rcode)
{
	struct relay_stats *s = a->upstream->stats;
	struct relay *r = a->upstream->relay;
	uint64_t took = r->host.now_ns(r->host.arg) - a->sent_ns;
	unsigned i = rcode < RELAY_RCODES - 1 ? rcode : RELAY_RCODES - 1, b = 0;

	while (b < RELAY_BUCKETS - 1 && took > 250000ull << b)
		b++;
	stat_add(&s->count[i][b], 1);
	stat_add(&s->sum_ns[i], took);
	upstream_took(a->upstream, took);
}

static bool was_sent(const struct exchange *x, const struct attempt *like, bool is_tcp, bool edns)
{
	for (struct list *at = x->attempts.next; at != &x->attempts; at = at->next) {
		const struct attempt *a = container_of(at, struct attempt, node);

		if (a->upstream == like->upstream && a->is_tcp == is_tcp && a->has_edns == edns)
			return true;
	}
	return false;
}

/* The server may not know EDNS: ask it once more without (RFC 6891 7). */
static bool retry_plain(struct attempt *a)
{
	struct exchange *x = a->exchange;

	if (!a->has_edns || was_sent(x, a, a->is_tcp, false))
		return false;
	if (!send_to(x, a->upstream, a->is_tcp, false))
		return false;
	set_timer(x, TCP_WAIT_MS);
	return true;
}

static void retry_stream(struct attempt *a)
{
	struct exchange *x = a->exchange;

	x->has_truncated = true;
	if (!was_sent(x, a, true, a->has_edns) && send_to(x, a->upstream, true, a->has_edns))
		set_timer(x, TCP_WAIT_MS);
	else
		try_or_give_up(x, false);
}

/* The server says that it cannot answer: ask the others, remember what it said. */
static void note_failure(struct attempt *a, uint16_t rcode)
{
	struct exchange *x = a->exchange;
	bool is_only = x->relay->upstreams_len == 1 && rcode == RCODE_SERVFAIL;

	rcode = rcode > RCODE_REFUSED ? RCODE_SERVFAIL : rcode;
	if (!x->has_failure || rcode == RCODE_SERVFAIL)
		x->failure = rcode;
	x->has_failure = true;
	a->is_refused = !is_only;
	try_or_give_up(x, is_only);
}

/*
 * An answer that the others may improve on: keep it, ask them. False when it is the answer, for it
 * is too long to keep.
 */
static bool note_weak_answer(struct attempt *a)
{
	struct exchange *x = a->exchange;
	const struct reply *reply = &x->relay->reply;
	struct kept_reply *k;

	if (reply->len > KEPT_MAX)
		return false;
	k = mem_alloc(sizeof(*k) + reply->len);
	k->from = a->upstream->way.to;
	k->rcode = reply->rcode;
	k->is_authoritative = reply->is_authoritative;
	k->is_authentic = reply->is_authentic;
	k->len = reply->len;
	memcpy(k->message, reply->wire, reply->len);
	free(x->kept);
	x->kept = k;
	x->has_failure = true;
	a->is_refused = true;
	try_or_give_up(x, false);
	return true;
}

static bool is_weak(const struct relay *r, uint16_t rcode)
{
	return rcode < 32 && (r->config.failover >> rcode & 1u) != 0;
}

/* RCODEs after which another server may know better. */
static bool is_failure(uint16_t rcode)
{
	return rcode == RCODE_SERVFAIL || rcode == RCODE_REFUSED || rcode == RCODE_NOTIMP ||
	       rcode == RCODE_FORMERR || rcode > 15;
}

static void take_reply(struct attempt *a)
{
	const struct reply *reply = &a->exchange->relay->reply;

	if ((reply->rcode == RCODE_FORMERR || reply->rcode == RCODE_BADVERS) && retry_plain(a))
		return;
	if (reply->is_truncated && !a->is_tcp && !is_failure(reply->rcode))
		retry_stream(a);
	else if (reply->is_referral)
		note_failure(a, RCODE_SERVFAIL);
	else if (is_failure(reply->rcode))
		note_failure(a, reply->rcode);
	else if (!is_weak(a->upstream->relay, reply->rcode) || !note_weak_answer(a))
		succeed(a->exchange, a->upstream);
}

/*
 * The right question in other letters than it was sent: a forgery, or a server that changes the
 * case. A connection tells: it is hard to forge, so letters do not matter there.
 */
static bool retry_without_case(struct attempt *a, const uint8_t *data, size_t n)
{
	struct exchange *x = a->exchange;
	struct reply_question q = question_view(&x->question);

	if (!a->has_random_case || !reply_is_for(&q, data, n))
		return false;
	stat_add(&a->upstream->stats->bad[BAD_QUESTION], 1);
	if (!was_sent(x, a, true, a->has_edns) && send_to(x, a->upstream, true, a->has_edns))
		set_timer(x, TCP_WAIT_MS);
	return true;
}

/*
 * The right ID, but not the question. Old servers answer FORMERR without a question to EDNS: a
 * hint, which anybody could forge, so the attempt stays open.
 */
static void on_other_question(struct attempt *a, const uint8_t *data, size_t n)
{
	uint16_t rcode = get16(data + 2) & FLAG_RCODE;

	if (a->exchange->probed != NULL && get16(data + 4) == 0) {
		upstream_heard(a->upstream); /* a header is a sign of life */
		return;
	}
	if (retry_without_case(a, data, n))
		return;
	if (get16(data + 4) == 0 && (rcode == RCODE_FORMERR || rcode == RCODE_NOTIMP))
		retry_plain(a);
	else
		stat_add(&a->upstream->stats->bad[BAD_QUESTION], 1);
}

/* A message that cannot be read: on a stream nothing better will come, a datagram proves little. */
static void on_malformed(struct attempt *a)
{
	stat_add(&a->upstream->stats->bad[BAD_MALFORMED], 1);
	if (a->is_tcp) {
		attempt_close(a);
		a->has_error = true;
		attempt_error(a);
	} else {
		try_next(a->exchange, false);
	}
}

void attempt_reply(struct attempt *a, const uint8_t *data, size_t n, bool is_cut)
{
	struct exchange *x = a->exchange;
	struct relay *r = x->relay;
	struct reply_question q = question_view(&x->question);
	uint8_t head[RELAY_QUERY_MAX];

	if (!question_is_answered(&x->question, a, data, n)) {
		on_other_question(a, data, n);
		return;
	}
	if (is_cut) {
		memcpy(head, data, q.end);
		head[2] |= FLAG_TC >> 8;
		data = head;
		n = q.end;
	}
	if (x->probed != NULL) {
		upstream_heard(a->upstream); /* that ends the probe; any answer will do */
		return;
	}
	if (!reply_clean(&r->reply, &q, data, n)) {
		on_malformed(a);
		return;
	}
	count_reply(a, r->reply.rcode);
	attempt_close(a);
	upstream_heard(a->upstream);
	take_reply(a);
}

void attempt_error(struct attempt *a)
{
	struct exchange *x = a->exchange;

	if (x->probed == NULL)
		try_or_give_up(x, x->sends > 1); /* the schedule began the second round */
}

struct exchange *exchange_probe(struct upstream *up)
{
	struct relay *r = up->relay;
	struct exchange *x = exchange_new(r, on_exchange_timer);
	struct attempt *a;

	x->probed = up;
	question_probe(&x->question, &r->config.probe_name, !r->config.probe_without_recursion);
	a = attempt_new(x, up, upstream_is_stream(up), false);
	if (attempt_send(a) != 0)
		a->has_error = true; /* counts as failed when its time is over */
	return x;
}

/* --- what callers use --- */

static void answer_at_once(struct relay_waiter *w, int error)
{
	struct relay_reply reply = {
	        .rcode = RCODE_SERVFAIL, .ede = EDE_NO_REACHABLE, .error = error};

	w->on_reply(w, &reply);
}

static struct exchange *find_equal(struct relay *r, const struct question *q)
{
	struct exchange *x = *question_bucket(r, q);

	while (x != NULL && !question_equal(&x->question, q))
		x = x->next_question;
	if (x == NULL || x->waiters_len >= WAITERS_MAX || relay_now_ms(r) >= x->start_ms + JOIN_MS)
		return NULL;
	return x;
}

static void wait_for(struct exchange *x, struct relay_waiter *w)
{
	list_push(&x->waiters, &w->node);
	x->waiters_len++;
	w->exchange = x;
}

static void shed_oldest(struct relay *r)
{
	struct list *node = list_first(&r->in_flight);

	stat_add(&r->totals->shed, 1);
	fail(container_of(node, struct exchange, node));
}

static void start(struct relay *r, const struct question *q, struct relay_waiter *w)
{
	struct exchange *x = exchange_new(r, on_exchange_timer);
	struct exchange **bucket = question_bucket(r, q);

	question_copy(&x->question, q);
	x->next_question = *bucket;
	*bucket = x;
	list_push(&r->in_flight, &x->node);
	r->count++;
	wait_for(x, w);
	set_timer(x, next_step(x));
	try_or_give_up(x, false);
}

void relay_ask(struct relay *r, const uint8_t *wire, const struct msg *m, struct relay_waiter *w)
{
	struct question q;
	struct exchange *x;

	list_init(&w->node);
	w->exchange = NULL;
	if (r->upstreams_len == 0) {
		answer_at_once(w, -EDESTADDRREQ);
		return;
	}
	if (r->config.fails_fast && upstreams_are_down(r)) {
		stat_add(&r->totals->all_down, 1);
		answer_at_once(w, -EHOSTDOWN);
		return;
	}
	question_make(&q, wire, m, r->seed);
	x = find_equal(r, &q);
	if (x != NULL) {
		wait_for(x, w);
		return;
	}
	if (r->count >= r->config.in_flight_max)
		shed_oldest(r);
	start(r, &q, w);
}

void relay_cancel(struct relay_waiter *w)
{
	struct exchange *x = w->exchange;

	list_remove(&w->node);
	w->exchange = NULL;
	if (x == NULL)
		return;
	x->waiters_len--;
	if (!x->is_done && list_is_empty(&x->waiters))
		exchange_drop(x);
}

struct relay *relay_new(const struct relay_host *host, struct relay_totals *totals)
{
	struct relay *r = mem_new(struct relay);

	r->host = *host;
	r->totals = totals;
	relay_config_init(&r->config);
	wheel_init(&r->wheel, host->now_ns(host->arg) / 1000000u);
	r->armed_ms = UINT64_MAX;
	r->flushes = 1;
	list_init(&r->gone);
	list_init(&r->in_flight);
	list_init(&r->free_exchanges);
	list_init(&r->free_attempts);
	list_init(&r->dead);
	rand_secure(&r->seed, sizeof(r->seed));
	r->io = relay_io_new(host, &relay_handlers, r);
	return r;
}

static struct upstream *take_out(struct upstream **list, size_t n, const struct relay_target *t)
{
	for (size_t i = 0; i < n; i++) {
		struct upstream *up = list[i];

		if (up != NULL && addr_equal(&up->way.to, &t->addr) && up->way.tls == t->tls &&
		        up->way.name == t->name) {
			list[i] = NULL;
			return up;
		}
	}
	return NULL;
}

/* What is asked from now on is for the servers of now: nobody joins a question to older ones. */
static void end_joining(struct relay *r)
{
	list_for_each (&r->in_flight, node)
		unlink_question(container_of(node, struct exchange, node));
}

void relay_set(
        struct relay *r, const struct relay_config *c, const struct relay_target *targets, size_t n)
{
	struct upstream *old[RELAY_TARGETS_MAX];
	size_t old_len = r->upstreams_len;

	must(n <= RELAY_TARGETS_MAX);
	memcpy(old, r->upstreams, sizeof(old));
	r->config = *c;
	for (size_t i = 0; i < n; i++) {
		struct upstream *up = take_out(old, old_len, &targets[i]);

		r->upstreams[i] = up != NULL ? up : upstream_new(r, &targets[i]);
		upstream_count(r->upstreams[i], targets[i].stats);
		r->upstreams[i]->way.from = c->source;
	}
	r->upstreams_len = (unsigned)n;
	for (size_t i = 0; i < old_len; i++) {
		if (old[i] == NULL)
			continue;
		end_joining(r);
		upstream_remove(old[i]);
	}
}

static void free_list(struct list *l, size_t offset)
{
	struct list *node;

	while ((node = list_first(l)) != NULL) {
		list_remove(node);
		free((char *)node - offset);
	}
}

void relay_free(struct relay *r)
{
	struct relay_config c = r->config;
	struct list *node;

	while ((node = list_first(&r->in_flight)) != NULL) {
		struct exchange *x = container_of(node, struct exchange, node);

		must(list_is_empty(&x->waiters));
		exchange_drop(x);
	}
	relay_set(r, &c, NULL, 0);
	relay_reap(r);
	must(list_is_empty(&r->gone));
	relay_io_free(r->io);
	free_list(&r->free_exchanges, offsetof(struct exchange, node));
	free_list(&r->free_attempts, offsetof(struct attempt, node));
	free(r);
}

void relay_flush(struct relay *r)
{
	r->flushes++;
	relay_io_flush(r->io);
}

unsigned relay_in_flight(const struct relay *r)
{
	return r->count;
}
