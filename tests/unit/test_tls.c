/* TLS from memory to memory: both ends in one thread, and what happens when one of them is odd. */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "net/tls.h"

static char dir[] = "/tmp/seamark-tls.XXXXXX";

static char *path(const char *name)
{
	static char out[8][256];
	static unsigned turn;
	char *at = out[turn++ % 8];

	snprintf(at, sizeof(out[0]), "%s/%s", dir, name);
	return at;
}

static int make_certs(void **state)
{
	char command[600];

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(command, sizeof(command), "sh %s/tests/apisim/certs.sh %s >/dev/null 2>&1", SRCDIR,
	        dir);
	return system(command);
}

static int remove_certs(void **state)
{
	char command[300];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

static struct tls_context *server_of(const char *cert, enum tls_client_auth auth)
{
	char crt[64], key[64];
	struct tls_server_options o = {.ca = path("ca.crt"), .auth = auth};
	struct err e = {{0}};
	struct tls_context *c;

	snprintf(crt, sizeof(crt), "%s.crt", cert);
	snprintf(key, sizeof(key), "%s.key", cert);
	o.cert = path(crt);
	o.key = path(key);
	c = tls_server_context(&o, &e);
	if (c == NULL)
		fail_msg("%s", e.text);
	return c;
}

static struct tls_context *client_of(const char *cert)
{
	char crt[64], key[64];
	struct tls_client_options o = {.ca = path("ca.crt")};
	struct err e = {{0}};
	struct tls_context *c;

	if (cert != NULL) {
		snprintf(crt, sizeof(crt), "%s.crt", cert);
		snprintf(key, sizeof(key), "%s.key", cert);
		o.cert = path(crt);
		o.key = path(key);
	}
	c = tls_client_context(&o, &e);
	if (c == NULL)
		fail_msg("%s", e.text);
	return c;
}

/* Bring what a has for b to b, step octets at a time. */
static bool carry(struct tls_session *a, struct tls_session *b, size_t step)
{
	size_t n;
	const uint8_t *at = tls_output(a, &n);

	if (n == 0)
		return false;
	n = n < step ? n : step;
	tls_feed(b, at, n);
	tls_sent(a, n);
	return true;
}

static void talk(struct tls_session *client, struct tls_session *server, size_t step)
{
	uint8_t none[1];

	for (bool goes_on = true; goes_on;) {
		goes_on = carry(client, server, step);
		goes_on |= carry(server, client, step);
		tls_read(client, none, 0);
	}
}

struct pair {
	struct tls_context *server_context, *client_context;
	struct tls_session *server, *client;
};

static void pair_open(struct pair *p, const char *name)
{
	union addr peer;

	assert_int_equal(addr_from_hostport(&peer, STR("127.0.0.1:853"), 0), 0);
	p->server = tls_accept(p->server_context);
	p->client = tls_connect(p->client_context, name, &peer);
}

static void pair_end(struct pair *p)
{
	tls_free(p->client);
	tls_free(p->server);
}

static void pair_close(struct pair *p)
{
	pair_end(p);
	tls_context_unref(p->client_context);
	tls_context_unref(p->server_context);
}

static void octets_come_through_in_any_pieces(void **state)
{
	static const size_t steps[] = {1, 7, 1000, 1 << 20};

	(void)state;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct pair p = {server_of("server", TLS_NO_CERT), client_of(NULL), NULL, NULL};
		uint8_t data[40000], got[40000];
		size_t n = 0;

		for (size_t k = 0; k < sizeof(data); k++)
			data[k] = (uint8_t)(k * 7);
		pair_open(&p, "localhost");
		assert_int_equal(tls_write(p.client, data, 1), -EAGAIN);
		talk(p.client, p.server, steps[i]);
		assert_int_equal(tls_state(p.client), TLS_OPEN);
		assert_int_equal(tls_state(p.server), TLS_OPEN);
		assert_int_equal(tls_write(p.client, data, sizeof(data)), 0);
		talk(p.client, p.server, steps[i]);
		for (size_t part; (part = tls_read(p.server, got + n, sizeof(got) - n)) > 0;)
			n += part;
		assert_int_equal(n, sizeof(data));
		assert_memory_equal(data, got, n);
		tls_close(p.server);
		talk(p.client, p.server, steps[i]);
		assert_int_equal(tls_read(p.client, got, 1), 0);
		assert_int_equal(tls_state(p.client), TLS_CLOSED);
		pair_close(&p);
	}
}

static void the_second_session_is_resumed(void **state)
{
	struct pair p = {server_of("server", TLS_NO_CERT), client_of(NULL), NULL, NULL};
	uint8_t got[8];

	(void)state;
	for (int i = 0; i < 3; i++) {
		pair_open(&p, "localhost");
		talk(p.client, p.server, 4096);
		assert_int_equal(tls_state(p.client), TLS_OPEN);
		assert_int_equal(tls_is_resumed(p.client), i > 0);
		assert_int_equal(tls_write(p.server, (const uint8_t *)"x", 1), 0);
		talk(p.client, p.server, 4096);
		assert_int_equal(tls_read(p.client, got, sizeof(got)), 1); /* and the ticket */
		pair_end(&p);
	}
	p.client = p.server = NULL;
	pair_close(&p);
}

static void certificates_are_verified(void **state)
{
	static const struct {
		const char *cert, *name, *problem; /* NULL: it is good */
	} rows[] = {
	        {"server", "localhost", NULL},
	        {"server", NULL, NULL}, /* for 127.0.0.1 */
	        {"server", "dns.example", "hostname mismatch"},
	        {"expired", NULL, "certificate has expired"},
	        {"future", NULL, "certificate is not yet valid"},
	        {"wrong-name", NULL, "IP address mismatch"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pair p = {server_of(rows[i].cert, TLS_NO_CERT), client_of(NULL), NULL, NULL};

		pair_open(&p, rows[i].name);
		talk(p.client, p.server, 4096);
		assert_int_equal(
		        tls_state(p.client), rows[i].problem == NULL ? TLS_OPEN : TLS_FAILED);
		assert_string_equal(
		        tls_problem(p.client), rows[i].problem == NULL ? "" : rows[i].problem);
		if (rows[i].problem != NULL)
			assert_int_equal(tls_state(p.server), TLS_FAILED); /* got an alert */
		pair_close(&p);
	}
}

static void certificates_of_clients_are_verified_as_configured(void **state)
{
	static const struct {
		enum tls_client_auth auth;
		const char *cert;
		bool is_good;
	} rows[] = {
	        {TLS_NO_CERT, NULL, true},
	        {TLS_REQUEST, NULL, true},
	        {TLS_REQUEST, "other", true},
	        {TLS_REQUIRE, NULL, false},
	        {TLS_REQUIRE, "other", true},
	        {TLS_VERIFY_IF_GIVEN, NULL, true},
	        {TLS_VERIFY_IF_GIVEN, "other", false},
	        {TLS_REQUIRE_AND_VERIFY, NULL, false},
	        {TLS_REQUIRE_AND_VERIFY, "other", false},
	        {TLS_REQUIRE_AND_VERIFY, "client", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pair p = {
		        server_of("server", rows[i].auth), client_of(rows[i].cert), NULL, NULL};

		pair_open(&p, "localhost");
		talk(p.client, p.server, 4096);
		assert_int_equal(tls_state(p.server), rows[i].is_good ? TLS_OPEN : TLS_FAILED);
		pair_close(&p);
	}
}

/* Every octet of the handshake broken once: it fails, or it did not matter, and nothing breaks. */
static void a_broken_handshake_fails(void **state)
{
	struct pair p = {server_of("server", TLS_NO_CERT), client_of(NULL), NULL, NULL};

	(void)state;
	for (size_t i = 0; i < 200; i++) {
		uint8_t hello[2000];
		const uint8_t *at;
		size_t n;

		pair_open(&p, "localhost");
		at = tls_output(p.client, &n);
		assert_in_range(n, 100, sizeof(hello));
		memcpy(hello, at, n);
		hello[i * n / 200] ^= 0xff;
		tls_feed(p.server, hello, n);
		pair_end(&p);
	}
	p.server = tls_accept(p.server_context);
	p.client = NULL;
	assert_int_equal(tls_feed(p.server, (const uint8_t *)"\0\x1d\0\0\1\0\0\1", 8), TLS_FAILED);
	assert_string_not_equal(tls_problem(p.server), "");
	assert_int_equal(tls_write(p.server, (const uint8_t *)"x", 1), -EPIPE);
	pair_close(&p);
}

static void files_that_do_not_fit_are_named(void **state)
{
	struct tls_server_options o = {.cert = path("none.crt"), .key = path("server.key")};
	struct err e = {{0}};

	(void)state;
	assert_null(tls_server_context(&o, &e));
	assert_non_null(strstr(e.text, "cannot read the certificate "));
	assert_non_null(strstr(e.text, "none.crt: No such file or directory"));
	o.cert = path("server.crt");
	o.key = path("client.key");
	assert_null(tls_server_context(&o, &e));
	assert_non_null(strstr(e.text, "client.key"));
}

static void a_key_with_a_passphrase_is_refused_and_nobody_asked(void **state)
{
	struct tls_server_options o = {.cert = path("server.crt"), .key = path("locked.key")};
	struct err e = {{0}};
	char command[600];

	(void)state;
	snprintf(command, sizeof(command),
	        "openssl pkcs8 -topk8 -in %s -passout pass:abcd -out %s 2>/dev/null",
	        path("server.key"), o.key);
	assert_int_equal(system(command), 0);
	assert_null(tls_server_context(&o, &e));
	assert_non_null(strstr(e.text, "locked.key: it has a passphrase"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(octets_come_through_in_any_pieces),
	        cmocka_unit_test(the_second_session_is_resumed),
	        cmocka_unit_test(certificates_are_verified),
	        cmocka_unit_test(certificates_of_clients_are_verified_as_configured),
	        cmocka_unit_test(a_broken_handshake_fails),
	        cmocka_unit_test(files_that_do_not_fit_are_named),
	        cmocka_unit_test(a_key_with_a_passphrase_is_refused_and_nobody_asked),
	};

	return cmocka_run_group_tests(tests, make_certs, remove_certs);
}
