/*
 * What an instance tells of itself: metrics, and `seamark explain NAME AXFR`.
 */
#include "transfer/transfer.h"

static const struct metric_family answers = {"seamark_transfer_answers_total",
	"Counter of questions for zone transfers, by how they ended.", METRIC_COUNTER};
static const struct metric_family records = {"seamark_transfer_records_total",
	"Counter of records that were transferred.", METRIC_COUNTER};
static const struct metric_family octets = {"seamark_transfer_bytes_total",
	"Counter of octets of messages with transferred records.", METRIC_COUNTER};
static const struct metric_family active = {"seamark_transfer_active",
	"Transfers that go on now.", METRIC_GAUGE};
static const struct metric_family notifies = {"seamark_transfer_notifies_total",
	"Counter of NOTIFY messages that were acknowledged, or not.", METRIC_COUNTER};

void transfer_metrics(void *instance, struct metrics *m)
{
	static const char *const outcomes[] = {
		[TRANSFER_AXFR] = "outcome=\"full\"",
		[TRANSFER_IXFR] = "outcome=\"incremental\"",
		[TRANSFER_CURRENT] = "outcome=\"current\"",
		[TRANSFER_REFUSED] = "outcome=\"refused\"",
		[TRANSFER_NOT_READY] = "outcome=\"not_ready\"",
		[TRANSFER_SHED] = "outcome=\"shed\"",
		[TRANSFER_BROKEN] = "outcome=\"broken\"",
	};
	struct transfer *t = instance;

	for (size_t i = 0; i <= TRANSFER_BROKEN; i++)
		metrics_sample(m, &answers, outcomes[i], (double)counters_sum(t->counters, i));
	metrics_sample(m, &records, "", (double)counters_sum(t->counters, TRANSFER_RECORDS));
	metrics_sample(m, &octets, "", (double)counters_sum(t->counters, TRANSFER_OCTETS));
	metrics_sample(m, &active, "", t->active);
	metrics_sample(m, &notifies, "result=\"accepted\"", (double)t->notified);
	metrics_sample(m, &notifies, "result=\"failed\"", (double)t->not_notified);
}

static void explain(void *instance, const struct explain_ask *ask, struct explanation *x)
{
	const struct transfer *t = instance;
	const struct transfer_rule *rule = transfer_rule_for(t, ask->name.wire);
	int i = zone_list_match(&t->names, ask->name.wire);

	if (ask->type != TYPE_AXFR && ask->type != TYPE_IXFR)
		return;
	if (rule == NULL)
		explain_say(x, EXPLAIN_REFUSED, "it is no zone of transfer");
	else if (i < 0 || t->names.zones.at[i].len != ask->name.len)
		explain_say(x, EXPLAIN_REFUSED, "it is not the name of a zone that is served here");
	else if (rule->takes_all)
		explain_say(x, EXPLAIN_ANSWER, "all of the zone goes to who asks over TCP");
	else
		explain_say(x, EXPLAIN_ANSWER,
			"all of the zone goes to the addresses that 'to' names, over TCP");
}

const struct plugin_explain transfer_explain_hooks = {.explain = explain};
