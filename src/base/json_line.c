#include "base/json_line.h"

#include <stdio.h>
#include <time.h>

/* Braces of two objects and the newline always have room. */
#define TAIL 3u

static size_t room(const struct json_line *l)
{
	return l->len + TAIL < l->cap ? l->cap - TAIL - l->len : 0;
}

static void add(struct json_line *l, const char *p, size_t n)
{
	memcpy(l->at + l->len, p, n);
	l->len += n;
}

void json_line_begin(struct json_line *l, char *out, size_t cap)
{
	*l = (struct json_line){.at = out, .cap = cap, .depth = 1};
	add(l, "{", 1);
}

/* `,"KEY":`; false when it and a value of n octets have no room. */
static bool add_key(struct json_line *l, const char *key, size_t n)
{
	size_t len = strlen(key);

	if (room(l) < len + 4 + n)
		return false;
	add(l, ",\"", l->has_fields ? 2 : 0);
	add(l, "\"", l->has_fields ? 0 : 1);
	add(l, key, len);
	add(l, "\":", 2);
	l->has_fields = true;
	return true;
}

void json_line_raw(struct json_line *l, const char *key, struct str value)
{
	if (add_key(l, key, value.len))
		add(l, value.at, value.len);
}

/* One character of a text as it stands in a string; *used are its octets in the text. */
static size_t escape(char out[8], const char *text, size_t n, size_t *used)
{
	const unsigned char *p = (const unsigned char *)text;

	*used = str_utf8_len((struct str){text, n});
	if (*used == 0) {
		*used = 1;
		memcpy(out, "\xef\xbf\xbd", 3); /* U+FFFD */
		return 3;
	}
	if (p[0] == '"' || p[0] == '\\') {
		out[0] = '\\';
		out[1] = text[0];
		return 2;
	}
	if (p[0] < 32 || p[0] == 127)
		return (size_t)snprintf(out, 8, "\\u%04x", p[0]);
	memcpy(out, text, *used);
	return *used;
}

void json_line_text(struct json_line *l, const char *key, struct str text, size_t max)
{
	size_t used, n, written = 0;
	char one[8];

	if (!add_key(l, key, 2))
		return;
	add(l, "\"", 1);
	while (text.len > 0) {
		n = escape(one, text.at, text.len, &used);
		if (written + n > max || room(l) < n + 1)
			break;
		add(l, one, n);
		written += n;
		text.at += used;
		text.len -= used;
	}
	add(l, "\"", 1);
}

void json_line_open(struct json_line *l, const char *key)
{
	if (!add_key(l, key, 1))
		return;
	add(l, "{", 1);
	l->depth++;
	l->has_fields = false;
}

void json_line_close(struct json_line *l)
{
	if (l->depth < 2)
		return; /* it had no room */
	l->at[l->len++] = '}';
	l->depth--;
	l->has_fields = true;
}

void json_line_time(struct json_line *l, const char *key, uint64_t wall_ms)
{
	time_t seconds = (time_t)(wall_ms / 1000);
	char text[40];
	struct tm tm;
	size_t n;

	gmtime_r(&seconds, &tm);
	n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	n += (size_t)snprintf(
		text + n, sizeof(text) - n, ".%03uZ", (unsigned)(wall_ms % 1000));
	json_line_text(l, key, (struct str){text, n}, sizeof(text));
}

size_t json_line_end(struct json_line *l)
{
	while (l->depth > 0) {
		l->at[l->len++] = '}';
		l->depth--;
	}
	l->at[l->len++] = '\n';
	return l->len;
}
