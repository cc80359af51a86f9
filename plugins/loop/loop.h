/*
 * loop: finds upstream servers that send our questions back to us. probe.c knows the questions that
 * tell, watch.c sends them now and then and draws the conclusion, loop.c is the plugin.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/name.h"

struct loop_watch;
struct setup;

#define LOOP_WHO "plugin/loop"
#define LOOP_PROBE_MAX (12u + 255u + 4u) /* octets of a question */

/*
 * A question for a random name, under way to one server. The table is of the process: whichever
 * server block it comes back to recognises it. Written by control threads, read by workers.
 */

/*
 * Write a question for HINFO of two random labels in zone; returns its length and *slot, where
 * loop_probe_end() is told about. 0 when the name gets too long, or too many are under way.
 */
size_t loop_probe_begin(uint8_t out[LOOP_PROBE_MAX], const struct name *zone, unsigned *slot);
/* The question is not waited for any more: true when it came back. */
bool loop_probe_end(unsigned slot);
/* A question for HINFO came in: true when it is one of ours. Any worker. */
bool loop_probe_is_back(const uint8_t *folded);

/* Begin to watch the upstream servers of the block; s as it is in setup. */
struct loop_watch *loop_watch_new(const struct setup *s);
/* Send the first questions when the server has started. */
void loop_watch_start(struct loop_watch *w);
/* End; NULL is ignored. */
void loop_watch_free(struct loop_watch *w);
/* Loops found so far, and servers left out now; any thread. */
uint64_t loop_watch_found(const struct loop_watch *w);
/* See loop_watch_found(). */
uint64_t loop_watch_left_out(const struct loop_watch *w);
