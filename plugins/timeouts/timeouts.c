/*
 * timeouts: how long connections of clients, TCP and TLS, may take. Does its work at setup and
 * takes no part in the chain.
 */
#include "plugin.h"

#include <errno.h>

#define SHORTEST_MS 1000u
#define LONGEST_MS (24u * 3600 * 1000)

static int set_ms(const struct directive *o, uint32_t *out, struct err *e)
{
	uint64_t ms;
	int rc = args_seconds_ms(o, 0, ARGS_RANGE(SHORTEST_MS, LONGEST_MS), &ms, e);

	if (rc == 0)
		*out = (uint32_t)ms;
	return rc;
}

static int set_read(void *conf, const struct directive *o, struct err *e)
{
	struct stream_limits *l = conf;

	return set_ms(o, &l->message_ms, e);
}

static int set_write(void *conf, const struct directive *o, struct err *e)
{
	struct stream_limits *l = conf;

	return set_ms(o, &l->write_ms, e);
}

static int set_idle(void *conf, const struct directive *o, struct err *e)
{
	struct stream_limits *l = conf;

	return set_ms(o, &l->idle_ms, e);
}

static int set_messages(void *conf, const struct directive *o, struct err *e)
{
	struct stream_limits *l = conf;

	if (strcmp(o->args[0].text, "-1") == 0) {
		l->messages = 0;
		return 0;
	}
	return args_u32(o, 0, ARGS_RANGE(1, INT32_MAX), &l->messages, e);
}

static int setup(struct setup *s, struct err *e)
{
	static const struct arg_option options[] = {
	        {.name = "read", .min_args = 1, .max_args = 1, .set = set_read},
	        {.name = "write", .min_args = 1, .max_args = 1, .set = set_write},
	        {.name = "idle", .min_args = 1, .max_args = 1, .set = set_idle},
	        {.name = "maxtcpqueries", .min_args = 1, .max_args = 1, .set = set_messages},
	        {.name = NULL},
	};
	int rc;

	s->first = args_last(s->block, "timeouts");
	rc = args_count(s->first, 0, 0, e);
	if (rc == 0 && s->first->line_count == 0)
		return args_error(s->first, e,
		        "no timeouts given; write 'read', 'write', 'idle' or 'maxtcpqueries' in "
		        "braces");
	s->has_limits = true;
	return rc == 0 ? args_options(s->first, options, &s->limits, e) : rc;
}

const struct plugin timeouts_plugin = {.name = "timeouts", .setup = setup};
