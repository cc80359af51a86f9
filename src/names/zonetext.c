#include "names/zonetext.h"

#include <errno.h>

#include "base/must.h"

void zonetext_init(struct zonetext *z, struct str text)
{
	*z = (struct zonetext){text, 1, 1};
}

/* What the scanner is inside of. */
struct scan {
	unsigned depth; /* of parentheses */
	bool is_quoted, is_comment;
	bool is_done;
};

static char take_char(struct zonetext *z)
{
	char c = z->rest.at[0];

	z->rest = (struct str){z->rest.at + 1, z->rest.len - 1};
	return c;
}

static bool has_content(const struct buf *line)
{
	return line->len > 1 || (line->len == 1 && line->at[0] != ' ');
}

/* Append a blank, but not two in a row. */
static void add_blank(struct buf *line)
{
	if (line->len == 0 || line->at[line->len - 1] != ' ')
		buf_char(line, ' ');
}

static const char *end_line(struct zonetext *z, struct scan *s, struct buf *line)
{
	s->is_comment = false;
	z->next_line++;
	if (s->is_quoted)
		return "a quoted string is not closed on its line";
	if (s->depth > 0) {
		add_blank(line);
	} else if (has_content(line)) {
		s->is_done = true;
	} else {
		buf_clear(line);
		z->line = z->next_line;
	}
	return NULL;
}

static void add_escape(struct zonetext *z, struct buf *line)
{
	buf_char(line, '\\');
	if (z->rest.len > 0 && z->rest.at[0] != '\n')
		buf_char(line, take_char(z));
}

static const char *parenthesis(struct scan *s, char c, struct buf *line)
{
	if (c == '(')
		s->depth++;
	else if (s->depth-- == 0)
		return "a closing parenthesis without an opening one";
	add_blank(line);
	return NULL;
}

static const char *scan_char(struct zonetext *z, struct scan *s, struct buf *line)
{
	char c = take_char(z);

	if (c == '\n')
		return end_line(z, s, line);
	if (s->is_comment)
		return NULL;
	if (c == '\0')
		return "a NUL octet";
	if (c == '\\') {
		add_escape(z, line);
	} else if (c == '"') {
		s->is_quoted = !s->is_quoted;
		buf_char(line, c);
	} else if (s->is_quoted) {
		buf_char(line, c);
	} else if (c == ';') {
		s->is_comment = true;
	} else if (c == '(' || c == ')') {
		return parenthesis(s, c, line);
	} else if (c == ' ' || c == '\t' || c == '\r') {
		add_blank(line);
	} else {
		buf_char(line, c);
	}
	return NULL;
}

const char *zonetext_next(struct zonetext *z, struct buf *line, size_t max)
{
	struct scan s = {0};
	const char *why = NULL;

	buf_clear(line);
	z->line = z->next_line;
	while (z->rest.len > 0 && !s.is_done && why == NULL) {
		why = scan_char(z, &s, line);
		if (why == NULL && line->len > max)
			why = "a record is too long";
	}
	if (why == NULL && s.depth > 0)
		why = "a parenthesis is not closed";
	if (why == NULL && s.is_quoted)
		why = "a quoted string is not closed";
	if (!has_content(line))
		buf_clear(line);
	return why;
}

struct str zonetext_word(struct str *rest)
{
	struct str word;
	bool is_quoted = false;
	size_t n = 0;

	while (rest->len > 0 && rest->at[0] == ' ')
		*rest = (struct str){rest->at + 1, rest->len - 1};
	while (n < rest->len && (is_quoted || rest->at[n] != ' ')) {
		if (rest->at[n] == '\\' && n + 1 < rest->len)
			n++;
		else if (rest->at[n] == '"')
			is_quoted = !is_quoted;
		n++;
	}
	word = (struct str){rest->at, n};
	*rest = (struct str){rest->at + n, rest->len - n};
	return word;
}

struct str zonetext_unquote(struct str word)
{
	if (word.len >= 2 && word.at[0] == '"' && word.at[word.len - 1] == '"')
		return (struct str){word.at + 1, word.len - 2};
	return word;
}

static uint32_t unit_seconds(char c)
{
	switch (c | 0x20) {
	case 's': return 1;
	case 'm': return 60;
	case 'h': return 3600;
	case 'd': return 86400;
	case 'w': return 604800;
	default: return 0;
	}
}

int zonetext_ttl(struct str word, uint32_t *out)
{
	uint64_t total = 0, number = 0;
	bool has_digit = false;

	if (word.len == 0 || word.at[0] < '0' || word.at[0] > '9')
		return -EINVAL;
	for (size_t i = 0; i < word.len; i++) {
		char c = word.at[i];

		if (c >= '0' && c <= '9') {
			number = number * 10 + (uint64_t)(c - '0');
			has_digit = true;
		} else if (has_digit && unit_seconds(c) != 0) {
			total += number * unit_seconds(c);
			number = 0;
			has_digit = false;
		} else {
			return -EINVAL;
		}
		if (number > UINT32_MAX || total > UINT32_MAX)
			return -EINVAL;
	}
	total += number;
	if (total > UINT32_MAX)
		return -EINVAL;
	*out = (uint32_t)total;
	return 0;
}

bool zonetext_is_class(struct str word)
{
	static const struct str names[] = {
	        {"IN", 2}, {"CH", 2}, {"HS", 2}, {"CS", 2}, {"CHAOS", 5}};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_eq_nocase(word, names[i]))
			return true;
	return word.len > 5 && str_eq_nocase((struct str){word.at, 5}, STR("CLASS"));
}
