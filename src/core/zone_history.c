#include "core/zone_history.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/map.h"
#include "base/mem.h"
#include "core/shared.h"
#include "dns/rr.h"
#include "dns/wire.h"

static void *create_serial(const char *key, void *arg, struct err *e)
{
	(void)key;
	(void)arg;
	(void)e;
	return mem_new(struct zone_serial);
}

static const struct shared_kind kind = {"zone serial", create_serial, free};

void zone_history_init(struct zone_history *h, struct shared *shared, const struct name *zone)
{
	char text[NAME_TEXT_MAX];
	struct err e;

	memset(h, 0, sizeof(*h));
	h->serial = &h->own;
	if (shared == NULL)
		return;
	name_to_text(text, zone->wire);
	h->shared = shared;
	h->serial = shared_take(shared, &kind, text, NULL, &e);
}

static void forget(struct zone_history *h)
{
	buf_free(&h->log);
	vec_free(&h->marks);
	h->base = h->committed;
}

void zone_history_fini(struct zone_history *h)
{
	forget(h);
	if (h->shared != NULL)
		shared_drop(h->shared, h->serial);
}

void zone_history_keep(struct zone_history *h)
{
	h->keeps_changes = true;
	forget(h);
}

void zone_history_note(struct zone_history *h)
{
	h->is_changed = true;
}

void zone_history_touch(struct zone_history *h)
{
	h->is_changed = true;
	buf_free(&h->log);
	vec_free(&h->marks);
	h->base = 0; /* until the commit nothing leads anywhere */
}

static void log_records(struct zone_history *h, char sign, const struct buf *row)
{
	struct record r;
	size_t pos = 0;

	while (records_next(row, &pos, &r)) {
		buf_char(&h->log, sign);
		buf_add(&h->log, r.owner, r.size);
	}
}

void zone_history_change(
	struct zone_history *h, const struct buf *before, const struct buf *after)
{
	struct buf removed = {0}, added = {0};

	records_diff(before, after, &removed, &added);
	if (removed.len > 0 || added.len > 0)
		h->is_changed = true;
	if (h->keeps_changes && h->base != 0) {
		log_records(h, '-', &removed);
		log_records(h, '+', &added);
	}
	if (h->log.len > 2 * ZONE_HISTORY_MAX)
		zone_history_touch(h);
	buf_free(&removed);
	buf_free(&added);
}

/* Forget whole serials from the oldest on until half the room is free. */
static void trim(struct zone_history *h)
{
	size_t n = 0, end = 0;

	if (h->log.len <= ZONE_HISTORY_MAX)
		return;
	while (n < h->marks.len && h->log.len - end > ZONE_HISTORY_MAX / 2) {
		end = h->marks.at[n].end;
		h->base = h->marks.at[n++].serial;
	}
	memmove(h->log.at, h->log.at + end, h->log.len - end);
	h->log.len -= end;
	memmove(h->marks.at, h->marks.at + n, (h->marks.len - n) * sizeof(*h->marks.at));
	h->marks.len -= n;
	vec_for_each(&h->marks, m)
		m->end -= end;
}

static void mark(struct zone_history *h, uint32_t serial)
{
	if (!h->keeps_changes || h->base == 0) {
		h->base = serial;
		return;
	}
	if (serial == h->committed && h->marks.len > 0)
		h->marks.at[h->marks.len - 1].end = h->log.len;
	else if (serial != h->committed)
		vec_push(&h->marks, (struct zone_mark){serial, h->log.len});
	else
		forget(h); /* what leads on from the base was changed unseen: nobody has the base */
	trim(h);
}

bool zone_history_commit(struct zone_history *h, uint32_t now_s)
{
	struct zone_serial *s = h->serial;
	uint32_t before = h->committed;

	if (!h->is_changed)
		return false;
	h->is_changed = false;
	if (s->value == 0 || zone_serial_is_newer(now_s, s->value)) {
		s->value = now_s;
		s->is_seen = false;
	} else if (s->is_seen || s->value != before) {
		s->value++;
		s->is_seen = false;
	}
	if (s->value == 0)
		s->value++; /* stands for none here */
	mark(h, s->value);
	h->committed = s->value;
	return h->committed != before;
}

void zone_history_commit_as(struct zone_history *h, uint32_t serial)
{
	/* another content with the serial of the one before: nobody can tell them apart */
	if (serial == h->committed && h->is_changed)
		zone_history_touch(h);
	h->is_changed = false;
	mark(h, serial);
	h->committed = serial;
}

uint32_t zone_history_serial(const struct zone_history *h)
{
	return h->committed;
}

void zone_history_see(struct zone_history *h)
{
	if (h->serial->value == h->committed)
		h->serial->is_seen = true;
}

/* --- the changes as one sequence -------------------------------------------------------------- */

/* A record that changed: what happened to it first, and last. */
struct event {
	const char *at; /* of the first */
	char first, last;
};

/* Rows of what there was then and is not now, and the other way round. */
static void condense(const struct zone_history *h, size_t from, struct buf *removed,
	struct buf *added)
{
	VEC(struct event *) events = {NULL, 0, 0};
	size_t pos = from;
	struct arena arena;
	struct record r;
	struct map map;

	arena_init(&arena);
	map_init(&map);
	while (pos < h->log.len) {
		char sign = h->log.at[pos++];
		struct event *e;

		records_next(&h->log, &pos, &r);
		e = map_get(&map, (struct str){(const char *)r.owner, r.size});
		if (e == NULL) {
			e = arena_new(&arena, struct event);
			e->at = (const char *)r.owner;
			e->first = sign;
			map_put(&map, (struct str){e->at, r.size}, e);
			vec_push(&events, e);
		}
		e->last = sign;
	}
	vec_for_each(&events, e) {
		size_t at = (size_t)((*e)->at - h->log.at);

		if ((*e)->first != (*e)->last)
			continue; /* there and back again */
		records_next(&h->log, &at, &r);
		buf_add((*e)->last == '-' ? removed : added, r.owner, r.size);
	}
	vec_free(&events);
	map_fini(&map);
	arena_reset(&arena);
}

static void add_soa(struct buf *row, const uint8_t *zone, const struct rrset *soa, uint32_t serial)
{
	records_add_set(row, zone, soa);
	put32((uint8_t *)row->at + row->len - 20, serial);
}

/* Where the changes after a serial begin in the log; false when that is not known. */
static bool find_start(const struct zone_history *h, uint32_t since, size_t *from)
{
	*from = 0;
	if (!h->keeps_changes || h->base == 0)
		return false;
	if (since == h->base)
		return true;
	vec_for_each(&h->marks, m) {
		*from = m->end;
		if (m->serial == since)
			return true;
	}
	return false;
}

struct zone_image *zone_history_changes(
	struct zone_history *h, const uint8_t *zone, const struct rrset *soa, uint32_t since)
{
	struct buf row = {0}, added = {0};
	size_t from;

	if (h->is_changed || !find_start(h, since, &from))
		return NULL;
	add_soa(&row, zone, soa, since);
	condense(h, from, &row, &added);
	add_soa(&row, zone, soa, h->committed);
	if (added.len > 0)
		buf_add(&row, added.at, added.len);
	buf_free(&added);
	zone_history_see(h);
	return zone_image_flat(soa, &row);
}
