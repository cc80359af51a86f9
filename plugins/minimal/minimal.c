/*
 * minimal: positive answers go out with their answer section alone.
 */
#include "plugin.h"

#include <errno.h>

#include "dns/wire.h"

static int setup(struct setup *s, struct err *e)
{
	static char instance;
	int rc;

	s->first = args_first(s->block, "minimal");
	rc = args_count(s->first, 0, 0, e);
	if (rc == 0)
		rc = args_no_block(s->first, e);
	s->instance = &instance; /* no state */
	return rc;
}

/* The message up to its last answer record, in a copy, because it may belong to a cache. */
static void cut_message(struct query *q)
{
	const uint8_t *message = q->answer.message;
	struct reader r = reader_on(message, q->answer.message_len);
	struct rr_view rr;
	uint8_t *copy;

	if (get16(message + 8) == 0 && get16(message + 10) == 0)
		return;
	r.at = q->msg.question_end;
	for (unsigned n = get16(message + 6); n > 0; n--)
		if (!read_rr(&r, &rr))
			return;
	copy = (uint8_t *)arena_dup(&q->arena, message, r.at);
	put16(copy + 8, 0);
	put16(copy + 10, 0);
	answer_set_message(&q->answer, copy, r.at);
}

static void cut_sets(struct answer *a)
{
	uint16_t kept = 0;

	for (uint16_t i = 0; i < a->count; i++)
		if (a->refs[i].section == SECTION_ANSWER)
			a->refs[kept++] = a->refs[i];
	a->count = kept;
}

static void reply(struct query *q, void *instance)
{
	(void)instance;
	if (q->answer.rcode != RCODE_NOERROR || answer_is_empty(&q->answer))
		return; /* the SOA of a negative answer and the servers of a referral are needed */
	if (q->answer.message != NULL)
		cut_message(q);
	else
		cut_sets(&q->answer);
}

const struct plugin minimal_plugin = {.name = "minimal", .setup = setup, .reply = reply};
