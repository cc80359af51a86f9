/*
 * loadbalance: address records go out in random order, or those of preferred networks first, or
 * one first that is drawn by the weights of a file.
 * Record sets are rotated by the encoder; replies of upstreams are changed here, in a copy,
 * because their memory may belong to a cache.
 */
#include "plugin.h"

#include <errno.h>

#include "base/rand.h"
#include "base/rcu.h"
#include "dns/wire.h"
#include "loadbalance/weights.h"
#include "net/file_watch.h"

#define RUN_MAX 256u  /* addresses of a name that are moved; further ones stay where they are */
#define PREFER_MAX 64
#define WHO "plugin/loadbalance"
#define RELOAD_DEFAULT_MS 30000u
#define WEIGHTS_MAX (1u << 24) /* octets of the file */

struct loadbalance {
	size_t prefer_len;
	struct cidr prefer[PREFER_MAX];
	char *path; /* of the weights; NULL: another policy */
	struct weights *weights; /* published; NULL until the file could be read */
	uint64_t reload_ms;
	struct uv_loop_s *loop;
	struct file_watch *watch;
};

/* Addresses of one name and type in a message or a set: RDATA of equal size. */
struct run {
	uint8_t *at[RUN_MAX];
	unsigned len;
	uint16_t size;
	const uint8_t *owner; /* lower-case wire name */
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

static int set_reload(void *conf, const struct directive *o, struct err *e)
{
	struct loadbalance *lb = conf;

	if (lb->path == NULL)
		return args_error(o, e, "'reload' is for the policy weighted");
	return args_duration_ms(o, 0, ARGS_RANGE(0, 30u * 86400000u), &lb->reload_ms, e);
}

static int read_path(struct loadbalance *lb, const struct directive *d, struct err *e)
{
	const char *path = NULL;
	struct arena a;
	int rc;

	arena_init(&a);
	rc = args_path(d, 1, &a, &path, e);
	if (rc == 0)
		lb->path = mem_str(path);
	arena_reset(&a);
	return rc;
}

static int read_policy(struct loadbalance *lb, const struct directive *d, struct err *e)
{
	const char *policy = directive_arg(d, 0);

	if (policy != NULL && strcmp(policy, "weighted") == 0) {
		int rc = args_count(d, 2, 2, e);

		return rc == 0 ? read_path(lb, d, e) : rc;
	}
	if (policy != NULL && strcmp(policy, "round_robin") != 0)
		return args_error(
			d, e, "unknown policy '%s', expected round_robin or weighted", policy);
	return args_count(d, 0, 1, e);
}

static void free_weights(void *w)
{
	weights_free(w);
}

/* Read the file and publish what is in it; what there was stays when that is wrong. */
static int load(struct loadbalance *lb, struct err *e)
{
	struct weights *fresh = NULL, *old = lb->weights;
	struct buf text = {0};
	int rc = buf_read_file(&text, lb->path, WEIGHTS_MAX);

	if (rc != 0)
		err_set(e, rc, "cannot read %s: %s", lb->path, strerror(-rc));
	else
		fresh = weights_new((struct str){text.at, text.len}, e);
	if (rc == 0 && fresh == NULL)
		rc = err_prefix(e, -EINVAL, "%s", lb->path);
	buf_free(&text);
	if (rc != 0)
		return rc;
	rcu_publish(lb->weights, fresh);
	if (old != NULL)
		rcu_retire(old, free_weights);
	return 0;
}

/* A file that is not there may come later, unless nobody looks. */
static int load_first(struct loadbalance *lb, const struct directive *d, struct err *e)
{
	struct err why = {""};
	int rc = load(lb, &why);

	if (rc == -ENOENT && lb->reload_ms > 0) {
		log_warning(WHO, "%s; all addresses weigh the same until it comes", why.text);
		return 0;
	}
	return rc == 0 ? 0 : args_error(d, e, "%s", why.text);
}

static void teardown(void *instance)
{
	struct loadbalance *lb = instance;

	file_watch_stop(lb->watch);
	weights_free(lb->weights);
	free(lb->path);
	free(lb);
}

static int setup(struct setup *s, struct err *e)
{
	static const struct arg_option options[] = {
		{.name = "prefer", .min_args = 1, .max_args = ARGS_ANY, .set = set_prefer},
		{.name = "reload", .min_args = 1, .max_args = 1, .set = set_reload},
		{.name = NULL},
	};
	struct loadbalance *lb = mem_new(struct loadbalance);
	int rc;

	s->first = args_first(s->block, "loadbalance");
	lb->reload_ms = RELOAD_DEFAULT_MS;
	lb->loop = s->loop;
	rc = read_policy(lb, s->first, e);
	if (rc == 0)
		rc = args_options(s->first, options, lb, e);
	if (rc == 0 && lb->path != NULL && lb->prefer_len > 0)
		rc = args_error(s->first, e, "'prefer' is for the policy round_robin");
	if (rc == 0 && lb->path != NULL)
		rc = load_first(lb, s->first, e);
	if (rc != 0)
		teardown(lb);
	else
		s->instance = lb;
	return rc;
}

static void on_change(void *arg)
{
	struct loadbalance *lb = arg;
	struct err e = {""};

	if (load(lb, &e) == 0)
		log_info(WHO, "read the weights in %s again", lb->path);
	else
		log_error(WHO, "%s; the old weights stay", e.text);
}

static int start(void *instance, struct err *e)
{
	struct loadbalance *lb = instance;

	(void)e;
	if (lb->path != NULL && lb->reload_ms > 0 && lb->loop != NULL)
		lb->watch = file_watch_start(lb->loop, lb->path, lb->reload_ms, on_change, lb);
	return 0;
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

/* Draw one of the addresses by their weights, and put it first; the others stay where they are. */
static void draw_first(const struct weights *w, const struct run *run)
{
	uint32_t sum = 0, drawn;

	for (unsigned i = 0; i < run->len; i++)
		sum += weights_of(w, run->owner, run->at[i], run->size);
	drawn = rand_below(sum);
	for (unsigned i = 0; i < run->len; i++) {
		uint32_t weight = weights_of(w, run->owner, run->at[i], run->size);

		if (drawn >= weight) {
			drawn -= weight;
			continue;
		}
		if (i != 0)
			swap(run->at[0], run->at[i], run->size);
		return;
	}
}

/* Random order; then the preferred ones to the front, which are in random order still. */
static void arrange(const struct loadbalance *lb, const struct run *run)
{
	const struct weights *w = lb->path == NULL ? NULL : rcu_borrow(lb->weights);
	unsigned front = 0;

	if (run->len < 2)
		return;
	if (w != NULL) {
		draw_first(w, run);
		return;
	}
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
	uint8_t *copy, owner[NAME_MAX_OCTETS];
	struct run run = {.len = 0, .owner = owner};

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
			if (run.len == 0)
				name_fold(owner, rr.owner, name_len(rr.owner));
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
	const struct loadbalance *lb, struct query *q, const struct answer_ref *ref)
{
	const struct rrset *s = ref->set;
	const uint8_t *name = ref->owner != NULL ? ref->owner : query_name(q);
	size_t n = sizeof(*s) + s->wire_len;
	uint8_t owner[NAME_MAX_OCTETS];
	struct run run = {.size = (uint16_t)(s->stride - RR_FIXED), .owner = owner};
	struct rrset *copy = arena_alloc(&q->arena, n);

	name_fold(owner, name, name_len(name));
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
			q->answer.refs[i].set = arrange_set(lb, q, &q->answer.refs[i]);
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
	else if (lb->prefer_len > 0 || lb->path != NULL)
		arrange_sets(lb, q);
	else
		q->answer.rotates = true;
}

const struct plugin loadbalance_plugin = {
	.name = "loadbalance",
	.setup = setup,
	.start = start,
	.reply = reply,
	.teardown = teardown,
};
