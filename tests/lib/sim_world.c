#include "sim_world.h"

#include <stdio.h>

#include "base/must.h"

static const struct world_object objects[WORLD_OBJECTS] = {
        {.kind = OBJECT_NAMESPACE, .ns = "", .name = "a", .is_kept = true},
        {.kind = OBJECT_NAMESPACE, .ns = "", .name = "b"},
        {.kind = OBJECT_SERVICE, .ns = "a", .name = "k0", .is_kept = true},
        {.kind = OBJECT_SERVICE, .ns = "a", .name = "k1", .is_kept = true},
        {.kind = OBJECT_SERVICE,
                .ns = "a",
                .name = "h",
                .first_slice = 8,
                .n_slices = 2,
                .is_kept = true,
                .is_headless = true},
        {.kind = OBJECT_SERVICE,
                .ns = "a",
                .name = "s",
                .first_slice = 10,
                .n_slices = 1,
                .alternates = true},
        {.kind = OBJECT_SERVICE, .ns = "b", .name = "t"},
        {.kind = OBJECT_SERVICE,
                .ns = "b",
                .name = "u",
                .first_slice = 11,
                .n_slices = 1,
                .is_headless = true},
        {.kind = OBJECT_SLICE, .ns = "a", .name = "h-1", .service = 4, .is_kept = true},
        {.kind = OBJECT_SLICE, .ns = "a", .name = "h-2", .service = 4},
        {.kind = OBJECT_SLICE, .ns = "a", .name = "s-1", .service = 5},
        {.kind = OBJECT_SLICE, .ns = "b", .name = "u-1", .service = 7},
};

static char filler_names[WORLD_FILLERS][8];
static struct world_object fillers[WORLD_FILLERS];

static void make_fillers(void)
{
	for (unsigned i = 0; i < WORLD_FILLERS; i++) {
		snprintf(filler_names[i], sizeof(filler_names[i]), "f%u", i);
		fillers[i] = (struct world_object){
		        .kind = OBJECT_SERVICE, .ns = "a", .name = filler_names[i]};
	}
}

const struct world_object *world_object(const struct world *w, unsigned i)
{
	must(i < w->n);
	return i < WORLD_OBJECTS ? &objects[i] : &fillers[i - WORLD_OBJECTS];
}

void world_init(struct world *w, uint64_t seed, bool has_fillers)
{
	memset(w, 0, sizeof(*w));
	w->dice = seed * 2 + 1;
	make_fillers();
	w->n = has_fillers ? WORLD_MAX : WORLD_OBJECTS;
	w->rv = w->compacted = 10;
	w->form = world_json;
	for (unsigned i = 0; i < w->n; i++) {
		struct world_state state = {0, 0, 0};

		/* what changes is there or not */
		if (i >= WORLD_OBJECTS || objects[i].is_kept || i % 2 == 0)
			state = (struct world_state){i % 7 + 1, ++w->lives[i], ++w->contents};
		vec_push(&w->history[i], state);
	}
}

void world_fini(struct world *w)
{
	for (unsigned i = 0; i < w->n; i++)
		vec_free(&w->history[i]);
	vec_free(&w->events);
}

uint32_t world_now(const struct world *w, unsigned i)
{
	return (uint32_t)w->history[i].len - 1;
}

uint32_t world_at(const struct world *w, unsigned i, uint64_t rv)
{
	for (size_t n = w->events.len; n > 0; n--) {
		const struct world_event *e = &w->events.at[n - 1];

		if (e->object == i && e->rv <= rv)
			return e->at;
	}
	return w->first[i];
}

/* ---- changes ---- */

static unsigned throw_dice(struct world *w, unsigned n)
{
	w->dice = w->dice * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)((w->dice >> 33) % n);
}

static void record(struct world *w, unsigned i, struct world_state state)
{
	struct world_state before = w->history[i].at[world_now(w, i)];

	vec_push(&w->history[i], state);
	vec_push(&w->events, (struct world_event){w->rv, i, world_now(w, i), before});
}

static bool has_used(const struct world *w, unsigned i, uint64_t rv)
{
	vec_for_each (&w->history[i], state)
		if (state->rv == rv)
			return true;
	return false;
}

static void write_object(struct world *w, unsigned i)
{
	struct world_state state = w->history[i].at[world_now(w, i)];
	bool is_absent = state.rv == 0, is_kept = world_object(w, i)->is_kept;
	unsigned what = throw_dice(w, 8);

	/* before a backup was restored the number may have been used: metadata would be equal */
	do
		w->rv++;
	while (has_used(w, i, w->rv));
	if (is_absent) {
		record(w, i, (struct world_state){w->rv, ++w->lives[i], ++w->contents});
		return;
	}
	if (!is_kept && what < 2) {
		record(w, i, (struct world_state){0, 0, 0});
		return;
	}
	state.rv = w->rv;
	if (what < 6) /* else an annotation that nobody sees */
		state.content = ++w->contents;
	record(w, i, state);
}

void world_change(struct world *w)
{
	unsigned i = throw_dice(w, WORLD_OBJECTS);

	/* namespaces change seldom: with one of them go all its names */
	if (objects[i].kind == OBJECT_NAMESPACE && throw_dice(w, 2))
		i = 2 + throw_dice(w, WORLD_OBJECTS - 2);
	write_object(w, i);
}

void world_delete_fillers(struct world *w, unsigned n)
{
	for (unsigned i = WORLD_OBJECTS; i < w->n && n > 0; i++, n--) {
		if (w->history[i].at[world_now(w, i)].rv == 0)
			continue;
		w->rv++;
		record(w, i, (struct world_state){0, 0, 0});
	}
}

/* The event or beginning that says how object i was at rv now means the index `at`. */
static void set_at(struct world *w, unsigned i, uint64_t rv, uint32_t at)
{
	for (size_t n = w->events.len; n > 0; n--) {
		struct world_event *e = &w->events.at[n - 1];

		if (e->object == i && e->rv <= rv) {
			e->at = at;
			return;
		}
	}
	w->first[i] = at;
}

bool world_rewind(struct world *w, uint64_t back)
{
	if (w->rv < w->compacted + back || w->rv < 10 + back)
		return false;
	w->rv -= back;
	while (w->events.len > 0 && w->events.at[w->events.len - 1].rv > w->rv)
		w->events.len--;
	for (unsigned i = 0; i < w->n; i++) {
		uint32_t was = world_at(w, i, w->rv);

		if (was == world_now(w, i))
			continue;
		vec_push(&w->history[i], w->history[i].at[was]);
		set_at(w, i, w->rv, world_now(w, i));
	}
	return true;
}

/* ---- contents ---- */

bool world_is_headless(const struct world *w, unsigned i, const struct world_state *state)
{
	const struct world_object *o = world_object(w, i);

	return o->alternates ? state->life % 2 == 0 : o->is_headless;
}

uint32_t world_service_address(uint32_t content)
{
	return 10u << 24 | 64u << 16 | (content & 0xffff);
}

static uint32_t slice_address(unsigned i, unsigned number, uint32_t content)
{
	return 10u << 24 | (100 + 20 * number + i) << 16 | (content & 0xffff);
}

unsigned world_slice_addresses(
        const struct world *w, unsigned i, const struct world_state *state, uint32_t *out)
{
	unsigned n = 0;

	if (state->rv == 0)
		return 0;
	if (world_object(w, i)->is_kept || state->content % 4 != 0)
		out[n++] = slice_address(i, 0, state->content);
	if (state->content % 3 == 0)
		out[n++] = slice_address(i, 1, state->content);
	return n;
}
