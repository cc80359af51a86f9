#include "base/pattern_syntax.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"

#define REPEAT_MAX 1000
#define DIGITS "0123456789"
#define HEX_DIGITS DIGITS "abcdefABCDEF"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

struct scan {
	const char *p; /* what is read next */
	struct buf *out;
	bool is_repeated; /* a repetition stands just before */
	struct err *e;
};

static int refuse(const struct scan *s, const char *what, size_t n)
{
	return err_set(s->e, -EINVAL, "it uses what Go has not: %s, in '%.*s'", what, (int)n, s->p);
}

static void copy(struct scan *s, size_t n)
{
	buf_add(s->out, s->p, n);
	s->p += n;
}

/* --- escapes ----------------------------------------------------------------------------- */

/* \Q...\E, outside of brackets */
static void read_quoted(struct scan *s)
{
	const char *end = strstr(s->p, "\\E");

	copy(s, end == NULL ? strlen(s->p) : (size_t)(end + 2 - s->p));
}

/* \123: up to three octal digits, where PCRE2 sees a back reference */
static int read_octal(struct scan *s)
{
	unsigned value = 0;
	size_t n = 1;

	if (s->p[1] > '7' || s->p[2] < '0' || s->p[2] > '7')
		return refuse(s, "back references", 2);
	for (; n <= 3 && s->p[n] >= '0' && s->p[n] <= '7'; n++)
		value = value * 8 + (unsigned)(s->p[n] - '0');
	buf_printf(s->out, "\\x{%x}", value);
	s->p += n;
	return 0;
}

/* \x7f or \x{7f} */
static int read_hex(struct scan *s)
{
	size_t n = s->p[2] == '{' ? strspn(s->p + 3, HEX_DIGITS) : strspn(s->p + 2, HEX_DIGITS);
	bool is_good = s->p[2] == '{' ? n > 0 && s->p[3 + n] == '}' : n >= 2;

	if (!is_good)
		return refuse(s, "\\x without two digits, or with none in braces", 2);
	copy(s, s->p[2] == '{' ? n + 4 : 4);
	return 0;
}

/* \pL, \p{Greek}: a class of characters */
static void read_property(struct scan *s)
{
	size_t n = s->p[2] == '{' ? strcspn(s->p, "}") + 1 : 3;

	copy(s, n <= strlen(s->p) ? n : strlen(s->p));
}

static int read_escape(struct scan *s, bool is_in_class)
{
	char c = s->p[1];

	if (c >= '1' && c <= '9')
		return read_octal(s);
	if (c == 'x')
		return read_hex(s);
	if (c == 'p' || c == 'P')
		return read_property(s), 0;
	if (c == 'Q' && !is_in_class)
		return read_quoted(s), 0;
	if (c == 'v') { /* one character; PCRE2 has a class there */
		buf_printf(s->out, "\\x0b");
		s->p += 2;
		return 0;
	}
	if (c != '\0' && strchr(LETTERS, c) != NULL &&
	        strchr(is_in_class ? "afnrtdDsSwW" : "AbBzafnrtdDsSwW", c) == NULL)
		return refuse(s, "this escape", 2);
	copy(s, c == '\0' ? 1 : 2);
	return 0;
}

/* --- brackets ---------------------------------------------------------------------------- */

/* [^a-z[:digit:]\d] */
static int read_class(struct scan *s)
{
	int rc = 0;

	copy(s, s->p[1] == '^' ? 2 : 1);
	if (*s->p == ']')
		copy(s, 1);
	while (rc == 0 && *s->p != '\0' && *s->p != ']') {
		if (*s->p == '\\')
			rc = read_escape(s, true);
		else if (strncmp(s->p, "[:<:]", 5) == 0 || strncmp(s->p, "[:>:]", 5) == 0)
			rc = refuse(s, "this class", 5);
		else if (s->p[0] == '[' && s->p[1] == ':' && strstr(s->p + 2, ":]") != NULL)
			copy(s, (size_t)(strstr(s->p + 2, ":]") + 2 - s->p));
		else
			copy(s, 1);
	}
	return rc;
}

/* What "(?" begins beside groups with names and flags; PCRE2 has all of these. */
static const char *foreign_group(const char *p)
{
	static const struct {
		const char *begin, *what;
	} rows[] = {
	        {"(?=", "looking around"},
	        {"(?!", "looking around"},
	        {"(?<=", "looking around"},
	        {"(?<!", "looking around"},
	        {"(?>", "atomic groups"},
	        {"(?|", "groups that share numbers"},
	        {"(?#", "comments"},
	        {"(?(", "conditions"},
	        {"(?C", "callouts"},
	        {"(?'", "names in quotes; write (?P<name>"},
	        {"(?P=", "back references"},
	        {"(?P>", "recursion"},
	        {"(?&", "recursion"},
	        {"(?R", "recursion"},
	        {"(?+", "recursion"},
	        {"(*", "verbs"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strncmp(p, rows[i].begin, strlen(rows[i].begin)) == 0)
			return rows[i].what;
	if (strncmp(p, "(?", 2) == 0 && strcspn(p + 2, DIGITS) == (p[2] == '-' ? 1u : 0u) &&
	        p[2] != '\0')
		return "recursion";
	return NULL;
}

static int read_group(struct scan *s)
{
	const char *what = foreign_group(s->p);
	size_t flags = strspn(s->p, "(?imsU-");

	if (what != NULL)
		return refuse(s, what, s->p[1] == '*' ? 2 : 3);
	if (s->p[1] != '?') {
		copy(s, 1);
		return 0;
	}
	if (s->p[2] == '<' || strncmp(s->p + 2, "P<", 2) == 0) {
		copy(s, s->p[2] == '<' ? 3 : 4);
		return 0;
	}
	if (s->p[flags] != ':' && s->p[flags] != ')')
		return refuse(s, "other flags than i, m, s and U", flags + 1);
	copy(s, flags + 1);
	return 0;
}

/* --- repetitions ------------------------------------------------------------------------- */

/* The length of {N}, {N,} or {N,M} at p, or 0: then it stands for itself. */
static size_t count_length(const char *p)
{
	size_t n = 1 + strspn(p + 1, DIGITS);

	if (n == 1)
		return 0;
	if (p[n] == ',')
		n += 1 + strspn(p + n + 1, DIGITS);
	return p[n] == '}' ? n + 1 : 0;
}

static bool is_too_often(const char *p, size_t n)
{
	const char *comma = memchr(p, ',', n);

	return strtoul(p + 1, NULL, 10) > REPEAT_MAX ||
	       (comma != NULL && strtoul(comma + 1, NULL, 10) > REPEAT_MAX);
}

/* The length of * + ? or a count at p, or 0. */
static size_t repeat_length(const char *p)
{
	if (*p == '{')
		return count_length(p);
	return *p == '*' || *p == '+' || *p == '?' ? 1 : 0;
}

static int read_repeat(struct scan *s, size_t n)
{
	if (s->is_repeated)
		return refuse(s,
		        *s->p == '+' ? "possessive repetition, or one of a repetition"
		                     : "a repetition of a repetition",
		        n);
	if (n > 1 && is_too_often(s->p, n))
		return refuse(s, "more than 1000 repetitions", n);
	copy(s, n);
	if (*s->p == '?')
		copy(s, 1);
	s->is_repeated = true;
	return 0;
}

/* --- all --------------------------------------------------------------------------------- */

static int read_one(struct scan *s)
{
	size_t repeat = repeat_length(s->p);
	int rc = 0;

	if (repeat > 0)
		return read_repeat(s, repeat);
	s->is_repeated = false;
	switch (*s->p) {
	case '\\': rc = read_escape(s, false); break;
	case '[': rc = read_class(s); break;
	case '(': rc = read_group(s); break;
	default: copy(s, 1); break;
	}
	return rc;
}

int pattern_syntax(const char *text, struct buf *out, struct err *e)
{
	struct scan s = {.p = text, .out = out, .e = e};
	int rc = 0;

	while (rc == 0 && *s.p != '\0')
		rc = read_one(&s);
	return rc;
}
