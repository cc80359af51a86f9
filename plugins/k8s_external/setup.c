/*
 * Reading `k8s_external [ZONES...] { ... }`, and the life of an instance.
 */
#include <errno.h>
#include <stdlib.h>

#include "k8s_external/external.h"

/* --- options ----------------------------------------------------------------------------- */

static int set_apex(void *conf, const struct directive *o, struct err *e)
{
	struct external *x = conf;
	const char *text = directive_arg(o, 0);

	if (external_write_label(x->options.apex, text) == 0)
		return args_error(o, e,
			"\"%s\" is no label; 'apex' takes one of 1 to 63 octets without a dot, "
			"such as dns",
			text);
	return 0;
}

static int set_ttl(void *conf, const struct directive *o, struct err *e)
{
	return args_u32(o, 0, ARGS_RANGE(0, 3600), &((struct external *)conf)->options.ttl, e);
}

static int set_headless(void *conf, const struct directive *o, struct err *e)
{
	(void)o;
	(void)e;
	((struct external *)conf)->options.has_headless = true;
	return 0;
}

static int set_fallthrough(void *conf, const struct directive *o, struct err *e)
{
	return fall_from_args(&((struct external *)conf)->options.fall, o, e);
}

static const struct arg_option options[] = {
	{"apex", 1, 1, set_apex, false},
	{"ttl", 1, 1, set_ttl, false},
	{"headless", 0, 0, set_headless, false},
	{"fallthrough", 0, ARGS_ANY, set_fallthrough, false},
	{NULL, 0, 0, NULL, false},
};

/* --- zones ------------------------------------------------------------------------------- */

static bool is_reverse(const struct name *n)
{
	return name_is_under(n->wire, (const uint8_t *)"\7in-addr\4arpa") ||
		name_is_under(n->wire, (const uint8_t *)"\3ip6\4arpa");
}

static void add_zone(struct external *x, const struct setup *s, const struct name *name)
{
	struct external_zone *z = mem_new(struct external_zone);

	z->name = *name;
	z->labels = name_labels(name->wire);
	z->is_reverse = is_reverse(name);
	/* reverse names are also below `.` and `arpa` */
	x->has_reverse = x->has_reverse || z->is_reverse ||
		name_is_under((const uint8_t *)"\4arpa", name->wire);
	table_init(&z->table);
	zone_history_init(&z->history, s->shared, name);
	map_init(&z->headless);
	vec_push(&x->zones, z);
	if (!z->is_reverse && x->primary == NULL)
		x->primary = z;
}

static int read_directive(struct external *x, const struct setup *s, struct err *e)
{
	const struct directive *d = s->first;
	int rc = args_once(s->block, "k8s_external", e);

	if (rc == 0)
		rc = zone_list_from_args(&x->list, d, 0, e);
	if (rc == 0)
		rc = args_options(d, options, x, e);
	if (rc != 0)
		return rc;
	vec_for_each(&x->list.zones, z)
		add_zone(x, s, z);
	if (x->primary == NULL)
		return args_error(d, e, "non-reverse zone name must be used");
	if (block_find(s->block, "kubernetes", NULL) == NULL)
		return args_error(d, e,
			"it needs the plugin 'kubernetes' in the same server block; add it there");
	return 0;
}

/* --- life -------------------------------------------------------------------------------- */

static void external_free(struct external *x)
{
	struct external_service *s;
	size_t pos = 0;

	while ((s = map_next(&x->services, &pos)) != NULL)
		external_service_free(s);
	map_fini(&x->services);
	external_owners_free(x);
	vec_for_each(&x->zones, at) {
		struct external_zone *z = *at;

		external_headless_fini(z);
		zone_history_fini(&z->history);
		table_fini(&z->table, external_entry_free);
		free((void *)(uintptr_t)z->soa);
		free((void *)(uintptr_t)z->ns);
		free(z);
	}
	prefix_set_fini(&x->v4);
	prefix_set_fini(&x->v6);
	table_fini(&x->addresses, external_address_free);
	vec_free(&x->zones);
	zone_list_free(&x->list);
	fall_free(&x->options.fall);
	counters_free(x->counters);
	free(x);
}

static int external_setup(struct setup *s, struct err *e)
{
	struct external *x = mem_new(struct external);
	int rc;

	memcpy(x->options.apex, "\3dns", 4);
	x->options.ttl = 5;
	x->chain = s->chain;
	map_init(&x->services);
	map_init(&x->owners);
	table_init(&x->addresses);
	prefix_set_init(&x->v4, 32);
	prefix_set_init(&x->v6, 128);
	x->counters = counters_new(s->workers, EXTERNAL_COUNTERS);
	rc = read_directive(x, s, e);
	if (rc != 0) {
		external_free(x);
		return rc;
	}
	external_compile_zones(x);
	s->instance = x;
	return 0;
}

/* What is denied here is not asked of the kubernetes plugin, which has the same zone. */
static void warn_hidden(const struct external *x, const struct external_zone *z)
{
	const struct name *theirs = x->view->zone_of(x->cluster, z->name.wire, z->labels);
	char text[NAME_TEXT_MAX];

	if (theirs == NULL || theirs->len != z->name.len ||
		fall_has(&x->options.fall, z->name.wire))
		return;
	name_to_text(text, z->name.wire);
	log_warning(EXTERNAL,
		"the zone %s is also one of the plugin kubernetes, whose names in it are hidden; "
		"add 'fallthrough', or serve another zone",
		text);
}

/* The kubernetes plugin stands below in the chain: it begins to tell when it has started. */
static int external_start(void *instance, struct err *e)
{
	struct external *x = instance;
	struct offered o;

	if (!offer_find(x->chain, CLUSTER_VIEW, &o))
		return err_set(
			e, -EINVAL, EXTERNAL ": no plugin of the server block has a cluster");
	x->cluster = o.instance;
	x->view = o.ops;
	vec_for_each(&x->zones, z)
		warn_hidden(x, *z);
	x->follower.on_changes = external_on_changes;
	x->follower.arg = x;
	x->view->follow(x->cluster, &x->follower);
	return 0;
}

static bool external_ready(void *instance)
{
	const struct external *x = instance;

	return x->view != NULL && x->view->is_synced(x->cluster);
}

static void external_teardown(void *instance)
{
	struct external *x = instance;

	if (x->view != NULL)
		x->view->unfollow(x->cluster, &x->follower);
	/* what readers or the queue of retired objects still use is freed after this */
	rcu_reclaim();
	external_free(x);
}

const struct plugin k8s_external_plugin = {
	.name = "k8s_external",
	.setup = external_setup,
	.start = external_start,
	.prefetch = external_prefetch,
	.query = external_query,
	.ready = external_ready,
	.metrics = external_metrics,
	.teardown = external_teardown,
	.transfer = &external_transfer,
	.explain = &external_explain_hooks,
};
