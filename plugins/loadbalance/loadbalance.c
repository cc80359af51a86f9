/*
 * loadbalance: address records go out in random order, or those of preferred networks first.
 * Record sets are rotated by the encoder; replies of upstreams are changed here, in a copy,
 * because their memory may belong to a cache.
 */
#include "plugin.h"

#include <errno.h>

#include "base/rand.h"
#include "dns/wire.h"

#define RUN_MAX 256u  /* addresses of a name that are moved; further ones stay where they are */
#define PREFER_MAX 64

struct loadbalance {
	size_t prefer_len;
	struct cidr prefer[PREFER_MAX];
};

/* Addresses of one name and type in a message or a set: RDATA of equal size. */
struct run {
	uint8_t *at[RUN_MAX];
	unsigned len;
	uint16_t size;
};

static int set_prefer(void *conf, const struct directive *o, struct err *e)
{
	struct loadbalance *lb = conf;
	int rc = 0;

	for (size_t i = 0; i < o->arg_count && rc == 0; i++) {
		if (lb->prefer_len == PREFER_MAX)
			return args_error(o, e, "more than %d networks to prefer", PREFER_MAX);
		rc = args_cidr(o, i, &lb->prefer[lb->prefer_len++], e);
	}
	return rc;
}

static int check_policy(const struct directive *d, struct err *e)
{
	const char *policy = directive_arg(d, 0);

	if (policy != NULL && strcmp(policy, "weighted") == 0)
		return args_error(d, e,
			"the policy 'weighted' is not supported; use round_robin, or leave it out");
	if (policy != NULL && strcmp(policy, "round_robin") != 0)
		return args_error(d, e, "unknown policy '%s', expected round_robin", policy);
	return args_count(d, 0, 1, e);
}

static int setup(struct setup *s, struct err *e)
{
	static const struct arg_option options[] = {
		{.name = "prefer", .min_args = 1, .max_args = ARGS_ANY, .set = set_prefer},
		{.name = NULL},
	};
	struct loadbalance *lb;
	int rc = args_once(s->block, "loadbalance", e);

	if (rc == 0)
		rc = check_policy(s->first, e);
	if (rc != 0)
		return rc;
	lb = mem_new(struct loadbalance);
	rc = args_options(s->first, options, lb, e);
	if (rc != 0)
		free(lb);
	else
		s->instance = lb;
	return rc;
}

static void swap(uint8_t *a, uint8_t *b, uint16_t n)
{
	uint8_t tmp[16];

	memcpy(tmp, a, n);
	memcpy(a, b, n);
	memcpy(b, tmp, n);
}

static void shuffle(const struct run *run)
{
	for (unsigned i = run->len - 1; i > 0; i--) {
		unsigned j = rand_below(i + 1);

		if (i != j)
			swap(run->at[i], run->at[j], run->size);
	}
}

static bool is_preferred(const struct loadbalance *lb, const uint8_t *ip, uint16_t n)
{
	for (size_t i = 0; i < lb->prefer_len; i++)
		if (cidr_has(&lb->prefer[i], ip, n == 16))
			return true;
	return false;
}

/* Random order; then the preferred ones to the front, which are in random order still. */
static void arrange(const struct loadbalance *lb, const struct run *run)
{
	unsigned front = 0;

	if (run->len < 2)
		return;
	shuffle(run);
	for (unsigned i = 0; i < run->len; i++) {
		if (lb->prefer_len == 0 || !is_preferred(lb, run->at[i], run->size))
			continue;
		if (i != front)
			swap(run->at[front], run->at[i], run->size);
		front++;
	}
}

static bool is_address(uint16_t type, uint16_t size)
{
	return (type == TYPE_A && size == 4) || (type == TYPE_AAAA && size == 16);
}

/*
 * Reorder RDATA of neighbouring address records of one owner. Only addresses are moved: no
 * compression pointer can aim at them, so the message stays valid.
 */
static void arrange_message(const struct loadbalance *lb, struct query *q)
{
	unsigned n = get16(q->answer.message + 6);
	size_t len = q->answer.message_len;
	struct reader r;
	struct rr_view rr = {0}, last = {0};
	struct run run = {.len = 0};
	uint8_t *copy;

	if (n < 2 || (q->msg.qtype != TYPE_A && q->msg.qtype != TYPE_AAAA))
		return;
	copy = arena_alloc(&q->arena, len);
	memcpy(copy, q->answer.message, len);
	r = reader_on(copy, len);
	r.at = q->msg.question_end;
	for (; n > 0 && read_rr(&r, &rr); n--) {
		bool goes_on = run.len > 0 && rr.type == last.type &&
			name_equal(rr.owner, last.owner) && run.len < RUN_MAX;

		if (!goes_on) {
			arrange(lb, &run);
			run.len = 0;
		}
		if (is_address(rr.type, rr.rdlength)) {
			run.at[run.len++] = copy + rr.rdata_at;
			run.size = rr.rdlength;
			last = rr;
		}
	}
	arrange(lb, &run);
	answer_set_message(&q->answer, copy, len);
}

/* A copy of an address set with the preferred ones in front. */
static const struct rrset *arrange_set(
	const struct loadbalance *lb, struct query *q, const struct rrset *s)
{
	size_t n = sizeof(*s) + s->wire_len;
	struct run run = {.size = (uint16_t)(s->stride - RR_FIXED)};
	struct rrset *copy = arena_alloc(&q->arena, n);

	memcpy(copy, s, n);
	for (; run.len < s->count && run.len < RUN_MAX; run.len++)
		run.at[run.len] = copy->wire + (size_t)run.len * s->stride + RR_FIXED;
	arrange(lb, &run);
	return copy;
}

static void arrange_sets(const struct loadbalance *lb, struct query *q)
{
	for (unsigned i = 0; i < q->answer.count; i++) {
		const struct rrset *s = q->answer.refs[i].set;

		if (s->count > 1 && s->stride > RR_FIXED &&
			is_address(s->type, (uint16_t)(s->stride - RR_FIXED)))
			q->answer.refs[i].set = arrange_set(lb, q, s);
	}
	q->answer.rotates = false;
}

static void reply(struct query *q, void *instance)
{
	const struct loadbalance *lb = instance;

	if (q->answer.rcode != RCODE_NOERROR || q->is_internal)
		return;
	if (q->answer.message != NULL)
		arrange_message(lb, q);
	else if (lb->prefer_len > 0)
		arrange_sets(lb, q);
	else
		q->answer.rotates = true;
}

static void teardown(void *instance)
{
	free(instance);
}

const struct plugin loadbalance_plugin = {
	.name = "loadbalance", .setup = setup, .reply = reply, .teardown = teardown};
