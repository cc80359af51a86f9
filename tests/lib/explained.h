/* Whether seamark explain says what the query hook answers. */
#pragma once

#include "core/explain.h"
#include "core/query.h"

/*
 * x, which was said of name, is what q has: its outcome, and the values of its answer section but
 * those of SRV, which are described in other words. A query that the plugin called by did not
 * answer was passed on.
 */
void explained_as_answered(
        const struct explanation *x, const struct query *q, const char *by, const char *name);
