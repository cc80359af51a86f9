/*
 * Anti-entropy for one kind of object, as a state machine without sockets and clock: now and then
 * a list of the meta data of all objects, beside the open watch, is compared with the store's. A
 * watch that leaves events out is found so; nothing else ever would. source_audit drives it.
 *
 * The policy: every 20 to 52 s, less often for more than AUDIT_OBJECTS objects, and at once when
 * the watch is silent for too long. The list and the watch are two connections, so a difference
 * counts only when a second look some seconds later finds the same object in the same state, or
 * when the watch is silent. Then the reflector lists everything again. When even that does not help
 * the next look is later and later. Objects are compared as they come; nothing but the hashes of a
 * few differences is kept.
 */
#pragma once

#include "cluster/reflector.h"

struct audit;

#define AUDIT_GAP_MS 40000u
#define AUDIT_OBJECTS 10000u /* more of them are compared less often, in proportion */
#define AUDIT_PAGE 500u /* objects asked for at once; watches wait while a page is read */
#define AUDIT_AGAIN_MS 3000u /* from the first look to the second */
#define AUDIT_SILENCE_MS 30000u /* an answer that stands still so long is given up */
#define AUDIT_REFUSED_MS 3600000u /* a server that has no such lists is asked again after this */

/* What the audit does to the world; as struct reflector_ops. */
struct audit_ops {
	void *arg;
	/* GET the resource's meta data with this query. 0, or a negative errno. */
	int (*send)(void *arg, const char *query);
	/* Drop the request in flight. */
	void (*cancel)(void *arg);
};

/* An audit of what r writes into its store; r must outlive it. */
struct audit *audit_new(struct reflector *r, const struct audit_ops *ops, uint64_t now_ms);
/* Free it without further calls to ops. NULL is ignored. */
void audit_free(struct audit *a);
/* The answer began. */
void audit_on_head(struct audit *a, uint64_t now_ms, int status);
/* Where the decoder (of OBJECT_NONE: meta data is the same for all) puts the objects. */
struct object_sink audit_sink(struct audit *a);
/* Bytes of the body were decoded; why is NULL or what was wrong with them. */
void audit_on_decoded(struct audit *a, uint64_t now_ms, const char *why);
/* The answer ended, rc 0 well. May make the reflector list again. */
void audit_on_done(struct audit *a, uint64_t now_ms, int rc);
/* Time passed; call at or after audit_deadline_ms(). */
void audit_on_time(struct audit *a, uint64_t now_ms);
/* When audit_on_time() has something to do. */
uint64_t audit_deadline_ms(const struct audit *a);
