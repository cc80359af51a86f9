/* What all files that compile use: writing steps, reading words, saying what is wrong. */
#include <errno.h>

#include "base/must.h"
#include "core/expr/compile.h"

const char *expr_type_text(enum expr_type t)
{
	static const char *const texts[] = {
	        "true or false", "a whole number", "a decimal number", "a text"};

	return texts[t];
}

/* --- steps ------------------------------------------------------------------------------- */

/* Values that a step takes from the stack; it puts one back, but for those that only go on. */
static unsigned taken_by(enum expr_code code)
{
	switch (code) {
	case CODE_CONSTANT:
	case CODE_CALL:
	case CODE_FROM_NET: return 0;
	case CODE_ADD:
	case CODE_SUBTRACT:
	case CODE_MULTIPLY:
	case CODE_DIVIDE:
	case CODE_REMAINDER:
	case CODE_COMPARE:
	case CODE_CONTAINS:
	case CODE_STARTS:
	case CODE_ENDS:
	case CODE_AND:
	case CODE_OR:
	case CODE_TRIM:
	case CODE_TRIM_PREFIX:
	case CODE_TRIM_SUFFIX:
	case CODE_IN_NET_TEXT: return 2;
	case CODE_BETWEEN: return 3;
	default: return 1;
	}
}

size_t compiler_emit(struct compiler *c, struct expr_step step)
{
	c->depth -= taken_by(step.code);
	if (step.code != CODE_BRANCH && step.code != CODE_JUMP)
		c->depth++;
	else if (step.code == CODE_JUMP)
		c->depth++; /* it takes nothing */
	c->is_deep = c->is_deep || c->depth > EXPR_STACK;
	vec_push(&c->x->steps, step);
	return c->x->steps.len - 1;
}

void compiler_constant(struct compiler *c, struct expr_value v)
{
	vec_push(&c->x->constants, v);
	compiler_emit(c,
	        (struct expr_step){.code = CODE_CONSTANT, .n = (uint32_t)c->x->constants.len - 1});
}

/* Take the last step back: it was a value that is known now, or a call. */
struct expr_step compiler_unemit(struct compiler *c)
{
	c->depth--;
	return c->x->steps.at[--c->x->steps.len];
}

/* The text that the operand is, when it stands there in quotes. */
bool compiler_is_literal(const struct compiler *c, const struct operand *o, struct str *text)
{
	const struct expr_step *s = &c->x->steps.at[o->begin];

	if (o->type != EXPR_TEXT || c->x->steps.len != o->begin + 1 || s->code != CODE_CONSTANT)
		return false;
	*text = c->x->constants.at[s->n].text;
	return true;
}

/* Room for n octets that a step writes. */
int compiler_take_room(struct compiler *c, size_t at, size_t n, uint32_t *out)
{
	if (n > EXPR_ROOM - c->x->room)
		return expr_error(c->e, at,
		        "the texts that this makes may be too long: %u octets is the limit of an "
		        "expression",
		        EXPR_ROOM);
	*out = c->x->room;
	c->x->room += (uint32_t)n;
	return 0;
}

/* --- words ------------------------------------------------------------------------------- */

int compiler_advance(struct compiler *c)
{
	return expr_lexer_next(&c->lexer, &c->token, c->e);
}

bool compiler_is_sign(const struct compiler *c, const char *sign)
{
	return c->token.kind == TOKEN_SIGN && str_is(c->token.text, sign);
}

bool compiler_is_name(const struct compiler *c, const char *name)
{
	return c->token.kind == TOKEN_NAME && str_is(c->token.text, name);
}

/* Signs that a person may have meant otherwise. */
static const char *remedy(const struct compiler *c)
{
	static const struct {
		const char *sign, *remedy;
	} rows[] = {
	        {"=", "; write '==' to compare"},
	        {"&", "; write '&&' or 'and'"},
	        {"|", "; write '||' or 'or'"},
	        {"[", "; a list can only stand behind 'in', and first in any() and its like"},
	        {"**", "; there are no powers"},
	        {"^", "; there are no powers"},
	        {"//", "; there are no comments"},
	        {"/*", "; there are no comments"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (compiler_is_sign(c, rows[i].sign))
			return rows[i].remedy;
	return c->token.kind == TOKEN_NAME ? "; texts stand in single quotes" : "";
}

int compiler_unexpected(const struct compiler *c, const char *expected)
{
	if (c->token.kind == TOKEN_END)
		return expr_error(
		        c->e, c->token.at, "the expression ends where %s should stand", expected);
	return expr_error(c->e, c->token.at, "'%.*s' stands where %s should%s",
	        (int)(c->token.text.len < 60 ? c->token.text.len : 60), c->token.text.at, expected,
	        remedy(c));
}

int compiler_expect_sign(struct compiler *c, const char *sign, const char *expected)
{
	return compiler_is_sign(c, sign) ? compiler_advance(c) : compiler_unexpected(c, expected);
}

int compiler_expect_type(
        struct compiler *c, const struct operand *o, enum expr_type type, const char *who)
{
	if (o->type == type)
		return 0;
	return expr_error(c->e, o->at, "%s takes %s, and this is %s%s", who, expr_type_text(type),
	        expr_type_text(o->type),
	        type == EXPR_BOOL ? "; compare it with something, or put brackets around what "
	                            "belongs together"
	                          : "");
}
