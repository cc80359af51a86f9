#include "core/expr/lexer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int expr_error(struct err *e, size_t at, const char *fmt, ...)
{
	char text[400];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return err_set(e, -EINVAL, "column %zu: %s", at + 1, text);
}

/* The character n behind the current one, or NUL. */
static char peek(const struct expr_lexer *l, size_t n)
{
	return l->at + n < l->text.len ? l->text.at[l->at + n] : '\0';
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
	       c == '$';
}

static int digit_value(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 99;
}

/* --- texts ------------------------------------------------------------------------------- */

/* The UTF-8 octets of a code point. Returns how many. */
static size_t put_utf8(char *out, uint32_t c)
{
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	if (n == 1) {
		out[0] = (char)c;
		return 1;
	}
	for (size_t i = n - 1; i > 0; i--, c >>= 6)
		out[i] = (char)(0x80 | (c & 0x3f));
	out[0] = (char)((0xf0 << (4 - n) & 0xff) | c);
	return n;
}

/* \xHH, \uHHHH and \UHHHHHHHH: digits in all. Returns octets written, 0 when it is none. */
static size_t put_code(struct expr_lexer *l, char *out, unsigned digits)
{
	uint32_t c = 0;

	for (unsigned i = 0; i < digits; i++) {
		int v = digit_value(peek(l, 1 + i));

		if (v > 15 || c > 0xfffffff)
			return 0;
		c = c * 16 + (uint32_t)v;
	}
	if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	l->at += digits;
	if (digits == 2) {
		out[0] = (char)c;
		return 1;
	}
	return put_utf8(out, c);
}

/* The character behind a backslash, at l->at. Returns octets written, 0 when it means nothing. */
static size_t put_escape(struct expr_lexer *l, char *out)
{
	static const char names[] = "abfnrtv\\'\"`?", means[] = "\a\b\f\n\r\t\v\\'\"`?";
	char c = peek(l, 0);
	const char *known = c == '\0' ? NULL : strchr(names, c);

	if (known != NULL) {
		out[0] = means[known - names];
		return 1;
	}
	return c == 'x'   ? put_code(l, out, 2)
	       : c == 'u' ? put_code(l, out, 4)
	       : c == 'U' ? put_code(l, out, 8)
	                  : 0;
}

/* Octets that the text which begins here has at most. */
static size_t text_room(const struct expr_lexer *l, char quote)
{
	size_t n = 1;

	while (l->at + n < l->text.len && peek(l, n) != quote)
		n += peek(l, n) == '\\' && quote != '`' ? 2 : 1;
	return n + 1;
}

static int read_text(struct expr_lexer *l, struct expr_token *out, struct err *e)
{
	char quote = peek(l, 0), *text = arena_alloc(l->arena, text_room(l, quote));
	size_t n = 0, len;

	for (l->at++; l->at < l->text.len; l->at++) {
		if (peek(l, 0) == quote) {
			l->at++;
			out->kind = TOKEN_TEXT;
			out->text = (struct str){text, n};
			return 0;
		}
		if (peek(l, 0) != '\\' || quote == '`') {
			text[n++] = peek(l, 0);
			continue;
		}
		if (++l->at == l->text.len)
			break;
		len = put_escape(l, text + n);
		if (len == 0)
			return expr_error(e, l->at - 1,
			        "'\\%c' means nothing in a text; write '\\\\' for a backslash, as "
			        "in "
			        "'\\\\.'",
			        peek(l, 0));
		n += len;
	}
	return expr_error(e, out->at, "the text that begins here has no %c at its end", quote);
}

/* --- numbers ----------------------------------------------------------------------------- */

static unsigned cut_base(struct expr_lexer *l)
{
	char c = (char)(peek(l, 1) | 0x20);
	unsigned base = c == 'x' ? 16 : c == 'o' ? 8 : c == 'b' ? 2 : 10;

	if (peek(l, 0) != '0' || base == 10)
		return 10;
	l->at += 2;
	return base;
}

/* A point that begins decimals, not the `..` of a range. */
static bool is_point(const struct expr_lexer *l)
{
	return peek(l, 0) == '.' && peek(l, 1) != '.';
}

static int read_decimal(struct expr_lexer *l, struct expr_token *out, struct err *e)
{
	char text[64], *end;
	size_t n;

	l->at = out->at;
	while (is_digit(peek(l, 0)) || is_point(l))
		l->at++;
	if ((peek(l, 0) | 0x20) == 'e') {
		l->at++;
		if (peek(l, 0) == '+' || peek(l, 0) == '-')
			l->at++;
		while (is_digit(peek(l, 0)))
			l->at++;
	}
	n = l->at - out->at;
	memcpy(text, l->text.at + out->at, n < sizeof(text) ? n : 0);
	text[n < sizeof(text) ? n : 0] = '\0';
	out->kind = TOKEN_FLOAT;
	out->decimal = strtod(text, &end);
	if (n >= sizeof(text) || *end != '\0' || is_word(peek(l, 0)))
		return expr_error(e, out->at, "this is no number");
	return 0;
}

static int read_number(struct expr_lexer *l, struct expr_token *out, struct err *e)
{
	unsigned base = cut_base(l);
	size_t begin = l->at;
	uint64_t v = 0;

	for (; is_word(peek(l, 0)) && peek(l, 0) != '$'; l->at++) {
		unsigned d = (unsigned)digit_value(peek(l, 0));

		if (peek(l, 0) == '_')
			continue;
		if (base == 10 && (peek(l, 0) | 0x20) == 'e')
			return read_decimal(l, out, e);
		if (d >= base)
			return expr_error(e, out->at, "this is no number");
		if (v > ((uint64_t)INT64_MAX - d) / base)
			return expr_error(e, out->at, "the number is too large");
		v = v * base + d;
	}
	if (base == 10 && is_point(l))
		return read_decimal(l, out, e);
	if (l->at == begin)
		return expr_error(e, out->at, "this is no number");
	out->kind = TOKEN_INT;
	out->number = (int64_t)v;
	return 0;
}

/* --- signs ------------------------------------------------------------------------------- */

static size_t sign_length(const struct expr_lexer *l)
{
	static const char *const two[] = {
	        "&&", "||", "==", "!=", "<=", ">=", "..", "**", "??", "?.", "::", "//", "/*"};

	for (size_t i = 0; i < sizeof(two) / sizeof(two[0]); i++)
		if (peek(l, 0) == two[i][0] && peek(l, 1) == two[i][1])
			return 2;
	return 1;
}

static int read_sign(struct expr_lexer *l, struct expr_token *out, struct err *e)
{
	char c = peek(l, 0);

	if (c == '\0' || strchr("&|=!<>.*?:/+-%()[],^{}#;", c) == NULL)
		return expr_error(e, l->at, "the character '%c' means nothing here",
		        c > ' ' && c < 127 ? c : '?');
	out->kind = TOKEN_SIGN;
	l->at += sign_length(l);
	return 0;
}

int expr_lexer_next(struct expr_lexer *l, struct expr_token *out, struct err *e)
{
	int rc = 0;
	char c;

	while (is_blank(peek(l, 0)))
		l->at++;
	*out = (struct expr_token){.kind = TOKEN_END, .at = l->at};
	if (l->at >= l->text.len)
		return 0;
	c = peek(l, 0);
	if (c == '\'' || c == '"' || c == '`')
		return read_text(l, out, e);
	if (is_digit(c)) {
		rc = read_number(l, out, e);
	} else if (c == '.' && is_digit(peek(l, 1))) {
		rc = read_decimal(l, out, e);
	} else if (is_word(c)) {
		out->kind = TOKEN_NAME;
		while (is_word(peek(l, 0)))
			l->at++;
	} else {
		rc = read_sign(l, out, e);
	}
	out->text = (struct str){l->text.at + out->at, l->at - out->at};
	return rc;
}
