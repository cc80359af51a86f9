#include "template/program.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 6u

/* --- compiling --- */

static void add(struct program *p, struct hole h)
{
	vec_push(&p->holes, h);
}

static void add_text(struct program *p, struct str text)
{
	if (text.len > 0)
		add(p, (struct hole){.kind = HOLE_TEXT, .text = text});
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static struct str trim_end(struct str s)
{
	while (s.len > 0 && is_blank(s.at[s.len - 1]))
		s.len--;
	return s;
}

static struct str trim_start(struct str s)
{
	while (s.len > 0 && is_blank(s.at[0]))
		s = (struct str){s.at + 1, s.len - 1};
	return s;
}

/* One word, or text in quotes, with them; len 0 at the end. */
static struct str next_word(struct str *rest)
{
	struct str word = trim_start(*rest);
	size_t n = 0;

	if (word.len > 0 && (word.at[0] == '"' || word.at[0] == '`')) {
		const char *end = memchr(word.at + 1, word.at[0], word.len - 1);

		n = end == NULL ? word.len : (size_t)(end - word.at) + 1;
	} else {
		while (n < word.len && !is_blank(word.at[n]))
			n++;
	}
	*rest = (struct str){word.at + n, word.len - n};
	word.len = n;
	return word;
}

/* The text in the quotes of a word; false when it has none. */
static bool unquote(struct str word, struct str *out)
{
	if (word.len < 2 || (word.at[0] != '"' && word.at[0] != '`') ||
	        word.at[word.len - 1] != word.at[0])
		return false;
	*out = (struct str){word.at + 1, word.len - 2};
	return true;
}

static bool read_number(struct str word, uint32_t max, uint32_t *out)
{
	uint32_t v = 0;

	if (word.len == 0 || word.len > 9)
		return false;
	for (size_t i = 0; i < word.len; i++) {
		if (word.at[i] < '0' || word.at[i] > '9')
			return false;
		v = v * 10 + (uint32_t)(word.at[i] - '0');
	}
	*out = v;
	return v <= max;
}

/* A field: ".Name", ".Group.x". */
static bool read_field(struct str word, struct hole *h)
{
	static const struct {
		const char *name;
		enum hole_kind kind;
	} fields[] = {
	        {".Name", HOLE_NAME},
	        {".Zone", HOLE_ZONE},
	        {".Class", HOLE_CLASS},
	        {".Type", HOLE_TYPE},
	        {".Remote", HOLE_REMOTE},
	        {".Question.Name", HOLE_NAME},
	        {".Question.Qtype", HOLE_QTYPE},
	        {".Question.Qclass", HOLE_QCLASS},
	        {".Message.Id", HOLE_ID},
	        {".Message.MsgHdr.Id", HOLE_ID},
	};

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (str_is(word, fields[i].name)) {
			h->kind = fields[i].kind;
			return true;
		}
	}
	if (!str_has_prefix(word, ".Group.") || word.len == 7)
		return false;
	h->kind = HOLE_GROUP;
	h->text = (struct str){word.at + 7, word.len - 7};
	return true;
}

/* `index .Match N`, `index .Group "name"` */
static bool read_index(const struct str *words, size_t n, struct hole *h)
{
	if (n != 3)
		return false;
	if (str_is(words[1], ".Match")) {
		h->kind = HOLE_MATCH;
		return read_number(words[2], PATTERN_GROUPS - 1, &h->number);
	}
	h->kind = HOLE_GROUP;
	return str_is(words[1], ".Group") && unquote(words[2], &h->text);
}

static bool read_expression(const struct str *words, size_t n, struct hole *h)
{
	if (n == 1)
		return read_field(words[0], h);
	if (str_is(words[0], "index"))
		return read_index(words, n, h);
	h->kind = HOLE_META;
	return n == 2 && str_is(words[0], ".Meta") && unquote(words[1], &h->text);
}

/* `parseInt EXPRESSION BASE BITS` */
static bool read_parse_int(const struct str *words, size_t n, struct hole *h)
{
	uint32_t base, bits;

	if (n < 4 || !read_expression(words + 1, n - 3, h) ||
	        !read_number(words[n - 2], 36, &base) || base < 2 ||
	        !read_number(words[n - 1], 64, &bits))
		return false;
	h->base = (uint8_t)base;
	h->bits = (uint8_t)(bits == 0 ? 64 : bits);
	return true;
}

static int add_hole(struct program *p, struct str inside, struct err *e)
{
	struct str words[WORDS_MAX], rest = inside;
	struct hole h = {.kind = HOLE_TEXT};
	size_t n = 0;
	bool is_good;

	while (n < WORDS_MAX && (words[n] = next_word(&rest)).len > 0) {
		/* (index .Match 1) is what index .Match 1 is */
		if (words[n].at[0] == '(')
			words[n] = (struct str){words[n].at + 1, words[n].len - 1};
		if (words[n].len > 0 && words[n].at[words[n].len - 1] == ')')
			words[n].len--;
		n++;
	}
	if (n > 0 && str_is(words[0], "parseInt"))
		is_good = read_parse_int(words, n, &h);
	else
		is_good = n > 0 && read_expression(words, n, &h);
	if (!is_good || trim_start(rest).len > 0)
		return err_set(e, -EINVAL,
		        "'{{%.*s}}' is nothing that a template may have; see the manual page",
		        (int)inside.len, inside.at);
	add(p, h);
	return 0;
}

int program_init(struct program *p, struct arena *a, const char *text, struct err *e)
{
	struct str rest = str_from(arena_str(a, text));
	bool trims = false;

	while (rest.len > 0) {
		const char *open = memmem(rest.at, rest.len, "{{", 2), *close;
		struct str before = {rest.at, open == NULL ? rest.len : (size_t)(open - rest.at)};
		struct str inside;

		if (trims)
			before = trim_start(before);
		if (open == NULL) {
			add_text(p, before);
			return 0;
		}
		rest = (struct str){open + 2, rest.len - (size_t)(open + 2 - rest.at)};
		close = memmem(rest.at, rest.len, "}}", 2);
		if (close == NULL)
			return err_set(e, -EINVAL, "a '{{' without its '}}'");
		inside = (struct str){rest.at, (size_t)(close - rest.at)};
		rest = (struct str){close + 2, rest.len - inside.len - 2};
		if (inside.len > 0 && inside.at[0] == '-') {
			before = trim_end(before);
			inside = (struct str){inside.at + 1, inside.len - 1};
		}
		trims = inside.len > 0 && inside.at[inside.len - 1] == '-';
		inside.len -= trims;
		add_text(p, before);
		if (add_hole(p, inside, e) != 0)
			return -EINVAL;
	}
	return 0;
}

void program_fini(struct program *p)
{
	vec_free(&p->holes);
}

/* --- expanding --- */

static struct str number_text(char out[24], uint64_t v)
{
	return (struct str){out, (size_t)snprintf(out, 24, "%llu", (unsigned long long)v)};
}

static struct str group_text(const struct filling *f, struct str name)
{
	int i = f->pattern == NULL ? -1 : pattern_group(f->pattern, name);

	return i < 0 ? (struct str){"", 0} : f->match->at[i];
}

static struct str meta_text(const struct filling *f, struct str key)
{
	struct str out = {"", 0};

	if (f->meta != NULL)
		f->meta(f->arg, key, &out);
	return out;
}

static struct str fill(const struct hole *h, const struct filling *f, char scratch[24])
{
	switch (h->kind) {
	case HOLE_TEXT: return h->text;
	case HOLE_NAME: return f->name;
	case HOLE_ZONE: return f->zone;
	case HOLE_CLASS: return f->class_text;
	case HOLE_TYPE: return f->type_text;
	case HOLE_REMOTE: return f->remote;
	case HOLE_QTYPE: return number_text(scratch, f->qtype);
	case HOLE_QCLASS: return number_text(scratch, f->qclass);
	case HOLE_ID: return number_text(scratch, f->id);
	case HOLE_MATCH: return h->number < f->match->n ? f->match->at[h->number] : STR("");
	case HOLE_GROUP: return group_text(f, h->text);
	case HOLE_META: return meta_text(f, h->text);
	}
	return (struct str){"", 0};
}

/* The value read in h->base, in decimal; false when it is no number of so many bits. */
static bool convert(const struct hole *h, struct str *value, char scratch[24])
{
	char text[72], *end;
	unsigned long long v;

	if (value->len == 0 || value->len >= sizeof(text) || value->at[0] == '-' ||
	        value->at[0] == '+' || is_blank(value->at[0]))
		return false;
	memcpy(text, value->at, value->len);
	text[value->len] = '\0';
	errno = 0;
	v = strtoull(text, &end, h->base);
	if (*end != '\0' || errno != 0 || (h->bits < 64 && v >> h->bits != 0))
		return false;
	*value = number_text(scratch, v);
	return true;
}

int program_expand(const struct program *p, const struct filling *f, char *out, size_t size)
{
	size_t n = 0;

	vec_for_each (&p->holes, h) {
		char scratch[24], decimal[24];
		struct str value = fill(h, f, scratch);

		if (h->base != 0 && !convert(h, &value, decimal))
			return -1;
		if (n + value.len >= size)
			return -1;
		if (value.len > 0)
			memcpy(out + n, value.at, value.len);
		n += value.len;
	}
	out[n] = '\0';
	return (int)n;
}
