/*
 * Views: conditions under which a server block takes a question, so that several blocks can serve
 * one zone and port, each for a part of the clients. The plugin `view` makes one in its setup;
 * server_match() asks it when a zone of the block has been found; `explain` asks it for a person,
 * who does not know all that a packet says.
 *
 * Lifetime: made with the generation on the control thread, read-only afterwards, freed with it
 * when no worker uses it.
 */
#pragma once

#include "base/err.h"
#include "base/vec.h"
#include "core/expr/expr.h"
#include "net/addr.h"

struct chain;
struct counters;
struct query;

struct view_condition {
	struct expr *expr;
	char *text; /* as written */
};

struct view {
	char *name; /* the view label of metrics */
	VEC(struct view_condition) conditions; /* all must hold */
	struct counters *failed; /* how often one of them had no value */
};

/* What is known about a question whose packet there is not. */
struct view_ask {
	const uint8_t *name; /* folded */
	uint16_t type, qclass;
	const union addr *client; /* NULL: not known */
};

/* A view with a name (copied) and without conditions, which takes everything; for so many workers.
 */
struct view *view_new(const char *name, unsigned workers);
/* Add a condition. 0, or -EINVAL with column, reason and remedy in e. */
int view_add(struct view *v, const char *text, struct err *e);
/* Tell the chain which metadata the conditions use, before plugins that have it are set up. */
void view_want_metadata(const struct view *v, struct chain *c);
/*
 * True when all conditions hold for q; one that cannot be computed does not. q->folded, q->msg, the
 * addresses and q->chain are those that count. Worker of q.
 */
bool view_takes(const struct view *v, struct query *q);
/* The same for a person: EXPR_UNKNOWN when it depends on what ask does not say. Any thread. */
enum expr_result view_might_take(const struct view *v, const struct view_ask *ask);
/* Free it; NULL is ignored. */
void view_free(struct view *v);
