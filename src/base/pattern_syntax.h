/*
 * The syntax of regular expressions that Go has (RE2), told from that of PCRE2: what both write
 * alike passes, what Go writes in its own way is translated, and what it has not is an error that
 * says so, as CoreDNS would. Used by pattern.c only.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

/*
 * Append Go's expression text to out as PCRE2 reads it. 0, or -EINVAL with what Go does not take;
 * errors in what both have alike are left to PCRE2.
 */
int pattern_syntax(const char *text, struct buf *out, struct err *e);
