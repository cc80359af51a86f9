/*
 * DNS over UDP on one address for one worker: reads batches, takes them through the three passes
 * (prepare, run, encode) and sends the answers with one call. Answers of queries that were parked
 * are collected and sent at the end of the loop's turn.
 *
 * Lifetime: owned by the worker thread that opened it.
 */
#pragma once

#include "core/worker.h"
#include "net/udp.h"

struct udp_listener;

/* Serve a bound socket (taken over) on w; serving must live until it is closed. */
struct udp_listener *udp_listener_open(
	struct worker *w, struct udp_socket socket, const struct serving *serving);
/*
 * Answer what waits in the socket and stop reading; the socket is closed and the memory freed once
 * the last parked query that came through it is answered.
 */
void udp_listener_close(struct udp_listener *l);
