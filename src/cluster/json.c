#include "cluster/json.h"

#include <errno.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

void json_init(struct json *j, struct str text, struct arena *arena)
{
	if (text.at == NULL)
		text.at = "";
	*j = (struct json){.at = text.at, .end = text.at + text.len, .arena = arena};
}

static bool fail(struct json *j, int error)
{
	if (j->error == 0)
		j->error = error;
	j->at = j->end;
	return false;
}

static inline void skip_blanks(struct json *j)
{
	while (j->at < j->end &&
	        (*j->at == ' ' || *j->at == '\n' || *j->at == '\t' || *j->at == '\r'))
		j->at++;
}

/* The next character that is not blank, not consumed; 0 at the end. */
static inline char next_char(struct json *j)
{
	if (j->at < j->end && (unsigned char)*j->at > ' ')
		return *j->at;
	skip_blanks(j);
	return j->at < j->end ? *j->at : '\0';
}

enum json_type json_peek(struct json *j)
{
	switch (next_char(j)) {
	case '{': return JSON_TYPE_OBJECT;
	case '[': return JSON_TYPE_ARRAY;
	case '"': return JSON_TYPE_STRING;
	case 't':
	case 'f': return JSON_TYPE_BOOL;
	case 'n': return JSON_TYPE_NULL;
	case '-':
	case '0' ... '9': return JSON_TYPE_NUMBER;
	default: return JSON_TYPE_BAD;
	}
}

/* From p (behind the opening quote) to the next quote, backslash or control character. */
static const char *string_run(const char *p, const char *end)
{
#ifdef __SSE2__
	const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\');
	const __m128i low = _mm_set1_epi8(0x1f);

	for (; end - p >= 16; p += 16) {
		__m128i b = _mm_loadu_si128((const __m128i *)(const void *)p);
		__m128i hit = _mm_or_si128(_mm_cmpeq_epi8(b, quote), _mm_cmpeq_epi8(b, backslash));
		unsigned m;

		hit = _mm_or_si128(hit, _mm_cmpeq_epi8(_mm_min_epu8(b, low), b));
		m = (unsigned)_mm_movemask_epi8(hit);
		if (m != 0)
			return p + __builtin_ctz(m);
	}
#endif
	while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p > 0x1f)
		p++;
	return p;
}

static int hex4(const char *p, const char *end)
{
	int v = 0;

	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		char c = p[i];
		int d = c >= '0' && c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;

		if (d < 0 || d > 15 || (c > '9' && d < 10))
			return -1;
		v = v << 4 | d;
	}
	return v;
}

static char *put_utf8(char *to, uint32_t c)
{
	if (c < 0x80) {
		*to++ = (char)c;
	} else if (c < 0x800) {
		*to++ = (char)(0xc0 | c >> 6);
		*to++ = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		*to++ = (char)(0xe0 | c >> 12);
		*to++ = (char)(0x80 | (c >> 6 & 0x3f));
		*to++ = (char)(0x80 | (c & 0x3f));
	} else {
		*to++ = (char)(0xf0 | c >> 18);
		*to++ = (char)(0x80 | (c >> 12 & 0x3f));
		*to++ = (char)(0x80 | (c >> 6 & 0x3f));
		*to++ = (char)(0x80 | (c & 0x3f));
	}
	return to;
}

/* \uXXXX at *p (behind the u), with its second half if it is a surrogate; lone ones: U+FFFD. */
static char *unescape_unicode(const char **p, const char *end, char *to)
{
	int high = hex4(*p, end), low;

	if (high < 0)
		return NULL;
	*p += 4;
	if (high < 0xd800 || high > 0xdfff)
		return put_utf8(to, (uint32_t)high);
	if (high > 0xdbff || end - *p < 6 || (*p)[0] != '\\' || (*p)[1] != 'u')
		return put_utf8(to, 0xfffd);
	low = hex4(*p + 2, end);
	if (low < 0xdc00 || low > 0xdfff)
		return put_utf8(to, 0xfffd);
	*p += 6;
	return put_utf8(to, 0x10000 + (((uint32_t)high & 0x3ff) << 10 | ((uint32_t)low & 0x3ff)));
}

/* One escape at *p (behind the backslash); returns the new end of the output or NULL. */
static char *unescape_one(const char **p, const char *end, char *to)
{
	static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
	const char *found;

	if (*p >= end)
		return NULL;
	if (**p == 'u') {
		(*p)++;
		return unescape_unicode(p, end, to);
	}
	found = **p == '\0' ? NULL : strchr(from, **p);
	if (found == NULL)
		return NULL;
	(*p)++;
	*to++ = into[found - from];
	return to;
}

/* Length of the raw text from p (behind the opening quote) to its closing quote, or -1. */
static ptrdiff_t raw_length(const char *p, const char *end)
{
	const char *q = p;

	for (;;) {
		q = string_run(q, end);
		if (q >= end || (unsigned char)*q < 0x20)
			return -1;
		if (*q == '"')
			return q - p;
		q += 2;
	}
}

static bool read_escaped(struct json *j, const char *p, struct str *out)
{
	ptrdiff_t raw = raw_length(p, j->end);
	const char *end = p + raw;
	char *start, *to;

	if (raw < 0)
		return fail(j, -EINVAL);
	start = to = arena_alloc(j->arena, (size_t)raw + 1);
	while (p < end) {
		const char *stop = string_run(p, end);

		memcpy(to, p, (size_t)(stop - p));
		to += stop - p;
		p = stop;
		if (p == end)
			break;
		p++;
		to = unescape_one(&p, end, to);
		if (to == NULL)
			return fail(j, -EINVAL);
	}
	j->at = end + 1;
	*out = (struct str){start, (size_t)(to - start)};
	return true;
}

/* A string; j->at is at its opening quote. */
static bool read_string(struct json *j, struct str *out)
{
	const char *p = j->at + 1, *q = string_run(p, j->end);

	if (q >= j->end)
		return fail(j, -EINVAL);
	if (*q != '"')
		return read_escaped(j, p, out);
	*out = (struct str){p, (size_t)(q - p)};
	j->at = q + 1;
	return true;
}

static bool is_literal(struct str s)
{
	return json_is(s, "true") || json_is(s, "false") || json_is(s, "null");
}

static size_t digits(struct str s, size_t i)
{
	size_t from = i;

	while (i < s.len && s.at[i] >= '0' && s.at[i] <= '9')
		i++;
	return i - from;
}

/* RFC 8259 section 6. */
static bool is_number(struct str s)
{
	size_t i = s.len > 0 && s.at[0] == '-', n = digits(s, i);

	if (n == 0 || (n > 1 && s.at[i] == '0'))
		return false;
	i += n;
	if (i < s.len && s.at[i] == '.') {
		n = digits(s, ++i);
		if (n == 0)
			return false;
		i += n;
	}
	if (i < s.len && (s.at[i] | 0x20) == 'e') {
		i++;
		i += i < s.len && (s.at[i] == '+' || s.at[i] == '-');
		n = digits(s, i);
		if (n == 0)
			return false;
		i += n;
	}
	return i == s.len;
}

/* A number, true, false or null. */
static bool read_scalar(struct json *j, struct str *out)
{
	const char *p = j->at;

	while (p < j->end && ((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || *p == '-' ||
	                             *p == '+' || *p == '.' || *p == 'E'))
		p++;
	*out = (struct str){j->at, (size_t)(p - j->at)};
	if (!is_literal(*out) && !is_number(*out))
		return fail(j, -EINVAL);
	j->at = p;
	return true;
}

static void skip_container(struct json *j)
{
	struct json_span span = {0};
	size_t n = json_span_feed(&span, j->at, (size_t)(j->end - j->at));

	if (span.is_too_deep)
		fail(j, -E2BIG);
	else if (!span.is_done)
		fail(j, -EINVAL);
	else
		j->at += n;
}

void json_skip(struct json *j)
{
	struct str unused;
	ptrdiff_t n;

	switch (json_peek(j)) {
	case JSON_TYPE_OBJECT:
	case JSON_TYPE_ARRAY: skip_container(j); break;
	case JSON_TYPE_STRING:
		n = raw_length(j->at + 1, j->end);
		if (n < 0)
			fail(j, -EINVAL);
		else
			j->at += n + 2;
		break;
	case JSON_TYPE_BAD: fail(j, -EINVAL); break;
	default: read_scalar(j, &unused);
	}
}

struct str json_raw(struct json *j)
{
	const char *from;

	next_char(j);
	from = j->at;
	json_skip(j);
	return j->error != 0 ? (struct str){NULL, 0} : (struct str){from, (size_t)(j->at - from)};
}

static bool begin(struct json *j, char bracket)
{
	if (next_char(j) != bracket) {
		json_skip(j);
		return false;
	}
	if (j->depth >= JSON_MAX_DEPTH)
		return fail(j, -E2BIG);
	j->depth++;
	j->at++;
	j->is_first = true;
	return true;
}

/* To the start of the next element; false at the closing bracket. */
static bool next_element(struct json *j, char bracket)
{
	char c = next_char(j);

	if (j->error != 0)
		return false;
	if (c == bracket) {
		j->at++;
		j->depth--;
		j->is_first = false;
		return false;
	}
	if (!j->is_first) {
		if (c != ',')
			return fail(j, -EINVAL);
		j->at++;
	}
	j->is_first = false;
	return true;
}

bool json_object_begin(struct json *j)
{
	return begin(j, '{');
}

bool json_object_next(struct json *j, struct str *key)
{
	if (!next_element(j, '}'))
		return false;
	if (next_char(j) != '"')
		return fail(j, -EINVAL);
	if (!read_string(j, key))
		return false;
	if (next_char(j) != ':')
		return fail(j, -EINVAL);
	j->at++;
	return true;
}

bool json_array_begin(struct json *j)
{
	return begin(j, '[');
}

bool json_array_next(struct json *j)
{
	return next_element(j, ']');
}

bool json_text(struct json *j, struct str *out)
{
	switch (json_peek(j)) {
	case JSON_TYPE_STRING: return read_string(j, out);
	case JSON_TYPE_BOOL:
	case JSON_TYPE_NUMBER: return read_scalar(j, out);
	default: json_skip(j); return false;
	}
}

bool json_int(struct json *j, int64_t *out)
{
	struct str s;
	bool is_negative;
	uint64_t v = 0;

	if (!json_text(j, &s))
		return false;
	is_negative = s.len > 0 && s.at[0] == '-';
	if (is_negative)
		s = (struct str){s.at + 1, s.len - 1};
	if (s.len == 0 || s.len > 18) /* it might not fit */
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] < '0' || s.at[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(s.at[i] - '0');
	}
	*out = is_negative ? -(int64_t)v : (int64_t)v;
	return true;
}

bool json_bool(struct json *j, bool *out)
{
	struct str s;

	if (!json_text(j, &s))
		return false;
	*out = str_eq_nocase(s, STR("true")) || str_eq_nocase(s, STR("yes")) ||
	       str_eq_nocase(s, STR("on"));
	return *out || str_eq_nocase(s, STR("false")) || str_eq_nocase(s, STR("no")) ||
	       str_eq_nocase(s, STR("off"));
}

bool json_is_done(struct json *j)
{
	return j->error == 0 && next_char(j) == '\0' && j->at == j->end;
}
