#include "cluster/reflector_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

/* Something may have been missed: ask for all, but not all the time. */
void reflector_doubt(struct reflector *r, const char *why)
{
	uint64_t since = r->now_ms - r->doubt_ms;

	if (r->verdict != KEEP)
		return;
	if (r->doubt_ms != 0 && since < r->doubt_gap_ms) {
		r->doubt_at_ms = r->doubt_ms + r->doubt_gap_ms;
		return;
	}
	if (r->doubt_ms == 0 || since > 2 * r->doubt_gap_ms)
		r->doubt_gap_ms = DOUBT_MS;
	else if (r->doubt_gap_ms < DOUBT_MAX_MS)
		r->doubt_gap_ms *= 2;
	log_debug(LOG_NAME, "listing %s again: %s", r->name, why);
	r->doubt_ms = r->now_ms;
	r->doubt_at_ms = 0;
	r->stats.doubts++;
	r->want_list = r->is_quorum = true;
	r->verdict = NEXT;
}

/* ---- lists ---- */

/* A list that cannot be believed yet: drop it, ask again without a version. */
static void ask_again(struct reflector *r, const char *why)
{
	log_debug(LOG_NAME, "listing %s again: %s", r->name, why);
	reflector_relist_abort(r);
	r->stats.doubts++;
	r->want_list = r->is_quorum = true;
}

/* All objects of a list were applied: believe it or not. True when it was accepted. */
void reflector_probe_over(struct reflector *r)
{
	uint64_t theirs = r->probe_objects + r->probe_remaining, ours;

	store_relist_begin(r->store, r->source, r->kind, false);
	ours = store_relist_missing(r->store, r->source, r->kind);
	store_relist_abort(r->store, r->source, r->kind);
	if (!r->is_list_over || ours == theirs)
		return;
	log_debug(LOG_NAME, "listing %s again: the server has %llu, we have %llu", r->name,
	        (unsigned long long)theirs, (unsigned long long)ours);
	r->stats.doubts++;
	r->want_list = r->is_quorum = true;
}

bool reflector_list_complete(struct reflector *r, const char *version)
{
	size_t missing = store_relist_missing(r->store, r->source, r->kind);

	if (reflector_is_older(r, version) && !r->is_truth) {
		r->is_truth = true;
		ask_again(r, "its version went back");
		return false;
	}
	/* its version is not older, but some objects are: the server lives in another history */
	if (r->is_contradicted && !r->is_truth) {
		r->is_truth = true;
		ask_again(r, "objects went back");
		return false;
	}
	if (missing > SHRINK_MIN && missing > r->list_objects && !r->is_confirmed) {
		r->is_confirmed = true;
		ask_again(r, "more than half of the objects are missing");
		return false;
	}
	vec_for_each(&r->held, o)
		store_apply(r->store, r->source, *o);
	reflector_drop_held(r);
	store_relist_end(r->store, r->source, r->kind);
	store_source_synced(r->store, r->source, r->kind, true);
	r->listed = 0;
	if (r->is_truth)
		r->seen = 0;
	reflector_set_version(r, version);
	r->stats.relists += r->is_synced;
	r->stats.last_list_ms = r->now_ms;
	r->is_synced = true;
	r->is_relisting = r->want_list = r->is_quorum = r->is_truth = r->is_confirmed = false;
	r->expired_pages = r->failed_watches = r->broken_streams = 0;
	r->is_outage = false;
	r->doubt_at_ms = 0;
	log_debug(LOG_NAME, "listed %llu %s in %llu ms", (unsigned long long)r->list_objects,
	        r->name, (unsigned long long)(r->now_ms - r->list_ms));
	reflector_be_well(r);
	return true;
}

/* ---- findings of the decoder ---- */

/*
 * True for an object that is older than what was read up to, but unknown: it was missed, or it was
 * deleted since and comes from a server that lags behind.
 */
static bool is_doubtful(const struct reflector *r, const struct object *o)
{
	return !r->is_truth && o->rv != 0 && r->seen != 0 && o->rv < r->seen &&
	       store_get(r->store, r->kind, o->ns, o->name) == NULL;
}

/* Too many of them: the list is of another history, and is asked for again. */
static void hold(struct reflector *r, const struct object *o)
{
	if (r->held.len < HELD_MAX)
		vec_push(&r->held, object_copy(o, 0, NULL));
	else
		r->is_contradicted = true;
}

void reflector_drop_held(struct reflector *r)
{
	vec_for_each(&r->held, o)
		free(*o);
	vec_free(&r->held);
}

/* It was deleted while the list is being streamed: it does not wait any more, either. */
static void take_deletion(struct reflector *r, const struct object *o)
{
	size_t n = 0;

	if (o->kind != r->kind)
		return;
	for (size_t i = 0; i < r->held.len; i++) {
		struct object *held = r->held.at[i];

		if (strcmp(held->name, o->name) == 0 && strcmp(held->ns, o->ns) == 0)
			free(held);
		else
			r->held.at[n++] = held;
	}
	r->held.len = n;
	store_delete(r->store, r->source, o);
}

static void take_list_object(struct reflector *r, const struct object *o)
{
	if (o->kind != r->kind)
		return;
	r->list_objects++;
	if (is_doubtful(r, o)) {
		hold(r, o);
		return;
	}
	/* should it break off, the next one may come from a server that lags behind */
	if (o->rv > r->listed)
		r->listed = o->rv;
	if (store_apply(r->store, r->source, o) == STORE_STALE)
		r->is_contradicted = true;
}

static void take_watch_object(struct reflector *r, enum event_type type, const struct object *o)
{
	bool is_late = o->rv != 0 && r->seen != 0 && o->rv < r->seen;
	enum store_result result = STORE_STALE;

	r->watch_events++;
	r->has_brought = true;
	r->stats.last_event_ms = r->now_ms;
	if (type == EVENT_DELETED) {
		result = store_delete(r->store, r->source, o);
		is_late = false; /* some servers send the last version of the object */
	} else if (!is_doubtful(r, o)) { /* else the list will tell */
		result = store_apply(r->store, r->source, o);
	}
	if (o->version != NULL && !(o->rv != 0 && o->rv < r->seen))
		reflector_set_version(r, o->version);
	if (result == STORE_STALE || is_late) {
		r->stats.stale_events++;
		reflector_doubt(r, "an event is older than what is known");
	}
}

static void on_object(void *arg, enum event_type type, const struct object *o)
{
	struct reflector *r = arg;

	if (r->verdict != KEEP || r->status != 200)
		return;
	if (r->phase == PROBING) {
		r->probe_objects++;
		return;
	}
	r->stats.events++;
	r->progress_ms = r->now_ms;
	if (r->phase == WATCHING) {
		if (o->kind == r->kind)
			take_watch_object(r, type, o);
		else if (o->version != NULL && !reflector_is_older(r, o->version))
			reflector_set_version(r, o->version);
		return;
	}
	if (r->phase == STREAMING && type == EVENT_DELETED) {
		take_deletion(r, o);
		return;
	}
	r->added_ms = r->now_ms;
	take_list_object(r, o);
}

static void on_bookmark(void *arg, const char *version, bool is_initial_end)
{
	struct reflector *r = arg;

	if (r->verdict != KEEP || r->status != 200)
		return;
	r->progress_ms = r->stats.last_event_ms = r->now_ms;
	if (r->phase == STREAMING) {
		if (!is_initial_end)
			return;
		if (!reflector_list_complete(r, version)) {
			r->verdict = NEXT;
			return;
		}
		r->phase = WATCHING;
		r->open_ms = r->now_ms;
		r->has_brought = true;
		r->stats.is_connected = true;
	} else if (r->phase == WATCHING) {
		if (reflector_is_older(r, version))
			reflector_doubt(r, "a bookmark went back");
		else
			reflector_set_version(r, version);
	}
}

void reflector_give_up(struct reflector *r, enum reflector_error error, const char *why)
{
	r->verdict = FAIL;
	r->error = error;
	err_set(&r->why, 0, "%s", why);
}

/* An ERROR event: the watch is over. */
static void take_error_event(struct reflector *r, const struct api_status *s)
{
	r->retry_after_s = s->retry_after_s;
	switch (s->code) {
	case 410:
		reflector_give_up(r, REFLECTOR_EXPIRED, s->message);
		r->want_list = true;
		r->is_quorum |= r->phase == STREAMING; /* no list at that version either */
		return;
	case 429: reflector_give_up(r, REFLECTOR_THROTTLED, s->message); return;
	case 504:
		if (r->is_version_too_large) {
			reflector_give_up(r, REFLECTOR_EXPIRED, s->message);
			r->want_list = r->is_quorum = true;
			return;
		}
		/* fallthrough */
	default:
		reflector_give_up(r, REFLECTOR_SERVER, s->message);
		if (++r->failed_watches >= REWATCH_TRIES)
			r->want_list = true;
	}
}

static void on_status(void *arg, const struct api_status *s)
{
	struct reflector *r = arg;

	if (r->verdict != KEEP)
		return;
	r->is_version_too_large =
	        s->code == 504 && strstr(s->message, "Too large resource") != NULL;
	if (r->status != 200)
		err_set(&r->why, 0, "HTTP %d: %s", r->status, s->message);
	else if (r->phase == LISTING || r->phase == PROBING)
		reflector_give_up(r, REFLECTOR_DECODE, "the answer is no list");
	else
		take_error_event(r, s);
}

/* What is wrong with the end of a page, or NULL: it leads to a next one, or to a watch. */
static const char *page_problem(const struct reflector *r, const struct list_meta *meta)
{
	if (meta->continue_token == NULL)
		return meta->version[0] == '\0' || strlen(meta->version) >= VERSION_BYTES
		               ? "a list without a resourceVersion"
		               : NULL;
	return r->token != NULL && strcmp(meta->continue_token, r->token) == 0
	               ? "the list does not go on"
	               : NULL;
}

static void on_list_end(void *arg, const struct list_meta *meta)
{
	struct reflector *r = arg;
	const char *problem;

	if (r->verdict != KEEP || r->status != 200)
		return;
	if (r->phase == PROBING) {
		r->probe_remaining = meta->remaining;
		r->is_list_over = meta->continue_token == NULL || meta->remaining > 0;
		return;
	}
	if (r->phase != LISTING) {
		reflector_give_up(r, REFLECTOR_DECODE, "the answer to a watch is a list");
		return;
	}
	problem = page_problem(r, meta);
	if (problem != NULL) {
		reflector_give_up(r, REFLECTOR_DECODE, problem);
		return;
	}
	r->is_list_over = true;
	if (strlen(meta->version) < VERSION_BYTES)
		strcpy(r->list_version, meta->version);
	free(r->token);
	r->token = mem_str(meta->continue_token);
}

static void on_skipped(void *arg, const char *why)
{
	struct reflector *r = arg;

	if (r->phase == WATCHING && r->status == 200)
		reflector_doubt(r, why);
}

struct object_sink reflector_sink(struct reflector *r)
{
	return (struct object_sink){
	        .arg = r,
	        .on_object = on_object,
	        .on_bookmark = on_bookmark,
	        .on_status = on_status,
	        .on_list_end = on_list_end,
	        .on_skipped = on_skipped,
	};
}
