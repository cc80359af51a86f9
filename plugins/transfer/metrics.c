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

/* One sample, with the server block's labels and one more when it has a value. */
struct sample {
	const struct metric_family *family;
	const char *label, *value;
};

static void add(struct metrics *m, const struct transfer *t, struct sample s, double value)
{
	struct buf labels = {0};

	metrics_label(&labels, "server", t->server);
	metrics_label(&labels, "zone", t->zone);
	if (s.value != NULL)
		metrics_label(&labels, s.label, s.value);
	metrics_sample(m, s.family, buf_text(&labels), value);
	buf_free(&labels);
}

void transfer_metrics(void *instance, struct metrics *m)
{
	static const char *const outcomes[] = {
		[TRANSFER_AXFR] = "full",
		[TRANSFER_IXFR] = "incremental",
		[TRANSFER_CURRENT] = "current",
		[TRANSFER_REFUSED] = "refused",
		[TRANSFER_NOT_READY] = "not_ready",
		[TRANSFER_SHED] = "shed",
		[TRANSFER_BROKEN] = "broken",
	};
	struct transfer *t = instance;

	for (size_t i = 0; i <= TRANSFER_BROKEN; i++)
		add(m, t, (struct sample){&answers, "outcome", outcomes[i]},
			(double)counters_sum(t->counters, i));
	add(m, t, (struct sample){&records, NULL, NULL},
		(double)counters_sum(t->counters, TRANSFER_RECORDS));
	add(m, t, (struct sample){&octets, NULL, NULL},
		(double)counters_sum(t->counters, TRANSFER_OCTETS));
	add(m, t, (struct sample){&active, NULL, NULL}, t->active);
	add(m, t, (struct sample){&notifies, "result", "accepted"}, (double)t->notified);
	add(m, t, (struct sample){&notifies, "result", "failed"}, (double)t->not_notified);
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
