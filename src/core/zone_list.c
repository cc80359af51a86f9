#include "core/zone_list.h"

#include <stdlib.h>

#include "base/hash.h"
#include "conf/args.h"

/* Up to so many zones, comparing with each is faster than hashing. */
#define LINEAR_MAX 6u

static uint32_t *slot_of(const struct zone_list *l, const uint8_t *zone, size_t len)
{
	size_t at = hash_bytes(l->mask, zone, len) & l->mask;

	for (; l->table[at] != 0; at = (at + 1) & l->mask) {
		const struct name *n = &l->zones.at[l->table[at] - 1];

		if (n->len == len && memcmp(n->wire, zone, len) == 0)
			break;
	}
	return &l->table[at];
}

static void insert(struct zone_list *l, size_t i)
{
	uint32_t *slot = slot_of(l, l->zones.at[i].wire, l->zones.at[i].len);

	if (*slot == 0)
		*slot = (uint32_t)i + 1;
}

void zone_list_add(struct zone_list *l, const struct name *zone)
{
	unsigned labels = name_labels(zone->wire);

	vec_push(&l->zones, *zone);
	l->max_labels = labels > l->max_labels ? labels : l->max_labels;
	if (l->zones.len <= LINEAR_MAX)
		return;
	if (l->table != NULL && l->zones.len * 2 <= l->mask) {
		insert(l, l->zones.len - 1);
		return;
	}
	free(l->table);
	l->mask = l->table == NULL ? 31 : l->mask * 2 + 1;
	l->table = mem_array(l->mask + 1, sizeof(*l->table));
	for (size_t i = 0; i < l->zones.len; i++)
		insert(l, i);
}

static int add_all(struct zone_list *l, const struct zone_names *names, struct err *e)
{
	int rc = 0;

	vec_for_each (&names->list, text) {
		struct name n;

		rc = name_from_text(&n, str_from(*text), e);
		if (rc != 0)
			return rc;
		name_fold(n.wire, n.wire, n.len);
		zone_list_add(l, &n);
	}
	return 0;
}

int zone_list_from_args(struct zone_list *l, const struct directive *d, size_t first, struct err *e)
{
	struct zone_names names = {0};
	struct arena a;
	int rc;

	arena_init(&a);
	rc = args_zones_or_block(d, first, &a, &names, e);
	if (rc == 0)
		rc = add_all(l, &names, e);
	vec_free(&names.list);
	arena_reset(&a);
	return rc;
}

static int match_linear(const struct zone_list *l, const uint8_t *folded)
{
	int best = -1;

	for (size_t i = 0; i < l->zones.len; i++) {
		const struct name *n = &l->zones.at[i];

		if ((best < 0 || n->len > l->zones.at[best].len) && name_is_under(folded, n->wire))
			best = (int)i;
	}
	return best;
}

int zone_list_match(const struct zone_list *l, const uint8_t *folded)
{
	unsigned labels;

	if (l->table == NULL)
		return match_linear(l, folded);
	labels = name_labels(folded);
	if (labels > l->max_labels)
		folded = name_skip(folded, labels - l->max_labels);
	for (;; folded += *folded + 1) {
		uint32_t found = *slot_of(l, folded, name_len(folded));

		if (found != 0)
			return (int)found - 1;
		if (*folded == 0)
			return -1;
	}
}

void zone_list_free(struct zone_list *l)
{
	vec_free(&l->zones);
	free(l->table);
	l->table = NULL;
}

int fall_from_args(struct fall *f, const struct directive *option, struct err *e)
{
	struct zone_names names = {0};
	struct arena a;
	int rc = 0;

	f->is_on = true;
	if (option->arg_count == 0) {
		zone_list_add(&f->list, &(struct name){.len = 1});
		return 0;
	}
	arena_init(&a);
	args_zones(option, 0, &a, &names);
	rc = add_all(&f->list, &names, e);
	vec_free(&names.list);
	arena_reset(&a);
	return rc;
}

bool fall_has(const struct fall *f, const uint8_t *folded)
{
	return f->is_on && zone_list_match(&f->list, folded) >= 0;
}

void fall_free(struct fall *f)
{
	zone_list_free(&f->list);
}
