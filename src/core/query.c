#include "core/query.h"

#include <errno.h>

#include "core/view.h"
#include "core/worker.h"
#include "dns/cookie.h"
#include "dns/rr.h"
#include "dns/wire.h"
#include "names/table.h"

void query_init(struct query *q, struct worker *w)
{
	list_init(&q->node);
	list_init(&q->children);
	list_init(&q->sibling);
	q->worker = w;
	q->generation = NULL;
	q->server = NULL;
	q->chain = NULL;
	q->group = NULL;
	q->start_ns = w->now_ns;
	q->wire_len = 0;
	q->position = 0;
	q->udp_cap = QUERY_UDP_MAX;
	q->transport = TRANSPORT_UDP;
	q->keepalive = 0;
	q->depth = 0;
	q->is_internal = q->is_running = q->is_parked = q->was_resumed = q->is_dropped = false;
	q->is_replying = q->is_held = q->has_origin = false;
	q->reply_at = q->reply_floor = 0;
	q->resumed_with = NEXT;
	q->answered_by = "";
	q->reason = NULL;
	q->nsid = NULL;
	q->nsid_len = 0;
	q->socket = NULL;
	q->plugin_data = NULL;
	q->metadata = NULL;
	q->table = NULL;
	q->local.sa.sa_family = AF_UNSPEC;
	q->parent = NULL;
	q->on_sub = NULL;
	q->on_sub_arg = NULL;
	q->on_done = NULL;
	q->channel = NULL;
	list_init(&q->waiter.node);
	q->on_room = NULL;
	q->is_sent = false;
	arena_init_with(&q->arena, q->scratch, sizeof(q->scratch));
	answer_init(&q->answer, &q->arena);
}

/* The plugin that waits forgets q; so do those that q's own questions wait for. */
static void cancel_hooks(struct query *q)
{
	const struct link *l = &q->chain->query_hooks.at[q->position];

	list_for_each (&q->children, node) {
		struct query *child = container_of(node, struct query, sibling);

		if (child->is_parked)
			cancel_hooks(child);
	}
	list_remove(&q->node);
	q->is_parked = false;
	q->is_dropped = true;
	if (!q->is_replying && l->plugin->cancel != NULL)
		l->plugin->cancel(q, l->instance);
}

/* Nobody asks any more for what children that still wait would bring. */
static void release_children(struct query *q)
{
	list_for_each (&q->children, node) {
		struct query *child = container_of(node, struct query, sibling);

		if (child->is_parked)
			cancel_hooks(child);
		query_release(child);
	}
}

void query_recycle(struct query *q)
{
	release_children(q);
	arena_reset(&q->arena);
	query_init(q, q->worker);
}

void query_release(struct query *q)
{
	struct worker *w = q->worker;

	release_children(q);
	list_remove(&q->sibling);
	list_remove(&q->node);
	arena_reset(&q->arena);
	list_push_first(&w->free_queries, &q->node); /* the caches still have it */
	w->in_use--;
}

enum verdict query_fail(struct query *q, uint16_t rcode)
{
	answer_reset(&q->answer);
	q->answer.rcode = rcode;
	return DONE;
}

/*
 * Zone transfers need a plugin that serves them, and AXFR a stream (RFC 5936 4.2). To IXFR over
 * UDP the plugin says what is newest (RFC 1995 2).
 */
static uint16_t transfer_rcode(const struct query *q)
{
	bool is_udp = q->transport == TRANSPORT_UDP;

	if (!q->chain->takes_transfers)
		return is_udp ? RCODE_NOTIMP : RCODE_REFUSED;
	return is_udp && q->msg.qtype == TYPE_AXFR ? RCODE_REFUSED : RCODE_NOERROR;
}

/* What the server block refuses before any plugin sees it. */
static uint16_t admission_rcode(const struct query *q)
{
	uint16_t type = q->msg.qtype;

	if (q->msg.qclass != CLASS_IN && !q->chain->takes_any_class)
		return RCODE_REFUSED;
	if (q->msg.qclass == CLASS_ANY || q->msg.qclass == CLASS_NONE || q->msg.qclass == 0)
		return RCODE_REFUSED;
	if (type == TYPE_AXFR || type == TYPE_IXFR)
		return transfer_rcode(q);
	return RCODE_NOERROR;
}

struct query_origin query_origin(const struct query *q)
{
	struct query_origin o = {0, UINT16_MAX, false};

	while (q->parent != NULL)
		q = q->parent;
	if (q->has_origin)
		return q->origin;
	o.id = q->msg.id;
	o.is_udp = q->transport == TRANSPORT_UDP;
	if (o.is_udp)
		o.bufsize = q->msg.edns.is_present && q->msg.edns.udp_size > 512
		                    ? q->msg.edns.udp_size
		                    : 512;
	return o;
}

/* Values of metadata are those of the block that is asked about. */
static bool takes(void *arg, const struct server *s)
{
	struct query *q = arg;

	q->chain = s->chain;
	return view_takes(s->view, q);
}

/* Find the server block; false when no block has the name, or takes the question. */
static bool find_server(struct query *q)
{
	struct server_ask ask = {q->folded, q->msg.qname_labels, q->msg.qtype == TYPE_DS, takes, q};

	q->server = server_match(q->group, &ask);
	q->chain = q->server == NULL ? NULL : q->server->chain;
	return q->server != NULL;
}

/* Who writes down questions wants to know of transfers that somebody tries, too. */
static void tell_observers(struct query *q)
{
	q->position = (uint16_t)q->chain->query_hooks.len; /* nobody answered */
	for (size_t i = q->chain->reply_hooks.len; i > 0; i--) {
		const struct link *l = &q->chain->reply_hooks.at[i - 1];

		if (l->plugin->observes)
			l->plugin->reply(q, l->instance);
	}
}

bool query_prepare(struct query *q, const struct server_group *g)
{
	enum msg_verdict v = msg_parse(&q->msg, q->buf, q->wire_len);

	if (v != MSG_ANSWER) {
		q->is_dropped = v == MSG_DROP;
		q->answer.rcode = q->msg.rcode;
		return false;
	}
	name_fold(q->folded, query_name(q), q->msg.qname_len);
	q->group = g;
	if (!find_server(q)) {
		q->answer.rcode = RCODE_REFUSED;
		return false;
	}
	q->answer.rcode = admission_rcode(q);
	q->answer.has_recursion = q->chain->has_forwarder;
	if (q->answer.rcode != RCODE_NOERROR) {
		if (q->msg.qclass == CLASS_IN)
			tell_observers(q);
		return false;
	}
	vec_for_each (&q->chain->prefetch_hooks, l)
		l->plugin->prefetch(q, l->instance);
	return true;
}

/* False when plugin p knows only class IN, and q is of another. */
static bool is_for(const struct query *q, const struct plugin *p)
{
	return q->msg.qclass == CLASS_IN || p->takes_any_class;
}

void query_prefetch(const struct query *q)
{
	if (q->table != NULL)
		table_prefetch_entry(q->table, q->hash);
}

static enum query_state park(struct query *q)
{
	q->is_parked = true;
	list_push(&q->worker->parked, &q->node);
	return QUERY_PARKED;
}

/* The way up: the reply hooks in front of q->reply_at, nearest first, down to q->reply_floor. */
static enum query_state run_replies(struct query *q)
{
	q->is_running = true;
	while (q->reply_at > q->reply_floor) {
		struct link *l = &q->chain->reply_hooks.at[--q->reply_at];

		if (!is_for(q, l->plugin))
			continue;
		l->plugin->reply(q, l->instance);
		if (!q->is_held)
			continue;
		q->is_held = false;
		if (!q->was_resumed) {
			q->is_running = false;
			return park(q);
		}
		q->was_resumed = false;
	}
	q->is_running = false;
	return QUERY_ANSWERED;
}

size_t chain_replies_above(const struct chain *c, unsigned order)
{
	size_t n = c->reply_hooks.len;

	while (n > 0 && c->reply_hooks.at[n - 1].order >= order)
		n--;
	return n;
}

static enum query_state finish(struct query *q, enum verdict v)
{
	const struct link *hooks = q->chain->query_hooks.at;
	unsigned order = UINT16_MAX + 1u;

	if (v == DROP) {
		q->is_dropped = true;
		return QUERY_DROPPED;
	}
	if (v == NEXT) {
		query_fail(q, q->msg.qclass == CLASS_IN ? RCODE_SERVFAIL : RCODE_REFUSED);
	} else {
		order = hooks[q->position].order;
		q->answered_by = hooks[q->position].plugin->name;
	}
	q->answer.has_recursion |= q->chain->has_forwarder;
	q->is_replying = true;
	q->reply_at = (uint16_t)chain_replies_above(q->chain, order);
	return run_replies(q);
}

void query_hold(struct query *q)
{
	answer_keep(&q->answer);
	if (q->answer.message != NULL)
		answer_set_message(&q->answer,
		        (uint8_t *)arena_dup(&q->arena, q->answer.message, q->answer.message_len),
		        q->answer.message_len);
	q->is_held = true;
}

/* Ask the hooks from q->position on; v is what the one at q->position said, if it was asked. */
static enum query_state walk(struct query *q, enum verdict v, bool was_asked)
{
	const struct link *hooks = q->chain->query_hooks.at;
	size_t n = q->chain->query_hooks.len;

	for (;;) {
		if (was_asked && v == NEXT)
			q->position++;
		else if (was_asked)
			return finish(q, v);
		was_asked = true;
		if (q->position >= n)
			return finish(q, NEXT);
		v = NEXT;
		if (!is_for(q, hooks[q->position].plugin))
			continue;
		q->is_running = true;
		v = hooks[q->position].plugin->query(q, hooks[q->position].instance);
		q->is_running = false;
		if (v != WAIT)
			continue;
		if (!q->was_resumed)
			return park(q);
		q->was_resumed = false;
		v = q->resumed_with;
	}
}

enum query_state query_run(struct query *q)
{
	return walk(q, NEXT, false);
}

static void complete(struct query *q)
{
	if (q->parent != NULL)
		q->on_sub(q->parent, q, q->on_sub_arg);
	else
		q->on_done(q);
}

void query_resume(struct query *q, enum verdict verdict)
{
	if (q->is_running) {
		q->was_resumed = true;
		q->resumed_with = (uint8_t)verdict;
		return;
	}
	list_remove(&q->node);
	q->is_parked = false;
	if ((q->is_replying ? run_replies(q) : walk(q, verdict, true)) != QUERY_PARKED)
		complete(q);
}

void query_cancel(struct query *q)
{
	while (q->parent != NULL)
		q = q->parent;
	cancel_hooks(q);
	q->on_done(q);
}

size_t query_encode(struct query *q, uint8_t *out, size_t room)
{
	uint8_t cookie[COOKIE_FULL];
	struct answer_env env = {
	        .nsid = q->nsid,
	        .nsid_len = q->nsid_len,
	        .keepalive = q->keepalive,
	        .is_stream = q->transport != TRANSPORT_UDP,
	        .pad_block = q->transport == TRANSPORT_TLS ? QUERY_PAD_BLOCK : 0,
	        .udp_size = QUERY_UDP_MAX,
	        .limit = msg_reply_limit(&q->msg, q->transport, q->udp_cap),
	};

	if (env.limit > room)
		env.limit = room;
	if (q->msg.edns.cookie_len > 0) {
		struct cookie_client from;

		from.addr = addr_ip(&q->client, &from.addr_len);
		if (cookie_check(&q->worker->secrets, q->msg.edns.cookie, q->msg.edns.cookie_len,
		            from, q->worker->wall_s) == COOKIE_GOOD)
			memcpy(cookie, q->msg.edns.cookie, COOKIE_FULL);
		else
			cookie_make(cookie, q->worker->secrets.current, q->msg.edns.cookie, from,
			        q->worker->wall_s);
		env.cookie = cookie;
	}
	if (out != q->buf)
		memcpy(out, q->buf, q->msg.question_end);
	return answer_encode(&q->answer, &q->msg, &env, out);
}
