#include "rig.h"

#include <errno.h>
#include <ldns/ldns.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/must.h"
#include "core/metadata.h"
#include "dns/wire.h"
#include "test.h"

static void fill_setup(struct rig *r)
{
	static char root[] = ".", label[] = "dns://:53";

	r->setup.generation = &r->generation;
	r->setup.chain = &r->chain;
	r->setup.block = &r->corefile->blocks[0];
	r->setup.first = block_find(r->setup.block, r->plugin->name, NULL);
	r->setup.server_label = "dns://:53";
	r->setup.port = 53;
	r->setup.workers = 1;
	r->setup.limits = stream_limits_default;
	vec_push(&r->setup.zones, ".");
	r->server.zone = (struct name){1, {0}};
	r->server.zone_text = root;
	r->server.label = label;
	r->server.port = 53;
	r->server.chain = &r->chain;
	must(r->setup.first != NULL);
}

int rig_open(struct rig *r, const struct plugin *plugin, const char *text)
{
	int rc;

	memset(r, 0, sizeof(*r));
	r->plugin = plugin;
	worker_init(&r->worker, 0);
	r->worker.now_ns = 1000000000;
	rc = corefile_parse("Corefile", str_from(text), NULL, &r->corefile, &r->err);
	if (rc != 0)
		return rc;
	fill_setup(r);
	rc = plugin->setup(&r->setup, &r->err);
	if (rc != 0 || r->setup.instance == NULL)
		return rc;
	vec_push(&r->chain.links, (struct link){.plugin = plugin, .instance = r->setup.instance});
	if (plugin->query != NULL)
		vec_push(&r->chain.query_hooks, r->chain.links.at[0]);
	if (plugin->metadata != NULL)
		vec_push(&r->chain.metadata_hooks, r->chain.links.at[0]);
	vec_push(&r->generation.servers, &r->server);
	vec_push(&r->group.servers, &r->server);
	server_group_build(&r->group);
	if (plugin->attach != NULL)
		plugin->attach(r->setup.instance, &r->worker);
	return 0;
}

void rig_close(struct rig *r)
{
	if (r->setup.instance != NULL && r->plugin->detach != NULL)
		r->plugin->detach(r->setup.instance, &r->worker);
	if (r->setup.instance != NULL && r->plugin->teardown != NULL)
		r->plugin->teardown(r->setup.instance);
	worker_fini(&r->worker);
	vec_free(&r->chain.links);
	vec_free(&r->chain.query_hooks);
	vec_free(&r->chain.metadata_hooks);
	metadata_fini(&r->chain);
	vec_free(&r->generation.servers);
	server_group_fini(&r->group);
	vec_free(&r->setup.zones);
	vec_free(&r->setup.binds);
	corefile_free(r->corefile);
	buf_free(&r->text);
}

void rig_write(struct query *q, const struct rig_ask *ask)
{
	struct name n;
	uint8_t *p = q->buf;

	must(name_from_text(&n, str_from(ask->name), NULL) == 0);
	memset(p, 0, MSG_HEADER);
	put16(p, 29008);
	put16(p + 2, FLAG_RD);
	put16(p + 4, 1);
	p += MSG_HEADER;
	memcpy(p, n.wire, n.len);
	p += n.len;
	put16(p, ask->type);
	put16(p + 2, ask->rr_class != 0 ? ask->rr_class : CLASS_IN);
	p += 4;
	if (ask->udp_size != 0) {
		put16(q->buf + 10, 1);
		memset(p, 0, 15);
		put16(p + 1, TYPE_OPT);
		put16(p + 3, ask->udp_size);
		p[7] = ask->wants_dnssec ? 0x80 : 0;
		put16(p + 9, ask->wants_nsid ? 4 : 0);
		put16(p + 11, 3);
		p += ask->wants_nsid ? 15 : 11;
	}
	q->wire_len = (size_t)(p - q->buf);
}

void rig_refuses(const struct plugin *plugin, const char *lines, const char *why)
{
	struct buf text = {0};
	char by[64];
	struct rig r;

	snprintf(by, sizeof(by), " - plugin/%s: ", plugin->name);
	buf_printf(&text, ". {\n%s\n}", lines);
	assert_int_equal(rig_open(&r, plugin, buf_text(&text)), -EINVAL);
	if (strstr(r.err.text, "Corefile:") == NULL || strstr(r.err.text, by) == NULL ||
		strstr(r.err.text, why) == NULL)
		fail_msg("%s: \"%s\" lacks \"%s\"", lines, r.err.text, why);
	rig_close(&r);
	buf_free(&text);
}

void rig_refuses_args(const struct plugin *plugin, const char *args, const char *why)
{
	struct buf lines = {0};

	buf_printf(&lines, "%s %s", plugin->name, args);
	rig_refuses(plugin, buf_text(&lines), why);
	buf_free(&lines);
}

struct query *rig_query(struct rig *r, const struct rig_ask *ask)
{
	struct query *q = worker_query(&r->worker);
	const char *client = ask->client != NULL ? ask->client : "127.0.0.1:40000";

	must(q != NULL);
	must(addr_from_hostport(&q->client, str_from(client), 0) == 0);
	must(addr_from_hostport(&q->local, STR("127.0.0.1:53"), 0) == 0);
	q->transport = ask->transport;
	q->generation = &r->generation;
	q->server = &r->server;
	q->chain = &r->chain;
	q->group = &r->group;
	rig_write(q, ask);
	must(msg_parse(&q->msg, q->buf, q->wire_len) == MSG_ANSWER);
	name_fold(q->folded, query_name(q), q->msg.qname_len);
	return q;
}

enum verdict rig_down(struct rig *r, struct query *q)
{
	enum verdict v = r->plugin->query(q, r->setup.instance);

	if (v == DONE)
		q->answered_by = r->plugin->name;
	return v;
}

void rig_up(struct rig *r, struct query *q, const char *by)
{
	q->answered_by = by;
	r->plugin->reply(q, r->setup.instance);
}

static void add_section(struct buf *b, const ldns_rr_list *list)
{
	for (size_t i = 0; i < ldns_rr_list_rr_count(list); i++) {
		char *text = ldns_rr2str(ldns_rr_list_rr(list, i));

		for (char *p = text; *p != '\0'; p++)
			*p = *p == '\t' ? ' ' : *p;
		buf_str(b, text);
		free(text);
	}
}

const char *rig_answer(struct rig *r, struct query *q)
{
	size_t n = query_encode(q, q->buf, sizeof(q->buf));
	ldns_pkt *pkt = NULL;
	char text[16];

	buf_clear(&r->text);
	if (ldns_wire2pkt(&pkt, q->buf, n) != LDNS_STATUS_OK)
		return "not a DNS message";
	buf_str(&r->text, rcode_text(q->answer.rcode, text));
	buf_printf(&r->text, "%s%s%s\n", ldns_pkt_aa(pkt) ? " aa" : "",
		ldns_pkt_tc(pkt) ? " tc" : "", ldns_pkt_ra(pkt) ? " ra" : "");
	add_section(&r->text, ldns_pkt_answer(pkt));
	buf_str(&r->text, "--\n");
	add_section(&r->text, ldns_pkt_authority(pkt));
	buf_str(&r->text, "--\n");
	add_section(&r->text, ldns_pkt_additional(pkt));
	ldns_pkt_free(pkt);
	return buf_text(&r->text);
}
