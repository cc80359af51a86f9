/*
 * Words of a Corefile. Text in memory is cut into tokens exactly as CoreDNS cuts it: unicode
 * blanks separate, a double quote opens a quoted token only where a token starts, \" is the only
 * escape, # starts a comment, a BOM at the front and every CR outside quotes are dropped. Called
 * by the Corefile parser only. Owns nothing: texts go to the caller's arena.
 *
 * The quirk of comments is kept: a # in the middle of a token ends the token but the comment lasts
 * only to the next blank, so that `foo#bar baz` gives `foo` and `baz`.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct raw_token {
	const char *text; /* NUL-terminated, in the arena; may be "" when quoted */
	uint32_t line; /* where it starts, from 1 */
	uint32_t end_line; /* where it ends; later than line for a quoted token with newlines */
	bool is_quoted;
	bool starts_line; /* first token of its line */
};

struct lexer {
	const char *at, *end;
	uint32_t line;
	uint32_t last_end_line; /* of the token before; 0: none yet */
	uint32_t unclosed_quote_line; /* where a quote that is never closed opens; 0: none */
};

/* Start at the front of text, which must outlive the lexer. A UTF-8 BOM is skipped. */
void lexer_init(struct lexer *l, struct str text);
/*
 * The next token: true and *out filled (text in a), or false at the end. A quote that is not
 * closed gives what there is, if not empty, and sets unclosed_quote_line.
 */
bool lexer_next(struct lexer *l, struct arena *a, struct raw_token *out);
