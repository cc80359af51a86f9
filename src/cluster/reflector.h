/*
 * LIST and WATCH policy for one kind of object, as a state machine without sockets and clock:
 * the driver (source_api, or a simulation) sends what it asks for and reports what comes back.
 * Control thread only.
 *
 * The policy:
 * - A streaming list (sendInitialEvents) where the server has it, else, and for an hour after two
 *   that broke off, pages of 500.
 * - A broken or ended watch goes on at the last resourceVersion. Only 410, a version that went
 *   back, a version the server calls too large, a doubt about missed events, or three watches that
 *   were refused, never answered, ended at once, or impossible to read lead to a new list.
 * - A new list is a mark and sweep in the store: nothing disappears before the list is complete.
 *   When it would delete more than half, or its version is lower than one seen before, it is asked
 *   for again as a quorum read and then believed.
 * - What is older than the last version and unknown may have been deleted since, and come from a
 *   server that lags behind: it waits for the version of its list, and is ignored in a watch.
 * - Failures back off from 0.8 s, doubling to 30 s, with jitter. 401, 403 and 404 may take 60 s; no
 *   connection 8 s, as that costs the server nothing, and it may be back. A watch that was open for
 *   10 s, or for 2 s and brought something, ends the row: a server that restarts each minute delays
 *   no update by more than the first delay. Retry-After is honoured up to 30 s.
 * - A watch without an event or bookmark for 90 s is suspect: servers send a bookmark each minute.
 *   Where an audit runs beside it, all meta data is compared over a second connection first. What
 *   is the same goes on with a new watch, what is not is listed; only when nobody answers there
 *   either does the back-off begin. Octets that complete no event prove nothing.
 * - Watches come back after a second or two when a server goes away, which costs it little. The
 *   lists that it may then ask for are spread over 10 s more, so that not all clients list at once.
 * - Beside an open watch, audit.h compares the meta data of all objects now and then.
 * - When a watch ends in good order, the number of objects is compared with the server's, and
 *   once an hour all is listed again: servers were seen to leave events out.
 *
 * One log line is written when a kind begins to fail, fails for another reason, or is well again.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "cluster/sink.h"
#include "cluster/store.h"

struct reflector;

#define REFLECTOR_PAGE 500u
#define REFLECTOR_SILENCE_MS 90000u /* of events in a watch, of bytes in a list */
#define REFLECTOR_STREAM_WAIT_MS 30000u /* for the end of the initial events */
#define REFLECTOR_BACKOFF_MS 800u /* first delay; up to twice that with jitter */
#define REFLECTOR_BACKOFF_MAX_MS 30000u /* longest delay, 60 s for 401, 403 and 404 */
#define REFLECTOR_CONNECT_MAX_MS 8000u /* longest delay when there is no connection */
#define REFLECTOR_FORGET_MS 120000u /* without a failure: begin at the first delay again */
#define REFLECTOR_PROVEN_MS 10000u /* an open watch that lives so long proves the same */
#define REFLECTOR_COMPARE_MS 30000u /* for the comparison with a silent watch */
#define REFLECTOR_SPREAD_MS 10000u /* over which lists after an outage are spread */

enum reflector_error {
	REFLECTOR_CONNECT, /* no connection, TLS failure, connection lost */
	REFLECTOR_UNAUTHORIZED, /* 401 */
	REFLECTOR_FORBIDDEN, /* 403 */
	REFLECTOR_NOT_FOUND, /* 404 */
	REFLECTOR_EXPIRED, /* 410, and versions from the future */
	REFLECTOR_THROTTLED, /* 429 */
	REFLECTOR_SERVER, /* other 4xx and 5xx */
	REFLECTOR_DECODE, /* an answer that is not what was asked for */
	REFLECTOR_SILENT, /* nothing came for too long */
	REFLECTOR_ERRORS,
};

/* Figures for metrics; times are the driver's milliseconds, 0: never. */
struct reflector_stats {
	bool is_connected; /* a watch is open and past its initial events */
	uint64_t last_event_ms; /* object or bookmark of a watch */
	uint64_t last_list_ms; /* end of a whole list */
	uint64_t lists, watches; /* requests sent; a streaming list counts as a list */
	uint64_t events; /* objects received */
	uint64_t relists; /* whole lists after the first one */
	uint64_t stale_events; /* older than what was known */
	uint64_t audits; /* comparisons of all meta data (audit.h) */
	uint64_t gaps_healed; /* new lists because an audit found missed events */
	uint64_t doubts; /* times a new list was asked for because of a doubt */
	uint64_t errors[REFLECTOR_ERRORS];
};

/* What the reflector does to the world. */
struct reflector_ops {
	void *arg;
	/*
	 * Start GET of the resource with this query. No callback into the reflector from inside.
	 * 0, or a negative errno with the reason in e: counts as a failed connection.
	 */
	int (*send)(void *arg, const char *query, bool is_watch, struct err *e);
	/* Drop the request in flight; nothing more is reported about it. */
	void (*cancel)(void *arg);
	/* The server did not accept the credentials: read them again now. */
	void (*refresh)(void *arg);
};

/* What to reflect. Texts are copied. */
struct reflector_options {
	const char *name; /* plural, for log lines: "services" */
	enum object_kind kind;
	const char *labels, *fields; /* selectors; NULL: none */
	bool is_optional; /* a 404 is no problem: the kind counts as synced and empty */
};

/* A stopped reflector that writes into store as the source with that number. */
struct reflector *reflector_new(const struct reflector_options *o, struct store *store, int source,
        const struct reflector_ops *ops);
/* Free it without further calls to ops; the store keeps its objects. NULL is ignored. */
void reflector_free(struct reflector *r);
/* Begin: sends the first list. */
void reflector_start(struct reflector *r, uint64_t now_ms);

/* The answer began. retry_after_s is -1 when the header is absent. */
void reflector_on_head(struct reflector *r, uint64_t now_ms, int status, int64_t retry_after_s);
/* Bytes of the body arrived; called before the decoder gets them. */
void reflector_on_bytes(struct reflector *r, uint64_t now_ms);
/*
 * The decoder has worked through these bytes: commits to the store, and may drop the request and
 * send another. why is NULL, or what was wrong with them: then the decoder is not fed any further.
 */
void reflector_on_decoded(struct reflector *r, uint64_t now_ms, const char *why);
/* The answer ended: rc 0 well, else broken or never begun, with a text for a person. */
void reflector_on_done(struct reflector *r, uint64_t now_ms, int rc, const char *why);
/* Drop the open watch, which has missed events, and list all without a version. */
void reflector_relist(struct reflector *r, uint64_t now_ms);
/*
 * The comparison of a silent watch is over and found no difference: the server answered, or not.
 * Nothing when an event came meanwhile.
 */
void reflector_on_compared(struct reflector *r, uint64_t now_ms, bool has_answered);
/* Time passed; call at or after reflector_deadline_ms(), or as often as you like. */
void reflector_on_time(struct reflector *r, uint64_t now_ms);
/* When reflector_on_time() has something to do; UINT64_MAX: never. */
uint64_t reflector_deadline_ms(const struct reflector *r);

/* Where the decoder of the answer puts its findings, between the two calls above. */
struct object_sink reflector_sink(struct reflector *r);
/* True once a whole list was applied (or the kind is optional and absent). Never goes back. */
bool reflector_is_synced(const struct reflector *r);
/* The present figures, owned by the reflector. */
const struct reflector_stats *reflector_stats(const struct reflector *r);
