/*
 * A cluster that the script writes, in place of plugins/kubernetes/cluster.c.
 */
#pragma once

#include <stdbool.h>

#include "base/str.h"

/* Apply, or delete, the objects of a YAML text in the cluster. Aborts on bad text. */
void fake_cluster_change(struct str text, bool is_delete);
/* This process is a pod of that namespace, "" of none, until the cluster is given up. */
void fake_cluster_pod(const char *ns);
/* Say that every kind of object has been read. */
void fake_cluster_synced(void);
