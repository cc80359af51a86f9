/*
 * Request lines of the control socket on a server with one block, whose plugin knows a client and
 * a name.
 */
#include "fuzz.h"

#include "conf/corefile.h"
#include "core/explain.h"
#include "core/generation.h"
#include "dns/rr.h"

static void explain(void *instance, const struct explain_ask *ask, struct explanation *x)
{
	(void)instance;
	explain_say(x, name_labels(ask->name.wire) > 4 ? EXPLAIN_NXDOMAIN : EXPLAIN_NODATA, "why");
}

static bool search(void *instance, const union addr *client, struct explain_search *s)
{
	(void)instance;
	buf_str(&s->who, "Pod shop/web");
	buf_str(&s->ns, "shop");
	name_from_text(&s->zone, STR("cluster.local."), NULL);
	return client->sa.sa_family == AF_INET;
}

static void names(void *instance, struct explain_names *l)
{
	(void)instance;
	explain_add_name(l, (const uint8_t *)"\3web\4shop", TYPE_A, "10.0.0.1");
}

static const struct plugin_explain hooks = {.explain = explain, .search = search, .names = names};
static const struct plugin plugin = {.name = "fuzz", .explain = &hooks};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char zone_text[] = ".";
	static const struct server_block block = {.file = "fuzz", .line = 1};
	static struct corefile corefile = {.blocks = &block, .block_count = 1};
	struct chain chain = {.has_forwarder = false}, *chains[] = {&chain};
	struct link link = {.plugin = &plugin};
	struct server server = {
		.zone = {1, {0}}, .zone_text = zone_text, .port = 53, .chain = &chain};
	struct listen listen = {.group = {.seed = 1}}, *listens[] = {&listen};
	struct generation g = {.corefile = &corefile};
	struct buf out = {0};

	chain.links.at = chain.query_hooks.at = &link;
	chain.links.len = chain.query_hooks.len = 1;
	g.chains.at = chains;
	g.listens.at = listens;
	g.chains.len = g.listens.len = 1;
	vec_push(&listen.group.servers, &server);
	server_group_build(&listen.group);
	explain_run(&g, (struct str){(const char *)data, size}, &out, NULL);
	server_group_fini(&listen.group);
	buf_free(&out);
	return 0;
}
