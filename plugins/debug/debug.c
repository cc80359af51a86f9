/*
 * debug: lines of level DEBUG are logged, too, while a configuration that has it is in use.
 */
#include "plugin.h"

#include <errno.h>
#include <stdatomic.h>

/* Instances that are started: those of the old generation end after the new one begins. */
static atomic_uint started;

static int setup(struct setup *s, struct err *e)
{
	int rc;

	s->first = args_first(s->block, "debug");
	rc = args_count(s->first, 0, 0, e);
	if (rc == 0)
		rc = args_no_block(s->first, e);
	if (rc == 0)
		s->instance = mem_new(bool);
	return rc;
}

static int start(void *instance, struct err *e)
{
	bool *is_started = instance;

	(void)e;
	*is_started = true;
	atomic_fetch_add(&started, 1);
	log_set_level(LOG_DEBUG);
	return 0;
}

static void teardown(void *instance)
{
	bool *is_started = instance;

	if (*is_started && atomic_fetch_sub(&started, 1) == 1)
		log_set_level(LOG_INFO);
	free(is_started);
}

const struct plugin debug_plugin = {
        .name = "debug",
        .setup = setup,
        .start = start,
        .explain = &explain_passes,
        .teardown = teardown,
};
