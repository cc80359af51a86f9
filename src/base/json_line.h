/*
 * One JSON object on one line, written into memory of the caller: what log lines are with
 * -log-format=json. Whatever the texts hold, the result is valid JSON in UTF-8; what has no room is
 * cut or left out. Single thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct json_line {
	char *at;
	size_t len, cap;
	unsigned depth; /* objects that are open */
	bool has_fields; /* in the innermost one */
};

/* Begin an object in cap octets at out, at least 64. */
void json_line_begin(struct json_line *l, char *out, size_t cap);
/* Add a text of which at most max octets are written, escapes included. */
void json_line_text(struct json_line *l, const char *key, struct str text, size_t max);
/* Add a number, true, false or null as it is written. */
void json_line_raw(struct json_line *l, const char *key, struct str value);
/* Add an object; fields go into it until json_line_close(). At most one inside another. */
void json_line_open(struct json_line *l, const char *key);
/* End the object of json_line_open(). */
void json_line_close(struct json_line *l);
/* Add the time, milliseconds since 1970 UTC, as RFC 3339 has it. */
void json_line_time(struct json_line *l, const char *key, uint64_t wall_ms);
/* End the object and the line; returns its length, newline included. No NUL is written. */
size_t json_line_end(struct json_line *l);
