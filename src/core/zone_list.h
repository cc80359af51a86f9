/*
 * Lists of zones as plugins keep them: the zones a plugin serves, and those of a `fallthrough`
 * option. Built in setup, read by queries, freed in teardown.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/vec.h"
#include "dns/name.h"

struct directive;

struct zone_list {
	VEC(struct name) zones; /* lower case */
	/* private: hash table of index + 1, once there are more than a few zones */
	uint32_t *table;
	size_t mask;
	unsigned max_labels;
};

/* Add a zone; its name is lower case. */
void zone_list_add(struct zone_list *l, const struct name *zone);

/* Add the zones that args_zones_or_block() reads from argument first on. 0 or -EINVAL. */
int zone_list_from_args(
        struct zone_list *l, const struct directive *d, size_t first, struct err *e);
/*
 * Index of the longest zone that the lower-case wire name lies in (of equal zones, the first), or
 * -1. Work does not grow with the list.
 */
int zone_list_match(const struct zone_list *l, const uint8_t *folded);
/* Free the list. */
void zone_list_free(struct zone_list *l);

/* `fallthrough [ZONES...]`: names that the next plugin is asked for when this one has none. */
struct fall {
	struct zone_list list;
	bool is_on;
};

/* Read the option: without arguments it holds for every name. 0 or -EINVAL. */
int fall_from_args(struct fall *f, const struct directive *option, struct err *e);
/* True when the lower-case wire name may fall through. */
bool fall_has(const struct fall *f, const uint8_t *folded);
/* Free it. */
void fall_free(struct fall *f);
