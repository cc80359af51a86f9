/*
 * The directive: zones, and the addresses that may have them.
 */
#include "transfer/transfer.h"

#include <errno.h>

#define NOTIFY_PORT 53u

bool transfer_same_ip(const union addr *a, const union addr *b)
{
	size_t an, bn;
	const uint8_t *ai = addr_ip(a, &an), *bi = addr_ip(b, &bn);

	return an == bn && memcmp(ai, bi, an) == 0;
}

bool transfer_allows(const struct transfer_rule *r, const union addr *client)
{
	size_t n;
	const uint8_t *ip = addr_ip(client, &n);

	if (r->takes_all)
		return true;
	vec_for_each (&r->to, to)
		if (transfer_same_ip(&to->addr, client))
			return true;
	vec_for_each (&r->blocks, b)
		if (cidr_has(b, ip, n == 16))
			return true;
	return false;
}

const struct transfer_rule *transfer_rule_for(const struct transfer *t, const uint8_t *folded)
{
	const struct transfer_rule *best = NULL;
	size_t longest = 0;

	vec_for_each (&t->rules, r) {
		int i = zone_list_match(&(*r)->zones, folded);

		if (i < 0 || (*r)->zones.zones.at[i].len <= longest)
			continue;
		longest = (*r)->zones.zones.at[i].len;
		best = *r;
	}
	return best;
}

/* `*`, an address with or without a port, or (CoreDNS has none of these) an address block. */
static int add_to(struct transfer_rule *r, const struct directive *o, size_t i, struct err *e)
{
	struct str text = str_from(o->args[i].text);
	struct address address;
	struct cidr block;
	struct transfer_target to = {.is_failing = false};
	int rc;

	if (str_is(text, "*")) {
		r->takes_all = true;
		return 0;
	}
	if (cidr_parse(text, &block) == 0) {
		vec_push(&r->blocks, block);
		return 0;
	}
	rc = args_address(o, i, NOTIFY_PORT, &address, e);
	if (rc != 0)
		return rc;
	if (!address.is_ip || (address.has_scheme && address.scheme != SCHEME_DNS) ||
		addr_from_text(&to.addr, str_from(address.host), address.port) != 0)
		return args_error(o, e,
			"'%.80s' is not an IP address: name who may transfer by address, "
			"ADDRESS:PORT, ADDRESS/BITS or *",
			o->args[i].text);
	vec_push(&r->to, to);
	return 0;
}

static int set_to(void *conf, const struct directive *o, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; i < o->arg_count && rc == 0; i++)
		rc = add_to(conf, o, i, e);
	return rc;
}

static int set_source(void *conf, const struct directive *o, struct err *e)
{
	struct transfer_rule *r = conf;

	if (addr_from_text(&r->source, str_from(o->args[0].text), 0) == 0)
		return 0;
	return args_error(o, e, "source '%.80s' is not an IP address", o->args[0].text);
}

static int add_rule(struct transfer *t, const struct directive *d, struct err *e)
{
	static const struct arg_option options[] = {
	        {"to", 1, ARGS_ANY, set_to, false},
	        {"source", 1, 1, set_source, false},
	        {NULL, 0, 0, NULL, false},
	};
	struct transfer_rule *r = mem_new(struct transfer_rule);
	int rc;

	vec_push(&t->rules, r);
	rc = zone_list_from_args(&r->zones, d, 0, e);
	if (rc == 0)
		rc = args_options(d, options, r, e);
	if (rc == 0 && !r->takes_all && r->to.len == 0 && r->blocks.len == 0)
		return args_error(d, e, "'to' is required: name who may transfer, or *");
	return rc;
}

void transfer_free(struct transfer *t)
{
	vec_for_each (&t->rules, r) {
		zone_list_free(&(*r)->zones);
		vec_free(&(*r)->to);
		vec_free(&(*r)->blocks);
		free(*r);
	}
	vec_for_each (&t->zones, z) {
		free((*z)->text);
		free(*z);
	}
	vec_free(&t->rules);
	vec_free(&t->zones);
	vec_free(&t->notifiers);
	zone_list_free(&t->names);
	counters_free(t->counters);
	free(t->workers);
	free(t->server);
	free(t->zone);
	free(t);
}

int transfer_setup(struct setup *s, struct err *e)
{
	struct transfer *t = mem_new(struct transfer);
	int rc = 0;

	t->server = mem_str(s->server_label);
	t->zone = mem_str(s->zones.len > 0 ? s->zones.at[0] : ".");
	t->chain = s->chain;
	/* who only looks at a configuration has one thread, and tells nobody anything */
	t->loop = s->control == NULL ? NULL : s->loop;
	t->n_workers = s->workers > 0 ? s->workers : 1;
	t->workers = mem_array(t->n_workers, sizeof(struct transfer_worker *));
	t->counters = counters_new(t->n_workers, TRANSFER_COUNTERS);
	list_init(&t->waiting);
	list_init(&t->running);
	for (const struct directive *d = s->first; d != NULL && rc == 0;
	        d = block_find(s->block, "transfer", d))
		rc = add_rule(t, d, e);
	if (rc != 0) {
		transfer_free(t);
		return rc;
	}
	s->chain->takes_transfers = true;
	s->instance = t;
	return 0;
}
