#include <errno.h>
#include <string.h>
#include <strings.h>

#include "acl/acl.h"

static int read_type(struct acl_rule *rule, const struct directive *o, size_t i, struct err *e)
{
	const char *text = o->args[i].text;
	uint16_t type = rr_type_from_text(str_from(text));

	if (type == 0)
		return args_error(o, e, "unknown record type '%s'", text);
	if (rule->types.len == ACL_TYPES_MAX)
		return args_error(o, e, "more than %u types", ACL_TYPES_MAX);
	vec_push(&rule->types, type);
	return 0;
}

static int read_net(struct acl_rule *rule, const struct directive *o, size_t i, struct err *e)
{
	struct cidr net;
	int rc = args_cidr(o, i, &net, e);

	if (rc == 0)
		vec_push(&rule->nets, net);
	return rc;
}

/* The values of a section, `type` or `net`, from argument *i on; "*" among them means all. */
static int read_section(struct acl_rule *rule, const struct directive *o, size_t *i, struct err *e)
{
	bool is_type = strcasecmp(o->args[*i].text, "type") == 0, is_all = false;
	size_t first = ++*i;
	int rc = 0;

	for (; *i < o->arg_count && rc == 0; ++*i) {
		const char *text = o->args[*i].text;

		if (strcasecmp(text, "type") == 0 || strcasecmp(text, "net") == 0)
			break;
		if (strcmp(text, "*") == 0)
			is_all = true;
		else
			rc = is_type ? read_type(rule, o, *i, e) : read_net(rule, o, *i, e);
	}
	if (rc == 0 && *i == first)
		return args_error(o, e, "'%s' has no value", o->args[first - 1].text);
	if (is_all && is_type)
		vec_free(&rule->types);
	else if (is_all)
		vec_free(&rule->nets);
	return rc;
}

static int read_action(enum acl_action *action, const struct directive *o, struct err *e)
{
	static const char *const words[] = {"allow", "block", "filter", "drop"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcasecmp(o->name, words[i]) == 0) {
			*action = (enum acl_action)i;
			return 0;
		}
	}
	return args_error(
	        o, e, "unknown action '%s', expected allow, block, filter or drop", o->name);
}

static int read_rule(struct acl_policy *policy, const struct directive *o, struct err *e)
{
	struct acl_rule *rule;
	int rc;

	vec_push(&policy->rules, ((struct acl_rule){0}));
	rule = &policy->rules.at[policy->rules.len - 1];
	rc = read_action(&rule->action, o, e);
	for (size_t i = 0; i < o->arg_count && rc == 0;) {
		const char *text = o->args[i].text;

		if (strcasecmp(text, "type") != 0 && strcasecmp(text, "net") != 0)
			return args_error(o, e, "unexpected '%s', expected type or net", text);
		rc = read_section(rule, o, &i, e);
	}
	return rc;
}

static int read_policy(struct acl *a, const struct directive *d, struct err *e)
{
	struct acl_policy *policy;
	int rc;

	vec_push(&a->policies, ((struct acl_policy){0}));
	policy = &a->policies.at[a->policies.len - 1];
	rc = zone_list_from_args(&policy->zones, d, 0, e);
	directive_for_each (d, o)
		if (rc == 0)
			rc = read_rule(policy, o, e);
	policy->first_counter = a->allowed;
	a->allowed += policy->zones.zones.len * (ACL_ACTIONS - 1);
	return rc;
}

void acl_free(struct acl *a)
{
	vec_for_each (&a->policies, p) {
		vec_for_each (&p->rules, rule) {
			vec_free(&rule->types);
			vec_free(&rule->nets);
		}
		vec_free(&p->rules);
		zone_list_free(&p->zones);
	}
	vec_free(&a->policies);
	counters_free(a->counters);
	free(a->server);
	free(a->view);
	free(a);
}

int acl_setup(struct setup *s, struct err *e)
{
	struct acl *a = mem_new(struct acl);
	int rc = 0;

	for (const struct directive *d = s->first; d != NULL && rc == 0;
	        d = block_find(s->block, "acl", d))
		rc = read_policy(a, d, e);
	if (rc != 0) {
		acl_free(a);
		return rc;
	}
	a->counters = counters_new(s->workers, a->allowed + 1);
	a->server = mem_str(s->server_label);
	a->view = mem_str(setup_view_name(s));
	s->instance = a;
	return 0;
}
