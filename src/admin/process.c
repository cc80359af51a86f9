#include "admin/process.h"

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "core/metrics.h"

#define STAT_MAX 4096u
/* Fields of /proc/PID/stat behind the command's name, counted from the state. */
#define STAT_UTIME 11
#define STAT_STIME 12
#define STAT_START 19
#define STAT_VSIZE 20
#define STAT_RSS 21
#define STAT_FIELDS 22

static const struct metric_family cpu_seconds = {"process_cpu_seconds_total",
	"CPU time that the process has used, in seconds.", METRIC_COUNTER};
static const struct metric_family resident = {
	"process_resident_memory_bytes", "Resident memory in bytes.", METRIC_GAUGE};
static const struct metric_family virtual_bytes = {
	"process_virtual_memory_bytes", "Virtual memory in bytes.", METRIC_GAUGE};
static const struct metric_family open_fds = {
	"process_open_fds", "Open file descriptors.", METRIC_GAUGE};
static const struct metric_family max_fds = {
	"process_max_fds", "Most file descriptors that may be open.", METRIC_GAUGE};
static const struct metric_family start_time = {"process_start_time_seconds",
	"When the process was started, in seconds since 1970.", METRIC_GAUGE};
static const struct metric_family build_info = {
	"seamark_build_info", "Always 1; the labels tell the build.", METRIC_GAUGE};

static const struct metric_family log_lines = {"seamark_log_dropped_total",
	"Log lines that standard output did not take in time.", METRIC_COUNTER};

/* When the host was started, in seconds since 1970; 0 when unknown. */
static double boot_time(void)
{
	struct buf b = {0};
	const char *line;
	double t = 0;

	if (buf_read_file(&b, "/proc/stat", 1u << 22) == 0) {
		line = strstr(buf_text(&b), "\nbtime ");
		t = line == NULL ? 0 : strtod(line + 7, NULL);
	}
	buf_free(&b);
	return t;
}

/* Cut /proc/self/stat into numbers; false when it is not there. */
static bool read_stat(double field[STAT_FIELDS])
{
	struct buf b = {0};
	const char *at = NULL;
	bool is_good = false;

	if (buf_read_file(&b, "/proc/self/stat", STAT_MAX) == 0) {
		at = strrchr(buf_text(&b), ')'); /* the command may hold blanks and brackets */
		is_good = at != NULL;
	}
	if (is_good) {
		struct str rest = str_from(at + 1);

		for (int i = 0; i < STAT_FIELDS; i++)
			field[i] = strtod(str_word(&rest).at, NULL);
	}
	buf_free(&b);
	return is_good;
}

static void add_stat(struct metrics *m)
{
	double field[STAT_FIELDS], ticks = (double)sysconf(_SC_CLK_TCK);

	if (!read_stat(field))
		return;
	metrics_sample(m, &cpu_seconds, "", (field[STAT_UTIME] + field[STAT_STIME]) / ticks);
	metrics_sample(m, &virtual_bytes, "", field[STAT_VSIZE]);
	metrics_sample(m, &resident, "", field[STAT_RSS] * (double)sysconf(_SC_PAGESIZE));
	metrics_sample(m, &start_time, "", boot_time() + field[STAT_START] / ticks);
}

static void add_descriptors(struct metrics *m)
{
	DIR *dir = opendir("/proc/self/fd");
	struct rlimit limit;
	unsigned n = 0;

	if (dir != NULL) {
		while (readdir(dir) != NULL)
			n++;
		closedir(dir);
		/* ".", ".." and the directory itself are not of the process */
		metrics_sample(m, &open_fds, "", n > 3 ? n - 3 : 0);
	}
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		metrics_sample(m, &max_fds, "", (double)limit.rlim_cur);
}

void process_metrics(struct metrics *m)
{
	add_stat(m);
	add_descriptors(m);
	metrics_sample(m, &log_lines, "", (double)log_dropped());
	metrics_sample(m, &build_info, "version=\"" PACKAGE_VERSION "\"", 1);
}
