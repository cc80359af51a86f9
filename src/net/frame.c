#include "net/frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"

/* Room for a few usual queries of 30 to 60 octets. */
#define FIFO_MIN 512u

enum frame_status frame_next(const uint8_t *at, size_t len, struct frame *f)
{
	size_t n;

	if (len < FRAME_PREFIX)
		return FRAME_PARTIAL;
	n = (size_t)at[0] << 8 | at[1];
	if (n < FRAME_MESSAGE_MIN)
		return FRAME_BAD;
	if (len - FRAME_PREFIX < n)
		return FRAME_PARTIAL;
	f->message = at + FRAME_PREFIX;
	f->len = n;
	return FRAME_MESSAGE;
}

size_t frame_room(const uint8_t *at, size_t len)
{
	size_t whole = FIFO_MIN, grown = 2 * len;

	if (len >= FRAME_PREFIX)
		whole = FRAME_PREFIX + ((size_t)at[0] << 8 | at[1]);
	if (grown < FIFO_MIN)
		grown = FIFO_MIN;
	if (whole < FIFO_MIN)
		whole = FIFO_MIN;
	if (whole > grown)
		whole = grown;
	return whole > len ? whole - len : FIFO_MIN;
}

int fifo_reserve(struct fifo *f, size_t n)
{
	size_t cap = f->cap < FIFO_MIN ? FIFO_MIN : f->cap;
	uint8_t *at;

	if (fifo_room(f) >= n)
		return 0;
	if (f->start > 0) {
		memmove(f->at, f->at + f->start, f->len);
		f->start = 0;
	}
	if (fifo_room(f) >= n)
		return 0;
	while (cap - f->len < n)
		cap += cap / 2;
	at = realloc(f->at, cap);
	if (at == NULL)
		return -ENOMEM;
	f->at = at;
	f->cap = cap;
	return 0;
}

void fifo_put(struct fifo *f, const uint8_t *octets, size_t n)
{
	must(fifo_room(f) >= n);
	if (n > 0)
		memcpy(fifo_tail(f), octets, n);
	f->len += n;
}

void fifo_take(struct fifo *f, size_t n)
{
	must(n <= f->len);
	f->start += n;
	f->len -= n;
	if (f->len == 0)
		f->start = 0;
}

void fifo_trim(struct fifo *f, size_t keep)
{
	if (f->len == 0 && f->cap > keep)
		fifo_fini(f);
}

void fifo_fini(struct fifo *f)
{
	free(f->at);
	*f = (struct fifo){0};
}
