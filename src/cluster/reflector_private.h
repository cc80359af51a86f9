/*
 * Inside of the reflector, shared by reflector.c (requests, time, life), reflector_sink.c (what
 * the decoder finds), reflector_fail.c (what goes wrong) and reflector_query.c. Nobody else
 * includes it.
 */
#pragma once

#include "base/str.h"
#include "base/vec.h"
#include "cluster/backoff.h"
#include "cluster/reflector.h"

#define LOG_NAME "plugin/kubernetes"

enum {
	VERSION_BYTES = 128,
	SHRINK_MIN = 100, /* objects that may vanish without a second look */
	HELD_MAX = 1000, /* objects of a list that wait for its version */
	STREAM_QUIET_MS = 10000, /* initial events that still come prolong the wait */
	STREAM_MAX_MS = 300000, /* but not beyond this */
	STREAM_TRIES = 2, /* streaming lists in a row that may break off */
	STREAM_RETRY_MS = 3600000, /* try again whether the server has streaming lists */
	DOUBT_MS = 60000, /* between new lists because of doubts, doubling to: */
	DOUBT_MAX_MS = 3600000,
	SHORT_WATCH_MS = 1000,
	SOON_MS = 100,
	EARLY_MS = 1000, /* before the next watch when one ended before its time */
	WELL_MS = 2000, /* an open watch that lasts so long is well again */
	SLOW_FACTOR = 2, /* of the delay after 401, 403, 404 */
	WATCH_MIN_S = 300,
	WATCH_SPREAD_S = 301,
	REWATCH_TRIES = 3,
	RESYNC_MS = 3600000, /* a whole list at least so often, when a watch ends anyway */
};

enum phase {
	STOPPED,
	WAITING, /* for wake_ms */
	LISTING, /* a page */
	STREAMING, /* a watch that still sends the initial state */
	WATCHING,
	PROBING, /* between two watches: does the server have as many objects as we? */
};

/* What has to be done when the decoder is through with a piece. */
enum verdict { KEEP, NEXT, FAIL };

struct reflector {
	char *name, *selectors; /* "&labelSelector=..." percent-encoded, or "" */
	enum object_kind kind;
	bool is_optional;
	struct store *store;
	int source;
	struct reflector_ops ops;
	struct reflector_stats stats;
	struct backoff backoff;

	enum phase phase;
	uint64_t now_ms, wake_ms;
	uint64_t sent_ms, head_ms, progress_ms; /* of this request */
	uint64_t added_ms; /* last initial event */
	uint64_t open_ms; /* when this watch was past its initial events, 0: it is not */
	uint64_t compare_ms; /* when the comparison with a silent watch began, 0: never */
	uint64_t well_ms; /* when an open watch counts as well, 0: it does */
	int status; /* 0: no answer yet */
	int64_t retry_after_s;
	unsigned watch_events; /* of this watch */
	bool has_brought; /* this watch its initial state, or an event */

	char version[VERSION_BYTES]; /* where the watch goes on; "": unknown */
	uint64_t seen; /* highest version as a number, 0: unknown */
	uint64_t listed; /* highest version of an object in lists that broke off, and in this one */
	bool want_list; /* the next request is a list */
	bool want_probe; /* the next request asks for the number of objects */
	bool is_quorum; /* ask for it without a version */
	bool is_truth; /* believe it though it is older */
	bool is_confirmed; /* believe it though much is missing */
	bool is_contradicted; /* it has objects that are older than ours */
	bool is_relisting; /* between store_relist_begin() and _end() or _abort() */
	bool is_list_over; /* the decoder saw the end of the page */
	char list_version[VERSION_BYTES];
	char *token; /* continue */
	VEC(struct object *) held; /* of the list: perhaps deleted since, if the list is old */
	uint64_t list_objects, list_ms; /* of this list: objects, when it began */
	unsigned expired_pages, failed_watches, broken_streams;
	unsigned retries; /* reflector_retry() since a watch was well */
	uint64_t no_stream_until_ms;
	uint64_t doubt_ms, doubt_gap_ms, doubt_at_ms; /* last one, gap, the next one */
	bool is_synced, is_unauthorized;
	bool is_outage; /* the server went away, and nothing has proved yet that it is back */
	bool has_audit; /* somebody compares a silent watch when reflector_is_comparing() */

	enum verdict verdict; /* of the sink */
	enum reflector_error error;
	uint64_t probe_objects, probe_remaining;
	struct err why; /* text of a Status or of the verdict */
	bool is_version_too_large; /* the Status says so */
	bool has_complained;
	enum reflector_error complaint;
};

/* ---- reflector.c ---- */

/* Send what has to be asked for next. */
void reflector_send(struct reflector *r);
/* An open watch is silent, and whether it is dead is being found out. */
bool reflector_is_comparing(const struct reflector *r);
/* Stop a list half-way: nothing was deleted, and the next one begins at its start. */
void reflector_relist_abort(struct reflector *r);

/* ---- reflector_query.c ---- */

/* Append text, percent-encoded for a query. */
void query_add(struct buf *q, const char *text);
/* The query of a watch, of a streaming list when initial is set; without selectors. */
void query_watch(const struct reflector *r, struct buf *q, bool initial);
/* The query that asks how many objects there are, by a list of one. */
void query_probe(struct buf *q);
/* The query of a list or of its next page; without selectors. */
void query_list(const struct reflector *r, struct buf *q);
/* Keep a version to go on from. One that is too long or empty is not kept: the old one is right. */
void reflector_set_version(struct reflector *r, const char *version);
/* True when both versions are numbers and this is lower than one seen before, or an object's. */
bool reflector_is_older(const struct reflector *r, const char *version);

/* ---- reflector_fail.c ---- */

/* Send the next request after delay_ms. */
void reflector_wait(struct reflector *r, uint64_t delay_ms);
/* The watch is over: when it was open for some time it ends the row of failures before it. */
void reflector_forget_failures(struct reflector *r);
/* The request is over and has failed: try again after a back-off. */
void reflector_fail(struct reflector *r, enum reflector_error error, const char *why);
/* The request is over for a reason that another one cures: at once, but not in a circle. */
void reflector_retry(struct reflector *r, enum reflector_error error, const char *why);
/* All is well; tells so when something was wrong before. */
void reflector_be_well(struct reflector *r);
/* The server has no streaming lists: list pages from now on. */
void reflector_use_pages(struct reflector *r);
/* An answer other than 200 has ended. */
void reflector_http_error(struct reflector *r);

/* ---- reflector_sink.c ---- */

/* The answer at hand is of no more use: fail when the decoder has returned. */
void reflector_give_up(struct reflector *r, enum reflector_error error, const char *why);
/* Something may have been missed: ask for all again, but not all the time. */
void reflector_doubt(struct reflector *r, const char *why);
/* Forget the objects of a list that waited for its version. */
void reflector_drop_held(struct reflector *r);
/* A probe has ended: when the server has another number of objects, ask for all of them. */
void reflector_probe_over(struct reflector *r);
/* All objects of a list were applied: believe it or not. True when it was accepted. */
bool reflector_list_complete(struct reflector *r, const char *version);
