/* Calls: the functions that every expression has, and those of the caller. */
#include "base/must.h"
#include "conf/suggest.h"
#include "core/expr/compile.h"

#define ARGS_MAX 2u
#define NAMES_MAX 64u
#define NUMBER_TEXT_MAX 21u

/* What every expression can use beside the functions of the caller. */
struct builtin {
	const char *name;
	unsigned min, max; /* arguments */
	enum expr_type takes, gives;
	uint8_t code;
	bool makes_text; /* it needs room for it */
};

static const struct builtin builtins[] = {
        {"hasPrefix", 2, 2, EXPR_TEXT, EXPR_BOOL, CODE_STARTS, false},
        {"hasSuffix", 2, 2, EXPR_TEXT, EXPR_BOOL, CODE_ENDS, false},
        {"incidr", 2, 2, EXPR_TEXT, EXPR_BOOL, CODE_IN_NET_TEXT, false},
        {"int", 1, 1, EXPR_TEXT, EXPR_INT, CODE_TO_NUMBER, false},
        {"len", 1, 1, EXPR_TEXT, EXPR_INT, CODE_LENGTH, false},
        {"lower", 1, 1, EXPR_TEXT, EXPR_TEXT, CODE_LOWER, true},
        {"string", 1, 1, EXPR_INT, EXPR_TEXT, CODE_TO_TEXT, true},
        {"trim", 1, 2, EXPR_TEXT, EXPR_TEXT, CODE_TRIM, false},
        {"trimPrefix", 2, 2, EXPR_TEXT, EXPR_TEXT, CODE_TRIM_PREFIX, false},
        {"trimSuffix", 2, 2, EXPR_TEXT, EXPR_TEXT, CODE_TRIM_SUFFIX, false},
        {"upper", 1, 1, EXPR_TEXT, EXPR_TEXT, CODE_UPPER, true},
};

static const struct expr_function *find_function(const struct compiler *c, struct str name)
{
	for (const struct expr_function *f = c->functions; f->name != NULL; f++)
		if (str_is(name, f->name))
			return f;
	return NULL;
}

static const struct builtin *find_builtin(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(builtins); i++)
		if (str_is(name, builtins[i].name))
			return &builtins[i];
	return NULL;
}

/* True when a bracket follows the name that is looked at. */
static bool is_called(const struct compiler *c)
{
	struct str rest = {c->lexer.text.at + c->lexer.at, c->lexer.text.len - c->lexer.at};

	return str_has_prefix(str_trim(rest), "(");
}

static int unknown_name(const struct compiler *c, const struct expr_token *name)
{
	const char *names[NAMES_MAX], *near;
	char word[41] = "";
	size_t n = 0;

	for (const struct expr_function *f = c->functions; f->name != NULL; f++)
		if (n < NAMES_MAX - 1 - ARRAY_LEN(builtins))
			names[n++] = f->name;
	for (size_t i = 0; i < ARRAY_LEN(builtins); i++)
		names[n++] = builtins[i].name;
	names[n] = NULL;
	if (name->text.len < sizeof(word))
		memcpy(word, name->text.at, name->text.len);
	near = suggest_word(word, names);
	if (near != NULL)
		return expr_error(
		        c->e, name->at, "unknown function '%s'; did you mean '%s'?", word, near);
	return expr_error(c->e, name->at,
	        is_called(c) ? "there is no function '%.*s' here; the manual of the plugin lists "
	                       "those that there are"
	                     : "unknown name '%.*s'; a text stands in single quotes, a function "
	                       "has brackets",
	        (int)(name->text.len < 60 ? name->text.len : 60), name->text.at);
}

static int compile_call(
        struct compiler *c, const struct expr_function *f, struct str label, struct operand *out)
{
	uint32_t i = 0;
	struct expr_call call = {f, {arena_dup(&c->x->arena, label.at, label.len), label.len}, 0};
	int rc = 0;

	while (i < c->x->calls.len &&
	        (c->x->calls.at[i].function != f || !str_eq(c->x->calls.at[i].label, label)))
		i++;
	if (i == EXPR_CALLS_MAX)
		return expr_error(
		        c->e, out->at, "there are more than %u different calls", EXPR_CALLS_MAX);
	if (i == c->x->calls.len && f->needs_room)
		rc = compiler_take_room(c, out->at, f->text_max, &call.room);
	if (i == c->x->calls.len)
		vec_push(&c->x->calls, call);
	compiler_emit(c, (struct expr_step){.code = CODE_CALL, .n = i});
	out->type = f->type;
	out->max = f->text_max;
	return rc;
}

/* name() or name('label'); the token behind the opening bracket is looked at. */
static int parse_function(struct compiler *c, const struct expr_function *f, struct operand *out)
{
	struct str label = STR("");
	int rc = 0;

	if (f->takes_label && c->token.kind != TOKEN_TEXT)
		return expr_error(c->e, c->token.at, "%s() takes a text in single quotes", f->name);
	if (f->takes_label) {
		label = c->token.text;
		rc = compiler_advance(c);
	}
	if (rc == 0 && !compiler_is_sign(c, ")"))
		return expr_error(c->e, c->token.at, "%s() takes %s; write ')'", f->name,
		        f->takes_label ? "one text in single quotes" : "no arguments");
	if (rc == 0)
		rc = compile_call(c, f, label, out);
	return rc == 0 ? compiler_advance(c) : rc;
}

/* incidr(): a network that is written there is read now, and may meet the address as octets. */
static int finish_incidr(struct compiler *c, const struct operand *args)
{
	struct expr_step step = {.code = CODE_IN_NET, .n = (uint32_t)c->x->nets.len};
	const struct expr_step *ip;
	struct cidr net;
	struct str text;

	if (!compiler_is_literal(c, &args[1], &text)) {
		compiler_emit(c, (struct expr_step){.code = CODE_IN_NET_TEXT});
		return 0;
	}
	if (cidr_parse_any(text, &net) != 0)
		return expr_error(c->e, args[1].at,
		        "'%.*s' is no network; write an address and its bits, as in '10.0.0.0/8'",
		        (int)(text.len < 60 ? text.len : 60), text.at);
	compiler_unemit(c);
	vec_push(&c->x->nets, net);
	ip = &c->x->steps.at[args[0].begin];
	if (args[1].begin == args[0].begin + 1 && ip->code == CODE_CALL &&
	        c->x->calls.at[ip->n].function->address != NULL) {
		step.code = CODE_FROM_NET;
		step.first = (uint16_t)compiler_unemit(c).n;
	}
	compiler_emit(c, step);
	return 0;
}

/* The arguments behind the first n, which are known. */
static int parse_args(struct compiler *c, const struct builtin *f, struct operand *args, unsigned n)
{
	int rc = n == 0 ? 0 : compiler_expect_type(c, &args[0], f->takes, f->name);

	while (rc == 0 && !compiler_is_sign(c, ")")) {
		if (n == f->max)
			break;
		rc = parse_expression(c, &args[n]);
		if (rc == 0)
			rc = compiler_expect_type(c, &args[n++], f->takes, f->name);
		if (rc == 0 && !compiler_is_sign(c, ")"))
			rc = compiler_expect_sign(c, ",", "',' or ')'");
	}
	if (rc == 0 && (n < f->min || !compiler_is_sign(c, ")")))
		return expr_error(c->e, c->token.at, "%s() takes %u argument%s", f->name, f->max,
		        f->max == 1 ? "" : "s");
	if (rc == 0 && n < f->max)
		compiler_constant(c, (struct expr_value){.text = STR(" \t\n\v\f\r")});
	return rc;
}

/* The first argument may have come through a pipe. */
static int parse_builtin(struct compiler *c, const struct builtin *f, const struct operand *piped,
        struct operand *out)
{
	struct operand args[ARGS_MAX] = {{.type = EXPR_TEXT}, {.type = EXPR_TEXT}};
	uint32_t room = 0;
	int rc;

	if (piped != NULL)
		args[0] = *piped;
	rc = parse_args(c, f, args, piped == NULL ? 0 : 1);

	if (rc != 0)
		return rc;
	out->type = f->gives;
	out->max = f->code == CODE_TO_TEXT ? NUMBER_TEXT_MAX : args[0].max;
	if (f->makes_text)
		rc = compiler_take_room(c, out->at, out->max, &room);
	if (rc == 0 && f->code == CODE_IN_NET_TEXT)
		rc = finish_incidr(c, args);
	else if (rc == 0)
		compiler_emit(c, (struct expr_step){.code = f->code, .n = room});
	return rc == 0 ? compiler_advance(c) : rc;
}

int parse_pipe(struct compiler *c, struct operand *out)
{
	struct operand piped = *out;
	const struct builtin *b;
	int rc = compiler_advance(c);

	if (rc != 0)
		return rc;
	b = c->token.kind == TOKEN_NAME ? find_builtin(c->token.text) : NULL;
	if (b == NULL)
		return expr_error(c->e, c->token.at,
		        "behind '|' stands a function that takes what stands before it, as in "
		        "name() | trimSuffix('.'); the logical operator is '||'");
	rc = compiler_advance(c);
	if (rc == 0)
		rc = compiler_expect_sign(c, "(", "'('");
	return rc == 0 ? parse_builtin(c, b, &piped, out) : rc;
}

int parse_name(struct compiler *c, struct operand *out)
{
	struct expr_token name = c->token;
	const struct expr_function *f = find_function(c, name.text);
	const struct builtin *b = find_builtin(name.text);
	bool is_list = is_list_function(name.text);
	int rc;

	if (compiler_is_name(c, "true") || compiler_is_name(c, "false")) {
		compiler_constant(c, (struct expr_value){.truth = compiler_is_name(c, "true")});
		out->type = EXPR_BOOL;
		return compiler_advance(c);
	}
	if (f == NULL && b == NULL && !is_list)
		return unknown_name(c, &name);
	rc = compiler_advance(c);
	if (rc == 0 && !compiler_is_sign(c, "("))
		return expr_error(c->e, name.at, "'%.*s' is a function; write %.*s(%s)",
		        (int)name.text.len, name.text.at, (int)name.text.len, name.text.at,
		        f == NULL || f->takes_label ? "..." : "");
	if (rc == 0)
		rc = compiler_advance(c);
	if (rc != 0)
		return rc;
	if (is_list)
		return parse_list_function(c, name.text, out);
	return f != NULL ? parse_function(c, f, out) : parse_builtin(c, b, NULL, out);
}
