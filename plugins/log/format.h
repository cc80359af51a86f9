/*
 * The format of query log lines: compiled at setup into pieces, written for each answer without
 * allocating. Pure.
 */
#pragma once

#include "base/arena.h"
#include "base/log.h"
#include "core/query.h"

/* Longest line, with its newline; the rest is cut off. */
#define FORMAT_LINE_MAX LOG_LINE_MAX

#define FORMAT_COMMON                                                                              \
	"{remote}:{port} - {>id} \"{type} {class} {name} {proto} {size} {>do} {>bufsize}\" "       \
	"{rcode} {>rflags} {rsize} {duration}"
#define FORMAT_COMBINED FORMAT_COMMON " \"{>opcode}\""

struct format_piece {
	struct str literal; /* when key is 0; of metadata, which */
	unsigned key;
};

struct format {
	VEC(struct format_piece) pieces;
};

/*
 * Compile text, which must live as long as the format. {common} and {combined} are replaced by
 * what they stand for; words in braces that are not known stay as they are.
 */
void format_init(struct format *f, const char *text);
/*
 * The next word of rest that is in braces as those above are, but unknown; rest goes on behind it.
 * Empty when there is none.
 */
struct str format_next_unknown(struct str *rest);
/* Say which metadata the format uses. */
void format_want(const struct format *f, struct chain *c);
/* Free the pieces. */
void format_fini(struct format *f);
/*
 * Write the line of an answered query into out, took_ns after it came; starts with "[INFO] " and
 * ends with a newline. Returns its length.
 */
size_t format_write(
	const struct format *f, struct query *q, uint64_t took_ns, char out[FORMAT_LINE_MAX]);
/* The key of metadata that piece i stands for; empty when it is another one. */
struct str format_metadata_key(const struct format *f, size_t i);
/* Write what a word such as "{rcode}" stands for into out; returns its length, at most room. */
size_t format_word(
	const char *word, struct query *q, uint64_t took_ns, char *out, size_t room);
