/*
 * What an expression is compiled to, for the files of this folder: steps over a stack of values.
 * compile.c writes them, run.c plays them.
 */
#pragma once

#include "base/arena.h"
#include "base/pattern.h"
#include "base/vec.h"
#include "conf/cidr.h"
#include "core/expr/expr.h"

/*
 * Steps. "a" and "b" are the two values on top of the stack, b the upper one; each step takes what
 * it names and puts its result there.
 */
enum expr_code {
	CODE_CONSTANT, /* constants[n] */
	CODE_CALL, /* calls[n] */
	CODE_NOT, /* b */
	CODE_NEGATE, /* b; type */
	CODE_DECIMAL, /* b, or with n the value below it, as decimal number */
	CODE_ADD, /* a b; type; of texts: joined in room at n */
	CODE_SUBTRACT, /* a b; type */
	CODE_MULTIPLY, /* a b; type */
	CODE_DIVIDE, /* a b, decimal */
	CODE_REMAINDER, /* a b */
	CODE_COMPARE, /* a b; type; n: enum expr_order */
	CODE_CONTAINS, /* a b */
	CODE_STARTS, /* a b */
	CODE_ENDS, /* a b */
	CODE_MATCHES, /* b; patterns[n] */
	CODE_IN, /* b; type; n of the constants from first on */
	CODE_BETWEEN, /* c a b: c from a to b */
	CODE_AND, /* a b */
	CODE_OR, /* a b */
	CODE_SKIP_IF_FALSE, /* b stays; go to n */
	CODE_SKIP_IF_TRUE, /* b stays; go to n */
	CODE_BRANCH, /* b: on when true, to n when not, to first when not known */
	CODE_JUMP, /* to n */
	CODE_LOWER, /* b, in room at n */
	CODE_UPPER, /* b, in room at n */
	CODE_TRIM, /* a, without the characters of b */
	CODE_TRIM_PREFIX, /* a b */
	CODE_TRIM_SUFFIX, /* a b */
	CODE_LENGTH, /* b */
	CODE_TO_NUMBER, /* b */
	CODE_TO_TEXT, /* b, in room at n */
	CODE_IN_NET, /* b; nets[n] */
	CODE_IN_NET_TEXT, /* a b */
	CODE_FROM_NET, /* the address of calls[first]; nets[n] */
	CODE_COUNT,
};

enum expr_order { ORDER_EQ, ORDER_NE, ORDER_LT, ORDER_LE, ORDER_GT, ORDER_GE };

struct expr_step {
	uint8_t code; /* enum expr_code */
	uint8_t type; /* enum expr_type of the operands, where it matters */
	uint16_t first;
	uint32_t n;
};

/* A function with its label; read once a run, however often it stands in the expression. */
struct expr_call {
	const struct expr_function *function;
	struct str label;
	uint32_t room; /* where its text may stand */
};

struct expr {
	struct arena arena; /* texts of constants and labels */
	VEC(struct expr_step) steps;
	VEC(struct expr_value) constants;
	VEC(struct expr_call) calls;
	VEC(struct pattern *) patterns;
	VEC(struct cidr) nets;
	uint32_t room; /* octets taken so far */
};
