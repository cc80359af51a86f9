/*
 * Functions that ask something of each element of a list: any(['a', 'b'], # == name()). The lists
 * are written there, so that what is asked is compiled once for each element, with that in place of
 * '#': patterns and networks among them are made ready as others are, and nothing is left to do
 * while the expression runs but to combine.
 */
#include "base/must.h"
#include "core/expr/compile.h"

enum combine { COMBINE_ANY, COMBINE_ALL, COMBINE_NONE, COMBINE_ONE, COMBINE_COUNT };

static const char *const names[] = {
        [COMBINE_ANY] = "any",
        [COMBINE_ALL] = "all",
        [COMBINE_NONE] = "none",
        [COMBINE_ONE] = "one",
        [COMBINE_COUNT] = "count",
};

struct list_call {
	struct compiler *c;
	const char *name;
	enum combine how;
	size_t at; /* where the list stands */
	struct element element;
	size_t first, n; /* constants */
	struct expr_lexer lexer; /* behind the list, where the condition begins */
	struct expr_token token;
};

bool is_list_function(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_is(name, names[i]))
			return true;
	return false;
}

static bool is_counted(const struct list_call *l)
{
	return l->how == COMBINE_ONE || l->how == COMBINE_COUNT;
}

/* 1 or 0 in place of true or false. */
static void emit_number(struct compiler *c)
{
	size_t branch = compiler_emit(c, (struct expr_step){.code = CODE_BRANCH}), jump;

	compiler_constant(c, (struct expr_value){.number = 1});
	jump = compiler_emit(c, (struct expr_step){.code = CODE_JUMP});
	c->x->steps.at[branch].n = (uint32_t)c->x->steps.len;
	c->depth--;
	compiler_constant(c, (struct expr_value){.number = 0});
	c->x->steps.at[branch].first = (uint16_t)c->x->steps.len;
	c->x->steps.at[jump].n = (uint32_t)c->x->steps.len;
}

/* CONDITION or {CONDITION}, and the bracket behind it. */
static int parse_condition(struct list_call *l)
{
	struct compiler *c = l->c;
	bool has_braces = compiler_is_sign(c, "{");
	struct operand o;
	int rc = has_braces ? compiler_advance(c) : 0;

	if (rc == 0)
		rc = parse_expression(c, &o);
	if (rc == 0)
		rc = compiler_expect_type(c, &o, EXPR_BOOL, l->name);
	if (rc == 0 && has_braces)
		rc = compiler_expect_sign(c, "}", "'}'");
	if (rc == 0 && !compiler_is_sign(c, ")"))
		rc = compiler_unexpected(c, "')'");
	return rc;
}

/* What the condition makes of the i-th element; texts that it makes do not outlive it. */
static int compile_element(struct list_call *l, size_t i)
{
	struct compiler *c = l->c;
	const struct element *outer = c->element;
	size_t calls = c->x->calls.len;
	uint32_t room = c->x->room;
	int rc;

	c->lexer = l->lexer;
	c->token = l->token;
	l->element.constant = (uint32_t)(l->first + i);
	c->element = &l->element;
	rc = parse_condition(l);
	c->element = outer;
	if (c->x->calls.len == calls)
		c->x->room = room;
	if (rc == 0 && (c->x->steps.len > EXPR_STEPS_MAX || c->x->constants.len > EXPR_STEPS_MAX))
		return expr_error(c->e, l->at,
		        "the list is too long for what %s() asks of each element", l->name);
	return rc;
}

/* All after the first: it joins what the ones before gave. */
static int compile_next(struct list_call *l, size_t i)
{
	struct compiler *c = l->c;
	bool is_all = l->how == COMBINE_ALL;
	size_t skip = 0;
	int rc;

	if (!is_counted(l))
		skip = compiler_emit(c, (struct expr_step){.code = is_all ? CODE_SKIP_IF_FALSE
		                                                          : CODE_SKIP_IF_TRUE});
	rc = compile_element(l, i);
	if (is_counted(l)) {
		emit_number(c);
		compiler_emit(c, (struct expr_step){.code = CODE_ADD, .type = EXPR_INT});
		return rc;
	}
	compiler_emit(c, (struct expr_step){.code = is_all ? CODE_AND : CODE_OR});
	c->x->steps.at[skip].n = (uint32_t)c->x->steps.len;
	return rc;
}

static int compile_all(struct list_call *l)
{
	struct compiler *c = l->c;
	int rc = compile_element(l, 0);

	if (is_counted(l))
		emit_number(c);
	for (size_t i = 1; i < l->n && rc == 0; i++)
		rc = compile_next(l, i);
	if (l->how == COMBINE_NONE)
		compiler_emit(c, (struct expr_step){.code = CODE_NOT});
	if (l->how != COMBINE_ONE)
		return rc;
	compiler_constant(c, (struct expr_value){.number = 1});
	compiler_emit(c, (struct expr_step){.code = CODE_COMPARE, .type = EXPR_INT, .n = ORDER_EQ});
	return rc;
}

static int parse_first(struct list_call *l)
{
	struct compiler *c = l->c;
	bool has_type = false;
	int rc;

	if (!compiler_is_sign(c, "["))
		return expr_error(c->e, c->token.at,
		        "%s() takes a list, as in ['a', 'b'], and a condition, in which '#' is an "
		        "element",
		        l->name);
	l->first = c->x->constants.len;
	rc = parse_elements(c, &l->element.type, &has_type);
	l->n = c->x->constants.len - l->first;
	if (rc == 0 && l->n == 0)
		return expr_error(c->e, l->at, "the list of %s() is empty", l->name);
	return rc == 0 ? compiler_expect_sign(c, ",", "',' and a condition") : rc;
}

int parse_list_function(struct compiler *c, struct str name, struct operand *out)
{
	struct list_call l = {.c = c, .at = c->token.at};
	int rc;

	while (!str_is(name, names[l.how]))
		l.how++;
	l.name = names[l.how];
	rc = ++c->nesting <= EXPR_NESTING_MAX
	             ? parse_first(&l)
	             : expr_error(c->e, l.at, "more than %u brackets stand in each other",
	                       EXPR_NESTING_MAX);
	l.lexer = c->lexer;
	l.token = c->token;
	if (rc == 0)
		rc = compile_all(&l);
	c->nesting--;
	out->type = l.how == COMBINE_COUNT ? EXPR_INT : EXPR_BOOL;
	return rc == 0 ? compiler_advance(c) : rc;
}
