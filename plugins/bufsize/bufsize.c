/*
 * bufsize: lowers the size of UDP answers below what the client offers, against fragmentation.
 */
#include "plugin.h"

#include <errno.h>

struct bufsize {
	uint16_t size; /* octets */
};

static int setup(struct setup *s, struct err *e)
{
	struct bufsize conf = {.size = QUERY_UDP_MAX}, *b;
	int rc;

	s->first = args_first(s->block, "bufsize");
	rc = args_count(s->first, 0, 1, e);
	if (rc == 0)
		rc = args_no_block(s->first, e);
	if (rc == 0 && s->first->arg_count == 1)
		rc = args_u16(s->first, 0, ARGS_RANGE(512, 4096), &conf.size, e);
	if (rc != 0)
		return rc;
	b = mem_new(struct bufsize);
	*b = conf;
	s->instance = b;
	return 0;
}

static enum verdict query(struct query *q, void *instance)
{
	const struct bufsize *b = instance;

	if (b->size < q->udp_cap)
		q->udp_cap = b->size;
	return NEXT;
}

static void teardown(void *instance)
{
	free(instance);
}

const struct plugin bufsize_plugin = {
	.name = "bufsize",
	.takes_any_class = true,
	.setup = setup,
	.query = query,
	.explain = &explain_passes,
	.teardown = teardown,
};
