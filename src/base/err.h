/*
 * A sentence for a person, filled by code that fails on bad input: configuration, files,
 * cluster objects. Wire parsers do not use it; they return codes.
 */
#pragma once

struct err {
	char text[640];
};

/*
 * Write a printf-style sentence to e (NULL is allowed: the text is dropped) and return code, a
 * negative errno, so that `return err_set(e, -EINVAL, ...)` reads well.
 */
int err_set(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Put "prefix: " before the text that e has already; returns code. */
int err_prefix(struct err *e, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
