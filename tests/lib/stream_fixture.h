/*
 * A stream pool on a real loop over 127.0.0.1, with the test as its client: plain non-blocking
 * sockets in the same thread. Included by the tests of net/stream*.c.
 */
#pragma once

#include "test.h"

#include <poll.h>
#include <uv.h>

#include "net/stream.h"
#include "net/tls.h"

#define KEPT_MAX 512

struct fixture {
	uv_loop_t loop;
	struct stream_pool *pool;
	struct stream_counters counters;
	union addr addr;
	struct tls_context *tls; /* of the server; NULL: plain TCP */
	bool wants_flush, is_stopped;
	bool flushes_early; /* on_message flushes as an owner short of queries may */
	bool keeps; /* on_message keeps messages instead of answering */
	size_t answer_len; /* 0: a header alone */
	unsigned n_kept;
	unsigned tls_failures; /* that were told, and why the last one */
	char tls_why[100];
	struct {
		struct stream *c;
		uint8_t id[2];
	} kept[KEPT_MAX];
};

/* What a client has read so far. */
struct inbox {
	uint8_t at[1 << 20];
	size_t len;
	bool is_closed;
};

extern struct inbox inbox;

/* Run the loop until cond holds, for at most 2 s of patience on a slow machine. */
#define run_until(f, cond)                                              \
	do {                                                            \
		bool holds_ = false;                                    \
		for (int left_ = 2000; !holds_ && left_ > 0; left_--) { \
			turn(f);                                        \
			holds_ = (cond);                                \
			if (!holds_)                                    \
				poll(NULL, 0, 1);                       \
		}                                                       \
		assert_true(holds_);                                    \
	} while (0)

/* Limits whose deadlines no test reaches. */
struct stream_limits patient(void);
/* Forget what was read. */
void empty_inbox(void);
/* Serve a fresh port with the limits. */
void start(struct fixture *f, const struct stream_limits *limits);
/* The same over TLS; tls must live until stop(). */
void start_tls(struct fixture *f, const struct stream_limits *limits, struct tls_context *tls);
/* One turn of the loop, and the flush at its end. */
void turn(struct fixture *f);
/* Run the loop for so long. */
void run_for_ms(struct fixture *f, int ms);
/* Answer message number i of those that f->keeps kept. */
void answer_kept(struct fixture *f, unsigned i);
/* Stop at once, and check that nothing is left. */
void stop(struct fixture *f);
/* A client socket bound to ip (host order), connected. */
int connect_from(const struct fixture *f, uint32_t ip);
/* A client that the server has accepted. */
int connected(struct fixture *f);
/* A query of len octets, of which only the ID matters, behind its length; octets written. */
size_t put_query(uint8_t *out, uint16_t id, size_t len);
/* Send octets that fit the socket buffer. */
void send_all(int fd, const uint8_t *at, size_t len);
/* Send a usual query. */
void ask(int fd, uint16_t id);
/* Whole answers read so far; the ID of number i goes to *id (NULL is fine). */
unsigned answers(int fd, unsigned i, uint16_t *id);
/* The ID of answer number i, which has come. */
uint16_t answer_id(int fd, unsigned i);
/* True when the server has closed the connection. */
bool is_closed(int fd);
