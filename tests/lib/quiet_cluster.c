/*
 * What fakes of a cluster (kubernetes/cluster.h) have in common: it belongs to no reporter, and has
 * no API server and no state file to tell figures of.
 */
#include "kubernetes/cluster.h"

#include <stdlib.h>

char *cluster_key(const struct cluster_config *c)
{
	(void)c;
	return calloc(1, 1);
}

bool cluster_is_reporter(struct cluster *c, const void *user)
{
	(void)c;
	(void)user;
	return false;
}

bool cluster_api_stats(const struct cluster *c, struct source_api_stats *out)
{
	(void)c;
	(void)out;
	return false;
}

bool cluster_state_stats(const struct cluster *c, struct source_state_stats *out)
{
	(void)c;
	(void)out;
	return false;
}

void cluster_forget(struct cluster *c, const void *user)
{
	(void)c;
	(void)user;
}
