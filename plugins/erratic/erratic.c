/*
 * erratic: a server that misbehaves as told, for tests of clients: some answers are dropped, some
 * are late, some are truncated.
 */
#include "plugin.h"

#include <errno.h>

#include "dns/wire.h"

#define AMOUNT 2u
#define DELAY_MS 100u
#define DELAY_MAX_MS 60000u
#define AMOUNT_MAX 1000000000u
#define LARGE 29u /* records: more than fit into 512 octets */

struct erratic {
	uint32_t drop, truncate, delay; /* each so many-th question; 0: none */
	uint64_t delay_ms;
	bool is_large;
	struct counters *asked; /* one: numbers the questions of each worker */
	struct rrset *a, *aaaa;
};

/* A query that is answered later; in its own memory. */
struct late {
	struct wheel_node timer;
	struct query *query;
};

/* --- setup --- */

static int read_amount(const struct directive *o, uint32_t *out, struct err *e)
{
	*out = AMOUNT;
	return o->arg_count > 0 ? args_u32(o, 0, ARGS_RANGE(0, AMOUNT_MAX), out, e) : 0;
}

static int set_drop(void *conf, const struct directive *o, struct err *e)
{
	return read_amount(o, &((struct erratic *)conf)->drop, e);
}

static int set_truncate(void *conf, const struct directive *o, struct err *e)
{
	return read_amount(o, &((struct erratic *)conf)->truncate, e);
}

static int set_delay(void *conf, const struct directive *o, struct err *e)
{
	struct erratic *x = conf;
	int rc = read_amount(o, &x->delay, e);

	if (rc == 0 && o->arg_count > 1)
		rc = args_duration_ms(o, 1, ARGS_RANGE(1, DELAY_MAX_MS), &x->delay_ms, e);
	return rc;
}

static int set_large(void *conf, const struct directive *o, struct err *e)
{
	(void)o;
	(void)e;
	((struct erratic *)conf)->is_large = true;
	return 0;
}

static const struct arg_option options[] = {
        {.name = "drop", .min_args = 0, .max_args = 1, .set = set_drop},
        {.name = "truncate", .min_args = 0, .max_args = 1, .set = set_truncate},
        {.name = "delay", .min_args = 0, .max_args = 2, .set = set_delay},
        {.name = "large", .min_args = 0, .max_args = 0, .set = set_large},
        {.name = NULL},
};

/* The addresses of the documentation, once or often. */
static struct rrset *make_set(uint16_t type, const uint8_t *ip, size_t n, unsigned count)
{
	struct rrset_builder b = {.type = type};

	for (unsigned i = 0; i < count; i++)
		must(rrset_add(&b, ip, n) == 0);
	return rrset_build(&b);
}

static int setup(struct setup *s, struct err *e)
{
	static const uint8_t a[] = {192, 0, 2, 53};
	static const uint8_t aaaa[] = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x53};
	struct erratic *x = mem_new(struct erratic);
	int rc;

	s->first = args_last(s->block, "erratic");
	x->delay_ms = DELAY_MS;
	x->drop = s->first->has_block ? 0 : AMOUNT;
	rc = args_count(s->first, 0, 0, e);
	if (rc == 0)
		rc = args_options(s->first, options, x, e);
	if (rc != 0) {
		free(x);
		return rc;
	}
	x->a = make_set(TYPE_A, a, sizeof(a), x->is_large ? LARGE : 1);
	x->aaaa = make_set(TYPE_AAAA, aaaa, sizeof(aaaa), 1);
	x->asked = counters_new(s->workers, 1);
	s->instance = x;
	return 0;
}

/* --- questions --- */

static bool is_turn(uint64_t number, uint32_t amount)
{
	return amount > 0 && number % amount == 0;
}

static void on_time(struct wheel_node *n)
{
	struct late *late = container_of(n, struct late, timer);

	late->query->plugin_data = NULL;
	query_resume(late->query, DONE);
}

static enum verdict wait(const struct erratic *x, struct query *q)
{
	struct late *late = arena_new(&q->arena, struct late);

	late->query = q;
	wheel_node_init(&late->timer, on_time);
	q->plugin_data = late;
	answer_keep(&q->answer);
	worker_timer_set(q->worker, &late->timer, x->delay_ms);
	return WAIT;
}

static enum verdict query(struct query *q, void *instance)
{
	const struct erratic *x = instance;
	uint64_t number;

	counters_add(x->asked, q->worker->index, 0, 1);
	number = x->asked->at[q->worker->index * x->asked->stride];
	if (is_turn(number, x->drop))
		return DROP;
	if (q->msg.qtype != TYPE_A && q->msg.qtype != TYPE_AAAA) {
		q->reason = "erratic knows addresses only";
		return query_fail(q, RCODE_SERVFAIL);
	}
	q->answer.is_authoritative = true;
	q->answer.is_truncated = is_turn(number, x->truncate);
	answer_add(&q->answer, SECTION_ANSWER, q->msg.qtype == TYPE_A ? x->a : x->aaaa);
	return is_turn(number, x->delay) ? wait(x, q) : DONE;
}

static void cancel(struct query *q, void *instance)
{
	struct late *late = q->plugin_data;

	(void)instance;
	if (late == NULL)
		return;
	q->plugin_data = NULL;
	wheel_cancel(&q->worker->timers, &late->timer);
}

static void explain(void *instance, const struct explain_ask *ask, struct explanation *x)
{
	const struct erratic *i = instance;

	explain_say(x, EXPLAIN_ANSWER, "it answers every name, sometimes");
	explain_add_set(x, ask->type == TYPE_AAAA ? i->aaaa : i->a);
}

static const struct plugin_explain explain_hooks = {.explain = explain};

static void teardown(void *instance)
{
	struct erratic *x = instance;

	counters_free(x->asked);
	free(x->a);
	free(x->aaaa);
	free(x);
}

const struct plugin erratic_plugin = {
        .name = "erratic",
        .setup = setup,
        .query = query,
        .cancel = cancel,
        .explain = &explain_hooks,
        .teardown = teardown,
};
