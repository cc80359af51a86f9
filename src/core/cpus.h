/*
 * How many workers a machine or container wants.
 */
#pragma once

/* CPUs by affinity mask and cgroup quota (v1 or v2), at least 1, at most 256. */
unsigned cpus_usable(void);
