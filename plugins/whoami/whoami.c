/*
 * whoami: tells the client its own address, port and transport, in the additional section.
 */
#include "plugin.h"

#include <errno.h>

#include "dns/wire.h"

static int setup(struct setup *s, struct err *e)
{
	static char instance;
	int rc;

	s->first = args_first(s->block, "whoami");
	rc = args_count(s->first, 0, 0, e);
	if (rc == 0)
		rc = args_no_block(s->first, e);
	s->instance = &instance; /* no state */
	return rc;
}

/* "_udp." or "_tcp." in front of the name asked for; NULL when that gets too long. */
static const uint8_t *transport_owner(struct query *q)
{
	struct str label = q->transport == TRANSPORT_UDP ? STR("_udp") : STR("_tcp");
	struct name *n = arena_new(&q->arena, struct name);

	name_set(n, query_name(q));
	return name_prepend(n, label) == 0 ? n->wire : NULL;
}

static enum verdict query(struct query *q, void *instance)
{
	uint8_t srv[7] = {0}; /* priority 0, weight 0, port, target "." */
	const uint8_t *owner = transport_owner(q);
	size_t n;
	const uint8_t *ip = addr_ip(&q->client, &n);

	(void)instance;
	q->answer.is_authoritative = true;
	answer_add(&q->answer, SECTION_ADDITIONAL,
		rrset_single(&q->arena, n == 4 ? TYPE_A : TYPE_AAAA, 0,
			(struct str){(const char *)ip, n}));
	put16(srv + 4, addr_port(&q->client));
	if (owner != NULL)
		answer_add_owned(&q->answer, SECTION_ADDITIONAL, owner,
			rrset_single(&q->arena, TYPE_SRV, 0,
				(struct str){(const char *)srv, sizeof(srv)}));
	return DONE;
}

static void explain(void *instance, const struct explain_ask *ask, struct explanation *x)
{
	(void)instance;
	(void)ask;
	explain_say(x, EXPLAIN_ANSWER, "it tells every client its own address and port");
}

static const struct plugin_explain explain_hooks = {.explain = explain};

const struct plugin whoami_plugin = {
	.name = "whoami", .setup = setup, .query = query, .explain = &explain_hooks};
