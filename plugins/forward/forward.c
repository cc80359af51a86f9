#include "forward/forward.h"

#include <errno.h>

#include "base/hash.h"
#include "base/rand.h"
#include "base/rcu.h"
#include "dns/wire.h"

/* A client's query that waits for the relay; in the query's arena. */
struct waiting {
	struct relay_waiter waiter;
	struct query *query;
	struct forward *forward;
	struct forward_rule *rule;
	uint16_t *waits; /* where the client is counted */
};

/* --- what a relay needs of its worker --- */

static void host_enter(void *arg)
{
	struct forward_worker *fw = arg;

	worker_enter(fw->worker);
}

static uint64_t host_now_ns(void *arg)
{
	struct forward_worker *fw = arg;

	return fw->worker->now_ns;
}

static void host_flush_later(void *arg)
{
	struct forward_worker *fw = arg;

	worker_flush_later(fw->worker, &fw->flush);
}

static void on_flush(struct worker_flush *f)
{
	relay_flush(container_of(f, struct forward_worker, flush)->relay);
}

static void make_relay(struct forward_worker *fw)
{
	struct relay_host host = {
	        .loop = fw->worker->loop,
	        .enter = host_enter,
	        .now_ns = host_now_ns,
	        .flush_later = host_flush_later,
	        .arg = fw,
	};

	fw->relay = relay_new(&host, &fw->totals);
}

/* The relay, with the servers that are published now. */
static struct relay *current_relay(struct forward_worker *fw)
{
	const struct forward_set *set = rcu_borrow(fw->rule->set);
	struct relay_target targets[RELAY_TARGETS_MAX];

	if (fw->relay == NULL)
		make_relay(fw);
	if (fw->version == set->version)
		return fw->relay;
	for (size_t i = 0; i < set->len; i++) {
		const struct forward_server *s = set->servers[i];

		targets[i].addr = s->to.addr;
		targets[i].tls = s->tls == NULL ? NULL : s->tls[fw->worker->index];
		targets[i].name = s->to.name;
		targets[i].tls_log = &set->servers[i]->tls_log;
		targets[i].stats = &set->servers[i]->stats[fw->worker->index];
	}
	relay_set(fw->relay, &set->config, targets, set->len);
	fw->version = set->version;
	return fw->relay;
}

static void attach(void *instance, struct worker *w)
{
	struct forward *f = instance;

	vec_for_each (&f->rules, rule) {
		struct forward_worker *fw = &(*rule)->workers[w->index];

		fw->rule = *rule;
		fw->worker = w;
		fw->flush.fn = on_flush;
		fw->seed = rand_u64();
		list_init(&fw->flush.node);
	}
}

static void detach(void *instance, struct worker *w)
{
	struct forward *f = instance;

	vec_for_each (&f->rules, rule) {
		struct forward_worker *fw = &(*rule)->workers[w->index];

		if (fw->relay == NULL)
			continue;
		list_remove(&fw->flush.node);
		relay_free(fw->relay);
		fw->relay = NULL;
		fw->version = 0;
	}
}

/* --- questions --- */

/* The first rule from number i on that takes the name. */
static struct forward_rule *match_from(const struct forward *f, size_t i, const uint8_t *folded)
{
	for (; i < f->rules.len; i++) {
		struct forward_rule *rule = f->rules.at[i];

		if (name_is_under(folded, rule->from.wire) &&
		        zone_list_match(&rule->except, folded) < 0)
			return forward_route(rule, folded);
	}
	return NULL;
}

static struct forward_rule *match(const struct forward *f, const uint8_t *folded)
{
	return match_from(f, 0, folded);
}

/* Count the query in when there is a limit; false when it is reached. */
static bool admit(struct forward_rule *rule)
{
	if (rule->max_concurrent == 0)
		return true;
	if (atomic_fetch_add_explicit(&rule->concurrent, 1, memory_order_relaxed) <
	        rule->max_concurrent)
		return true;
	atomic_fetch_sub_explicit(&rule->concurrent, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&rule->rejects, 1, memory_order_relaxed);
	return false;
}

static void leave(const struct waiting *waiting)
{
	(*waiting->waits)--;
	if (waiting->rule->max_concurrent != 0)
		atomic_fetch_sub_explicit(&waiting->rule->concurrent, 1, memory_order_relaxed);
}

/*
 * Where questions of this client are counted. One client, perhaps a forged one, must not collect
 * so many that their answers arrive as a burst somewhere (CVE-2024-33655), nor take the room of
 * all others.
 */
static uint16_t *waits_of(struct forward_worker *fw, const union addr *client)
{
	size_t n;
	const uint8_t *ip = addr_ip(client, &n);

	return &fw->waits[hash_bytes(fw->seed, ip, n) % FORWARD_CLIENT_SLOTS];
}

static enum verdict refuse(struct query *q, const char *why)
{
	q->reason = why;
	return query_fail(q, RCODE_REFUSED);
}

/* Ask the servers of a rule; REFUSED when it has too much to do. */
static enum verdict ask(struct query *q, struct waiting *waiting, struct forward_rule *rule)
{
	struct forward_worker *fw = &rule->workers[q->worker->index];
	uint16_t *waits = waits_of(fw, &q->client);

	if (*waits >= FORWARD_CLIENT_MAX)
		return refuse(q, "too many queries of this client wait for upstream servers");
	if (!admit(rule))
		return refuse(q, "concurrent queries exceeded maximum");
	(*waits)++;
	waiting->rule = rule;
	waiting->waits = waits;
	q->plugin_data = waiting;
	relay_ask(current_relay(fw), q->buf, &q->msg, &waiting->waiter);
	return WAIT;
}

/* An error of the network in the words that CoreDNS's logs have, so that searches still find it. */
static const char *network_text(int error)
{
	switch (error) {
	case -ETIMEDOUT: return "i/o timeout";
	case -ECONNREFUSED: return "connection refused";
	case -ECONNRESET: return "connection reset by peer";
	case -ENETUNREACH: return "network is unreachable";
	case -EHOSTUNREACH: return "no route to host";
	case -EPERM: return "operation not permitted";
	case -EKEYREJECTED: return "tls: handshake failed";
	case -EADDRNOTAVAIL: return "cannot assign requested address";
	default: return strerror(-error);
	}
}

/* Why there is no answer, for the log. */
static const char *failure_text(struct query *q, const struct relay_reply *reply)
{
	char to[ADDR_TEXT_MAX];

	if (reply->ede == EDE_NONE)
		return NULL;
	if (reply->from == NULL)
		return reply->error == -EHOSTDOWN ? "no healthy proxies" : "no upstream server";
	return arena_printf(&q->arena, "read %s %s: %s", reply->is_tcp ? "tcp" : "udp",
	        addr_to_text(to, reply->from), network_text(reply->error));
}

/* The records as they came, under the question as this client wrote it. */
static void set_message(struct query *q, const struct relay_reply *reply)
{
	uint8_t *copy = arena_alloc(&q->arena, reply->len);

	memcpy(copy, reply->message, reply->len);
	memcpy(copy + MSG_HEADER, query_name(q), q->msg.qname_len);
	answer_set_message(&q->answer, copy, reply->len);
}

/* For metadata: the server that answered. */
static void tell_upstream(struct query *q, const struct relay_reply *reply)
{
	char to[ADDR_TEXT_MAX];

	if (reply->from != NULL && metadata_is_wanted(q, STR("forward/upstream")))
		metadata_put(q, STR("forward/upstream"), str_from(addr_to_text(to, reply->from)));
}

static bool is_nodata(const struct relay_reply *reply)
{
	return reply->rcode == RCODE_NOERROR && !reply->is_truncated &&
	       (reply->message == NULL || get16(reply->message + 6) == 0);
}

/* The rule to ask after a reply that `next` or `next_on_nodata` name; NULL: this is the answer. */
static struct forward_rule *rule_after(
        const struct waiting *waiting, const struct relay_reply *reply)
{
	const struct forward_rule *rule = waiting->rule;
	bool is_named = reply->rcode < 32 && (rule->next >> reply->rcode & 1u) != 0;

	if (reply->ede != EDE_NONE || (!is_named && !(rule->next_on_nodata && is_nodata(reply))))
		return NULL;
	return match_from(waiting->forward, rule->number + 1, waiting->query->folded);
}

static void on_reply(struct relay_waiter *w, const struct relay_reply *reply)
{
	struct waiting *waiting = container_of(w, struct waiting, waiter);
	struct forward_rule *next = rule_after(waiting, reply);
	struct query *q = waiting->query;

	leave(waiting);
	q->plugin_data = NULL;
	if (next != NULL && ask(q, waiting, next) == WAIT)
		return;
	answer_reset(&q->answer);
	q->answer.rcode = reply->rcode;
	q->answer.ede = reply->ede;
	q->answer.has_recursion = true;
	q->answer.is_relayed = true;
	q->answer.is_truncated = reply->is_truncated;
	q->answer.is_authoritative = reply->is_authoritative;
	q->answer.is_authentic = reply->is_authentic;
	q->reason = failure_text(q, reply);
	if (reply->message != NULL)
		set_message(q, reply);
	tell_upstream(q, reply);
	query_resume(q, DONE);
}

static enum verdict query(struct query *q, void *instance)
{
	struct forward_rule *rule = match(instance, q->folded);
	struct waiting *waiting;

	if (rule == NULL)
		return NEXT;
	/* without recursion desired only what is here may be told (RFC 1034 4.3.1) */
	if ((q->msg.flags & FLAG_RD) == 0 && !q->is_internal)
		return refuse(q, NULL);
	waiting = arena_new(&q->arena, struct waiting);
	waiting->waiter.on_reply = on_reply;
	waiting->query = q;
	waiting->forward = instance;
	return ask(q, waiting, rule);
}

static void cancel(struct query *q, void *instance)
{
	struct waiting *waiting = q->plugin_data;

	(void)instance;
	if (waiting == NULL)
		return;
	q->plugin_data = NULL;
	leave(waiting);
	relay_cancel(&waiting->waiter);
}

void forward_free(void *instance)
{
	struct forward *f = instance;

	vec_for_each (&f->rules, rule)
		forward_rule_free(*rule);
	vec_free(&f->rules);
	vec_free(&f->left_out);
	arena_reset(&f->arena);
	free(f);
}

static void explain(void *instance, const struct explain_ask *ask, struct explanation *x)
{
	struct forward_rule *rule = match(instance, ask->name.wire);
	const struct forward_set *set;

	if (rule == NULL)
		return;
	explain_say(x, EXPLAIN_UNKNOWN, "the question is relayed to other servers");
	buf_printf(&x->object, "\"forward %s\"", rule->from_text);
	set = rcu_borrow(rule->set);
	for (size_t i = 0; set != NULL && i < set->len; i++)
		buf_printf(&x->object, "%s%s", i == 0 ? " to " : ", ", set->servers[i]->text);
}

static const struct plugin_explain explain_hooks = {.explain = explain};

static const struct offer offers[] = {{UPSTREAMS, &forward_upstreams}, {NULL, NULL}};

const struct plugin forward_plugin = {
        .name = "forward",
        .takes_any_class = true,
        .setup = forward_setup,
        .offers = offers,
        .start = forward_start,
        .attach = attach,
        .query = query,
        .cancel = cancel,
        .metrics = forward_metrics,
        .detach = detach,
        .teardown = forward_free,
        .explain = &explain_hooks,
};
