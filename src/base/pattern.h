/*
 * Regular expressions in the syntax that Corefiles have (Go's, RE2), on PCRE2. Whatever the text
 * and the expression, matching ends after a bounded number of steps.
 *
 * Lifetime: a pattern is immutable once compiled and may be used by all workers; what a match
 * needs to remember is on the stack of the caller's thread.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

#define PATTERN_GROUPS 16u /* the whole match, and 15 groups */

struct pattern;

/* The parts of a text that the groups matched; at[0] is the whole match. */
struct pattern_match {
	struct str at[PATTERN_GROUPS]; /* len 0 for a group that took no part */
	unsigned n; /* groups of the pattern, and one */
};

/* Compile; NULL with a sentence in e. What Go has and PCRE2 has not, or the other way, is refused.
 */
struct pattern *pattern_new(const char *text, struct err *e);
/* Free it; NULL is ignored. */
void pattern_free(struct pattern *p);
/* True when a part of text matches; m (may be NULL) points into text. */
bool pattern_match(const struct pattern *p, struct str text, struct pattern_match *m);
/* The group called name, from 1 on, or -1. */
int pattern_group(const struct pattern *p, struct str name);
/*
 * Write a template to out, where {0} to {15} stand for groups; what names no group stays as it is.
 * Returns the length without the NUL, or 0 when it does not fit into size octets.
 */
size_t pattern_expand(char *out, size_t size, const char *template, const struct pattern_match *m);
