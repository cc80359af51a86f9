#include "cluster/audit.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "cluster/reflector_private.h"

enum {
	DIFFERENCES = 128, /* that are remembered; one of them is enough */
	FACTOR_MAX = 60,
	NOT_NOW_MS = 5000, /* the watch is not open: look at it again then */
};

struct differences {
	uint64_t at[DIFFERENCES];
	size_t len;
};

struct audit {
	struct reflector *r;
	struct audit_ops ops;
	uint64_t wake_ms, progress_ms;
	bool is_in_flight, is_list_over;
	int status;
	char *token;
	bool is_second; /* look */
	uint64_t requests; /* of the reflector at the beginning of the look */
	struct differences first, now;
	unsigned factor; /* of the gap, grows while lists do not help */
	bool has_healed; /* since the last look without a difference */
};

/* ---- when ---- */

static uint64_t gap_ms(const struct audit *a)
{
	struct store_stats stats;
	uint64_t gap = (uint64_t)AUDIT_GAP_MS * a->factor;

	store_stats(a->r->store, &stats);
	if (stats.objects[a->r->kind] > AUDIT_OBJECTS)
		gap = gap * stats.objects[a->r->kind] / AUDIT_OBJECTS;
	return gap < AUDIT_REFUSED_MS ? gap : AUDIT_REFUSED_MS;
}

/* The next look is a first one. */
static void rest(struct audit *a, uint64_t now_ms)
{
	uint64_t gap = gap_ms(a);

	a->is_second = false;
	a->wake_ms = now_ms + gap / 2 + rand_below((uint32_t)(gap * 8 / 10));
}

static uint64_t requests_of(const struct reflector *r)
{
	return r->stats.lists + r->stats.watches;
}

static bool is_watching(const struct reflector *r)
{
	return r->phase == WATCHING && r->status == 200 && r->is_synced;
}

uint64_t audit_deadline_ms(const struct audit *a)
{
	if (a->is_in_flight)
		return a->progress_ms + AUDIT_SILENCE_MS;
	return reflector_is_comparing(a->r) ? a->r->compare_ms : a->wake_ms;
}

/* ---- requests ---- */

static void end_request(struct audit *a)
{
	a->is_in_flight = false;
	a->status = 0;
}

static void forget_token(struct audit *a)
{
	free(a->token);
	a->token = NULL;
}

static void give_up(struct audit *a, uint64_t now_ms)
{
	if (a->is_in_flight)
		a->ops.cancel(a->ops.arg);
	end_request(a);
	forget_token(a);
	rest(a, now_ms);
	reflector_on_compared(a->r, now_ms, false);
}

static void ask(struct audit *a, uint64_t now_ms)
{
	struct buf q = {0};

	buf_printf(&q, "limit=%u", AUDIT_PAGE);
	if (a->token != NULL) {
		buf_str(&q, "&continue=");
		query_add(&q, a->token);
	}
	buf_str(&q, a->r->selectors);
	a->is_list_over = false;
	a->progress_ms = now_ms;
	a->is_in_flight = a->ops.send(a->ops.arg, buf_text(&q)) == 0;
	buf_free(&q);
	if (!a->is_in_flight)
		give_up(a, now_ms);
}

static void look(struct audit *a, uint64_t now_ms)
{
	a->now.len = 0;
	a->requests = requests_of(a->r);
	a->r->stats.audits++;
	store_audit_begin(a->r->store, a->r->source, a->r->kind);
	ask(a, now_ms);
}

void audit_on_time(struct audit *a, uint64_t now_ms)
{
	if (now_ms < audit_deadline_ms(a))
		return;
	if (a->is_in_flight)
		give_up(a, now_ms);
	else if (!is_watching(a->r))
		a->wake_ms = now_ms + NOT_NOW_MS;
	else
		look(a, now_ms);
}

/* ---- comparing ---- */

static void note(struct audit *a, const struct object *o)
{
	uint64_t h = hash_bytes(o->rv, o->uid, sizeof(o->uid));

	h = hash_bytes(h, o->ns, strlen(o->ns) + 1);
	if (a->now.len < DIFFERENCES)
		a->now.at[a->now.len++] = hash_bytes(h, o->name, strlen(o->name));
}

static void note_missing(struct audit *a)
{
	const struct object *o;
	size_t pos = 0;

	while ((o = store_audit_next(a->r->store, a->r->source, a->r->kind, &pos)) != NULL)
		note(a, o);
}

static bool is_known(const struct differences *d, uint64_t hash)
{
	for (size_t i = 0; i < d->len; i++)
		if (d->at[i] == hash)
			return true;
	return false;
}

/* Differences that both looks found. */
static size_t count_lasting(const struct audit *a)
{
	size_t n = 0;

	for (size_t i = 0; i < a->now.len; i++)
		n += is_known(&a->first, a->now.at[i]);
	return n;
}

static void heal(struct audit *a, uint64_t now_ms, size_t n)
{
	struct reflector *r = a->r;

	if (!a->has_healed)
		log_warning(LOG_NAME,
		        "the watch of %s has missed changes of at least %zu objects; listing all "
		        "again",
		        r->name, n);
	else if (a->factor < FACTOR_MAX) /* it did not help, or happens all the time */
		a->factor *= 2;
	a->has_healed = true;
	r->stats.gaps_healed++;
	reflector_relist(r, now_ms);
	rest(a, now_ms);
}

static void conclude(struct audit *a, uint64_t now_ms)
{
	size_t lasting;

	if (!is_watching(a->r) || requests_of(a->r) != a->requests) {
		rest(a, now_ms); /* a list of the reflector was faster */
		return;
	}
	note_missing(a);
	lasting = a->is_second ? count_lasting(a) : 0;
	if (a->now.len == 0) {
		a->factor = 1;
		a->has_healed = false;
	}
	if (reflector_is_comparing(a->r)) /* what is on its way for 90 s will not come */
		lasting = a->now.len;
	if (lasting > 0) {
		heal(a, now_ms, lasting);
	} else if (a->now.len > 0 && !a->is_second) {
		a->first = a->now;
		a->is_second = true;
		a->wake_ms = now_ms + AUDIT_AGAIN_MS + rand_below(AUDIT_AGAIN_MS / 3);
	} else {
		rest(a, now_ms);
	}
	reflector_on_compared(a->r, now_ms, true);
}

/* ---- answers ---- */

void audit_on_head(struct audit *a, uint64_t now_ms, int status)
{
	a->status = status;
	a->progress_ms = now_ms;
}

static bool is_refusal(int status)
{
	return status >= 400 && status < 500 && status != 401 && status != 410 && status != 429;
}

void audit_on_decoded(struct audit *a, uint64_t now_ms, const char *why)
{
	a->progress_ms = now_ms;
	if (why != NULL && a->is_in_flight)
		give_up(a, now_ms);
}

void audit_on_done(struct audit *a, uint64_t now_ms, int rc)
{
	int status = a->status;

	if (!a->is_in_flight)
		return;
	end_request(a);
	if (status == 200 && rc == 0 && a->is_list_over) {
		if (a->token != NULL)
			ask(a, now_ms);
		else
			conclude(a, now_ms);
		return;
	}
	forget_token(a);
	rest(a, now_ms);
	if (is_refusal(status)) /* the number of objects is compared when a watch ends */
		a->wake_ms = now_ms + AUDIT_REFUSED_MS;
	/* nothing was compared: after some silent watches only a list can tell */
	if (reflector_is_comparing(a->r) && ++a->r->failed_watches >= REWATCH_TRIES)
		a->r->want_list = true;
	/* a proxy may answer for a server that is dead */
	reflector_on_compared(a->r, now_ms, rc == 0 && status >= 200 && status < 500);
}

static void on_object(void *arg, enum event_type type, const struct object *listed)
{
	struct audit *a = arg;
	struct object o = {.kind = a->r->kind, .ns = listed->ns, .name = listed->name};

	(void)type;
	if (listed->name == NULL || listed->ns == NULL || a->status != 200)
		return;
	if (o.kind == OBJECT_NAMESPACE)
		o.ns = "";
	/* what the decoder of the whole object refuses is not in the store */
	if (o.kind != OBJECT_SLICE && o.kind != OBJECT_POD && !object_is_label(str_from(o.name)))
		return;
	o.rv = listed->rv;
	memcpy(o.uid, listed->uid, sizeof(o.uid));
	if (!store_audit_see(a->r->store, a->r->source, &o))
		note(a, &o);
}

static void on_list_end(void *arg, const struct list_meta *meta)
{
	struct audit *a = arg;
	const char *next = meta->continue_token;

	/* the same page again and again is no list */
	a->is_list_over = next == NULL || a->token == NULL || strcmp(next, a->token) != 0;
	forget_token(a);
	a->token = mem_str(next);
}

struct object_sink audit_sink(struct audit *a)
{
	return (struct object_sink){.arg = a, .on_object = on_object, .on_list_end = on_list_end};
}

/* ---- life ---- */

struct audit *audit_new(struct reflector *r, const struct audit_ops *ops, uint64_t now_ms)
{
	struct audit *a = mem_new(struct audit);

	a->r = r;
	a->ops = *ops;
	a->factor = 1;
	r->has_audit = true;
	rest(a, now_ms);
	return a;
}

void audit_free(struct audit *a)
{
	if (a == NULL)
		return;
	a->r->has_audit = false;
	forget_token(a);
	free(a);
}
