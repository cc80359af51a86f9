/*
 * log: one line for each answer.
 */
#include "plugin.h"

#include <errno.h>

#include "base/clock.h"
#include "dns/wire.h"
#include "log/format.h"
#include "log/json.h"
#include "log/writer.h"

enum { CLASS_SUCCESS = 1, CLASS_DENIAL = 2, CLASS_ERROR = 4, CLASS_ALL = 7 };

/* Names below zone are logged like this; the first rule that fits counts. */
struct rule {
	struct name zone;
	struct format format;
	unsigned classes;
	uint64_t slow_ns; /* answers of other classes that took so long are logged, too */
};

/* What the options of a use say. */
struct reading {
	unsigned classes;
	uint64_t slow_ms;
};

#define DAY_MS 86400000u

struct log {
	struct arena arena; /* texts of formats */
	VEC(struct rule) rules;
	unsigned workers;
	struct shared *shared;
	struct writer *writer;
	struct counters *dropped; /* one: lines that the writer had no room for */
};

static const struct metric_family dropped = {"seamark_query_log_dropped_total",
	"Lines of the query log that were dropped because they came too fast.", METRIC_COUNTER};

/* --- setup -------------------------------------------------------------------------------- */

static int set_class(void *conf, const struct directive *o, struct err *e)
{
	static const char *const words[] = {"success", "denial", "error", "all", NULL};
	static const unsigned classes[] = {CLASS_SUCCESS, CLASS_DENIAL, CLASS_ERROR, CLASS_ALL};
	struct reading *r = conf;
	size_t which;
	int rc = 0;

	for (size_t i = 0; i < o->arg_count && rc == 0; i++) {
		rc = args_choice(o, i, words, &which, e);
		if (rc == 0)
			r->classes |= classes[which];
	}
	return rc;
}

static int set_slow(void *conf, const struct directive *o, struct err *e)
{
	struct reading *r = conf;

	return args_duration_ms(o, 0, ARGS_RANGE(1, DAY_MS), &r->slow_ms, e);
}

/* The last word, when it has a brace in it; control characters in it would forge lines. */
static const char *take_format(struct log *l, const struct directive *d, size_t *names)
{
	const char *last = directive_arg(d, d->arg_count - 1);
	char *text;

	if (d->arg_count == 0 || strchr(last, '{') == NULL)
		return FORMAT_COMMON;
	*names = d->arg_count - 1;
	text = arena_str(&l->arena, last);
	for (char *p = text; *p != '\0'; p++)
		if ((unsigned char)*p < 32 || *p == 127)
			*p = '?';
	return text;
}

/* They stay as they are, as in CoreDNS; who mistyped one is told before looking at the lines. */
static void warn_of_unknown(const struct directive *d, const char *format)
{
	struct str rest = str_from(format), word;

	while ((word = format_next_unknown(&rest)).len > 0)
		log_warning("plugin/log",
			"%s:%u: %.*s in the format stands for nothing and is written as it is; "
			"seamark-log(7) has the list of words",
			d->file, d->line, (int)word.len, word.at);
}

static int add_rule(struct log *l, const struct rule *model, const char *zone,
	const struct directive *d, struct err *e)
{
	struct rule r = *model;
	struct err why;

	if (name_from_text(&r.zone, str_from(zone), &why) != 0)
		return args_error(d, e, "'%s': %s", zone, why.text);
	name_fold(r.zone.wire, r.zone.wire, r.zone.len);
	vec_push(&l->rules, r);
	return 0;
}

/* One rule for each name of d; each has a format of its own, freed with it. */
static int add_rules(
	struct log *l, const struct directive *d, const struct reading *reading, struct err *e)
{
	struct rule model = {.classes = reading->classes == 0 ? CLASS_ALL : reading->classes,
		.slow_ns = reading->slow_ms * 1000000};
	struct zone_names zones = {0};
	size_t names = d->arg_count;
	const char *format = take_format(l, d, &names);
	int rc = 0;

	for (size_t i = 0; i < names && rc == 0; i++) {
		struct err why;

		if (zone_expand(str_from(d->args[i].text), &l->arena, &zones, &why) != 0)
			rc = args_error(d, e, "%s", why.text);
	}
	if (names == 0)
		vec_push(&zones.list, ".");
	warn_of_unknown(d, format);
	for (size_t i = 0; i < zones.list.len && rc == 0; i++) {
		rc = add_rule(l, &model, zones.list.at[i], d, e);
		if (rc == 0)
			format_init(&l->rules.at[l->rules.len - 1].format, format);
	}
	vec_free(&zones.list);
	return rc;
}

static int add_use(struct log *l, const struct directive *d, struct err *e)
{
	static const struct arg_option options[] = {
		{.name = "class", .min_args = 1, .max_args = ARGS_ANY, .set = set_class},
		{.name = "minDuration", .min_args = 1, .max_args = 1, .set = set_slow},
		{.name = NULL},
	};
	struct reading reading = {0, 0};
	int rc = args_options(d, options, &reading, e);

	return rc == 0 ? add_rules(l, d, &reading, e) : rc;
}

static void log_free(struct log *l)
{
	vec_for_each(&l->rules, r)
		format_fini(&r->format);
	vec_free(&l->rules);
	counters_free(l->dropped);
	arena_reset(&l->arena);
	free(l);
}

static int setup(struct setup *s, struct err *e)
{
	struct log *l = mem_new(struct log);
	int rc = 0;

	arena_init(&l->arena);
	l->workers = s->workers;
	l->dropped = counters_new(s->workers, 1);
	l->shared = s->shared;
	for (const struct directive *d = s->first; d != NULL && rc == 0;
		d = block_find(s->block, "log", d))
		rc = add_use(l, d, e);
	vec_for_each(&l->rules, r)
		format_want(&r->format, s->chain);
	if (rc != 0)
		log_free(l);
	else
		s->instance = l;
	return rc;
}

/* --- running ------------------------------------------------------------------------------ */

static void *create_writer(const char *key, void *arg, struct err *e)
{
	(void)key;
	return writer_new(*(const unsigned *)arg, e);
}

static void destroy_writer(void *object)
{
	writer_free(object);
}

static const struct shared_kind writer_kind = {"log writer", create_writer, destroy_writer};

static int start(void *instance, struct err *e)
{
	struct log *l = instance;

	if (l->shared != NULL)
		l->writer = shared_take(l->shared, &writer_kind, "", &l->workers, e);
	else
		l->writer = writer_new(l->workers, e);
	return l->writer == NULL ? err_prefix(e, -EAGAIN, "plugin/log") : 0;
}

/* True when the authority section of an upstream's message holds an SOA record. */
static bool message_has_soa(const struct query *q)
{
	const uint8_t *m = q->answer.message;
	struct reader r = reader_on(m, q->answer.message_len);
	unsigned answers = get16(m + 6), all = answers + get16(m + 8);
	struct rr_view rr;

	r.at = q->msg.question_end;
	for (unsigned i = 0; i < all && read_rr(&r, &rr); i++)
		if (i >= answers && rr.type == TYPE_SOA)
			return true;
	return false;
}

static bool has_soa(const struct query *q)
{
	if (q->answer.message != NULL)
		return message_has_soa(q);
	for (unsigned i = 0; i < q->answer.count; i++)
		if (q->answer.refs[i].section == SECTION_AUTHORITY &&
			q->answer.refs[i].set->type == TYPE_SOA)
			return true;
	return false;
}

/* A denial proves itself with an SOA record (RFC 2308); NXDOMAIN without one is an error. */
static unsigned classify(const struct query *q)
{
	uint16_t rcode = q->answer.rcode;
	bool is_transfer = q->msg.qtype == TYPE_AXFR || q->msg.qtype == TYPE_IXFR;

	if (is_transfer || q->msg.opcode != OPCODE_QUERY)
		return CLASS_ERROR;
	if (rcode == RCODE_NOERROR && !answer_is_empty(&q->answer))
		return CLASS_SUCCESS;
	if (rcode == RCODE_NOERROR || rcode == RCODE_NXDOMAIN) {
		if (has_soa(q))
			return CLASS_DENIAL;
		return rcode == RCODE_NOERROR ? CLASS_SUCCESS : CLASS_ERROR;
	}
	return CLASS_ERROR;
}

static const struct rule *find_rule(const struct log *l, const struct query *q)
{
	vec_for_each(&l->rules, r)
		if (name_is_under(q->folded, r->zone.wire))
			return r;
	return NULL;
}

static void reply(struct query *q, void *instance)
{
	const struct log *l = instance;
	const struct rule *r = q->is_internal ? NULL : find_rule(l, q);
	char line[FORMAT_LINE_MAX];
	uint64_t took_ns;
	bool fits;
	size_t n;

	if (r == NULL)
		return;
	fits = r->classes == CLASS_ALL || (r->classes & classify(q)) != 0;
	if (!fits && r->slow_ns == 0)
		return;
	took_ns = clock_ns() - q->start_ns;
	if (!fits && took_ns < r->slow_ns)
		return;
	n = log_is_json() ? json_write(&r->format, q, took_ns, line)
			  : format_write(&r->format, q, took_ns, line);
	if (!writer_put(l->writer, q->worker->index, line, n))
		counters_add(l->dropped, q->worker->index, 0, 1);
}

static void metrics(void *instance, struct metrics *m)
{
	const struct log *l = instance;

	metrics_sample(m, &dropped, "", (double)counters_sum(l->dropped, 0));
}

static void teardown(void *instance)
{
	struct log *l = instance;

	if (l->shared != NULL)
		shared_drop(l->shared, l->writer);
	else
		writer_free(l->writer);
	log_free(l);
}

const struct plugin log_plugin = {
	.name = "log",
	.takes_any_class = true,
	.observes = true,
	.setup = setup,
	.start = start,
	.reply = reply,
	.metrics = metrics,
	.teardown = teardown,
};
