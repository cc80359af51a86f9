#include "core/check.h"

#include <errno.h>

#include "base/rcu.h"
#include "core/shared.h"

int check_config(const struct control_config *config, struct err *e)
{
	struct shared *shared = shared_new();
	struct generation_options options = {
		.plugins = config->plugins,
		.default_port = config->default_port,
		.workers = 1,
		.shared = shared,
	};
	struct corefile *corefile;
	struct generation *g = NULL;
	int rc = control_config_read(config, &corefile, e);

	if (rc == 0) {
		g = generation_new(corefile, &options, e);
		rc = g == NULL ? -EINVAL : 0;
	}
	if (g != NULL)
		generation_free(g);
	rcu_reclaim();
	shared_free(shared);
	return rc;
}
