#include "cluster/sink.h"

#include <errno.h>

void sink_skipped(const struct object_sink *sink, const char *why)
{
	if (sink->on_skipped != NULL)
		sink->on_skipped(sink->arg, why);
}

int sink_decoded(
        const struct object_sink *sink, int rc, enum event_type type, const struct object *o)
{
	if (rc == -EBADMSG) {
		sink_skipped(sink, o->problem);
		return 0;
	}
	if (rc == 0 && sink->on_object != NULL)
		sink->on_object(sink->arg, type, o);
	return rc;
}

void sink_bookmark(const struct object_sink *sink, const char *version, bool is_initial_end)
{
	if (version[0] == '\0')
		sink_skipped(sink, "a bookmark without resourceVersion");
	else if (sink->on_bookmark != NULL)
		sink->on_bookmark(sink->arg, version, is_initial_end);
}

void sink_status(const struct object_sink *sink, const struct api_status *status)
{
	if (sink->on_status != NULL)
		sink->on_status(sink->arg, status);
}

void sink_list_end(const struct object_sink *sink, const struct list_meta *meta)
{
	if (sink->on_list_end != NULL)
		sink->on_list_end(sink->arg, meta);
}
