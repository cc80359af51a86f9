#include "cluster/reflector_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"

void reflector_relist_abort(struct reflector *r)
{
	if (r->is_relisting)
		store_relist_abort(r->store, r->source, r->kind);
	r->is_relisting = false;
	reflector_drop_held(r);
	free(r->token);
	r->token = NULL;
}

static void begin_list(struct reflector *r)
{
	if (r->token != NULL)
		return; /* a further page */
	r->list_objects = 0;
	r->list_ms = r->now_ms;
	r->is_contradicted = false;
	r->list_version[0] = '\0';
	if (!r->is_relisting)
		store_relist_begin(r->store, r->source, r->kind, r->is_truth);
	r->is_relisting = true;
}

void reflector_send(struct reflector *r)
{
	struct buf q = {0};
	struct err e = {{0}};
	bool stream, is_watch;

	if (r->version[0] == '\0') /* a watch from nowhere would never delete anything */
		r->want_list = true;
	stream = r->want_list && r->token == NULL && r->now_ms >= r->no_stream_until_ms;
	r->phase = stream ? STREAMING : r->want_list ? LISTING : r->want_probe ? PROBING : WATCHING;
	r->want_probe = false;
	r->probe_objects = r->probe_remaining = 0;
	r->sent_ms = r->progress_ms = r->now_ms;
	r->status = 0;
	r->retry_after_s = -1;
	reflector_forget_failures(r);
	r->watch_events = 0;
	r->has_brought = false;
	r->open_ms = r->compare_ms = 0;
	r->verdict = KEEP;
	r->is_list_over = r->is_version_too_large = false;
	r->why.text[0] = '\0';
	if (r->want_list)
		begin_list(r);
	if (r->phase == LISTING)
		query_list(r, &q);
	else if (r->phase == PROBING)
		query_probe(&q);
	else
		query_watch(r, &q, stream);
	buf_str(&q, r->selectors);
	r->stats.lists += r->want_list;
	r->stats.watches += r->phase == WATCHING;
	is_watch = r->phase == STREAMING || r->phase == WATCHING;
	if (r->ops.send(r->ops.arg, buf_text(&q), is_watch, &e) < 0) {
		reflector_relist_abort(r);
		reflector_fail(r, REFLECTOR_CONNECT, e.text);
	}
	buf_free(&q);
}

/* Drop the request in flight. */
static void drop(struct reflector *r)
{
	r->ops.cancel(r->ops.arg);
	reflector_relist_abort(r);
}

/* The answer of a page has ended well. */
static void page_over(struct reflector *r)
{
	if (r->token == NULL) {
		if (!reflector_list_complete(r, r->list_version)) {
			reflector_retry(r, REFLECTOR_EXPIRED, "the list cannot be right");
			return;
		}
	}
	reflector_send(r);
}

/*
 * A watch has ended in good order, as each does after some minutes. Servers were seen to leave
 * events out: compare the number of objects, and now and then all of them, before the next watch.
 */
static void after_watch(struct reflector *r)
{
	bool is_early = r->now_ms - r->sent_ms < WATCH_MIN_S * 1000u; /* it shuts down */

	reflector_forget_failures(r);
	r->is_outage |= is_early;
	if (r->now_ms - r->stats.last_list_ms >= RESYNC_MS)
		r->want_list = true;
	else if (r->selectors[0] == '\0') /* with a selector the server does not count */
		r->want_probe = true;
	reflector_wait(r, rand_below(is_early ? EARLY_MS : SOON_MS));
}

static void on_watch_over(struct reflector *r, int rc, const char *why)
{
	bool is_short = r->now_ms - r->sent_ms < SHORT_WATCH_MS && r->watch_events == 0;

	if (is_short && ++r->failed_watches >= REWATCH_TRIES)
		r->want_list = true; /* something ends them all; a list may get through */
	if (rc < 0)
		reflector_fail(r, REFLECTOR_CONNECT, why);
	else if (is_short)
		reflector_fail(r, REFLECTOR_SERVER, "the watch ended at once");
	else
		after_watch(r);
}

void reflector_on_done(struct reflector *r, uint64_t now_ms, int rc, const char *why)
{
	r->now_ms = now_ms;
	if (r->phase == STOPPED || r->phase == WAITING)
		return;
	r->stats.is_connected = false;
	if (r->phase == PROBING) {
		if (r->status == 200 && rc == 0)
			reflector_probe_over(r);
		reflector_send(r); /* what is wrong, if anything, the watch will tell */
	} else if (r->status != 0 && r->status != 200) {
		reflector_http_error(r);
	} else if (r->status == 0) {
		if (r->phase == STREAMING || r->phase == LISTING)
			reflector_relist_abort(r);
		reflector_fail(r, REFLECTOR_CONNECT, rc < 0 ? why : "no answer");
	} else if (r->phase == WATCHING) {
		on_watch_over(r, rc, why);
	} else if (r->phase == LISTING && r->is_list_over) {
		page_over(r);
	} else {
		reflector_relist_abort(r);
		reflector_fail(r, rc < 0 ? REFLECTOR_CONNECT : REFLECTOR_DECODE,
		        rc < 0 ? why : "the list ended too early");
	}
	store_commit(r->store);
}

void reflector_on_head(struct reflector *r, uint64_t now_ms, int status, int64_t retry_after_s)
{
	r->now_ms = now_ms;
	if (r->phase == STOPPED || r->phase == WAITING)
		return;
	r->status = status;
	r->retry_after_s = retry_after_s;
	r->head_ms = r->progress_ms = r->added_ms = now_ms;
	if (r->phase == WATCHING && status == 200) {
		r->stats.is_connected = true;
		r->open_ms = now_ms;
		r->well_ms = r->has_complained || r->is_unauthorized ? now_ms + WELL_MS : 0;
	}
}

void reflector_on_bytes(struct reflector *r, uint64_t now_ms)
{
	r->now_ms = now_ms;
	if (r->phase == LISTING)
		r->progress_ms = now_ms;
}

void reflector_on_decoded(struct reflector *r, uint64_t now_ms, const char *why)
{
	r->now_ms = now_ms;
	if (r->phase == STOPPED || r->phase == WAITING)
		return;
	if (why != NULL && r->status == 200 && r->verdict == KEEP)
		reflector_give_up(r, REFLECTOR_DECODE, why);
	if (r->verdict == NEXT) {
		drop(r);
		r->verdict = KEEP;
		reflector_send(r);
	} else if (r->verdict == FAIL) {
		drop(r);
		if (r->error == REFLECTOR_EXPIRED)
			reflector_retry(r, r->error, r->why.text);
		else
			reflector_fail(r, r->error, r->why.text);
	}
	store_commit(r->store);
}

void reflector_relist(struct reflector *r, uint64_t now_ms)
{
	r->now_ms = now_ms;
	if (r->phase != WATCHING)
		return;
	drop(r);
	r->want_list = r->is_quorum = true;
	reflector_send(r);
}

/* ---- time ---- */

/* When a streaming list that has not ended is taken for one that never will. */
static uint64_t stream_deadline(const struct reflector *r)
{
	uint64_t at = r->head_ms + REFLECTOR_STREAM_WAIT_MS;

	if (r->added_ms + STREAM_QUIET_MS > at)
		at = r->added_ms + STREAM_QUIET_MS;
	if (at > r->head_ms + STREAM_MAX_MS)
		at = r->head_ms + STREAM_MAX_MS;
	return at;
}

static uint64_t earlier(uint64_t at, uint64_t other)
{
	return other != 0 && other < at ? other : at;
}

uint64_t reflector_deadline_ms(const struct reflector *r)
{
	uint64_t at = r->progress_ms + REFLECTOR_SILENCE_MS;

	switch (r->phase) {
	case STOPPED: return UINT64_MAX;
	case WAITING: return r->wake_ms;
	case STREAMING: return r->status == 200 ? stream_deadline(r) : at;
	case WATCHING:
		if (reflector_is_comparing(r))
			at = r->compare_ms + REFLECTOR_COMPARE_MS;
		return earlier(earlier(at, r->doubt_at_ms), r->well_ms);
	default: return at;
	}
}

bool reflector_is_comparing(const struct reflector *r)
{
	return r->phase == WATCHING && r->compare_ms > r->progress_ms;
}

void reflector_on_compared(struct reflector *r, uint64_t now_ms, bool has_answered)
{
	r->now_ms = now_ms;
	if (!reflector_is_comparing(r))
		return;
	drop(r);
	if (has_answered) {
		r->stats.errors[REFLECTOR_SILENT]++;
		reflector_send(r);
	} else {
		reflector_fail(r, REFLECTOR_SILENT, "the server is silent");
	}
}

/* No event and no bookmark for too long. */
static void on_silence(struct reflector *r)
{
	if (r->has_audit && r->is_synced && r->status == 200 && !reflector_is_comparing(r)) {
		r->compare_ms = r->now_ms;
		return;
	}
	drop(r);
	reflector_fail(r, REFLECTOR_SILENT, "the server is silent");
}

static void on_watch_time(struct reflector *r)
{
	uint64_t silent_ms = r->progress_ms + REFLECTOR_SILENCE_MS;

	if (reflector_is_comparing(r))
		silent_ms = r->compare_ms + REFLECTOR_COMPARE_MS;
	if (r->well_ms != 0 && r->now_ms >= r->well_ms)
		reflector_be_well(r);
	if (r->now_ms >= silent_ms) {
		on_silence(r);
	} else if (r->doubt_at_ms != 0 && r->now_ms >= r->doubt_at_ms) {
		reflector_doubt(r, "an earlier doubt");
		reflector_on_decoded(r, r->now_ms, NULL);
	}
}

void reflector_on_time(struct reflector *r, uint64_t now_ms)
{
	r->now_ms = now_ms;
	if (now_ms < reflector_deadline_ms(r))
		return;
	if (r->phase == WAITING) {
		reflector_send(r);
	} else if (r->phase == STREAMING && r->status == 200) {
		log_debug(LOG_NAME, "no end of the initial %s: listing pages", r->name);
		r->ops.cancel(r->ops.arg);
		reflector_use_pages(r);
	} else if (r->phase == WATCHING) {
		on_watch_time(r);
	} else {
		drop(r);
		reflector_fail(r, REFLECTOR_SILENT, "the server is silent");
	}
	store_commit(r->store);
}

/* ---- life ---- */

struct reflector *reflector_new(const struct reflector_options *o, struct store *store, int source,
        const struct reflector_ops *ops)
{
	struct reflector *r = mem_new(struct reflector);
	struct buf selectors = {0};

	if (o->labels != NULL && *o->labels) {
		buf_str(&selectors, "&labelSelector=");
		query_add(&selectors, o->labels);
	}
	if (o->fields != NULL && *o->fields) {
		buf_str(&selectors, "&fieldSelector=");
		query_add(&selectors, o->fields);
	}
	r->selectors = mem_str(buf_text(&selectors));
	buf_free(&selectors);
	r->name = mem_str(o->name);
	r->kind = o->kind;
	r->is_optional = o->is_optional;
	r->store = store;
	r->source = source;
	r->ops = *ops;
	r->backoff = (struct backoff){.first_ms = REFLECTOR_BACKOFF_MS,
	        .max_ms = REFLECTOR_BACKOFF_MAX_MS,
	        .healthy_ms = REFLECTOR_FORGET_MS};
	return r;
}

void reflector_free(struct reflector *r)
{
	if (r == NULL)
		return;
	reflector_relist_abort(r);
	free(r->name);
	free(r->selectors);
	free(r);
}

void reflector_start(struct reflector *r, uint64_t now_ms)
{
	r->now_ms = now_ms;
	r->want_list = true;
	reflector_send(r);
}

bool reflector_is_synced(const struct reflector *r)
{
	return r->is_synced;
}

const struct reflector_stats *reflector_stats(const struct reflector *r)
{
	return &r->stats;
}
