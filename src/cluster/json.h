/*
 * JSON without a tree: a pull scanner over text that is complete in memory, and json_span, which
 * finds the end of a value in text that arrives in pieces. json_object.c and json_stream.c are
 * built on them.
 *
 * The scanner is forgiving about types (a reader that gets the wrong type skips the value and
 * says no) and strict about syntax wherever it looks. Values that are skipped are only measured:
 * brackets and strings have to close, nothing else is checked. Errors are sticky: after one,
 * every reader says no; check json.error once at the end.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"

#define JSON_MAX_DEPTH 64u /* of what is read */
/*
 * Of what is skipped, which takes no memory: as deep as an API server itself can read, so that the
 * managedFields of one object cannot spoil a whole list.
 */
#define JSON_MAX_SKIPPED 10000u

struct json {
	const char *at, *end;
	struct arena *arena; /* for strings with escapes */
	unsigned depth;
	bool is_first; /* the container at hand has had no element yet */
	int error; /* 0, -EINVAL (syntax) or -E2BIG (depth) */
};

enum json_type {
	JSON_TYPE_NULL,
	JSON_TYPE_BOOL,
	JSON_TYPE_NUMBER,
	JSON_TYPE_STRING,
	JSON_TYPE_ARRAY,
	JSON_TYPE_OBJECT,
	JSON_TYPE_BAD
};

/* Start at the beginning of text, which must outlive the scanner. */
void json_init(struct json *j, struct str text, struct arena *arena);
/* The type of the next value, by its first character; JSON_TYPE_BAD at the end or after an error.
 */
enum json_type json_peek(struct json *j);
/* Enter an object. False when the value is something else (it is skipped then). */
bool json_object_begin(struct json *j);
/*
 * The next key of the object entered last, false at its end (which is consumed). Exactly one
 * value has to be read or skipped after each key. Keys are borrowed from text or arena.
 */
bool json_object_next(struct json *j, struct str *key);
/* Enter an array. False when the value is something else (it is skipped then). */
bool json_array_begin(struct json *j);
/* True when the array entered last has another element, which must be read or skipped then. */
bool json_array_next(struct json *j);
/*
 * Read a string, unescaped, borrowed from text or arena. Numbers and booleans give their text.
 * False for null, arrays and objects.
 */
bool json_text(struct json *j, struct str *out);
/* Read a whole number, or a string that holds one. False for anything else. */
bool json_int(struct json *j, int64_t *out);
/* Read a boolean, or the strings true, yes, on, false, no, off. False for anything else. */
bool json_bool(struct json *j, bool *out);
/* Skip one value. */
void json_skip(struct json *j);
/* Skip one value and return its text, empty after an error. */
struct str json_raw(struct json *j);
/* True when there was no error and nothing but white space is left. */
bool json_is_done(struct json *j);

#define json_is(s, literal) \
	((s).len == sizeof(literal) - 1 && memcmp((s).at, literal, sizeof(literal) - 1) == 0)

/*
 * Length of an array or object whose text arrives in pieces. Start zeroed; feed the text from its
 * opening bracket on.
 */
struct json_span {
	uint32_t depth;
	bool in_string, is_escaped, is_done, is_too_deep;
};

/*
 * Take the next n bytes; returns how many of them belong to the value. is_done is set at its
 * closing bracket, is_too_deep when it nests deeper than JSON_MAX_SKIPPED (stop then).
 */
size_t json_span_feed(struct json_span *s, const char *p, size_t n);
