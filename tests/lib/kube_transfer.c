#include "kube_transfer.h"

#include <ldns/ldns.h>

#include "core/transfer.h"
#include "test.h"

void copies_begin(struct kube *k)
{
	vec_for_each(&k->zones, z)
		kube_transfer.keep_changes(k, &(*z)->name);
}

void copies_free(struct zone_copies *c)
{
	for (unsigned i = 0; i < COPIES_KEPT; i++)
		buf_free(&c->at[i].row);
}

static void read_image(struct zone_image *image, struct buf *row)
{
	struct zone_cursor c = {0, 0, 0};

	while (image->ops->walk(image, &c, row))
		continue;
}

static void expect_same(const struct buf *a, const struct buf *b, const char *what)
{
	struct buf removed = {0}, added = {0};

	records_diff(a, b, &removed, &added);
	if (removed.len > 0 || added.len > 0)
		fail_msg("%s differ: %zu octets and %zu octets", what, removed.len, added.len);
}

/* SOA, what went, SOA, what came (RFC 1995 4). */
static void split(const struct buf *all, struct buf *removed, struct buf *added)
{
	unsigned soas = 0;
	struct record r;
	size_t pos = 0;

	while (records_next(all, &pos, &r)) {
		if (r.type == TYPE_SOA)
			soas++;
		else
			buf_add(soas == 1 ? removed : added, r.owner, r.size);
	}
	assert_int_equal(soas, 2);
}

/* The changes since the copy are those between it and the zone, no more. */
static void check_changes(struct zone_copies *c, struct kube *k, struct kube_zone *z,
	const struct zone_copy *copy, const struct buf *row)
{
	struct zone_image *image = kube_transfer.changes(k, &z->name, copy->serial);
	struct buf all = {0}, removed = {0}, added = {0}, want_removed = {0}, want_added = {0};

	if (image == NULL) {
		c->full++;
		return;
	}
	c->incremental++;
	read_image(image, &all);
	split(&all, &removed, &added);
	records_diff(&copy->row, row, &want_removed, &want_added);
	expect_same(&want_removed, &removed, "removed records");
	expect_same(&want_added, &added, "added records");
	zone_image_unref(image);
	buf_free(&all);
	buf_free(&removed);
	buf_free(&added);
	buf_free(&want_removed);
	buf_free(&want_added);
}

static unsigned count_set(const struct buf *row, const struct record *like)
{
	unsigned n = 0;
	struct record r;
	size_t pos = 0;

	while (records_next(row, &pos, &r))
		n += r.type == like->type && name_equal(r.owner, like->owner);
	return n;
}

static unsigned count_answers(const char *text)
{
	const char *end = strstr(text, "--\n");
	unsigned n = 0;

	for (text = strchr(text, '\n'); text != NULL && text + 1 < end; n++)
		text = strchr(text + 1, '\n');
	return n;
}

static void check_answer(const struct buf *row, const struct record *r, copies_ask *ask, void *arg)
{
	char name[NAME_TEXT_MAX];
	const char *answer;
	char *text;
	ldns_rr *rr;
	size_t used = 0;

	name_to_text(name, r->owner);
	answer = ask(arg, name, r->type);
	assert_int_equal(
		ldns_wire2rr(&rr, r->owner, r->size, &used, LDNS_SECTION_ANSWER), LDNS_STATUS_OK);
	text = ldns_rr2str(rr);
	for (char *p = text; *p != '\0'; p++)
		*p = *p == '\t' ? ' ' : *p;
	if (strstr(answer, text) == NULL || count_answers(answer) != count_set(row, r))
		fail_msg("%s is transferred (%u in the set), but answered: %s", text,
			count_set(row, r), answer);
	free(text);
	ldns_rr_free(rr);
}

void copies_check(struct zone_copies *c, struct kube *k, struct kube_zone *z, copies_ask *ask,
	void *arg)
{
	struct zone_image *image = kube_transfer.image(k, &z->name);
	struct buf row = {0};
	struct record r;
	size_t pos = 0;

	assert_non_null(image);
	read_image(image, &row);
	while (records_next(&row, &pos, &r))
		check_answer(&row, &r, ask, arg);
	for (unsigned i = 0; i < COPIES_KEPT; i++) {
		if (c->at[i].serial == image->serial)
			expect_same(&c->at[i].row, &row, "two contents of one serial");
		else if (c->at[i].serial != 0)
			check_changes(c, k, z, &c->at[i], &row);
	}
	if (c->at[0].serial != image->serial) {
		buf_free(&c->at[COPIES_KEPT - 1].row);
		memmove(&c->at[1], &c->at[0], (COPIES_KEPT - 1) * sizeof(c->at[0]));
		c->at[0] = (struct zone_copy){image->serial, row};
	} else {
		buf_free(&row);
	}
	zone_image_unref(image);
}
