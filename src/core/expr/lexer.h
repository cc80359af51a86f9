/*
 * The words of an expression, for compile.c. Texts in quotes come without them and with their
 * escapes replaced, in the arena.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

enum expr_token_kind {
	TOKEN_END,
	TOKEN_INT,
	TOKEN_FLOAT,
	TOKEN_TEXT,
	TOKEN_NAME, /* names and the operators that are words */
	TOKEN_SIGN, /* operators and brackets */
};

struct expr_token {
	enum expr_token_kind kind;
	size_t at; /* offset in the expression */
	struct str text; /* as written; of a text: what stands between the quotes */
	int64_t number;
	double decimal;
};

struct expr_lexer {
	struct str text;
	size_t at;
	struct arena *arena;
};

/* Write "column N: " and a printf-style sentence about the place at offset at. Returns -EINVAL. */
int expr_error(struct err *e, size_t at, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));
/* The next word; TOKEN_END at the end. 0, or -EINVAL with e filled. */
int expr_lexer_next(struct expr_lexer *l, struct expr_token *out, struct err *e);
