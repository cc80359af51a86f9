/*
 * What zone files say about a name, for `seamark explain` and `seamark names`.
 */
#include "file/file.h"
#include "names/zone_answer.h"

static struct file_zone *find_zone(const struct file_instance *f, const struct explain_ask *ask)
{
	int i = zone_list_match(&f->origins, ask->name.wire), parent;

	/* DS of a zone's own apex belongs to the parent when that is here too */
	if (i >= 0 && ask->type == TYPE_DS && ask->name.len > 1 &&
	        f->origins.zones.at[i].len == ask->name.len) {
		parent = zone_list_match(&f->origins, name_skip(ask->name.wire, 1));
		i = parent >= 0 ? parent : i;
	}
	return i < 0 ? NULL : f->zones.at[i];
}

static void add_answer(struct explanation *x, const struct answer *a)
{
	bool has_records = false;

	for (unsigned i = 0; i < a->count; i++) {
		if (a->refs[i].section != SECTION_ANSWER)
			continue;
		has_records = true;
		explain_add_set(x, a->refs[i].set);
	}
	x->outcome = has_records ? EXPLAIN_ANSWER : EXPLAIN_NODATA;
	if (!has_records && !a->is_authoritative)
		explain_say(x, EXPLAIN_NODATA, "the name is delegated to other servers");
}

static void explain_in(const struct file_zone *z, const struct explain_ask *ask,
        struct explanation *x)
{
	struct zone_question question = {ask->name.wire, ask->name.wire, ask->type, false};
	struct arena arena;
	struct answer a;
	const uint8_t *target;

	arena_init(&arena);
	answer_init(&a, &arena);
	switch (zone_answer(z->tree, &question, &a, &target)) {
	case ZONE_MISS:
		explain_say(x, EXPLAIN_NXDOMAIN, "the zone file does not have the name");
		if (fall_has(z->fall, ask->name.wire))
			explain_say(x, EXPLAIN_PASSES, "fallthrough");
		break;
	case ZONE_FAILED: explain_say(x, EXPLAIN_SERVFAIL, "a loop of aliases"); break;
	case ZONE_LEAVES:
		add_answer(x, &a);
		explain_say(x, EXPLAIN_ANSWER,
		        "an alias: what its target answers, answers this name too");
		break;
	case ZONE_ANSWERED:
		add_answer(x, &a);
		if (a.rcode == RCODE_NXDOMAIN)
			explain_say(x, EXPLAIN_NXDOMAIN, "the target of the alias does not exist");
		break;
	}
	arena_reset(&arena);
}

static void explain(void *instance, const struct explain_ask *ask, struct explanation *x)
{
	const struct file_zone *z = find_zone(instance, ask);

	if (z == NULL)
		return;
	buf_str(&x->zone, z->text);
	buf_printf(&x->object, "zone file %s", z->path);
	if (ask->type == TYPE_AXFR || ask->type == TYPE_IXFR)
		explain_say(x, EXPLAIN_REFUSED, "it hands out no whole zone");
	else if (z->tree == NULL)
		explain_say(x, EXPLAIN_SERVFAIL, "the zone file could not be read yet");
	else
		explain_in(z, ask, x);
}

static void names(void *instance, struct explain_names *l)
{
	const struct file_instance *f = instance;

	vec_for_each (&f->zones, z) {
		const struct tree *t = (*z)->tree;

		for (size_t i = 0; t != NULL && i < t->len; i++)
			for (unsigned s = 0; s < t->nodes[i].sets_len; s++)
				explain_add_records(l, t->nodes[i].name, t->nodes[i].sets[s].set);
	}
}

const struct plugin_explain file_explain_hooks = {.explain = explain, .names = names};
