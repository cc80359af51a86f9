/*
 * Sends NOTIFY messages (RFC 1996) over UDP and repeats them until they are acknowledged, and has
 * a tick each second for who sends them. Knows nothing of zones but their names. Control thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dns/name.h"
#include "net/addr.h"

struct notifier;
struct rrset;
struct uv_loop_s;

/* How a NOTIFY ended; rcode is -1 when no answer came. */
struct notify_result {
	const struct name *zone;
	const union addr *to;
	int rcode;
	unsigned tries;
};

struct notifier_callbacks {
	/* Each second; may be NULL. */
	void (*on_tick)(void *arg);
	/* A message was acknowledged (rcode 0), or given up. */
	void (*on_result)(void *arg, const struct notify_result *r);
	void *arg;
};

/* Begin to tick; source (may be NULL) is the address to send from. */
struct notifier *notifier_new(struct uv_loop_s *loop, const union addr *source,
	const struct notifier_callbacks *callbacks);
/*
 * Tell `to` that the zone has changed; soa, its SOA set, goes along. Takes the place of a message
 * about the zone to the same address that is not acknowledged yet, and goes on with its tries.
 */
void notifier_send(struct notifier *n, const union addr *to, const struct name *zone,
	const struct rrset *soa);
/* Stop; its memory is freed by the loop. NULL is ignored. */
void notifier_free(struct notifier *n);
