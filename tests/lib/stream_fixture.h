/*
 * A stream pool on a real loop over 127.0.0.1, with the test as its client: plain non-blocking
 * sockets in the same thread. Included by the tests of net/stream*.c. STREAM_TEST() gives a test
 * a fixture in *state, and stops and checks it behind the test.
 */
#pragma once

#include <uv.h>

#include "loopback.h"
#include "net/stream.h"
#include "net/tls.h"

#define KEPT_MAX 512
#define CLIENTS_MAX 16

struct fixture {
	struct stream_limits limits; /* for start(); their deadlines are out of reach at first */
	int clients[CLIENTS_MAX]; /* sockets that stop() closes */
	unsigned n_clients;
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

#define STREAM_TEST(test) cmocka_unit_test_setup_teardown(test, stream_setup, stream_teardown)

/* Make *state a fixture that has not started. */
int stream_setup(void **state);
/* stop() it. */
int stream_teardown(void **state);
/* Forget what was read. */
void empty_inbox(void);
/* Serve a fresh port; again, after stop(). */
void start(struct fixture *f);
/* The same over TLS; tls must live until stop(). */
void start_tls(struct fixture *f, struct tls_context *tls);
/* One turn of the loop, and the flush at its end. */
void turn(struct fixture *f);
/* Run the loop for so long. */
void run_for_ms(struct fixture *f, int ms);
/* Answer message number i of those that f->keeps kept. */
void answer_kept(struct fixture *f, unsigned i);
/*
 * Close all clients, and check that no connection is left and no memory counted; then stop. Does
 * nothing before start().
 */
void stop(struct fixture *f);
/* Have stop() close a client. */
int add_client(struct fixture *f, int fd);
/* A client socket bound to ip (host order), connected. */
int connect_from(struct fixture *f, uint32_t ip);
/* A client that the server has accepted. */
int connected(struct fixture *f);
/* start(), and such a client. */
int start_connected(struct fixture *f);
/* Close a client before stop() does. */
void hang_up(struct fixture *f, int fd);
/* A query of len octets, of which only the ID matters, behind its length; octets written. */
size_t put_query(uint8_t *out, uint16_t id, size_t len);
/* Send octets that fit the socket buffer. */
void send_all(int fd, const uint8_t *at, size_t len);
/* Send a usual query. */
void ask(int fd, uint16_t id);
/* Whole answers in the inbox; the ID of number i goes to *id (NULL is fine). */
unsigned inbox_answers(unsigned i, uint16_t *id);
/* Whole answers read so far; *id as there. */
unsigned answers(int fd, unsigned i, uint16_t *id);
/* The ID of answer number i, which has come. */
uint16_t answer_id(int fd, unsigned i);
/* True when the server has closed the connection. */
bool is_closed(int fd);
