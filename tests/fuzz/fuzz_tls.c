/*
 * TLS between two sessions whose octets arrive in pieces, late or changed, or between one and a
 * peer that sends anything: what comes out is what was put in, up to some point, and a session
 * that fails says so and stays failed.
 */
#include "fuzz.h"

#include <string.h>

#include "base/must.h"
#include "net/tls.h"

#define CERT SRCDIR "/tests/data/tls/test.crt"
#define KEY SRCDIR "/tests/data/tls/test.key"

/* One end, and how far it is: octets of the endless row 0, 1, 2, ... 250, 0, ... */
struct end {
	struct tls_session *tls;
	size_t put, got;
	bool has_failed;
};

static struct tls_context *server_context, *client_context;

static void begin(void)
{
	const struct tls_server_options so = {.cert = CERT, .key = KEY};
	const struct tls_client_options co = {.ca = CERT};

	server_context = tls_server_context(&so, NULL);
	client_context = tls_client_context(&co, NULL);
	must(server_context != NULL && client_context != NULL);
}

/* Take what came, which must be the row as the peer has put it in. */
static void take(struct end *to, const struct end *from)
{
	uint8_t out[300];
	size_t n;

	while ((n = tls_read(to->tls, out, sizeof(out))) > 0) {
		for (size_t i = 0; i < n; i++)
			must(out[i] == (to->got + i) % 251);
		to->got += n;
		must(from != NULL && to->got <= from->put);
	}
	must(!to->has_failed || tls_state(to->tls) == TLS_FAILED);
	to->has_failed = tls_state(to->tls) == TLS_FAILED;
	must(to->has_failed == (tls_fault(to->tls) != TLS_FAULT_NONE));
	must(to->has_failed == (tls_problem(to->tls)[0] != '\0'));
}

static void put(struct end *e, size_t n)
{
	uint8_t row[5000];

	for (size_t i = 0; i < n; i++)
		row[i] = (uint8_t)((e->put + i) % 251);
	if (tls_write(e->tls, row, n) == 0)
		e->put += n;
}

/* At most n octets go over, the first of them changed. */
static void move(struct end *from, struct end *to, size_t n, uint8_t change)
{
	uint8_t piece[5000];
	size_t all;
	const uint8_t *at = tls_output(from->tls, &all);

	n = n < all ? n : all;
	if (n == 0)
		return;
	memcpy(piece, at, n);
	piece[0] ^= change;
	tls_sent(from->tls, n);
	tls_feed(to->tls, piece, n);
	take(to, from);
}

/* Two octets a step: what is done, and how much of it. */
static void play(const uint8_t *data, size_t size)
{
	struct end ends[2] = {{.tls = tls_connect(client_context, "localhost", NULL)},
	        {.tls = tls_accept(server_context)}};

	for (size_t i = 0; i + 1 < size && i < 400; i += 2) {
		struct end *a = &ends[data[i] & 1], *b = &ends[~data[i] & 1];
		size_t n = 1 + data[i + 1] * 16u;

		switch (data[i] >> 1 & 7) {
		case 0: move(a, b, 1 + data[i + 1], 0); break;
		case 1: put(a, n); break;
		case 2: move(a, b, 1, data[i + 1]); break;
		case 3: tls_close(a->tls); break;
		default: move(a, b, n, 0);
		}
	}
	tls_free(ends[0].tls);
	tls_free(ends[1].tls);
}

/* A peer that sends anything, in two pieces. */
static void listen_to(struct tls_session *tls, const uint8_t *data, size_t size)
{
	struct end e = {.tls = tls};

	tls_feed(tls, data, size / 2);
	take(&e, NULL);
	tls_feed(tls, data + size / 2, size - size / 2);
	take(&e, NULL);
	must(tls_state(tls) == TLS_HANDSHAKE || tls_state(tls) == TLS_FAILED);
	tls_free(tls);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (server_context == NULL)
		begin();
	if (size == 0)
		return 0;
	if (data[0] == 's')
		listen_to(tls_accept(server_context), data + 1, size - 1);
	else if (data[0] == 'c')
		listen_to(tls_connect(client_context, "localhost", NULL), data + 1, size - 1);
	else
		play(data, size);
	return 0;
}
