/*
 * Compiling an expression, for the files of this folder: emit.c writes steps and reads words,
 * functions.c compiles calls, operators.c what stands between values, compile.c the rest. All of
 * them return 0, or -EINVAL with column, reason and remedy in c->e.
 */
#pragma once

#include "core/expr/code.h"
#include "core/expr/lexer.h"

/* What '#' stands for: an element of the list that any() and its like go through. */
struct element {
	enum expr_type type;
	uint32_t constant;
};

struct compiler {
	struct expr *x;
	struct expr_lexer lexer;
	struct expr_token token; /* that is looked at */
	const struct expr_function *functions;
	const struct element *element; /* NULL outside of such a list */
	unsigned nesting, depth;
	bool is_deep; /* the stack would not be large enough */
	struct err *e;
};

/* What the steps from begin on put on the stack. */
struct operand {
	enum expr_type type;
	size_t at; /* where it stands in the text */
	size_t begin;
	size_t max; /* octets of a text */
};

/* "a whole number", for errors. */
const char *expr_type_text(enum expr_type t);
/* Append a step and count what it does to the stack; returns its index. */
size_t compiler_emit(struct compiler *c, struct expr_step step);
/* Append the step that puts a value on the stack. */
void compiler_constant(struct compiler *c, struct expr_value v);
/* Take the last step back: it was a value that is known now, or a call. */
struct expr_step compiler_unemit(struct compiler *c);
/* True when o is the last operand and stands there in quotes: its text. */
bool compiler_is_literal(const struct compiler *c, const struct operand *o, struct str *text);
/* Room for n octets that a step writes, of what stands at offset at; 0 or -EINVAL. */
int compiler_take_room(struct compiler *c, size_t at, size_t n, uint32_t *out);
/* Look at the next word; 0 or -EINVAL. */
int compiler_advance(struct compiler *c);
/* True when the sign is looked at. */
bool compiler_is_sign(const struct compiler *c, const char *sign);
/* True when the name, or operator that is a word, is looked at. */
bool compiler_is_name(const struct compiler *c, const char *name);
/* Say that what is looked at stands where something else should. Returns -EINVAL. */
int compiler_unexpected(const struct compiler *c, const char *expected);
/* Go on behind the sign; 0, or -EINVAL when there is none. */
int compiler_expect_sign(struct compiler *c, const char *sign, const char *expected);
/* Check the type of what `who` takes; 0 or -EINVAL. */
int compiler_expect_type(
        struct compiler *c, const struct operand *o, enum expr_type type, const char *who);

/* A whole expression, up to what cannot belong to it; 0 or -EINVAL. */
int parse_expression(struct compiler *c, struct operand *out);
/* A value and the operators behind it that bind at least so strongly; 0 or -EINVAL. */
int parse_binary(struct compiler *c, unsigned least, struct operand *out);
/* A value with what stands before it; 0 or -EINVAL. */
int parse_unary(struct compiler *c, struct operand *out);
/* The rest of VALUE | FUNCTION(...), from the sign on; 0 or -EINVAL. */
int parse_pipe(struct compiler *c, struct operand *out);
/*
 * Values between brackets, from '[' on, to the end of the constants; of one type, which is given,
 * or with *has_type false that of the first. 0 or -EINVAL.
 */
int parse_elements(struct compiler *c, enum expr_type *type, bool *has_type);
/* True when name is a function that goes through a list. */
bool is_list_function(struct str name);
/* any() and its like, whose arguments are looked at; 0 or -EINVAL. */
int parse_list_function(struct compiler *c, struct str name, struct operand *out);
/* A number or a text, which is looked at; 0 or -EINVAL. */
int parse_literal(struct compiler *c, struct operand *out);
/* A call, true or false: a name is looked at; 0 or -EINVAL. */
int parse_name(struct compiler *c, struct operand *out);
