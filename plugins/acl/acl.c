#include "acl/acl.h"

static bool has_type(const struct acl_rule *rule, uint16_t type)
{
	vec_for_each (&rule->types, t)
		if (*t == type)
			return true;
	return rule->types.len == 0;
}

static bool has_client(const struct acl_rule *rule, const union addr *client)
{
	size_t n;
	const uint8_t *ip = addr_ip(client, &n);

	vec_for_each (&rule->nets, net)
		if (cidr_has(net, ip, n == 16))
			return true;
	return rule->nets.len == 0;
}

/* The first rule that is about the question decides; without one it is allowed. */
static enum acl_action decide(const struct acl_policy *policy, const struct query *q)
{
	vec_for_each (&policy->rules, rule)
		if (has_type(rule, q->msg.qtype) && has_client(rule, &q->client))
			return rule->action;
	return ACL_ALLOW;
}

static enum verdict act(struct query *q, enum acl_action action)
{
	if (action == ACL_DROP)
		return DROP;
	q->answer.ede = action == ACL_BLOCK ? EDE_BLOCKED : EDE_FILTERED;
	q->answer.rcode = action == ACL_BLOCK ? RCODE_REFUSED : RCODE_NOERROR;
	return DONE;
}

static enum verdict acl_query(struct query *q, void *instance)
{
	const struct acl *a = instance;

	vec_for_each (&a->policies, policy) {
		int zone = zone_list_match(&policy->zones, q->folded);
		enum acl_action action = zone < 0 ? ACL_ALLOW : decide(policy, q);

		if (action == ACL_ALLOW)
			continue;
		counters_add(a->counters, q->worker->index,
		        policy->first_counter + (size_t)zone * (ACL_ACTIONS - 1) + action - 1, 1);
		return act(q, action);
	}
	counters_add(a->counters, q->worker->index, a->allowed, 1);
	return NEXT;
}

/* The decisions of acl_query() for a client that is not known. */
static void explain(void *instance, const struct explain_ask *ask, struct explanation *x)
{
	static const enum explain_outcome outcomes[] = {
	        EXPLAIN_PASSES, EXPLAIN_REFUSED, EXPLAIN_NODATA, EXPLAIN_UNKNOWN};
	static const char *const says[] = {
	        "", "a rule blocks it", "a rule filters it", "a rule drops it"};
	const struct acl *a = instance;

	vec_for_each (&a->policies, policy) {
		if (zone_list_match(&policy->zones, ask->name.wire) < 0)
			continue;
		vec_for_each (&policy->rules, rule) {
			if (!has_type(rule, ask->type) || rule->nets.len > 0)
				continue;
			if (rule->action != ACL_ALLOW) {
				explain_say(x, outcomes[rule->action], "%s", says[rule->action]);
				return;
			}
			break;
		}
	}
}

static const struct plugin_explain explain_hooks = {.explain = explain};

static void add_sample(const struct acl *a, struct metrics *m, const struct metric_family *f,
        const char *zone, size_t counter)
{
	struct buf labels = {0};

	metrics_label(&labels, "server", a->server);
	if (zone != NULL)
		metrics_label(&labels, "zone", zone);
	metrics_label(&labels, "view", a->view);
	metrics_sample(m, f, labels.at, (double)counters_sum(a->counters, counter));
	buf_free(&labels);
}

static void acl_metrics(void *instance, struct metrics *m)
{
	static const struct metric_family allowed = {"coredns_acl_allowed_requests_total",
	        "Questions that no rule was against.", METRIC_COUNTER};
	static const struct metric_family refused[] = {
	        {"coredns_acl_blocked_requests_total", "Questions refused by a rule.",
	                METRIC_COUNTER},
	        {"coredns_acl_filtered_requests_total", "Questions answered without records.",
	                METRIC_COUNTER},
	        {"coredns_acl_dropped_requests_total", "Questions that got no answer.",
	                METRIC_COUNTER},
	};
	const struct acl *a = instance;
	char text[NAME_TEXT_MAX];

	add_sample(a, m, &allowed, NULL, a->allowed);
	vec_for_each (&a->policies, policy) {
		for (size_t i = 0; i < policy->zones.zones.len * ARRAY_LEN(refused); i++) {
			size_t zone = i / ARRAY_LEN(refused), kind = i % ARRAY_LEN(refused);

			name_to_text(text, policy->zones.zones.at[zone].wire);
			add_sample(a, m, &refused[kind], text, policy->first_counter + i);
		}
	}
}

static void teardown(void *instance)
{
	acl_free(instance);
}

const struct plugin acl_plugin = {
        .name = "acl",
        .takes_any_class = true,
        .setup = acl_setup,
        .query = acl_query,
        .metrics = acl_metrics,
        .explain = &explain_hooks,
        .teardown = teardown,
};
