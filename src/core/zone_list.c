#include "core/zone_list.h"

#include "conf/args.h"

static int add_all(struct zone_list *l, const struct zone_names *names, struct err *e)
{
	int rc = 0;

	vec_for_each (&names->list, text) {
		struct name n;

		rc = name_from_text(&n, str_from(*text), e);
		if (rc != 0)
			return rc;
		name_fold(n.wire, n.wire, n.len);
		vec_push(&l->zones, n);
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

int zone_list_match(const struct zone_list *l, const uint8_t *folded)
{
	int best = -1;

	for (size_t i = 0; i < l->zones.len; i++) {
		const struct name *n = &l->zones.at[i];

		if ((best < 0 || n->len > l->zones.at[best].len) && name_is_under(folded, n->wire))
			best = (int)i;
	}
	return best;
}

void zone_list_free(struct zone_list *l)
{
	vec_free(&l->zones);
}

int fall_from_args(struct fall *f, const struct directive *option, struct err *e)
{
	struct zone_names names = {0};
	struct arena a;
	int rc = 0;

	f->is_on = true;
	if (option->arg_count == 0) {
		vec_push(&f->list.zones, (struct name){.len = 1});
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
