/*
 * Directives that Seamark does not serve: the error that an operator reads who brings a Corefile
 * of CoreDNS.
 */
#pragma once

#include "base/err.h"

struct directive;

/*
 * Write why directive d cannot be used, with file, line and what to do: a plugin of CoreDNS that
 * this version lacks, or a name that nobody knows, with the closest of the NULL-ended list known.
 * Returns -ENOTSUP.
 */
int unavailable_explain(const struct directive *d, const char *const *known, struct err *e);
