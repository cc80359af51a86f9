#include "log/json.h"

#include "base/json_line.h"
#include "base/log.h"
#include "core/metadata.h"

/* Octets of a value, and of msg, which is the whole line as text. */
#define VALUE_MAX 1100u
#define MSG_MAX 1400u

enum kind { TEXT, BARE };

/* What stands for the words of a format; BARE values are numbers and truth values. */
static const struct {
	const char *key, *word;
	enum kind kind;
} fields[] = {
	{"client_ip", "{remote}", TEXT},
	{"client_port", "{port}", BARE},
	{"local_ip", "{local}", TEXT},
	{"proto", "{proto}", TEXT},
	{"id", "{>id}", BARE},
	{"opcode", "{>opcode}", BARE},
	{"qname", "{name}", TEXT},
	{"qtype", "{type}", TEXT},
	{"qclass", "{class}", TEXT},
	{"do", "{>do}", BARE},
	{"bufsize", "{>bufsize}", BARE},
	{"request_size", "{size}", BARE},
	{"rcode", "{rcode}", TEXT},
	{"rflags", "{>rflags}", TEXT},
	{"response_size", "{rsize}", BARE},
	{"duration_seconds", "{duration}", BARE},
};

/* Addresses without the brackets of IPv6, durations without their unit. */
static struct str bare(struct str value)
{
	if (value.len > 1 && value.at[0] == '[')
		return (struct str){value.at + 1, value.len - 2};
	if (value.len > 1 && value.at[value.len - 1] == 's')
		value.len--;
	return value;
}

static void add_metadata(struct json_line *l, const struct format *f, struct query *q)
{
	struct str value;
	char key[METADATA_KEY_MAX + 1];
	bool is_open = false;

	for (size_t i = 0; i < f->pieces.len; i++) {
		struct str name = format_metadata_key(f, i);

		/* in the Corefile it may be anything; a key has no characters to escape */
		if (!metadata_is_key(name) || memchr(name.at, '"', name.len) != NULL ||
			memchr(name.at, '\\', name.len) != NULL || !metadata_get(q, name, &value))
			continue;
		if (!is_open)
			json_line_open(l, "metadata");
		is_open = true;
		memcpy(key, name.at, name.len);
		key[name.len] = '\0';
		json_line_text(l, key, value, VALUE_MAX);
	}
	json_line_close(l);
}

size_t json_write(
	const struct format *f, struct query *q, uint64_t took_ns, char out[FORMAT_LINE_MAX])
{
	char text[FORMAT_LINE_MAX];
	struct str line = {text, format_write(f, q, took_ns, text) - 1};
	struct json_line l;

	str_cut(&line, ' '); /* the level has a field of its own */
	log_json_begin(&l, out, LOG_INFO);
	json_line_text(&l, "msg", line, MSG_MAX);
	json_line_text(&l, "plugin", STR("log"), 8);
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		char value[VALUE_MAX];
		struct str v = {value, 0};

		v.len = format_word(fields[i].word, q, took_ns, value, sizeof(value));
		if (fields[i].kind == BARE)
			json_line_raw(&l, fields[i].key, bare(v));
		else
			json_line_text(
				&l, fields[i].key, v.at[0] == '[' ? bare(v) : v, VALUE_MAX);
	}
	add_metadata(&l, f, q);
	return json_line_end(&l);
}
