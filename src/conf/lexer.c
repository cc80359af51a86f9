#include "conf/lexer.h"

#include "base/must.h"

void lexer_init(struct lexer *l, struct str text)
{
	if (str_has_prefix(text, "\xef\xbb\xbf"))
		text = (struct str){text.at + 3, text.len - 3};
	if (text.len == 0)
		text = STR("");
	*l = (struct lexer){.at = text.at, .end = text.at + text.len, .line = 1};
}

static bool is_blank_code(uint32_t c)
{
	return (c >= 0x2000 && c <= 0x200a) || c == 0x85 || c == 0xa0 || c == 0x1680 ||
	       c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

/* Bytes of the blank at p (White_Space of unicode, in UTF-8), or 0 when there is none. */
static size_t blank_length(const char *p, const char *end)
{
	const uint8_t *b = (const uint8_t *)p;
	size_t left = (size_t)(end - p);

	if (b[0] == ' ' || (b[0] >= '\t' && b[0] <= '\r'))
		return 1;
	if (left >= 2 && b[0] == 0xc2)
		return is_blank_code(b[1]) && b[1] >= 0x80 ? 2 : 0;
	if (left >= 3 && b[0] >= 0xe1 && b[0] <= 0xe3 && (b[1] & 0xc0) == 0x80 &&
	        (b[2] & 0xc0) == 0x80)
		return is_blank_code((b[0] & 15u) << 12 | (b[1] & 63u) << 6 | (b[2] & 63u)) ? 3 : 0;
	return 0;
}

/* Pass blanks and whole comments; false at the end of the text. */
static bool skip_to_token(struct lexer *l)
{
	bool is_comment = false;

	while (l->at < l->end) {
		size_t blank = blank_length(l->at, l->end);

		if (*l->at == '\n') {
			l->line++;
			is_comment = false;
		}
		if (*l->at == '#')
			is_comment = true;
		if (blank == 0 && !is_comment)
			return true;
		l->at += blank == 0 ? 1 : blank;
	}
	return false;
}

/* l->at is behind the opening quote. Returns bytes written to text. */
static size_t read_quoted(struct lexer *l, char *text)
{
	uint32_t opened = l->line;
	size_t n = 0;

	for (; l->at < l->end; l->at++) {
		char c = *l->at;

		if (c == '"') {
			l->at++;
			return n;
		}
		if (c == '\\') {
			/* a backslash takes the next character with it, but only \" loses it */
			if (++l->at == l->end)
				break;
			if (*l->at != '"')
				text[n++] = c;
			c = *l->at;
		}
		if (c == '\n')
			l->line++;
		text[n++] = c;
	}
	l->unclosed_quote_line = opened;
	return n;
}

static size_t read_plain(struct lexer *l, char *text)
{
	bool is_comment = false;
	size_t n = 0;

	for (; l->at < l->end; l->at++) {
		if (*l->at == '\r')
			continue;
		if (blank_length(l->at, l->end) > 0)
			break;
		if (*l->at == '#')
			is_comment = true;
		if (!is_comment)
			text[n++] = *l->at;
	}
	return n;
}

/* Bytes that the token at l->at can have at most, so that it is written in place. */
static size_t token_room(const struct lexer *l)
{
	const char *p = l->at;

	if (*p != '"') {
		while (p < l->end && blank_length(p, l->end) == 0)
			p++;
		/* a CR does not end a token */
		while (p < l->end && (*p == '\r' || blank_length(p, l->end) == 0))
			p++;
		return (size_t)(p - l->at);
	}
	for (p++; p < l->end && *p != '"'; p++)
		if (*p == '\\' && p + 1 < l->end)
			p++;
	return (size_t)(p - l->at);
}

bool lexer_next(struct lexer *l, struct arena *a, struct raw_token *out)
{
	size_t room, n;
	char *text;

	if (!skip_to_token(l))
		return false;
	*out = (struct raw_token){.line = l->line, .is_quoted = *l->at == '"'};
	out->starts_line = l->line > l->last_end_line;
	room = token_room(l);
	text = arena_alloc(a, room + 1);
	if (out->is_quoted)
		l->at++;
	n = out->is_quoted ? read_quoted(l, text) : read_plain(l, text);
	must(n <= room);
	out->text = text;
	out->end_line = l->last_end_line = l->line;
	return n > 0 || l->unclosed_quote_line == 0;
}
