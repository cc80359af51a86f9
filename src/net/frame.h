/*
 * Framing of DNS messages on streams (RFC 1035 4.2.2: two octets of length before each message)
 * and the octet queue that a connection keeps for what is not complete or not sent yet. Pure:
 * no sockets. Called by net/stream*.c.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define FRAME_PREFIX 2u
/* A message shorter than a header cannot even be answered: the peer does not speak DNS. */
#define FRAME_MESSAGE_MIN 12u
#define FRAME_MESSAGE_MAX 65535u

enum frame_status {
	FRAME_PARTIAL, /* more octets are needed */
	FRAME_MESSAGE,
	FRAME_BAD, /* the length field is impossible; the stream cannot be read any further */
};

struct frame {
	const uint8_t *message; /* inside the octets that were looked at */
	size_t len;
};

/* Look at len octets that begin with a length field; f is set with FRAME_MESSAGE. */
enum frame_status frame_next(const uint8_t *at, size_t len, struct frame *f);
/*
 * Octets for which to make room behind the len octets of a partial message. Room for a long
 * message grows with what has arrived, not with what the length field promises; never 0.
 */
size_t frame_room(const uint8_t *at, size_t len);

/* Octets in order: put in at the end, taken out at the start. A zeroed one is empty and valid. */
struct fifo {
	uint8_t *at; /* heap */
	size_t start, len, cap;
};

/* The first of f->len octets. */
static inline uint8_t *fifo_head(const struct fifo *f)
{
	return f->at + f->start;
}

/* Where the next octet goes; fifo_reserve() made room there. */
static inline uint8_t *fifo_tail(const struct fifo *f)
{
	return f->at + f->start + f->len;
}

/* Octets that fit at fifo_tail(). */
static inline size_t fifo_room(const struct fifo *f)
{
	return f->cap - f->start - f->len;
}

/* Make room for n octets at fifo_tail(), moving or growing the memory. 0 or -ENOMEM. */
int fifo_reserve(struct fifo *f, size_t n);
/* Append n octets for which there is room. */
void fifo_put(struct fifo *f, const uint8_t *octets, size_t n);
/* Remove the first n octets, n <= f->len. */
void fifo_take(struct fifo *f, size_t n);
/* Free the memory of an empty queue when it is more than keep octets. */
void fifo_trim(struct fifo *f, size_t keep);
/* Free the memory and leave an empty queue. */
void fifo_fini(struct fifo *f);
