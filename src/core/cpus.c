#include "core/cpus.h"

#include <sched.h>
#include <stdint.h>

#include "base/num.h"
#include "base/str.h"

/* Quota and period of cgroup v2 ("max 100000", "50000 100000") in whole CPUs; 0: no limit. */
static unsigned quota_v2(void)
{
	struct buf b = {0};
	struct str rest;
	uint64_t quota, period;
	unsigned n = 0;

	if (buf_read_file(&b, "/sys/fs/cgroup/cpu.max", 4096) == 0) {
		rest = (struct str){b.at, b.len};
		if (num_u64(str_word(&rest), UINT64_MAX, &quota) == 0 &&
			num_u64(str_word(&rest), UINT64_MAX, &period) == 0 && period > 0)
			n = (unsigned)((quota + period - 1) / period);
	}
	buf_free(&b);
	return n;
}

static uint64_t read_number(const char *path)
{
	struct buf b = {0};
	uint64_t v = 0;

	if (buf_read_file(&b, path, 4096) != 0 ||
		num_u64(str_trim((struct str){b.at, b.len}), UINT64_MAX, &v) != 0)
		v = 0; /* -1 means no quota */
	buf_free(&b);
	return v;
}

static unsigned quota_v1(void)
{
	uint64_t quota = read_number("/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
	uint64_t period = read_number("/sys/fs/cgroup/cpu/cpu.cfs_period_us");

	return quota == 0 || period == 0 ? 0 : (unsigned)((quota + period - 1) / period);
}

unsigned cpus_usable(void)
{
	cpu_set_t set;
	unsigned n = 1, quota = quota_v2();

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		n = (unsigned)CPU_COUNT(&set);
	if (quota == 0)
		quota = quota_v1();
	if (quota > 0 && quota < n)
		n = quota;
	return n < 1 ? 1 : n > 256 ? 256 : n;
}
