/*
 * metadata: lets other plugins of the server block use values that plugins have about a question
 * (core/metadata.h). It only says for which names.
 */
#include "plugin.h"

#include "core/zone_list.h"

static int setup(struct setup *s, struct err *e)
{
	struct zone_list *zones = mem_new(struct zone_list);
	int rc = args_once(s->block, "metadata", e);

	if (rc == 0)
		rc = args_no_block(s->first, e);
	if (rc == 0)
		rc = zone_list_from_args(zones, s->first, 0, e);
	if (rc != 0) {
		zone_list_free(zones);
		free(zones);
		return rc;
	}
	metadata_enable(s->chain, zones);
	s->instance = zones;
	return 0;
}

static void teardown(void *instance)
{
	zone_list_free(instance);
	free(instance);
}

const struct plugin metadata_plugin = {
	.name = "metadata", .setup = setup, .teardown = teardown, .explain = &explain_passes};
