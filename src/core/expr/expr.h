/*
 * Expressions over a question, in the language that Corefiles write them in (expr-lang): texts,
 * whole and decimal numbers, truth values, comparison, lists behind `in`, regular expressions, and
 * functions that the caller has. `view` decides with them who is answered by which server block.
 *
 * expr_new() checks names and types and makes a short program; all that can be wrong about an
 * expression is said there, with its column. expr_run() plays the program on a stack of fixed size:
 * it does not allocate, every step is done at most once, and the room for texts that it makes has
 * been counted beforehand.
 *
 * Lifetime: an expression is immutable once made and may be run by all workers; it is freed when
 * no worker uses it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

/* Limits; an expression that needs more is refused with an error that names the limit. */
#define EXPR_TEXT_MAX 4096u /* octets of the expression */
#define EXPR_NESTING_MAX 32u /* brackets inside brackets */
#define EXPR_STACK 48u /* values in hand at once */
#define EXPR_STEPS_MAX 4096u /* steps, and values, when lists have been written out */
#define EXPR_CALLS_MAX 32u /* different calls of the caller's functions */
#define EXPR_ROOM 8192u /* octets of all texts that are made while it runs */

enum expr_type { EXPR_BOOL, EXPR_INT, EXPR_FLOAT, EXPR_TEXT };

/* A value; the type is known to whoever has it. */
struct expr_value {
	bool is_unknown;
	union {
		bool truth;
		int64_t number;
		double decimal;
		struct str text;
	};
};

enum expr_result {
	EXPR_FALSE,
	EXPR_TRUE,
	EXPR_UNKNOWN, /* it depends on what a function did not know */
	EXPR_FAILED, /* no value: a remainder of a division by zero, incidr() of no address */
};

/* A function of the caller's, without arguments or with one text in quotes, its label. */
struct expr_function {
	const char *name;
	enum expr_type type;
	bool takes_label;
	/* Octets that its text has at most, and whether read() needs so much room for it. */
	uint16_t text_max;
	bool needs_room;
	/*
	 * The value for env; once for each run, and only when it is needed. A text stands in room,
	 * or outlives the run. False when it is not known.
	 */
	bool (*read)(void *env, struct str label, char *room, struct expr_value *out);
	/*
	 * For functions that give an IP address as text (others: NULL): its *n octets as incidr()
	 * compares them; NULL when it is not known.
	 */
	const uint8_t *(*address)(void *env, size_t *n);
};

struct expr;

/*
 * Compile text with the functions of the table (a row without name ends it), which the expression
 * keeps using. It must give true or false. NULL with column, reason and remedy in e.
 */
struct expr *expr_new(struct str text, const struct expr_function *functions, struct err *e);
/* Free it; NULL is ignored. */
void expr_free(struct expr *x);
/* The value for env, which is handed to the functions. Any thread. */
enum expr_result expr_run(const struct expr *x, void *env);
/* The i-th label that functions are called with; false when there are no more. */
bool expr_label(const struct expr *x, size_t i, struct str *out);
