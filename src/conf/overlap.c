#include <errno.h>

#include "base/map.h"
#include "conf/zonekey.h"

/* Both maps go from text such as "dns://.:53 on 10.0.0.1" to a struct holder. */
struct overlap {
	struct arena arena;
	struct map exact; /* with the address */
	struct map any_address; /* without it */
};

struct holder {
	const char *text;
	const struct served *by;
};

static int refuse(struct overlap *o, const struct served *s, const struct holder *old,
        const char *why, struct err *e)
{
	const char *before = "", *place = "";

	if (s->file != NULL)
		place = arena_printf(&o->arena, "%s:%u - ", s->file, s->line);
	if (old->by->file != NULL)
		before = arena_printf(&o->arena, " (%s:%u)", old->by->file, old->by->line);
	return err_set(e, -EEXIST, "%scannot serve %s%s%s", place, why, before,
	        s->has_view ? "; move the block with the view above it" : "");
}

/* Check s on one address ("": all) against the blocks before it, and remember it. */
static int check_one(struct overlap *o, const struct served *s, const char *bind, struct err *e)
{
	const char *all = arena_printf(
	        &o->arena, "%s://%s:%u", scheme_name(s->key.scheme), s->key.zone, s->key.port);
	const char *text = bind[0] == '\0' ? all : arena_printf(&o->arena, "%s on %s", all, bind);
	const struct holder *same = map_get(&o->exact, str_from(text)), *other;
	struct holder *h;

	if (same != NULL)
		return refuse(
		        o, s, same, arena_printf(&o->arena, "%s - it is already defined", text), e);
	/* unbound against bound, either way round */
	other = map_get(bind[0] == '\0' ? &o->any_address : &o->exact, str_from(all));
	if (other != NULL)
		return refuse(o, s, other,
		        arena_printf(&o->arena, "%s - zone overlap listener capacity with %s", text,
		                other->text),
		        e);
	if (s->has_view)
		return 0;
	h = arena_new(&o->arena, struct holder);
	*h = (struct holder){text, s};
	map_put(&o->exact, str_from(text), h);
	map_put(&o->any_address, str_from(all), h);
	return 0;
}

int served_check(const struct served *list, size_t n, struct err *e)
{
	struct overlap o;
	int rc = 0;

	arena_init(&o.arena);
	map_init(&o.exact);
	map_init(&o.any_address);
	for (size_t i = 0; i < n && rc == 0; i++) {
		if (list[i].bind_count == 0)
			rc = check_one(&o, &list[i], "", e);
		for (size_t b = 0; b < list[i].bind_count && rc == 0; b++)
			rc = check_one(&o, &list[i], list[i].binds[b], e);
	}
	map_fini(&o.exact);
	map_fini(&o.any_address);
	arena_reset(&o.arena);
	return rc;
}
