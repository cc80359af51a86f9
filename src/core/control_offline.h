/*
 * A configuration set up for a person who asks (core/explain.h), in a program that serves nothing:
 * no socket is listened on, no worker runs; only the plugins that need it to know their names are
 * started. Used by `seamark explain` and `seamark names` without a running server.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"
#include "core/control.h"

/* How long a cluster may take to be read. */
#define OFFLINE_WAIT_MS 10000u

/*
 * Set up the Corefile of config, wait until its cluster state is complete (or OFFLINE_WAIT_MS is
 * over, which the answer then says), and answer the request line into out. 0, or a negative errno
 * with a sentence in e.
 */
int control_offline(
	const struct control_config *config, struct str request, struct buf *out, struct err *e);
