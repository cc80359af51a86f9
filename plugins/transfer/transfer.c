/*
 * transfer: hands whole zones, or their changes, to other servers: AXFR and IXFR. The question's
 * way on its worker; send.c makes the answer.
 */
#include "transfer/transfer.h"

#include "net/mailbox.h"

static bool is_transfer(uint16_t type)
{
	return type == TYPE_AXFR || type == TYPE_IXFR;
}

void transfer_count(const struct job *job, enum transfer_counter which, uint64_t n)
{
	counters_add(job->transfer->counters, job->worker->w->index, which, n);
}

static enum verdict refuse(
	const struct transfer *t, struct query *q, uint16_t rcode, const char *reason)
{
	counters_add(t->counters, q->worker->index, TRANSFER_REFUSED, 1);
	q->reason = reason;
	return query_fail(q, rcode);
}

/* The zone with exactly the name of the question, or NULL. */
static struct transfer_zone *find_zone(const struct transfer *t, const struct query *q)
{
	int i = zone_list_match(&t->names, q->folded);

	return i < 0 || t->names.zones.at[i].len != q->msg.qname_len ? NULL : t->zones.at[i];
}

/* --- IXFR over UDP: what is newest, so that the client comes by TCP if it has less ------------ */

static void on_soa(struct query *q, struct query *child, void *arg)
{
	const struct answer *a = &child->answer;

	(void)arg;
	if (child->is_dropped || a->rcode != RCODE_NOERROR)
		q->answer.rcode = RCODE_SERVFAIL;
	for (unsigned i = 0; i < a->count && q->answer.rcode == RCODE_NOERROR; i++)
		if (a->refs[i].section == SECTION_ANSWER && a->refs[i].set->type == TYPE_SOA)
			answer_add(&q->answer, SECTION_ANSWER, a->refs[i].set);
	q->answer.is_authoritative = a->is_authoritative;
	query_resume(q, DONE);
}

static enum verdict answer_soa(struct query *q)
{
	struct query_question ask = {query_name(q), TYPE_SOA};

	return query_sub(q, ask, on_soa, NULL) == 0 ? WAIT : query_fail(q, RCODE_SERVFAIL);
}

/* --- jobs ------------------------------------------------------------------------------------- */

/* The worker has done with it: the control thread frees it, on its own thread. */
static void return_job(struct job *job)
{
	struct transfer *t = job->transfer;

	job->q = NULL;
	must(mailbox_post(t->mail, &job->node));
}

static void log_transfer(struct job *job)
{
	static const char *const kinds[] = {"transfer", "incremental transfer"};
	struct log_limit *limit = &job->worker->limit;
	char client[ADDR_TEXT_MAX];
	uint64_t hidden;

	if (!log_limit_allows(limit, job->worker->w->now_ns / 1000000, &hidden))
		return;
	addr_ip_to_text(client, &job->client);
	if (job->outcome == JOB_CURRENT)
		log_info(TRANSFER,
			"Outgoing noop, incremental transfer for up to date zone \"%s\" to %s for "
			"%u SOA serial",
			job->zone->text, client, job->image->serial);
	else
		log_info(TRANSFER,
			"Outgoing %s of %llu records of zone \"%s\" to %s for %u SOA serial",
			kinds[job->outcome == JOB_CHANGES], (unsigned long long)job->records,
			job->zone->text, client, job->image->serial);
}

void transfer_end(struct job *job)
{
	static const enum transfer_counter which[] = {
		[JOB_WHOLE] = TRANSFER_AXFR,
		[JOB_CHANGES] = TRANSFER_IXFR,
		[JOB_CURRENT] = TRANSFER_CURRENT,
	};
	struct query *q = job->q;

	transfer_count(job, which[job->outcome], 1);
	log_transfer(job);
	q->is_sent = q->channel != NULL;
	q->answer.is_authoritative = true;
	return_job(job);
	query_resume(q, DONE);
}

void transfer_fail(struct job *job, enum transfer_counter which, const char *reason)
{
	struct query *q = job->q;

	transfer_count(job, which, 1);
	q->reason = reason;
	if (job->has_begun && q->channel != NULL) {
		q->is_sent = true;
		q->channel->abort(q);
	}
	query_fail(q, RCODE_SERVFAIL);
	return_job(job);
	query_resume(q, DONE);
}

/* The control thread has decided. Also called for jobs whose question was given up meanwhile. */
static void on_job(void *arg, struct list *node)
{
	struct job *job = container_of(node, struct job, node);
	struct transfer_worker *tw = arg;

	if (tw->w->loop != NULL)
		worker_enter(tw->w);
	job->is_here = true;
	if (job->q == NULL)
		return_job(job);
	else if (job->outcome == JOB_TOO_MANY)
		transfer_fail(job, TRANSFER_SHED, "too many transfers");
	else if (job->outcome == JOB_NOT_READY)
		transfer_fail(job, TRANSFER_NOT_READY, "zone is not loaded");
	else
		transfer_send(job);
}

static enum verdict begin(struct transfer *t, struct transfer_zone *z, struct query *q)
{
	struct job *job = mem_new(struct job);

	list_init(&job->node);
	list_init(&job->running);
	job->transfer = t;
	job->worker = t->workers[q->worker->index];
	job->zone = z;
	job->client = q->client;
	job->is_incremental = q->msg.qtype == TYPE_IXFR;
	job->since = q->msg.serial;
	job->start_ns = q->worker->now_ns;
	job->q = q;
	q->plugin_data = job;
	must(mailbox_post(t->mail, &job->node));
	return WAIT;
}

static enum verdict transfer_query(struct query *q, void *instance)
{
	struct transfer *t = instance;
	const struct transfer_rule *rule;
	struct transfer_zone *z;

	if (!is_transfer(q->msg.qtype))
		return NEXT;
	rule = transfer_rule_for(t, q->folded);
	if (rule == NULL || q->is_internal)
		return refuse(t, q, RCODE_REFUSED, "no zone of transfer");
	if (!transfer_allows(rule, &q->client))
		return refuse(t, q, RCODE_REFUSED, "not an address that may transfer");
	if (q->msg.qtype == TYPE_IXFR && !q->msg.has_serial)
		return refuse(t, q, RCODE_FORMERR, "IXFR without a serial");
	z = find_zone(t, q);
	if (z == NULL)
		return refuse(t, q, RCODE_NOTAUTH, "not a zone that is served here");
	return q->transport == TRANSPORT_UDP ? answer_soa(q) : begin(t, z, q);
}

static void transfer_cancel(struct query *q, void *instance)
{
	struct job *job = q->plugin_data;

	(void)instance;
	if (q->transport == TRANSPORT_UDP || job == NULL)
		return; /* its SOA question is abandoned by the core */
	list_remove(&q->waiter.node);
	job->q = NULL;
	if (job->is_here)
		return_job(job);
}

static void transfer_attach(void *instance, struct worker *w)
{
	struct transfer *t = instance;
	struct transfer_worker *tw = mem_new(struct transfer_worker);

	tw->transfer = t;
	tw->w = w;
	tw->limit = (struct log_limit){.rate = 5, .burst = 50};
	tw->mail = mailbox_new(t->loop == NULL ? NULL : w->loop, on_job, tw);
	t->workers[w->index] = tw;
}

/* Jobs that were on their way here have no question any more. */
static void transfer_detach(void *instance, struct worker *w)
{
	struct transfer *t = instance;
	struct list left, *node;

	list_init(&left);
	mailbox_close(t->workers[w->index]->mail, &left);
	while ((node = list_first(&left)) != NULL) {
		list_remove(node);
		return_job(container_of(node, struct job, node));
	}
}

static void transfer_teardown(void *instance)
{
	struct transfer *t = instance;

	transfer_stop(t);
	transfer_free(t);
}

const struct plugin transfer_plugin = {
	.name = "transfer",
	.setup = transfer_setup,
	.start = transfer_start,
	.attach = transfer_attach,
	.query = transfer_query,
	.cancel = transfer_cancel,
	.metrics = transfer_metrics,
	.detach = transfer_detach,
	.teardown = transfer_teardown,
	.explain = &transfer_explain_hooks,
};
