/*
 * Follows what systemd-resolved knows: its list of servers, and the files of the network links.
 * inotify on their directories, 100 ms of quiet, and a look every 5 s for directories that come
 * later. Used by forward. Control thread.
 *
 * A file that cannot be read counts as absent: only root and systemd-resolved itself can read what
 * other programs than systemd-networkd have set for a link.
 */
#pragma once

#include "net/resolved.h"

/* Where systemd keeps its files. */
#define RESOLVED_RUN "/run/systemd"

struct uv_loop_s;
struct resolved_watch;

/*
 * Read the files below run, normally RESOLVED_RUN, and watch them on loop. fn(arg) is called from
 * the loop whenever they have changed. Texts are copied.
 */
struct resolved_watch *resolved_watch_start(
        struct uv_loop_s *loop, const char *run, void (*fn)(void *arg), void *arg);
/* The links with servers as they were read last; *n gets their number. Valid until fn is called. */
const struct resolved_link *resolved_watch_links(const struct resolved_watch *w, size_t *n);
/* Stop; its memory is freed by the loop. NULL is ignored. */
void resolved_watch_stop(struct resolved_watch *w);
