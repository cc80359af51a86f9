/* Operators between values, by precedence. */
#include "base/must.h"
#include "core/expr/compile.h"

/* Precedences, as expr-lang has them; the others stand in the table. */
#define OF_RANGE 25u
#define OF_WORD 20u

struct operator
{
	const char *text;
	unsigned precedence;
	int (*compile)(struct compiler * c, const struct operator* op, struct operand *lhs);
	uint8_t what; /* enum expr_code or expr_order */
};

static int parse_right(struct compiler *c, const struct operator* op, struct operand *rhs)
{
	return parse_binary(c, op->precedence + 1, rhs);
}

static int compile_logic(struct compiler *c, const struct operator* op, struct operand *lhs)
{
	bool is_and = op->what == CODE_AND;
	struct operand rhs;
	size_t skip;
	int rc = compiler_expect_type(c, lhs, EXPR_BOOL, op->text);

	if (rc != 0)
		return rc;
	skip = compiler_emit(
	        c, (struct expr_step){.code = is_and ? CODE_SKIP_IF_FALSE : CODE_SKIP_IF_TRUE});
	rc = parse_right(c, op, &rhs);
	if (rc == 0)
		rc = compiler_expect_type(c, &rhs, EXPR_BOOL, op->text);
	compiler_emit(c, (struct expr_step){.code = op->what});
	c->x->steps.at[skip].n = (uint32_t)c->x->steps.len;
	return rc;
}

/* Whole numbers beside decimal ones become such. */
static void make_alike(struct compiler *c, struct operand *lhs, struct operand *rhs)
{
	if (lhs->type == EXPR_INT && rhs->type == EXPR_FLOAT) {
		compiler_emit(c, (struct expr_step){.code = CODE_DECIMAL, .n = 1});
		lhs->type = EXPR_FLOAT;
	} else if (lhs->type == EXPR_FLOAT && rhs->type == EXPR_INT) {
		compiler_emit(c, (struct expr_step){.code = CODE_DECIMAL});
		rhs->type = EXPR_FLOAT;
	}
}

static int compile_compare(struct compiler *c, const struct operator* op, struct operand *lhs)
{
	struct operand rhs;
	int rc = parse_right(c, op, &rhs);

	if (rc != 0)
		return rc;
	make_alike(c, lhs, &rhs);
	if (lhs->type != rhs.type)
		return expr_error(c->e, lhs->at, "'%s' compares %s with %s, which are never alike",
		        op->text, expr_type_text(lhs->type), expr_type_text(rhs.type));
	if (lhs->type == EXPR_BOOL && op->what != ORDER_EQ && op->what != ORDER_NE)
		return expr_error(
		        c->e, lhs->at, "'%s' takes numbers or texts, not true or false", op->text);
	compiler_emit(c, (struct expr_step){
	                         .code = CODE_COMPARE, .type = (uint8_t)lhs->type, .n = op->what});
	lhs->type = EXPR_BOOL;
	return 0;
}

static int compile_number(struct compiler *c, const struct operator* op, struct operand *lhs)
{
	struct operand rhs;
	uint32_t room = 0;
	int rc = parse_right(c, op, &rhs);

	if (rc != 0)
		return rc;
	make_alike(c, lhs, &rhs);
	if (lhs->type != rhs.type || lhs->type == EXPR_BOOL ||
	        (lhs->type == EXPR_TEXT && op->what != CODE_ADD))
		return expr_error(c->e, lhs->at, "'%s' takes two numbers%s, and this is %s and %s",
		        op->text, op->what == CODE_ADD ? " or two texts" : "",
		        expr_type_text(lhs->type), expr_type_text(rhs.type));
	lhs->max += rhs.max;
	if (lhs->type == EXPR_TEXT)
		rc = compiler_take_room(c, lhs->at, lhs->max, &room);
	compiler_emit(
	        c, (struct expr_step){.code = op->what, .type = (uint8_t)lhs->type, .n = room});
	return rc;
}

/* As in expr-lang, a division gives a decimal number: 7 / 2 is 3.5. */
static int compile_division(struct compiler *c, const struct operator* op, struct operand *lhs)
{
	bool is_remainder = op->what == CODE_REMAINDER;
	struct operand rhs;
	int rc = parse_right(c, op, &rhs);

	if (rc != 0)
		return rc;
	make_alike(c, lhs, &rhs);
	if (lhs->type != rhs.type || lhs->type == EXPR_BOOL || lhs->type == EXPR_TEXT ||
	        (is_remainder && lhs->type == EXPR_FLOAT))
		return expr_error(c->e, lhs->at, "'%s' takes two %snumbers, and this is %s and %s",
		        op->text, is_remainder ? "whole " : "", expr_type_text(lhs->type),
		        expr_type_text(rhs.type));
	if (!is_remainder && lhs->type == EXPR_INT) {
		compiler_emit(c, (struct expr_step){.code = CODE_DECIMAL, .n = 1});
		compiler_emit(c, (struct expr_step){.code = CODE_DECIMAL});
		lhs->type = EXPR_FLOAT;
	}
	compiler_emit(c, (struct expr_step){.code = op->what});
	return 0;
}

static int compile_search(struct compiler *c, const struct operator* op, struct operand *lhs)
{
	struct operand rhs;
	int rc = parse_right(c, op, &rhs);

	if (rc == 0)
		rc = compiler_expect_type(c, lhs, EXPR_TEXT, op->text);
	if (rc == 0)
		rc = compiler_expect_type(c, &rhs, EXPR_TEXT, op->text);
	compiler_emit(c, (struct expr_step){.code = op->what});
	lhs->type = EXPR_BOOL;
	return rc;
}

static int compile_matches(struct compiler *c, const struct operator* op, struct operand *lhs)
{
	struct pattern *p;
	struct operand rhs;
	struct str text;
	struct err why;
	int rc = parse_right(c, op, &rhs);

	if (rc == 0)
		rc = compiler_expect_type(c, lhs, EXPR_TEXT, op->text);
	if (rc != 0)
		return rc;
	if (!compiler_is_literal(c, &rhs, &text))
		return expr_error(c->e, rhs.at,
		        "the expression behind 'matches' must be a text in single quotes");
	p = pattern_new(arena_dup(&c->x->arena, text.at, text.len), &why);
	if (p == NULL)
		return expr_error(c->e, rhs.at, "%s", why.text);
	compiler_unemit(c);
	vec_push(&c->x->patterns, p);
	compiler_emit(
	        c, (struct expr_step){.code = CODE_MATCHES, .n = (uint32_t)c->x->patterns.len - 1});
	lhs->type = EXPR_BOOL;
	return 0;
}

/* One value of a list, of that type unless it is the first to say it. */
static int parse_element(struct compiler *c, enum expr_type *type, bool *has_type)
{
	struct operand o = {.at = c->token.at, .begin = c->x->steps.len};
	bool is_minus = compiler_is_sign(c, "-");
	int rc = is_minus ? compiler_advance(c) : 0;

	if (rc != 0)
		return rc;
	if (c->token.kind != TOKEN_INT && c->token.kind != TOKEN_FLOAT &&
	        c->token.kind != TOKEN_TEXT)
		return compiler_unexpected(c, "a number or a text in single quotes");
	rc = parse_literal(c, &o);
	compiler_unemit(c); /* the constant stays */
	if (!*has_type)
		*type = o.type;
	*has_type = true;
	if (rc == 0 && o.type != *type)
		return expr_error(c->e, o.at, "this is %s in a list of which each element is %s",
		        expr_type_text(o.type), expr_type_text(*type));
	if (is_minus && o.type == EXPR_TEXT)
		return expr_error(c->e, o.at, "a sign stands before numbers only");
	if (is_minus && o.type == EXPR_INT)
		c->x->constants.at[c->x->constants.len - 1].number *= -1;
	if (is_minus && o.type == EXPR_FLOAT)
		c->x->constants.at[c->x->constants.len - 1].decimal *= -1;
	return rc;
}

int parse_elements(struct compiler *c, enum expr_type *type, bool *has_type)
{
	int rc = compiler_advance(c);

	while (rc == 0 && !compiler_is_sign(c, "]")) {
		rc = parse_element(c, type, has_type);
		if (rc == 0 && !compiler_is_sign(c, "]"))
			rc = compiler_expect_sign(c, ",", "',' or ']'");
	}
	return rc == 0 ? compiler_advance(c) : rc;
}

static int parse_list(struct compiler *c, const struct operand *lhs)
{
	size_t first = c->x->constants.len;
	enum expr_type type = lhs->type;
	bool has_type = true;
	int rc = parse_elements(c, &type, &has_type);

	compiler_emit(c, (struct expr_step){.code = CODE_IN,
	                         .type = (uint8_t)lhs->type,
	                         .first = (uint16_t)first,
	                         .n = (uint32_t)(c->x->constants.len - first)});
	return rc;
}

static int parse_range(struct compiler *c, const struct operand *lhs)
{
	static const char what[] = "a list, as in ['A', 'AAAA'], or a range, as in 1..9,";
	struct operand from, to;
	int rc;

	if (c->token.kind != TOKEN_INT && c->token.kind != TOKEN_NAME &&
	        !compiler_is_sign(c, "(") && !compiler_is_sign(c, "-"))
		return compiler_unexpected(c, what);
	rc = parse_binary(c, OF_RANGE + 1, &from);
	if (rc == 0)
		rc = compiler_expect_sign(c, "..", "the '..' of a range");
	if (rc == 0)
		rc = parse_binary(c, OF_RANGE + 1, &to);
	if (rc == 0)
		rc = compiler_expect_type(c, lhs, EXPR_INT, "'in' before a range");
	if (rc == 0)
		rc = compiler_expect_type(c, &from, EXPR_INT, "'..'");
	if (rc == 0)
		rc = compiler_expect_type(c, &to, EXPR_INT, "'..'");
	if (rc == 0)
		compiler_emit(c, (struct expr_step){.code = CODE_BETWEEN});
	return rc;
}

static int compile_in(struct compiler *c, const struct operator* op, struct operand *lhs)
{
	int rc = compiler_is_sign(c, "[") ? parse_list(c, lhs) : parse_range(c, lhs);

	(void)op;
	lhs->type = EXPR_BOOL;
	return rc;
}

static const struct operator operators[] = {
        {"or", 10, compile_logic, CODE_OR},
        {"||", 10, compile_logic, CODE_OR},
        {"and", 15, compile_logic, CODE_AND},
        {"&&", 15, compile_logic, CODE_AND},
        {"==", OF_WORD, compile_compare, ORDER_EQ},
        {"!=", OF_WORD, compile_compare, ORDER_NE},
        {"<", OF_WORD, compile_compare, ORDER_LT},
        {"<=", OF_WORD, compile_compare, ORDER_LE},
        {">", OF_WORD, compile_compare, ORDER_GT},
        {">=", OF_WORD, compile_compare, ORDER_GE},
        {"in", OF_WORD, compile_in, CODE_IN},
        {"matches", OF_WORD, compile_matches, CODE_MATCHES},
        {"contains", OF_WORD, compile_search, CODE_CONTAINS},
        {"startsWith", OF_WORD, compile_search, CODE_STARTS},
        {"endsWith", OF_WORD, compile_search, CODE_ENDS},
        {"+", 30, compile_number, CODE_ADD},
        {"-", 30, compile_number, CODE_SUBTRACT},
        {"*", 60, compile_number, CODE_MULTIPLY},
        {"/", 60, compile_division, CODE_DIVIDE},
        {"%", 60, compile_division, CODE_REMAINDER},
};

static const struct operator* find_operator(const struct compiler *c)
{
	if (c->token.kind != TOKEN_NAME && c->token.kind != TOKEN_SIGN)
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(operators); i++)
		if (str_is(c->token.text, operators[i].text))
			return &operators[i];
	return NULL;
}

/* Operators that are words can be denied by a `not` before them. */
static bool can_be_denied(const struct operator* op)
{
	return op != NULL && op->precedence == OF_WORD && op->text[0] >= 'a';
}

static int parse_operator(
        struct compiler *c, const struct operator* op, bool is_denied, struct operand *lhs)
{
	int rc = is_denied && !can_be_denied(op)
	                 ? compiler_unexpected(
	                           c, "'in', 'matches', 'contains', 'startsWith' or 'endsWith'")
	                 : compiler_advance(c);

	if (rc == 0)
		rc = op->compile(c, op, lhs);
	if (rc == 0 && is_denied)
		compiler_emit(c, (struct expr_step){.code = CODE_NOT});
	return rc;
}

/* A value and the operators behind it that bind at least so strongly. */
int parse_binary(struct compiler *c, unsigned least, struct operand *out)
{
	int rc = parse_unary(c, out);

	while (rc == 0) {
		bool is_denied = compiler_is_name(c, "not");
		const struct operator* op = find_operator(c);

		if (least == 0 && compiler_is_sign(c, "|")) {
			rc = parse_pipe(c, out);
			continue;
		}
		if (op == NULL && !is_denied)
			return 0;
		if ((is_denied ? OF_WORD : op->precedence) < least)
			return 0;
		if (is_denied) {
			rc = compiler_advance(c);
			op = find_operator(c);
		}
		if (rc == 0)
			rc = parse_operator(c, op, is_denied, out);
	}
	return rc;
}
