/*
 * From text to steps in one pass: values and what stands before them, the choice between two, and
 * the whole. Types are checked as they are met; what is known when an expression is read -
 * patterns, networks, lists - is made ready then.
 */
#include <errno.h>

#include "core/expr/compile.h"

/* Precedences, as expr-lang has them. */
#define LOOSEST 0u
#define OF_NOT 50u
#define OF_SIGN 90u

static int parse_group(struct compiler *c, struct operand *out)
{
	int rc = compiler_advance(c);

	if (rc == 0)
		rc = parse_expression(c, out);
	return rc == 0 ? compiler_expect_sign(c, ")", "')'") : rc;
}

int parse_literal(struct compiler *c, struct operand *out)
{
	struct expr_value v = {.is_unknown = false};

	switch (c->token.kind) {
	case TOKEN_INT:
		out->type = EXPR_INT;
		v.number = c->token.number;
		break;
	case TOKEN_FLOAT:
		out->type = EXPR_FLOAT;
		v.decimal = c->token.decimal;
		break;
	default:
		out->type = EXPR_TEXT;
		v.text = c->token.text;
		out->max = v.text.len;
		break;
	}
	compiler_constant(c, v);
	return compiler_advance(c);
}

static int parse_hash(struct compiler *c, struct operand *out)
{
	if (c->element == NULL)
		return expr_error(c->e, c->token.at,
		        "'#' stands for an element of the list in any(), all(), none(), one() and "
		        "count() only");
	out->type = c->element->type;
	if (out->type == EXPR_TEXT)
		out->max = c->x->constants.at[c->element->constant].text.len;
	compiler_emit(c, (struct expr_step){.code = CODE_CONSTANT, .n = c->element->constant});
	return compiler_advance(c);
}

static int parse_value(struct compiler *c, struct operand *out)
{
	switch (c->token.kind) {
	case TOKEN_INT:
	case TOKEN_FLOAT:
	case TOKEN_TEXT: return parse_literal(c, out);
	case TOKEN_NAME: return parse_name(c, out);
	case TOKEN_SIGN:
		if (compiler_is_sign(c, "("))
			return parse_group(c, out);
		if (compiler_is_sign(c, "#"))
			return parse_hash(c, out);
		break;
	case TOKEN_END: break;
	}
	return compiler_unexpected(c, "a value");
}

static int enter(struct compiler *c)
{
	if (++c->nesting <= EXPR_NESTING_MAX)
		return 0;
	return expr_error(
	        c->e, c->token.at, "more than %u brackets stand in each other", EXPR_NESTING_MAX);
}

/* ! not - + before a value */
static int parse_prefix(struct compiler *c, struct operand *out)
{
	bool is_not = compiler_is_sign(c, "!") || compiler_is_name(c, "not"),
	     is_minus = compiler_is_sign(c, "-");
	int rc = enter(c);

	if (rc == 0)
		rc = compiler_advance(c);
	if (rc == 0)
		rc = parse_binary(c, is_not ? OF_NOT : OF_SIGN, out);
	c->nesting--;
	if (rc != 0)
		return rc;
	if (is_not) {
		compiler_emit(c, (struct expr_step){.code = CODE_NOT});
		return compiler_expect_type(c, out, EXPR_BOOL, "'not'");
	}
	if (out->type != EXPR_INT && out->type != EXPR_FLOAT)
		return expr_error(c->e, out->at,
		        "a sign stands before numbers only, and this is %s",
		        expr_type_text(out->type));
	if (is_minus)
		compiler_emit(
		        c, (struct expr_step){.code = CODE_NEGATE, .type = (uint8_t)out->type});
	return 0;
}

int parse_unary(struct compiler *c, struct operand *out)
{
	*out = (struct operand){.at = c->token.at, .begin = c->x->steps.len};
	if (compiler_is_sign(c, "!") || compiler_is_name(c, "not") || compiler_is_sign(c, "-") ||
	        compiler_is_sign(c, "+"))
		return parse_prefix(c, out);
	return parse_value(c, out);
}

/* The rest of CONDITION ? VALUE : OTHER */
static int parse_choice(struct compiler *c, struct operand *out)
{
	struct operand other;
	size_t branch, jump;
	int rc = compiler_expect_type(c, out, EXPR_BOOL, "'?'");

	if (rc == 0)
		rc = compiler_advance(c);
	branch = compiler_emit(c, (struct expr_step){.code = CODE_BRANCH});
	if (rc == 0)
		rc = parse_expression(c, out);
	if (rc == 0)
		rc = compiler_expect_sign(c, ":", "':'");
	jump = compiler_emit(c, (struct expr_step){.code = CODE_JUMP});
	c->x->steps.at[branch].n = (uint32_t)c->x->steps.len;
	c->depth--;
	if (rc == 0)
		rc = parse_expression(c, &other);
	c->x->steps.at[branch].first = (uint16_t)c->x->steps.len;
	c->x->steps.at[jump].n = (uint32_t)c->x->steps.len;
	if (rc == 0 && other.type != out->type)
		return expr_error(c->e, other.at, "this is %s, and what stands before ':' is %s",
		        expr_type_text(other.type), expr_type_text(out->type));
	if (rc == 0 && other.max > out->max)
		out->max = other.max;
	return rc;
}

int parse_expression(struct compiler *c, struct operand *out)
{
	size_t at = c->token.at, begin = c->x->steps.len;
	int rc = enter(c);

	if (rc == 0)
		rc = parse_binary(c, LOOSEST, out);
	if (rc == 0 && compiler_is_sign(c, "?"))
		rc = parse_choice(c, out);
	out->at = at;
	out->begin = begin;
	c->nesting--;
	return rc;
}

static int compile(struct compiler *c)
{
	struct operand all = {.type = EXPR_BOOL};
	int rc;

	if (c->lexer.text.len > EXPR_TEXT_MAX)
		return err_set(c->e, -EINVAL, "the expression is longer than %u characters",
		        EXPR_TEXT_MAX);
	rc = compiler_advance(c);
	if (rc == 0 && c->token.kind == TOKEN_END)
		return err_set(c->e, -EINVAL, "the expression is empty");
	if (rc == 0)
		rc = parse_expression(c, &all);
	if (rc == 0 && c->token.kind != TOKEN_END)
		return compiler_unexpected(c, "an operator or the end");
	if (rc == 0 && all.type != EXPR_BOOL)
		return expr_error(c->e, all.at,
		        "the expression gives %s; it must give true or false: compare it with "
		        "something",
		        expr_type_text(all.type));
	if (rc == 0 && c->is_deep)
		return err_set(c->e, -EINVAL,
		        "the expression has more than %u values in hand at once; use fewer "
		        "brackets",
		        EXPR_STACK);
	return rc;
}

struct expr *expr_new(struct str text, const struct expr_function *functions, struct err *e)
{
	struct compiler c = {.functions = functions, .e = e};

	c.x = mem_new(struct expr);
	arena_init(&c.x->arena);
	c.lexer = (struct expr_lexer){.text = text, .arena = &c.x->arena};
	if (compile(&c) == 0)
		return c.x;
	expr_free(c.x);
	return NULL;
}

void expr_free(struct expr *x)
{
	if (x == NULL)
		return;
	vec_for_each (&x->patterns, p)
		pattern_free(*p);
	vec_free(&x->steps);
	vec_free(&x->constants);
	vec_free(&x->calls);
	vec_free(&x->patterns);
	vec_free(&x->nets);
	arena_reset(&x->arena);
	free(x);
}

bool expr_label(const struct expr *x, size_t i, struct str *out)
{
	vec_for_each (&x->calls, call) {
		if (!call->function->takes_label || i-- > 0)
			continue;
		*out = call->label;
		return true;
	}
	return false;
}
