/*
 * The text of zone files (RFC 1035 5.1): logical lines, words, TTLs. Pure; used by zonefile.c.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct zonetext {
	struct str rest;
	unsigned line; /* where the current record begins */
	unsigned next_line;
};

/* Start at the front of text, which must outlive z. */
void zonetext_init(struct zonetext *z, struct str text);
/*
 * Put the next record or directive into line: comments and parentheses removed, blanks outside of
 * quotes made spaces, a space in front when the owner is left out. line is empty at the end. NULL,
 * or what is wrong.
 */
const char *zonetext_next(struct zonetext *z, struct buf *line, size_t max);
/* Cut the next word of a line; spaces inside quotes and behind backslashes do not end it. */
struct str zonetext_word(struct str *rest);
/* Without the quotes around it. */
struct str zonetext_unquote(struct str word);
/* Seconds, as a number or with units: 3600, 1h30m, 2w. 0, or -EINVAL. */
int zonetext_ttl(struct str word, uint32_t *out);
/* True for IN, CH, HS, CS, CLASSnnn. */
bool zonetext_is_class(struct str word);
