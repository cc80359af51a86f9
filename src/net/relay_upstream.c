#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rand.h"
#include "net/relay_internal.h"

/* Without probes a server that did not answer is asked again, but as the last, for so long. */
#define REST_MS 2000u

/* --- health --- */

static void set_down(struct upstream *up, bool is_down)
{
	up->is_down = is_down;
	__atomic_store_n(&up->stats->is_down, is_down, __ATOMIC_RELAXED);
}

void upstream_quiet(struct upstream *up)
{
	wheel_cancel(&up->relay->wheel, &up->probe_timer);
	for (unsigned i = 0; i < PROBES; i++)
		if (up->probes[i] != NULL)
			exchange_drop(up->probes[i]);
}

void upstream_heard(struct upstream *up)
{
	struct relay *r = up->relay;

	up->heard_ns = r->host.now_ns(r->host.arg);
	if (!up->is_suspect)
		return;
	up->is_suspect = false;
	up->fails = 0;
	set_down(up, false);
	upstream_quiet(up);
}

/* Send the next probe; the one that it displaces has not been answered for two intervals. */
static void probe(struct upstream *up)
{
	struct exchange **slot = &up->probes[up->probe_turn++ % PROBES];
	if (*slot != NULL) {
		exchange_drop(*slot);
		stat_add(&up->stats->probe_failures, 1);
		up->fails++;
		if (up->fails > up->relay->config.max_fails)
			set_down(up, true);
		channels_close(up);
	}
	*slot = exchange_probe(up);
	relay_timer(up->relay, &up->probe_timer, up->relay->config.probe_interval_ms);
}

/* Health is not checked: after a while questions of clients find out whether it is well again. */
static void rest(struct upstream *up)
{
	relay_timer(up->relay, &up->probe_timer, REST_MS);
}

static void on_probe_timer(struct wheel_node *n)
{
	struct upstream *up = container_of(n, struct upstream, probe_timer);

	if (up->relay->config.max_fails > 0)
		probe(up);
	else
		up->is_suspect = false;
}

void upstream_suspect(struct upstream *up)
{
	if (up->is_suspect || up->is_gone)
		return;
	up->is_suspect = true;
	up->fails = 0;
	/* perhaps it is our side: a changed address or route, a connection that hangs */
	channels_close(up);
	if (up->relay->config.max_fails > 0)
		probe(up);
	else
		rest(up);
}

void upstream_took(struct upstream *up, uint64_t ns)
{
	int64_t us = ns < 10000000000u ? (int64_t)(ns / 1000u) + 1 : 10000000, old = up->rtt_us;

	up->rtt_us = (uint32_t)(old == 0 ? us : old + (us - old) / 8);
}

/* --- life --- */

void upstream_count(struct upstream *up, struct relay_stats *stats)
{
	if (up->stats == stats)
		return;
	if (up->stats != NULL)
		stat_add(&up->stats->in_use, (uint64_t)-1);
	if (stats != NULL)
		stat_add(&stats->in_use, 1);
	up->stats = stats;
}

struct upstream *upstream_new(struct relay *r, const struct relay_target *t)
{
	struct upstream *up = mem_new(struct upstream);

	list_init(&up->node);
	list_init(&up->retired);
	up->relay = r;
	up->way.to = t->addr;
	up->way.from = r->config.source;
	up->way.tls = t->tls;
	up->way.name = t->name;
	up->way.tls_log = t->tls_log;
	upstream_count(up, t->stats);
	wheel_node_init(&up->probe_timer, on_probe_timer);
	set_down(up, false);
	return up;
}

bool upstream_is_stream(const struct upstream *up)
{
	return up->way.tls != NULL || up->relay->config.force_tcp;
}

void upstream_remove(struct upstream *up)
{
	upstream_quiet(up);
	up->is_gone = true;
	set_down(up, false);
	list_push(&up->relay->gone, &up->node);
	channels_close(up);
}

static bool is_quiet(const struct upstream *up)
{
	for (unsigned i = 0; i < SOCKETS; i++)
		if (up->udp[i] != NULL)
			return false;
	return up->tcp == NULL && list_is_empty(&up->retired);
}

void upstreams_free(struct relay *r)
{
	list_for_each (&r->gone, node) {
		struct upstream *up = container_of(node, struct upstream, node);

		if (is_quiet(up)) {
			list_remove(node);
			upstream_count(up, NULL);
			free(up);
		}
	}
}

bool upstreams_are_down(const struct relay *r)
{
	for (unsigned i = 0; i < r->upstreams_len; i++)
		if (!r->upstreams[i]->is_down)
			return false;
	return true;
}

/* --- choice --- */

#define NEAR_US 5000u /* differences below are noise */
#define EXPLORE_MS 10000u

/* Ranks: health, plus SECOND when it was asked before. */
enum { HEALTHY, SUSPECT, DOWN, SECOND, NEVER = SECOND + SECOND };

/* What the attempts of x say about up. */
struct history {
	unsigned sends;
	bool is_final; /* it answered, or cannot be reached */
	bool has_error;
};

static struct history history_of(const struct exchange *x, const struct upstream *up)
{
	struct history h = {0};

	for (struct list *at = x->attempts.next; at != &x->attempts; at = at->next) {
		const struct attempt *a = container_of(at, struct attempt, node);

		if (a->upstream != up)
			continue;
		h.sends++;
		h.is_final = h.is_final || a->is_refused;
		h.has_error = h.has_error || a->has_error;
	}
	return h;
}

/*
 * How willing we are to ask up for x now; lower is better. A server is asked a second time only
 * when the schedule says so, after all others.
 */
static unsigned rank(const struct exchange *x, const struct upstream *up, bool is_scheduled)
{
	struct history h = history_of(x, up);
	unsigned health = up->is_down ? DOWN : up->is_suspect ? SUSPECT : HEALTHY;

	if (h.sends == 0)
		return health;
	if (!is_scheduled || h.is_final || h.sends >= UDP_SENDS_MAX)
		return NEVER;
	return SECOND + health;
}

/* Where to begin in the list: the first of equals wins, but for random. */
static unsigned first_index(struct relay *r, const struct exchange *x)
{
	bool is_first = list_is_empty(&x->attempts);

	if (r->config.policy == RELAY_ROUND_ROBIN && is_first && x->probed == NULL)
		return r->turn++ % r->upstreams_len;
	return 0;
}

/* The shortest time of a server that is well; 0: none is known. */
static uint32_t shortest_us(const struct relay *r)
{
	uint32_t best = 0;

	for (unsigned i = 0; i < r->upstreams_len; i++) {
		const struct upstream *up = r->upstreams[i];

		if (!up->is_suspect && up->rtt_us != 0 && (best == 0 || up->rtt_us < best))
			best = up->rtt_us;
	}
	return best;
}

/*
 * True when others answer so much sooner that this one is left out. It gets a question now and
 * then, because times change.
 */
static bool is_far(const struct upstream *up, uint32_t shortest)
{
	const struct relay *r = up->relay;

	return r->config.policy == RELAY_NEAREST && shortest != 0 &&
	       up->rtt_us > 2 * shortest + NEAR_US && relay_now_ms(r) < up->asked_ms + EXPLORE_MS;
}

struct upstream *upstream_pick(struct exchange *x, bool is_scheduled)
{
	struct relay *r = x->relay;
	unsigned best = 2 * NEVER, ties = 0, start;
	uint32_t shortest;
	struct upstream *found = NULL;

	if (r->upstreams_len == 0 ||
	        (r->config.max_attempts != 0 && x->tries >= r->config.max_attempts))
		return NULL;
	start = first_index(r, x);
	shortest = shortest_us(r);
	for (unsigned i = 0; i < r->upstreams_len; i++) {
		struct upstream *up = r->upstreams[(start + i) % r->upstreams_len];
		unsigned k = rank(x, up, is_scheduled);
		bool is_random = r->config.policy == RELAY_RANDOM ||
		                 r->config.policy == RELAY_NEAREST || k % SECOND == DOWN;

		if (k == NEVER)
			continue;
		k = 2 * k + is_far(up, shortest);
		if (k < best) {
			best = k;
			found = up;
			ties = 1;
		} else if (k == best && found != NULL && is_random && rand_below(++ties) == 0) {
			found = up;
		}
	}
	if (best / 2 == DOWN && list_is_empty(&x->attempts))
		stat_add(&r->totals->all_down, 1);
	return found;
}
