/* Playing the steps of an expression: a stack, and room for the texts that it makes. */
#include <stdio.h>
#include <string.h>

#include "base/must.h"
#include "core/expr/code.h"

struct run {
	const struct expr *x;
	void *env;
	size_t next; /* step */
	struct expr_value *top; /* behind the uppermost value */
	uint32_t was_read; /* mask of calls */
	bool is_partial; /* some value was not known */
	bool has_failed;
	struct expr_value values[EXPR_CALLS_MAX];
	struct expr_value stack[EXPR_STACK];
	char room[EXPR_ROOM];
};

_Static_assert(EXPR_CALLS_MAX <= 32, "was_read has a bit for each call");

typedef void play_step(struct run *r, const struct expr_step *s);

/* The value on top, and the one below. */
#define B (r->top[-1])
#define A (r->top[-2])

static void put_truth(struct run *r, unsigned taken, bool truth)
{
	r->top -= taken;
	*r->top++ = (struct expr_value){.truth = truth};
}

static void put_text(struct run *r, unsigned taken, struct str text)
{
	r->top -= taken;
	*r->top++ = (struct expr_value){.text = text};
}

static void put_number(struct run *r, unsigned taken, int64_t n)
{
	r->top -= taken;
	*r->top++ = (struct expr_value){.number = n};
}

static void put_decimal(struct run *r, unsigned taken, double d)
{
	r->top -= taken;
	*r->top++ = (struct expr_value){.decimal = d};
}

static void put_unknown(struct run *r, unsigned taken)
{
	r->top -= taken;
	*r->top++ = (struct expr_value){.is_unknown = true};
	r->is_partial = true;
}

/* --- values ------------------------------------------------------------------------------ */

static void play_constant(struct run *r, const struct expr_step *s)
{
	*r->top++ = r->x->constants.at[s->n];
}

static void play_call(struct run *r, const struct expr_step *s)
{
	const struct expr_call *call = &r->x->calls.at[s->n];
	struct expr_value *v = &r->values[s->n];

	if ((r->was_read >> s->n & 1) == 0) {
		*v = (struct expr_value){.is_unknown = false};
		if (!call->function->read(r->env, call->label, r->room + call->room, v))
			*v = (struct expr_value){.is_unknown = true};
		else if (call->function->type == EXPR_TEXT &&
		         v->text.len > call->function->text_max)
			r->has_failed = true; /* there would be no room for what is made of it */
		r->was_read |= 1u << s->n;
	}
	r->is_partial = r->is_partial || v->is_unknown;
	*r->top++ = *v;
}

/* --- numbers ----------------------------------------------------------------------------- */

/* Whole numbers go round at their ends, as Go's do. */
static int64_t wrap(uint64_t v)
{
	return (int64_t)v;
}

static void play_negate(struct run *r, const struct expr_step *s)
{
	if (s->type == EXPR_FLOAT)
		put_decimal(r, 1, -B.decimal);
	else
		put_number(r, 1, wrap(0 - (uint64_t)B.number));
}

static void play_decimal(struct run *r, const struct expr_step *s)
{
	struct expr_value *v = s->n == 1 ? &A : &B;

	if (!v->is_unknown)
		v->decimal = (double)v->number;
}

static void play_add(struct run *r, const struct expr_step *s)
{
	char *room = r->room + s->n;
	struct str a = A.text, b = B.text;

	if (s->type == EXPR_FLOAT) {
		put_decimal(r, 2, A.decimal + B.decimal);
	} else if (s->type == EXPR_INT) {
		put_number(r, 2, wrap((uint64_t)A.number + (uint64_t)B.number));
	} else {
		if (a.len > 0)
			memcpy(room, a.at, a.len);
		if (b.len > 0)
			memcpy(room + a.len, b.at, b.len);
		put_text(r, 2, (struct str){room, a.len + b.len});
	}
}

static void play_subtract(struct run *r, const struct expr_step *s)
{
	if (s->type == EXPR_FLOAT)
		put_decimal(r, 2, A.decimal - B.decimal);
	else
		put_number(r, 2, wrap((uint64_t)A.number - (uint64_t)B.number));
}

static void play_multiply(struct run *r, const struct expr_step *s)
{
	if (s->type == EXPR_FLOAT)
		put_decimal(r, 2, A.decimal * B.decimal);
	else
		put_number(r, 2, wrap((uint64_t)A.number * (uint64_t)B.number));
}

static void play_divide(struct run *r, const struct expr_step *s)
{
	(void)s;
	put_decimal(r, 2, A.decimal / B.decimal);
}

static void play_remainder(struct run *r, const struct expr_step *s)
{
	int64_t a = A.number, b = B.number;

	(void)s;
	if (b == 0)
		r->has_failed = true;
	put_number(r, 2, b == 0 || b == -1 ? 0 : a % b);
}

/* --- truth ------------------------------------------------------------------------------- */

static void play_not(struct run *r, const struct expr_step *s)
{
	(void)s;
	put_truth(r, 1, !B.truth);
}

static int compare_texts(struct str a, struct str b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int order = n == 0 ? 0 : memcmp(a.at, b.at, n);

	return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* Below 0, 0, above 0; 2 for a decimal that is no number. */
static int compare(const struct expr_value *a, const struct expr_value *b, enum expr_type type)
{
	switch (type) {
	case EXPR_BOOL: return a->truth - b->truth;
	case EXPR_INT: return (a->number > b->number) - (a->number < b->number);
	case EXPR_FLOAT:
		if (a->decimal != a->decimal || b->decimal != b->decimal)
			return 2;
		return (a->decimal > b->decimal) - (a->decimal < b->decimal);
	case EXPR_TEXT: break;
	}
	return compare_texts(a->text, b->text) < 0 ? -1 : compare_texts(a->text, b->text) > 0;
}

static bool has_order(int order, enum expr_order wanted)
{
	switch (wanted) {
	case ORDER_EQ: return order == 0;
	case ORDER_NE: return order != 0;
	case ORDER_LT: return order < 0;
	case ORDER_LE: return order <= 0;
	case ORDER_GT: return order == 1;
	case ORDER_GE: return order == 0 || order == 1;
	}
	return false;
}

static void play_compare(struct run *r, const struct expr_step *s)
{
	put_truth(r, 2, has_order(compare(&A, &B, s->type), s->n));
}

static bool is_equal(const struct expr_value *a, const struct expr_value *b, enum expr_type type)
{
	return type == EXPR_TEXT ? str_eq(a->text, b->text) : compare(a, b, type) == 0;
}

static void play_in(struct run *r, const struct expr_step *s)
{
	bool is_there = false;

	for (uint32_t i = 0; i < s->n && !is_there; i++)
		is_there = is_equal(&r->x->constants.at[s->first + i], &B, s->type);
	put_truth(r, 1, is_there);
}

static void play_between(struct run *r, const struct expr_step *s)
{
	int64_t v = r->top[-3].number;

	(void)s;
	put_truth(r, 3, v >= A.number && v <= B.number);
}

/* Not known and false is false, not known or true is true. */
static void play_and(struct run *r, const struct expr_step *s)
{
	bool is_unknown = A.is_unknown || B.is_unknown;

	(void)s;
	if ((!A.is_unknown && !A.truth) || (!B.is_unknown && !B.truth))
		put_truth(r, 2, false);
	else if (is_unknown)
		put_unknown(r, 2);
	else
		put_truth(r, 2, true);
}

static void play_or(struct run *r, const struct expr_step *s)
{
	bool is_unknown = A.is_unknown || B.is_unknown;

	(void)s;
	if ((!A.is_unknown && A.truth) || (!B.is_unknown && B.truth))
		put_truth(r, 2, true);
	else if (is_unknown)
		put_unknown(r, 2);
	else
		put_truth(r, 2, false);
}

static void play_skip_if_false(struct run *r, const struct expr_step *s)
{
	if (!B.is_unknown && !B.truth)
		r->next = s->n;
}

static void play_skip_if_true(struct run *r, const struct expr_step *s)
{
	if (!B.is_unknown && B.truth)
		r->next = s->n;
}

static void play_branch(struct run *r, const struct expr_step *s)
{
	if (B.is_unknown) {
		r->next = s->first;
		return;
	}
	if (!B.truth)
		r->next = s->n;
	r->top--;
}

static void play_jump(struct run *r, const struct expr_step *s)
{
	r->next = s->n;
}

/* --- texts ------------------------------------------------------------------------------- */

static void play_contains(struct run *r, const struct expr_step *s)
{
	(void)s;
	put_truth(r, 2,
	        B.text.len == 0 || (A.text.len > 0 && memmem(A.text.at, A.text.len, B.text.at,
	                                                      B.text.len) != NULL));
}

static bool begins(struct str text, struct str with)
{
	return text.len >= with.len && (with.len == 0 || memcmp(text.at, with.at, with.len) == 0);
}

static bool ends(struct str text, struct str with)
{
	return text.len >= with.len &&
	       (with.len == 0 || memcmp(text.at + text.len - with.len, with.at, with.len) == 0);
}

static void play_starts(struct run *r, const struct expr_step *s)
{
	(void)s;
	put_truth(r, 2, begins(A.text, B.text));
}

static void play_ends(struct run *r, const struct expr_step *s)
{
	(void)s;
	put_truth(r, 2, ends(A.text, B.text));
}

static void play_matches(struct run *r, const struct expr_step *s)
{
	struct str text = B.text.len == 0 ? STR("") : B.text;

	put_truth(r, 1, pattern_match(r->x->patterns.at[s->n], text, NULL));
}

/* Copy the text with the letters between first and last in the other case. */
static void put_case(struct run *r, const struct expr_step *s, char first, char last)
{
	char *room = r->room + s->n;
	struct str text = B.text;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.at[i];

		room[i] = c >= first && c <= last ? (char)(c ^ 0x20) : c;
	}
	put_text(r, 1, (struct str){room, text.len});
}

static void play_lower(struct run *r, const struct expr_step *s)
{
	put_case(r, s, 'A', 'Z');
}

static void play_upper(struct run *r, const struct expr_step *s)
{
	put_case(r, s, 'a', 'z');
}

static bool has_char(struct str set, char c)
{
	return set.len > 0 && memchr(set.at, c, set.len) != NULL;
}

static void play_trim(struct run *r, const struct expr_step *s)
{
	struct str text = A.text;

	(void)s;
	while (text.len > 0 && has_char(B.text, text.at[0]))
		text = (struct str){text.at + 1, text.len - 1};
	while (text.len > 0 && has_char(B.text, text.at[text.len - 1]))
		text.len--;
	put_text(r, 2, text);
}

static void play_trim_prefix(struct run *r, const struct expr_step *s)
{
	struct str text = A.text;
	size_t n = begins(text, B.text) ? B.text.len : 0;

	(void)s;
	put_text(r, 2, n == 0 ? text : (struct str){text.at + n, text.len - n});
}

static void play_trim_suffix(struct run *r, const struct expr_step *s)
{
	struct str text = A.text;

	(void)s;
	text.len -= ends(text, B.text) ? B.text.len : 0;
	put_text(r, 2, text);
}

/* Characters: octets of UTF-8 that continue one do not count. */
static void play_length(struct run *r, const struct expr_step *s)
{
	int64_t n = 0;

	(void)s;
	for (size_t i = 0; i < B.text.len; i++)
		n += ((unsigned char)B.text.at[i] & 0xc0) != 0x80;
	put_number(r, 1, n);
}

static void play_to_number(struct run *r, const struct expr_step *s)
{
	struct str text = B.text;
	bool is_negative = text.len > 1 && text.at[0] == '-';
	uint64_t v = 0;

	(void)s;
	if (text.len > 1 && (is_negative || text.at[0] == '+'))
		text = (struct str){text.at + 1, text.len - 1};
	r->has_failed = r->has_failed || text.len == 0 || text.len > 18;
	for (size_t i = 0; i < text.len && !r->has_failed; i++) {
		r->has_failed = text.at[i] < '0' || text.at[i] > '9';
		v = v * 10 + (uint64_t)(text.at[i] - '0');
	}
	put_number(r, 1, is_negative ? -wrap(v) : wrap(v));
}

static void play_to_text(struct run *r, const struct expr_step *s)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%lld", (long long)B.number);

	memcpy(r->room + s->n, text, (size_t)n);
	put_text(r, 1, (struct str){r->room + s->n, (size_t)n});
}

/* --- networks ---------------------------------------------------------------------------- */

/* Is the address, perhaps in brackets, in the network? */
static bool is_in_net(struct run *r, struct str ip, const struct cidr *net)
{
	struct cidr one;

	if (ip.len > 2 && ip.at[0] == '[' && ip.at[ip.len - 1] == ']')
		ip = (struct str){ip.at + 1, ip.len - 2};
	if (cidr_parse_ip(ip, &one) != 0) {
		r->has_failed = true;
		return false;
	}
	return cidr_has(net, one.addr, one.is_v6);
}

static void play_in_net(struct run *r, const struct expr_step *s)
{
	put_truth(r, 1, is_in_net(r, B.text, &r->x->nets.at[s->n]));
}

static void play_in_net_text(struct run *r, const struct expr_step *s)
{
	struct cidr net;
	bool is_net = cidr_parse_any(B.text, &net) == 0;

	(void)s;
	r->has_failed = r->has_failed || !is_net;
	put_truth(r, 2, is_net && is_in_net(r, A.text, &net));
}

static void play_from_net(struct run *r, const struct expr_step *s)
{
	size_t n = 0;
	const uint8_t *ip = r->x->calls.at[s->first].function->address(r->env, &n);

	if (ip == NULL)
		put_unknown(r, 0);
	else
		put_truth(r, 0, n != 0 && cidr_has(&r->x->nets.at[s->n], ip, n == 16));
	r->has_failed = r->has_failed || (ip != NULL && n == 0);
}

/* --- all together ------------------------------------------------------------------------ */

static const struct {
	play_step *play;
	uint8_t taken; /* values without which the result is not known; 0: it sees to that */
} steps[CODE_COUNT] = {
        [CODE_CONSTANT] = {play_constant, 0},
        [CODE_CALL] = {play_call, 0},
        [CODE_NOT] = {play_not, 1},
        [CODE_NEGATE] = {play_negate, 1},
        [CODE_DECIMAL] = {play_decimal, 0},
        [CODE_ADD] = {play_add, 2},
        [CODE_SUBTRACT] = {play_subtract, 2},
        [CODE_MULTIPLY] = {play_multiply, 2},
        [CODE_DIVIDE] = {play_divide, 2},
        [CODE_REMAINDER] = {play_remainder, 2},
        [CODE_COMPARE] = {play_compare, 2},
        [CODE_CONTAINS] = {play_contains, 2},
        [CODE_STARTS] = {play_starts, 2},
        [CODE_ENDS] = {play_ends, 2},
        [CODE_MATCHES] = {play_matches, 1},
        [CODE_IN] = {play_in, 1},
        [CODE_BETWEEN] = {play_between, 3},
        [CODE_AND] = {play_and, 0},
        [CODE_OR] = {play_or, 0},
        [CODE_SKIP_IF_FALSE] = {play_skip_if_false, 0},
        [CODE_SKIP_IF_TRUE] = {play_skip_if_true, 0},
        [CODE_BRANCH] = {play_branch, 0},
        [CODE_JUMP] = {play_jump, 0},
        [CODE_LOWER] = {play_lower, 1},
        [CODE_UPPER] = {play_upper, 1},
        [CODE_TRIM] = {play_trim, 2},
        [CODE_TRIM_PREFIX] = {play_trim_prefix, 2},
        [CODE_TRIM_SUFFIX] = {play_trim_suffix, 2},
        [CODE_LENGTH] = {play_length, 1},
        [CODE_TO_NUMBER] = {play_to_number, 1},
        [CODE_TO_TEXT] = {play_to_text, 1},
        [CODE_IN_NET] = {play_in_net, 1},
        [CODE_IN_NET_TEXT] = {play_in_net_text, 2},
        [CODE_FROM_NET] = {play_from_net, 0},
};

static bool has_unknown(const struct run *r, unsigned n)
{
	for (unsigned i = 1; i <= n; i++)
		if (r->top[-(ptrdiff_t)i].is_unknown)
			return true;
	return false;
}

enum expr_result expr_run(const struct expr *x, void *env)
{
	struct run r;

	r.x = x;
	r.env = env;
	r.next = 0;
	r.top = r.stack;
	r.was_read = 0;
	r.is_partial = r.has_failed = false;
	while (r.next < x->steps.len && !r.has_failed) {
		const struct expr_step *s = &x->steps.at[r.next++];

		if (r.is_partial && has_unknown(&r, steps[s->code].taken))
			put_unknown(&r, steps[s->code].taken);
		else
			steps[s->code].play(&r, s);
	}
	if (r.has_failed)
		return EXPR_FAILED;
	if (r.stack[0].is_unknown)
		return EXPR_UNKNOWN;
	return r.stack[0].truth ? EXPR_TRUE : EXPR_FALSE;
}
