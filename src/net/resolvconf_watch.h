/*
 * Follows a resolv.conf while the server runs: rename over it, rewriting in place, changes of a
 * symbolic link or in the directory it leads to, removal. inotify on the directories, 100 ms of
 * quiet, and a look every 30 s (every second while the file is missing). Control thread.
 *
 * A file that vanishes, empties or names no server keeps the last good content, with one warning.
 */
#pragma once

#include "net/resolvconf.h"

struct uv_loop_s;
struct resolvconf_watch;

/* Gets the content whenever it changed and names a server; may stop the watch. */
typedef void resolvconf_fn(void *arg, const struct resolvconf *conf);

/*
 * Read path and watch it on loop. who names the plugin in warnings ("plugin/forward"), NULL for a
 * file whose absence is no news. fn is called from the loop only: the first content is what
 * resolvconf_watch_conf() says.
 */
struct resolvconf_watch *resolvconf_watch_start(
        struct uv_loop_s *loop, const char *path, const char *who, resolvconf_fn *fn, void *arg);
/* The last good content, or NULL when there was none yet. */
const struct resolvconf *resolvconf_watch_conf(const struct resolvconf_watch *w);
/* Stop; its memory is freed by the loop. NULL is ignored. */
void resolvconf_watch_stop(struct resolvconf_watch *w);
