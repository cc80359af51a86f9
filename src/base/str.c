#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/must.h"

bool str_eq(struct str a, struct str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

bool str_is(struct str a, const char *s)
{
	return str_eq(a, str_from(s));
}

bool str_eq_nocase(struct str a, struct str b)
{
	return a.len == b.len && (a.len == 0 || strncasecmp(a.at, b.at, a.len) == 0);
}

bool str_has_prefix(struct str s, const char *prefix)
{
	size_t n = strlen(prefix);

	return s.len >= n && memcmp(s.at, prefix, n) == 0;
}

bool str_has_suffix(struct str s, const char *suffix)
{
	size_t n = strlen(suffix);

	return s.len >= n && memcmp(s.at + s.len - n, suffix, n) == 0;
}

size_t str_utf8_len(struct str s)
{
	const unsigned char *p = (const unsigned char *)s.at;
	size_t len = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	unsigned char low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
	unsigned char high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;

	if (len == 0 || len > s.len || p[0] > 0xf4)
		return 0;
	if (len > 1 && (p[1] < low || p[1] > high))
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct str str_trim(struct str s)
{
	while (s.len > 0 && is_blank(s.at[0]))
		s = (struct str){s.at + 1, s.len - 1};
	while (s.len > 0 && is_blank(s.at[s.len - 1]))
		s.len--;
	return s;
}

struct str str_cut(struct str *rest, char sep)
{
	const char *p = rest->len == 0 ? NULL : memchr(rest->at, sep, rest->len);
	struct str head = *rest;

	if (p == NULL) {
		*rest = (struct str){NULL, 0};
		return head;
	}
	head.len = (size_t)(p - head.at);
	*rest = (struct str){p + 1, rest->len - head.len - 1};
	return head;
}

struct str str_word(struct str *rest)
{
	struct str w;

	while (rest->len > 0 && is_blank(rest->at[0]))
		*rest = (struct str){rest->at + 1, rest->len - 1};
	w = (struct str){rest->at, 0};
	while (rest->len > 0 && !is_blank(rest->at[0])) {
		*rest = (struct str){rest->at + 1, rest->len - 1};
		w.len++;
	}
	return w;
}

static void buf_room(struct buf *b, size_t n)
{
	if (b->len + n + 1 <= b->cap)
		return;
	b->cap = b->cap * 2 > b->len + n + 1 ? b->cap * 2 : b->len + n + 64;
	b->at = mem_resize(b->at, b->cap);
}

void buf_add(struct buf *b, const void *p, size_t n)
{
	buf_room(b, n);
	if (n > 0)
		memcpy(b->at + b->len, p, n);
	b->len += n;
	b->at[b->len] = '\0';
}

void buf_str(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_char(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap, again;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	must(n >= 0);
	buf_room(b, (size_t)n);
	vsnprintf(b->at + b->len, (size_t)n + 1, fmt, again);
	va_end(again);
	b->len += (size_t)n;
}

void buf_escape(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.at[i];

		if (c < 32 || c > 126)
			buf_printf(b, "\\%03u", c);
		else
			buf_char(b, (char)c);
	}
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	if (b->at != NULL)
		b->at[0] = '\0';
}

void buf_free(struct buf *b)
{
	free(b->at);
	*b = (struct buf){NULL, 0, 0};
}

const char *buf_text(const struct buf *b)
{
	return b->at == NULL ? "" : b->at;
}

static int read_fd(struct buf *b, int fd, size_t max)
{
	size_t got = 0;

	for (;;) {
		ssize_t n;

		buf_room(b, 16384);
		n = read(fd, b->at + b->len, 16384);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		b->len += (size_t)n;
		b->at[b->len] = '\0';
		got += (size_t)n;
		if (n == 0)
			return 0;
		if (got > max)
			return -EFBIG;
	}
}

int buf_read_file(struct buf *b, const char *path, size_t max)
{
	struct stat st;
	int rc, fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) != 0)
		rc = -errno;
	else if (!S_ISREG(st.st_mode))
		rc = S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	else
		rc = read_fd(b, fd, max);
	close(fd);
	return rc;
}
