#include "cluster/reflector_private.h"

#include "base/log.h"
#include "base/rand.h"

static void complain(struct reflector *r, enum reflector_error error, const char *why)
{
	bool lasting = error == REFLECTOR_UNAUTHORIZED || error == REFLECTOR_FORBIDDEN ||
	               error == REFLECTOR_NOT_FOUND;
	struct buf text = {0};

	/* a watch that is cut once and goes on is everyday life */
	if (r->is_synced && !lasting && backoff_failures(&r->backoff, r->now_ms) < 2)
		return;
	if (r->has_complained && r->complaint == error)
		return;
	r->has_complained = true;
	r->complaint = error;
	if (r->is_optional && error == REFLECTOR_NOT_FOUND) {
		log_info(LOG_NAME, "the API server has no %s; it is asked again now and then",
			r->name);
		return;
	}
	buf_escape(&text, str_from(why));
	log_warning(LOG_NAME, "cannot %s %s: %s%s", r->is_synced ? "watch" : "list", r->name,
	        buf_text(&text), r->is_synced ? "; the last known state stays in use" : "");
	buf_free(&text);
}

void reflector_wait(struct reflector *r, uint64_t delay_ms)
{
	r->phase = WAITING;
	r->wake_ms = r->now_ms + delay_ms;
	r->stats.is_connected = false;
}

/* A watch that was open for some time ends the row of failures before it. */
void reflector_forget_failures(struct reflector *r)
{
	uint64_t age_ms = r->now_ms - r->open_ms;

	if (r->open_ms == 0)
		return;
	if (age_ms >= REFLECTOR_PROVEN_MS || (r->has_brought && age_ms >= WELL_MS)) {
		backoff_reset(&r->backoff);
		r->retries = 0;
		r->is_outage = false;
	}
	if (r->watch_events > 0 && age_ms >= WELL_MS)
		r->failed_watches = 0; /* a silent one may be one of the useless */
	r->open_ms = 0;
}

/* All clients come back at once: their lists should not. */
static uint64_t spread(const struct reflector *r)
{
	bool is_list = r->want_list && r->token == NULL && r->is_synced;

	return is_list && r->is_outage ? rand_below(REFLECTOR_SPREAD_MS) : 0;
}

/* Nothing came in time, not even a status: a proxy may keep all until the answer is over. */
static bool is_unanswered(const struct reflector *r, enum reflector_error error)
{
	return error == REFLECTOR_SILENT && r->status == 0;
}

/* A server, or a proxy before it, may be able to answer with pages what it cannot stream. */
static void count_broken_stream(struct reflector *r, enum reflector_error error)
{
	if (r->phase != STREAMING || (r->status != 200 && !is_unanswered(r, error)) ||
	        ++r->broken_streams < STREAM_TRIES)
		return;
	r->broken_streams = 0;
	r->no_stream_until_ms = r->now_ms + STREAM_RETRY_MS;
}

/* What stops each watch at the same place, a list may get past. */
static void count_useless_watch(struct reflector *r, enum reflector_error error)
{
	if (r->phase == WATCHING && (error == REFLECTOR_DECODE || is_unanswered(r, error)) &&
	        ++r->failed_watches >= REWATCH_TRIES)
		r->want_list = true;
}

/* The request is over and has failed: try again later. */
void reflector_fail(struct reflector *r, enum reflector_error error, const char *why)
{
	uint64_t delay, least;

	count_broken_stream(r, error);
	count_useless_watch(r, error);
	reflector_forget_failures(r);
	delay = backoff_fail(&r->backoff, r->now_ms);
	least = r->retry_after_s > 0 ? (uint64_t)r->retry_after_s * 1000 : 0;

	r->stats.errors[error]++;
	if (error == REFLECTOR_CONNECT && delay > REFLECTOR_CONNECT_MAX_MS)
		delay = REFLECTOR_CONNECT_MAX_MS - rand_below(REFLECTOR_CONNECT_MAX_MS / 4);
	if (error == REFLECTOR_UNAUTHORIZED || error == REFLECTOR_FORBIDDEN ||
	        error == REFLECTOR_NOT_FOUND)
		delay *= SLOW_FACTOR;
	if (least > REFLECTOR_BACKOFF_MAX_MS)
		least = REFLECTOR_BACKOFF_MAX_MS;
	if (delay < least)
		delay = least + rand_below(REFLECTOR_BACKOFF_MS);
	delay += spread(r);
	r->is_outage |= error == REFLECTOR_CONNECT || error == REFLECTOR_SERVER ||
	                error == REFLECTOR_SILENT;
	reflector_wait(r, delay);
	complain(r, error, why);
}

/* The request is over for a reason that another one cures: at once, but not in a circle. */
void reflector_retry(struct reflector *r, enum reflector_error error, const char *why)
{
	reflector_forget_failures(r);
	if (r->retries++ > 0) {
		reflector_fail(r, error, why);
		return;
	}
	r->stats.errors[error]++;
	reflector_wait(r, rand_below(SOON_MS) + spread(r));
}

void reflector_be_well(struct reflector *r)
{
	if (r->has_complained)
		log_info(LOG_NAME, "watching %s again", r->name);
	r->has_complained = false;
	r->is_unauthorized = false;
	r->well_ms = 0;
}

void reflector_use_pages(struct reflector *r)
{
	r->no_stream_until_ms = r->now_ms + STREAM_RETRY_MS;
	reflector_relist_abort(r);
	reflector_send(r);
}

static void on_unauthorized(struct reflector *r)
{
	r->ops.refresh(r->ops.arg);
	if (!r->is_unauthorized) { /* once at once with fresh credentials */
		r->is_unauthorized = true;
		r->stats.errors[REFLECTOR_UNAUTHORIZED]++;
		reflector_wait(r, rand_below(SOON_MS));
		return;
	}
	reflector_fail(r, REFLECTOR_UNAUTHORIZED, r->why.text);
}

static void on_not_found(struct reflector *r)
{
	if (r->is_optional && !r->is_synced) {
		store_source_synced(r->store, r->source, r->kind, true);
		r->is_synced = true;
		store_commit(r->store);
	}
	reflector_fail(r, REFLECTOR_NOT_FOUND, r->why.text);
}

static bool is_stream_refusal(int status)
{
	return status == 400 || status == 405 || status == 422 || status == 501;
}

/* The version that was asked for is gone, or not there yet. */
static void on_bad_version(struct reflector *r)
{
	if (r->phase == LISTING && r->token != NULL)
		r->expired_pages++;
	r->is_quorum = r->want_list || r->is_version_too_large;
	r->want_list = true;
	reflector_relist_abort(r);
	reflector_retry(r, REFLECTOR_EXPIRED, r->why.text);
}

/* An answer other than 200 has ended. */
void reflector_http_error(struct reflector *r)
{
	int status = r->status;

	if (r->why.text[0] == '\0')
		err_set(&r->why, 0, "HTTP %d", status);
	if (r->phase == STREAMING && is_stream_refusal(status)) {
		reflector_use_pages(r);
		return;
	}
	if (status == 410 || (status == 504 && r->is_version_too_large)) {
		on_bad_version(r);
		return;
	}
	if (r->phase == WATCHING && status != 429 && status >= 400 && status != 401 &&
	        ++r->failed_watches >= REWATCH_TRIES)
		r->want_list = true;
	if (status != 429)
		reflector_relist_abort(r);
	switch (status) {
	case 401: on_unauthorized(r); break;
	case 403: reflector_fail(r, REFLECTOR_FORBIDDEN, r->why.text); break;
	case 404: on_not_found(r); break;
	case 429: reflector_fail(r, REFLECTOR_THROTTLED, r->why.text); break;
	default: reflector_fail(r, REFLECTOR_SERVER, r->why.text);
	}
}
