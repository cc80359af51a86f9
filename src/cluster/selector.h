/*
 * Label selectors. Text form, as `kubectl get -l` reads it: "app=web,tier in (a,b),!old", for the
 * options `labels` and `namespace_labels` and for the query strings of the API; map form, as in
 * spec.selector of a Service. Pure; a selector is immutable and may be shared by threads.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"
#include "cluster/object.h"

struct selector;

#define SELECTOR_MAX_BYTES 8192u
#define SELECTOR_MAX_TERMS 64u /* requirements, and values of one of them */

/*
 * Read the text: terms separated by commas, all of which have to hold: key=value, key==value,
 * key!=value, key in (v, ...), key notin (v, ...), key, !key. Blank text selects everything.
 * != and notin also select what has no such label. NULL with a sentence in e that quotes the bad
 * part; free with selector_free().
 */
struct selector *selector_parse(struct str text, struct err *e);
/* Free it; NULL is ignored. */
void selector_free(struct selector *s);
/* True when the labels fulfil every term; a NULL selector matches everything. */
bool selector_matches(const struct selector *s, const struct labels *l);
/*
 * The canonical text: equal for selectors that say the same in another order or spelling; ""
 * when it selects everything. Not escaped for URLs. Owned by s.
 */
const char *selector_text(const struct selector *s);
/* Map form: every entry is among the labels with the same value. An empty one selects nothing. */
bool selector_map_matches(const struct labels *selector, const struct labels *l);
