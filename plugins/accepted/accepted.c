/*
 * Plugins of CoreDNS that mend something which is different here: a Corefile may have them, they
 * do nothing, and one line in the log says why.
 */
#include "plugin.h"

static int say_why(const struct setup *s, const char *name, const char *why)
{
	const struct directive *d = s->first;

	log_info(NULL, "%s:%u - plugin '%s' is accepted and does nothing: %s", d->file, d->line,
	        name, why);
	return 0;
}

#define ACCEPTED(plugin_name, why)                                     \
	static int plugin_name##_setup(struct setup *s, struct err *e) \
	{                                                              \
		(void)e;                                               \
		return say_why(s, #plugin_name, (why));                \
	}                                                              \
	const struct plugin plugin_name##_plugin = {                   \
	        .name = #plugin_name, .setup = plugin_name##_setup}

ACCEPTED(cancel, "every question that waits has a deadline of its own");
ACCEPTED(multisocket, "every worker thread has sockets of its own");
ACCEPTED(pprof, "there is no Go runtime to profile; use perf(1)");
ACCEPTED(shed, "answers are sent at once, there is no queue that could fill up");
