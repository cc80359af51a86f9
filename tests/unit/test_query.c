/*
 * The query engine with plugins that do what a test tells them, on a bare worker. Every hook
 * writes a letter and its plugin's name into one trace: p prefetch, q query, r reply, c cancel.
 */
#include "test.h"

#include <errno.h>
#include <ldns/ldns.h>

#include "core/view.h"
#include "core/worker.h"
#include "dns/rr.h"
#include "dns/wire.h"

/* What a plugin does when it is asked. */
struct hook {
	char name;
	enum verdict says;
	bool resumes; /* calls query_resume() before it returns */
	enum verdict resumes_with;
	const char *asks; /* query_sub() for this name first, at depth 0 only */
	bool asks_always; /* at any depth */
	int sub_rc; /* of the last query_sub() */
	const char *only; /* says DONE to this name, NEXT to others */
};

static struct worker worker;
static struct chain chain;
static struct server server;
static struct server_group group;
static struct hook hooks[8];
static unsigned hook_count;
static struct buf trace;
static struct query *done;
static unsigned subs;

static void note(char what, const struct hook *h)
{
	buf_printf(&trace, "%s%c%c", trace.len > 0 ? " " : "", what, h->name);
}

static void expect_trace(const char *want)
{
	assert_string_equal(buf_text(&trace), want);
	buf_clear(&trace);
}

static void on_sub(struct query *parent, struct query *child, void *arg)
{
	struct hook *h = arg;

	assert_ptr_equal(child->parent, parent);
	assert_true(child->is_internal);
	subs++;
	buf_printf(&trace, " s%u", child->answer.rcode);
	query_resume(parent, h->resumes_with);
}

static enum verdict ask(struct query *q, struct hook *h)
{
	struct name n;

	name_from_text(&n, str_from(h->asks), NULL);
	h->sub_rc = query_sub(q, (struct query_question){n.wire, TYPE_AAAA}, on_sub, h);
	return h->sub_rc == 0 ? WAIT : query_fail(q, RCODE_REFUSED);
}

static enum verdict hook_query(struct query *q, void *instance)
{
	struct hook *h = instance;
	struct name n;

	note('q', h);
	if (h->only != NULL) {
		name_from_text(&n, str_from(h->only), NULL);
		if (!name_equal(n.wire, query_name(q)))
			return NEXT;
	}
	if (h->asks != NULL && (h->asks_always || q->depth == 0))
		return ask(q, h);
	if (h->resumes)
		query_resume(q, h->resumes_with);
	return h->says;
}

static void hook_reply(struct query *q, void *instance)
{
	(void)q;
	note('r', instance);
}

static void hook_cancel(struct query *q, void *instance)
{
	assert_false(q->is_parked);
	note('c', instance);
}

static void hook_prefetch(struct query *q, void *instance)
{
	(void)q;
	note('p', instance);
}

static const struct plugin full = {.name = "full",
        .query = hook_query,
        .reply = hook_reply,
        .cancel = hook_cancel,
        .prefetch = hook_prefetch};
/* Looks at the answer and asks another question before the others above may look. */
static void hook_hold(struct query *q, void *instance)
{
	struct hook *h = instance;

	note('r', h);
	if (q->depth > 0)
		return;
	query_hold(q);
	assert_int_equal(ask(q, h), WAIT);
}

static const struct plugin holder = {.name = "holder", .reply = hook_hold};
static const struct plugin quiet = {.name = "quiet", .query = hook_query};
static const struct plugin looker = {.name = "looker", .reply = hook_reply};

static struct hook *add(char name, const struct plugin *plugin, enum verdict says)
{
	struct hook *h = &hooks[hook_count];
	struct link link = {plugin, h, (uint16_t)hook_count++};

	*h = (struct hook){.name = name, .says = says, .resumes_with = NEXT};
	if (plugin->query != NULL)
		vec_push(&chain.query_hooks, link);
	if (plugin->reply != NULL)
		vec_push(&chain.reply_hooks, link);
	if (plugin->prefetch != NULL)
		vec_push(&chain.prefetch_hooks, link);
	return h;
}

static int setup(void **state)
{
	(void)state;
	worker_init(&worker, 0);
	worker.now_ns = 1000000000;
	memset(&chain, 0, sizeof(chain));
	memset(&group, 0, sizeof(group));
	server = (struct server){.zone = {.len = 1}, .chain = &chain};
	vec_push(&group.servers, &server);
	server_group_build(&group);
	hook_count = subs = 0;
	done = NULL;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	assert_int_equal(worker.in_use, 0);
	vec_free(&chain.query_hooks);
	vec_free(&chain.reply_hooks);
	vec_free(&chain.prefetch_hooks);
	server_group_fini(&group);
	worker_fini(&worker);
	buf_free(&trace);
	return 0;
}

static void on_done(struct query *q)
{
	assert_null(done);
	assert_false(q->is_parked);
	done = q;
}

static void write_question(struct query *q, const char *name, uint16_t type, uint16_t rr_class)
{
	struct name n;

	assert_int_equal(name_from_text(&n, str_from(name), NULL), 0);
	memset(q->buf, 0, MSG_HEADER);
	put16(q->buf + 2, FLAG_RD);
	put16(q->buf + 4, 1);
	memcpy(q->buf + MSG_HEADER, n.wire, n.len);
	put16(q->buf + MSG_HEADER + n.len, type);
	put16(q->buf + MSG_HEADER + n.len + 2, rr_class);
	q->wire_len = MSG_HEADER + n.len + 4u;
}

/* A query for name that was prepared. */
static struct query *prepared(const char *name)
{
	struct query *q = worker_query(&worker);

	assert_non_null(q);
	q->on_done = on_done;
	write_question(q, name, TYPE_A, CLASS_IN);
	assert_true(query_prepare(q, &group));
	return q;
}

/* The same, asked; the trace begins behind its prefetches. */
static struct query *asked(const char *name, enum query_state want)
{
	struct query *q = prepared(name);

	buf_clear(&trace);
	assert_int_equal(query_run(q), want);
	return q;
}

static struct query *child_of(const struct query *q)
{
	return container_of(list_first(&q->children), struct query, sibling);
}

static void nobody_answers_is_servfail_and_all_look_at_it(void **state)
{
	struct query *q;

	(void)state;
	add('a', &full, NEXT);
	add('b', &quiet, NEXT);
	add('c', &looker, NEXT);
	add('d', &full, NEXT);
	q = prepared("web");
	expect_trace("pa pd");
	assert_int_equal(query_run(q), QUERY_ANSWERED);
	assert_int_equal(q->answer.rcode, RCODE_SERVFAIL);
	assert_string_equal(q->answered_by, "");
	expect_trace("qa qb qd rd rc ra");
	query_release(q);
}

static void an_answer_goes_up_through_those_above(void **state)
{
	struct query *q;

	(void)state;
	add('a', &full, NEXT);
	add('b', &looker, NEXT);
	add('c', &full, DONE);
	add('d', &full, DONE);
	add('e', &looker, NEXT);
	q = prepared("web");
	expect_trace("pa pc pd");
	assert_int_equal(query_run(q), QUERY_ANSWERED);
	assert_string_equal(q->answered_by, "full");
	expect_trace("qa qc rb ra");
	query_release(q);
}

static void a_drop_ends_it_without_looks(void **state)
{
	struct query *q;

	(void)state;
	add('a', &full, NEXT);
	add('b', &full, DROP);
	q = prepared("web");
	expect_trace("pa pb");
	assert_int_equal(query_run(q), QUERY_DROPPED);
	assert_true(q->is_dropped);
	expect_trace("qa qb");
	query_release(q);
}

static void a_parked_query_goes_on_where_it_waited(void **state)
{
	static const struct {
		enum verdict with;
		const char *trace;
		bool is_dropped;
		const char *by;
	} rows[] = {
	        {NEXT, "qc ra", false, "full"},
	        {DONE, "ra", false, "quiet"},
	        {DROP, "", true, ""},
	};

	(void)state;
	add('a', &full, NEXT);
	add('b', &quiet, WAIT);
	add('c', &full, DONE);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct query *q = prepared("web");

		expect_trace("pa pc");
		done = NULL;
		assert_int_equal(query_run(q), QUERY_PARKED);
		assert_ptr_equal(list_first(&worker.parked), &q->node);
		expect_trace("qa qb");
		query_resume(q, rows[i].with);
		assert_ptr_equal(done, q);
		assert_true(list_is_empty(&worker.parked));
		assert_int_equal(q->is_dropped, rows[i].is_dropped);
		assert_string_equal(q->answered_by, rows[i].by);
		/* the one that waited looks at nothing: b has no reply hook, c was below */
		if (rows[i].with == NEXT)
			expect_trace("qc ra");
		else
			expect_trace(rows[i].trace);
		query_release(q);
	}
}

static void a_query_may_wait_more_than_once(void **state)
{
	struct query *q;

	(void)state;
	add('a', &full, WAIT);
	add('b', &full, WAIT);
	q = asked("web", QUERY_PARKED);
	query_resume(q, NEXT);
	assert_null(done);
	assert_true(q->is_parked);
	query_resume(q, DONE);
	assert_ptr_equal(done, q);
	expect_trace("qa qb ra");
	query_release(q);
}

static void resuming_before_the_hook_returns_does_not_park(void **state)
{
	struct query *q;
	struct hook *a, *b;

	(void)state;
	a = add('a', &full, WAIT);
	b = add('b', &full, WAIT);
	a->resumes = b->resumes = true;
	b->resumes_with = DONE;
	q = asked("web", QUERY_ANSWERED);
	assert_null(done);
	assert_true(list_is_empty(&worker.parked));
	expect_trace("qa qb ra");
	query_release(q);
}

static void a_sub_query_that_is_answered_at_once_parks_nobody(void **state)
{
	struct query *q, *child;
	struct hook *a;

	(void)state;
	a = add('a', &full, NEXT);
	add('b', &full, DONE);
	a->asks = "target.example";
	q = asked("web", QUERY_ANSWERED);
	expect_trace("qa pa pb qa qb ra s0 qb ra");
	assert_int_equal(subs, 1);
	child = child_of(q);
	assert_true(name_equal(query_name(child), (const uint8_t *)"\6target\7example"));
	assert_int_equal(child->msg.qtype, TYPE_AAAA);
	assert_int_equal(child->msg.flags & FLAG_RD, FLAG_RD);
	assert_int_equal(child->depth, 1);
	assert_false(child->msg.edns.is_present);
	assert_int_equal(worker.in_use, 2);
	query_release(q);
}

static void a_sub_query_inherits_edns_and_do(void **state)
{
	static const uint8_t opt[] = {0, 0, TYPE_OPT, 16, 0, 0, 0, 0x80, 0, 0, 0};
	struct query *q = worker_query(&worker), *child;
	struct hook *a;

	(void)state;
	a = add('a', &full, NEXT);
	add('b', &full, DONE);
	a->asks = "t";
	write_question(q, "web", TYPE_A, CLASS_IN);
	put16(q->buf + 10, 1);
	memcpy(q->buf + q->wire_len, opt, sizeof(opt));
	q->wire_len += sizeof(opt);
	assert_true(query_prepare(q, &group));
	assert_int_equal(query_run(q), QUERY_ANSWERED);
	child = child_of(q);
	assert_true(child->msg.edns.is_present && child->msg.edns.wants_dnssec);
	query_release(q);
}

static void a_sub_query_that_waits_parks_both(void **state)
{
	struct query *q, *child;
	struct hook *a, *b;

	(void)state;
	a = add('a', &full, NEXT);
	b = add('b', &full, WAIT);
	a->asks = "target";
	a->resumes_with = DONE;
	b->only = "target";
	q = asked("web", QUERY_PARKED);
	expect_trace("qa pa pb qa qb");
	child = child_of(q);
	assert_true(child->is_parked && q->is_parked);
	assert_ptr_equal(list_first(&worker.parked), &child->node);
	query_resume(child, DONE);
	assert_ptr_equal(done, q);
	assert_true(list_is_empty(&worker.parked));
	expect_trace("ra s0");
	query_release(q);
}

static void a_question_that_is_refused_is_a_sub_query_too(void **state)
{
	struct query *q;
	struct hook *a;

	(void)state;
	a = add('a', &full, NEXT);
	add('b', &full, DONE);
	a->asks = "elsewhere";
	server.zone = (struct name){5, "\3web"};
	server.zone_labels = 1;
	server_group_fini(&group);
	memset(&group, 0, sizeof(group));
	vec_push(&group.servers, &server);
	server_group_build(&group);
	q = asked("web", QUERY_ANSWERED);
	expect_trace("qa s5 qb ra");
	query_release(q);
}

static void sub_queries_nest_eight_deep(void **state)
{
	struct query *q;
	struct hook *a;

	(void)state;
	a = add('a', &full, NEXT);
	a->asks = "loop";
	a->asks_always = true;
	a->resumes_with = DONE;
	q = asked("web", QUERY_ANSWERED);
	assert_int_equal(a->sub_rc, 0); /* of the outermost, which returns last */
	assert_int_equal(subs, QUERY_SUB_DEPTH);
	assert_int_equal(worker.in_use, QUERY_SUB_DEPTH + 1);
	query_release(q);
}

static void a_reply_hook_can_wait_for_another_answer(void **state)
{
	struct query *q, *child;
	struct hook *b;

	(void)state;
	add('a', &looker, NEXT);
	b = add('b', &holder, NEXT);
	add('c', &full, WAIT)->only = "target";
	add('d', &full, DONE);
	b->asks = "target";
	q = asked("web", QUERY_PARKED);
	expect_trace("qc qd rc rb pc pd qc");
	assert_string_equal(q->answered_by, "full");
	child = child_of(q);
	query_resume(child, DONE);
	assert_ptr_equal(done, q);
	assert_true(list_is_empty(&worker.parked));
	expect_trace("rb ra s0 ra");
	query_release(q);
}

static void a_reply_hook_that_gets_its_answer_at_once_does_not_park(void **state)
{
	struct query *q;

	(void)state;
	add('a', &looker, NEXT);
	add('b', &holder, NEXT)->asks = "target";
	add('c', &full, DONE);
	q = asked("web", QUERY_ANSWERED);
	expect_trace("qc rb pc qc rb ra s0 ra");
	assert_false(q->is_parked);
	query_release(q);
}

static void a_held_query_can_be_cancelled(void **state)
{
	struct query *q;

	(void)state;
	add('a', &looker, NEXT);
	add('b', &holder, NEXT)->asks = "target";
	add('c', &full, WAIT)->only = "target";
	add('d', &full, DONE);
	q = asked("web", QUERY_PARKED);
	buf_clear(&trace);
	query_cancel(q);
	expect_trace("cc");
	assert_true(q->is_dropped);
	query_release(q);
}

/* --- asking one's own question again */

static unsigned agains;

static void on_again(struct query *parent, struct query *child, void *arg)
{
	assert_null(parent);
	assert_true(child->is_internal);
	assert_ptr_equal(arg, &agains);
	agains++;
}

/* Answers, and asks the plugins below in the background. */
static enum verdict hook_again(struct query *q, void *instance)
{
	struct query_again again = {.on_answer = on_again, .arg = &agains};

	note('q', instance);
	assert_int_equal(query_again(q, &again), 0);
	return DONE;
}

static const struct plugin refresher = {
	.name = "refresher", .query = hook_again, .reply = hook_reply};

static void a_question_asked_again_is_seen_by_its_plugin_and_those_below(void **state)
{
	struct query *q;

	(void)state;
	agains = 0;
	add('a', &full, NEXT);
	add('b', &refresher, DONE);
	add('c', &looker, NEXT);
	add('d', &full, DONE);
	q = asked("web", QUERY_ANSWERED);
	expect_trace("qa qb pd qd rc rb ra");
	assert_int_equal(agains, 1);
	query_release(q);
}

static void a_question_asked_again_outlives_the_first(void **state)
{
	struct query *q, *child;

	(void)state;
	agains = 0;
	add('b', &refresher, DONE);
	add('d', &full, WAIT);
	q = asked("web", QUERY_ANSWERED);
	query_release(q);
	assert_int_equal(worker.in_use, 1);
	assert_int_equal(agains, 0);
	buf_clear(&trace);
	child = container_of(list_first(&worker.parked), struct query, node);
	assert_string_equal((const char *)child->folded, "\3web");
	query_resume(child, DONE);
	expect_trace("rb");
	assert_int_equal(agains, 1);
	assert_int_equal(worker.in_use, 0);
}

static void a_question_asked_again_can_be_disowned_and_cancelled(void **state)
{
	struct query *q, *child;

	(void)state;
	agains = 0;
	add('b', &refresher, DONE);
	add('d', &full, WAIT);
	q = prepared("web");
	query_run(q);
	query_release(q);
	child = container_of(list_first(&worker.parked), struct query, node);
	query_disown(child);
	query_cancel(child);
	assert_int_equal(agains, 0);
	assert_int_equal(worker.in_use, 0);
}

static void cancelling_tells_those_who_wait_innermost_first(void **state)
{
	struct query *q, *child;
	struct hook *a, *b;

	for (int by_child = 0; by_child < 2; by_child++) {
		a = add('a', &full, NEXT);
		b = add('b', &full, WAIT);
		a->asks = "target";
		b->only = "target";
		q = prepared("web");
		assert_int_equal(query_run(q), QUERY_PARKED);
		buf_clear(&trace);
		child = child_of(q);
		query_cancel(by_child ? child : q);
		assert_ptr_equal(done, q);
		assert_true(q->is_dropped && child->is_dropped);
		assert_true(list_is_empty(&worker.parked));
		expect_trace("cb ca");
		query_release(q);
		assert_int_equal(worker.in_use, 0);
		teardown(state);
		setup(state);
	}
}

/* A plugin that asks two questions may go on with the first answer. */
static void a_child_that_still_waits_is_cancelled_with_its_parent(void **state)
{
	struct query *q;
	struct hook *a, *b;

	(void)state;
	a = add('a', &full, NEXT);
	b = add('b', &full, WAIT);
	a->asks = "target";
	b->only = "target";
	q = asked("web", QUERY_PARKED);
	buf_clear(&trace);
	query_resume(q, DONE);
	assert_ptr_equal(done, q);
	query_release(q);
	expect_trace("cb");
	assert_true(list_is_empty(&worker.parked));
	assert_int_equal(worker.in_use, 0);
}

static void all_parked_queries_of_a_generation_can_be_cancelled(void **state)
{
	struct generation *one = (struct generation *)&hooks[0];
	struct query *q[3];

	(void)state;
	add('a', &full, WAIT);
	for (int i = 0; i < 3; i++) {
		q[i] = prepared("web");
		q[i]->generation = i == 1 ? NULL : one;
		q[i]->on_done = query_release;
		assert_int_equal(query_run(q[i]), QUERY_PARKED);
	}
	worker_cancel_parked(&worker, one);
	assert_int_equal(worker.in_use, 1);
	assert_true(q[1]->is_parked);
	worker_cancel_parked(&worker, NULL);
	assert_int_equal(worker.in_use, 0);
}

static void a_full_pool_gives_up_the_query_that_waits_longest(void **state)
{
	struct query *first, *q;

	(void)state;
	add('a', &full, WAIT);
	first = prepared("first");
	first->on_done = query_release;
	assert_int_equal(query_run(first), QUERY_PARKED);
	while ((q = worker_query(&worker)) != NULL)
		list_push(&worker.parked, &q->node); /* busy; stands behind the first */
	assert_int_equal(worker.in_use, WORKER_QUERIES_MAX);
	buf_clear(&trace);
	q = worker_take_query(&worker);
	assert_ptr_equal(q, first);
	assert_false(q->is_parked);
	expect_trace("ca");
	query_release(q);
	list_for_each (&worker.parked, node)
		query_release(container_of(node, struct query, node));
	assert_int_equal(worker.in_use, 0);
}

static void a_full_pool_has_no_sub_queries(void **state)
{
	struct query *q, *more[WORKER_QUERIES_MAX];
	struct hook *a;
	size_t n = 0;

	(void)state;
	a = add('a', &full, NEXT);
	a->asks = "target";
	q = prepared("web");
	while ((more[n] = worker_query(&worker)) != NULL)
		n++;
	assert_null(worker_take_query(&worker)); /* nobody waits */
	assert_int_equal(query_run(q), QUERY_ANSWERED);
	assert_int_equal(a->sub_rc, -ENOBUFS);
	assert_int_equal(q->answer.rcode, RCODE_REFUSED);
	assert_int_equal(subs, 0);
	query_release(q);
	while (n > 0)
		query_release(more[--n]);
}

static void a_recycled_query_is_like_new(void **state)
{
	struct query *q;
	struct hook *a;

	(void)state;
	a = add('a', &full, NEXT);
	add('b', &full, DONE);
	a->asks = "target";
	q = asked("web", QUERY_ANSWERED);
	memset(arena_alloc(&q->arena, 5000), 1, 5000);
	q->answer.ede = EDE_STALE;
	query_recycle(q);
	assert_int_equal(worker.in_use, 1);
	assert_int_equal(q->answer.ede, EDE_NONE);
	assert_int_equal(q->arena.total, 0);
	assert_true(list_is_empty(&q->children));
	buf_clear(&trace);
	write_question(q, "web", TYPE_A, CLASS_IN);
	assert_true(query_prepare(q, &group));
	assert_int_equal(query_run(q), QUERY_ANSWERED);
	query_release(q);
}

static unsigned observed;

static void observe(struct query *q, void *instance)
{
	(void)instance;
	assert_int_equal(q->msg.qtype, TYPE_AXFR);
	assert_int_not_equal(q->answer.rcode, RCODE_NOERROR);
	assert_int_equal(q->position, chain.query_hooks.len);
	assert_string_equal(q->answered_by, "");
	observed++;
}

static void never(struct query *q, void *instance)
{
	(void)instance;
	fail_msg("asked about type %u", q->msg.qtype);
}

static void what_no_plugin_may_see_is_refused_before(void **state)
{
	static const struct {
		uint16_t type, rr_class;
		enum transport transport;
		bool any_class, transfers;
		int want; /* RCODE, or -1: goes to the plugins */
	} rows[] = {
	        {TYPE_A, CLASS_IN, TRANSPORT_UDP, false, false, -1},
	        {TYPE_ANY, CLASS_IN, TRANSPORT_UDP, false, false, -1},
	        {TYPE_TXT, CLASS_CH, TRANSPORT_UDP, false, false, RCODE_REFUSED},
	        {TYPE_TXT, CLASS_CH, TRANSPORT_UDP, true, false, -1},
	        {TYPE_A, CLASS_ANY, TRANSPORT_UDP, true, false, RCODE_REFUSED},
	        {TYPE_A, CLASS_NONE, TRANSPORT_UDP, true, false, RCODE_REFUSED},
	        {TYPE_A, 0, TRANSPORT_UDP, true, false, RCODE_REFUSED},
	        {TYPE_AXFR, CLASS_IN, TRANSPORT_UDP, false, false, RCODE_NOTIMP},
	        {TYPE_AXFR, CLASS_IN, TRANSPORT_UDP, false, true, RCODE_REFUSED},
	        {TYPE_IXFR, CLASS_IN, TRANSPORT_UDP, false, true, -1},
	        {TYPE_AXFR, CLASS_IN, TRANSPORT_TCP, false, false, RCODE_REFUSED},
	        {TYPE_AXFR, CLASS_IN, TRANSPORT_TCP, false, true, -1},
	        {TYPE_IXFR, CLASS_IN, TRANSPORT_TLS, false, true, -1},
	};

	static const struct plugin observer = {.name = "log", .observes = true, .reply = observe};
	static const struct plugin other = {.name = "cache", .reply = never};

	vec_push(&chain.reply_hooks, (struct link){.plugin = &observer});
	vec_push(&chain.reply_hooks, (struct link){.plugin = &other});
	observed = 0;
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct query *q = worker_query(&worker);

		chain.takes_any_class = rows[i].any_class;
		chain.takes_transfers = rows[i].transfers;
		q->transport = (uint8_t)rows[i].transport;
		write_question(q, "web", rows[i].type, rows[i].rr_class);
		assert_int_equal(query_prepare(q, &group), rows[i].want < 0);
		if (rows[i].want >= 0)
			assert_int_equal(q->answer.rcode, rows[i].want);
		assert_false(q->is_dropped);
		query_release(q);
	}
	assert_int_equal(observed, 3); /* the transfers of class IN that are refused */
	chain.reply_hooks.len -= 2;
}

static void messages_that_are_no_questions_are_decided_at_once(void **state)
{
	struct query *q = worker_query(&worker);

	(void)state;
	write_question(q, "web", TYPE_A, CLASS_IN);
	q->buf[2] |= 0x80;
	assert_false(query_prepare(q, &group));
	assert_true(q->is_dropped);
	query_recycle(q);
	write_question(q, "web", TYPE_A, CLASS_IN);
	q->wire_len--;
	assert_false(query_prepare(q, &group));
	assert_false(q->is_dropped);
	assert_int_equal(q->answer.rcode, RCODE_FORMERR);
	assert_int_equal(query_encode(q, q->buf, sizeof(q->buf)), MSG_HEADER);
	query_release(q);
}

static void the_answer_carries_a_fresh_cookie(void **state)
{
	static const uint8_t opt[] = {
	        0, 0, TYPE_OPT, 16, 0, 0, 0, 0, 0, 0, 12, 0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8};
	struct query *q = worker_query(&worker);
	struct cookie_client from;
	ldns_pkt *pkt;
	size_t n;

	(void)state;
	add('a', &quiet, DONE);
	memset(worker.secrets.current, 7, sizeof(worker.secrets.current));
	worker.wall_s = 1700000000;
	chain.has_forwarder = true;
	addr_from_hostport(&q->client, STR("192.0.2.1:5353"), 0);
	write_question(q, "Web", TYPE_A, CLASS_IN);
	put16(q->buf + 10, 1);
	memcpy(q->buf + q->wire_len, opt, sizeof(opt));
	q->wire_len += sizeof(opt);
	assert_true(query_prepare(q, &group));
	assert_int_equal(query_run(q), QUERY_ANSWERED);
	n = query_encode(q, q->buf, sizeof(q->buf));
	assert_int_equal(ldns_wire2pkt(&pkt, q->buf, n), LDNS_STATUS_OK);
	assert_true(ldns_pkt_ra(pkt) && ldns_pkt_rd(pkt));
	assert_int_equal(ldns_pkt_edns_udp_size(pkt), QUERY_UDP_MAX);
	assert_int_equal(ldns_rdf_size(ldns_pkt_edns_data(pkt)), 4 + COOKIE_FULL);
	from.addr = addr_ip(&q->client, &from.addr_len);
	assert_int_equal(cookie_check(&worker.secrets, ldns_rdf_data(ldns_pkt_edns_data(pkt)) + 4,
	                         COOKIE_FULL, from, worker.wall_s),
	        COOKIE_GOOD);
	ldns_pkt_free(pkt);
	query_release(q);
}

/* --- merging the answer of a sub-query */

static struct rrset *one_record(struct query *q, uint16_t type, const void *rdata, size_t n)
{
	return rrset_single(&q->arena, type, 5, (struct str){rdata, n});
}

/* Encode q and compare its answer section: "owner type rdata" a line. */
static void expect_answer(struct query *q, const char *want, size_t octets)
{
	struct buf text = {0};
	ldns_pkt *pkt;
	size_t n = query_encode(q, q->buf, sizeof(q->buf));

	assert_int_equal(ldns_wire2pkt(&pkt, q->buf, n), LDNS_STATUS_OK);
	for (size_t i = 0; i < ldns_rr_list_rr_count(ldns_pkt_answer(pkt)); i++) {
		char *line = ldns_rr2str(ldns_rr_list_rr(ldns_pkt_answer(pkt), i));

		for (char *p = line; *p != '\0'; p++)
			*p = *p == '\t' ? ' ' : *p;
		buf_str(&text, line);
		free(line);
	}
	assert_string_equal(buf_text(&text), want);
	assert_int_equal(n, octets);
	ldns_pkt_free(pkt);
	buf_free(&text);
}

static void records_of_a_child_are_owned_by_the_target(void **state)
{
	struct query *q, *child;
	struct rrset *alias;

	(void)state;
	q = prepared("www");
	child = prepared("web.shop");
	alias = one_record(q, TYPE_CNAME, "\3web\4shop", 10);
	answer_add(&q->answer, SECTION_ANSWER, alias);
	answer_add(&child->answer, SECTION_ANSWER, one_record(child, TYPE_A, "\1\2\3\4", 4));
	answer_add(&child->answer, SECTION_AUTHORITY, one_record(child, TYPE_NS, "", 1));
	query_merge(q, child, alias->wire + RR_FIXED);
	expect_answer(q, "www. 5 IN CNAME web.shop.\nweb.shop. 5 IN A 1.2.3.4\n", 21 + 22 + 16);
	query_release(child);
	query_release(q);
}

static void a_message_of_a_child_is_merged_with_its_chain_compressed(void **state)
{
	static const uint8_t message[] = "\0\0\x81\x80\0\1\0\4\0\0\0\0"
	                                 "\3ext\0\0\1\0\1"
	                                 "\xc0\x0c\0\5\0\1\0\0\0\5\0\6\3cdn\xc0\x10"
	                                 "\xc0\x21\0\5\0\1\0\0\0\5\0\7\4edge\xc0\x21"
	                                 "\xc0\x33\0\1\0\1\0\0\0\5\0\4\1\1\1\1"
	                                 "\xc0\x33\0\1\0\1\0\0\0\5\0\4\2\2\2\2";
	struct query *q, *child;
	struct rrset *alias;

	(void)state;
	q = prepared("www");
	child = prepared("ext");
	alias = one_record(q, TYPE_CNAME, "\3ext", 5);
	answer_add(&q->answer, SECTION_ANSWER, alias);
	answer_set_message(&child->answer, message, sizeof(message) - 1);
	query_merge(q, child, alias->wire + RR_FIXED);
	query_release(child); /* nothing of it is borrowed */
	expect_answer(q,
	        "www. 5 IN CNAME ext.\n"
	        "ext. 5 IN CNAME cdn.\n"
	        "cdn. 5 IN CNAME edge.cdn.\n"
	        "edge.cdn. 5 IN A 1.1.1.1\n"
	        "edge.cdn. 5 IN A 2.2.2.2\n",
	        21 + 17 + 17 + 22 + 16 + 16);
	query_release(q);
}

static void a_large_record_of_a_message_is_merged_too(void **state)
{
	static uint8_t message[21 + 12 + 60000 + 16];
	struct query *q, *child;
	uint16_t n;

	(void)state;
	q = prepared("www");
	child = prepared("ext");
	memcpy(message + MSG_HEADER, "\3ext\0\0\1\0\1", 9);
	put16(message + 6, 2);
	memcpy(message + 21, "\xc0\x0c\0\x0a\0\1\0\0\0\5", 10); /* NULL */
	put16(message + 31, 60000);
	memcpy(message + sizeof(message) - 16, "\xc0\x0c\0\1\0\1\0\0\0\5\0\4\1\2\3\4", 16);
	answer_set_message(&child->answer, message, sizeof(message));
	query_merge(q, child, query_name(q));
	assert_int_equal(q->answer.count, 2);
	rrset_rdata(q->answer.refs[0].set, 0, &n);
	assert_int_equal(n, 60000);
	query_release(child);
	query_release(q);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	        TEST(nobody_answers_is_servfail_and_all_look_at_it),
	        TEST(an_answer_goes_up_through_those_above),
	        TEST(a_drop_ends_it_without_looks),
	        TEST(a_parked_query_goes_on_where_it_waited),
	        TEST(a_query_may_wait_more_than_once),
	        TEST(resuming_before_the_hook_returns_does_not_park),
	        TEST(a_sub_query_that_is_answered_at_once_parks_nobody),
	        TEST(a_sub_query_inherits_edns_and_do),
	        TEST(a_sub_query_that_waits_parks_both),
	        TEST(a_question_that_is_refused_is_a_sub_query_too),
	        TEST(sub_queries_nest_eight_deep),
	        TEST(a_reply_hook_can_wait_for_another_answer),
	        TEST(a_reply_hook_that_gets_its_answer_at_once_does_not_park),
	        TEST(a_held_query_can_be_cancelled),
	        TEST(a_question_asked_again_is_seen_by_its_plugin_and_those_below),
	        TEST(a_question_asked_again_outlives_the_first),
	        TEST(a_question_asked_again_can_be_disowned_and_cancelled),
	        TEST(cancelling_tells_those_who_wait_innermost_first),
	        TEST(a_child_that_still_waits_is_cancelled_with_its_parent),
	        TEST(all_parked_queries_of_a_generation_can_be_cancelled),
	        TEST(a_full_pool_gives_up_the_query_that_waits_longest),
	        TEST(a_full_pool_has_no_sub_queries),
	        TEST(a_recycled_query_is_like_new),
	        TEST(what_no_plugin_may_see_is_refused_before),
	        TEST(messages_that_are_no_questions_are_decided_at_once),
	        {"1.15.8: the answer carries a cookie of the server",
	                the_answer_carries_a_fresh_cookie, setup, teardown, NULL},
	        TEST(records_of_a_child_are_owned_by_the_target),
	        TEST(a_message_of_a_child_is_merged_with_its_chain_compressed),
	        TEST(a_large_record_of_a_message_is_merged_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
