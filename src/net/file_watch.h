/*
 * Tells when a file has changed: inotify on its directory, so that renaming over it and the
 * symbolic links of Kubernetes volumes are seen, and a look at intervals for what inotify misses
 * (network file systems, links into other directories). Control thread.
 */
#pragma once

#include <stdint.h>

struct uv_loop_s;
struct file_watch;

/*
 * Call fn(arg) from the loop whenever path has another inode, size or time than before and has
 * been quiet for 100 ms; also when it vanishes or appears. Looks every interval_ms. path is copied.
 */
struct file_watch *file_watch_start(struct uv_loop_s *loop, const char *path, uint64_t interval_ms,
        void (*fn)(void *arg), void *arg);
/* Stop; its memory is freed by the loop. NULL is ignored. fn may call it. */
void file_watch_stop(struct file_watch *w);
