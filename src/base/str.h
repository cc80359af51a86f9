/*
 * Text: borrowed slices (struct str) and a growable builder (struct buf).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Borrowed text, not NUL-terminated. */
struct str {
	const char *at;
	size_t len;
};

#define STR(literal) ((struct str){(literal), sizeof(literal) - 1})

/* Slice of a whole C string (NULL gives an empty slice). */
static inline struct str str_from(const char *s)
{
	return (struct str){s, s == NULL ? 0 : strlen(s)};
}

/* Equal bytes. */
bool str_eq(struct str a, struct str b);
/* Equal to a C string. */
bool str_is(struct str a, const char *s);
/* Equal when ASCII case is ignored. */
bool str_eq_nocase(struct str a, struct str b);
/* True when s begins with prefix. */
bool str_has_prefix(struct str s, const char *prefix);
/* True when s ends with suffix. */
bool str_has_suffix(struct str s, const char *suffix);
/* Octets of the UTF-8 character that s, which is not empty, begins with; 0: none (RFC 3629 4). */
size_t str_utf8_len(struct str s);
/* Without spaces, tabs, CR and LF at both ends. */
struct str str_trim(struct str s);
/*
 * Cut the text before the next sep from *rest and return it; *rest goes on behind sep. At the
 * end *rest is empty with at == NULL.
 */
struct str str_cut(struct str *rest, char sep);
/* The next run of non-blank characters of *rest, or an empty slice at its end. */
struct str str_word(struct str *rest);

/* Growable text with a NUL always behind it. A zeroed buf is empty and valid. */
struct buf {
	char *at;
	size_t len, cap;
};

/* Append n bytes. */
void buf_add(struct buf *b, const void *p, size_t n);
/* Append a C string. */
void buf_str(struct buf *b, const char *s);
/* Append one character. */
void buf_char(struct buf *b, char c);
/* Append printf-style. */
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Append with \-escapes of control characters and bytes over 126, as log lines need. */
void buf_escape(struct buf *b, struct str s);
/* Empty it, keep the memory. */
void buf_clear(struct buf *b);
/* Free it, leave it empty. */
void buf_free(struct buf *b);
/* The content as a C string (never NULL), still owned by b. */
const char *buf_text(const struct buf *b);
/*
 * Read a whole file of at most max bytes into b (appending). 0, or a negative errno; -EFBIG when
 * it is larger. FIFOs, devices and directories give -EINVAL instead of blocking.
 */
int buf_read_file(struct buf *b, const char *path, size_t max);
