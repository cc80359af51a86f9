/*
 * A DNS server over TLS for system tests: `tls_upstream PORT CERT KEY IP [CA]`, on 127.0.0.1. It
 * answers A questions with IP; with CA, clients need a certificate of that. A question whose first
 * label is "bye" ends the connection instead, the first time.
 *
 * Lines on standard output: "open resumed=0 alpn=dot name=SNI" for a connection, "query NAME
 * LENGTH" for a question.
 */
#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct in_addr answer;
static SSL_CTX *ctx;
static bool has_said_bye;

static bool read_all(SSL *ssl, uint8_t *out, int n)
{
	for (int at = 0, got; at < n; at += got) {
		got = SSL_read(ssl, out + at, n - at);
		if (got <= 0)
			return false;
	}
	return true;
}

/* The name in text, and the end of the question. */
static int read_question(const uint8_t *m, int n, char *text)
{
	int at = 12, out = 0;

	while (at < n && m[at] != 0 && out + m[at] + 2 < 300 && at + m[at] < n) {
		memcpy(text + out, m + at + 1, m[at]);
		out += m[at];
		text[out++] = '.';
		at += m[at] + 1;
	}
	text[out] = '\0';
	return at + 5;
}

static int make_reply(uint8_t *m, int end)
{
	static const uint8_t rr[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4};

	m[2] = 0x81;
	m[3] = 0x80;
	memset(m + 6, 0, 6);
	if (m[end - 3] != 1 || m[end - 4] != 0)
		return end;
	m[7] = 1;
	memcpy(m + end, rr, sizeof(rr));
	memcpy(m + end + sizeof(rr), &answer, 4);
	return end + (int)sizeof(rr) + 4;
}

/* One question; false when the connection ends. */
static bool serve_one(SSL *ssl)
{
	uint8_t m[65600], size[2];
	char text[300];
	int n, end;

	if (!read_all(ssl, size, 2))
		return false;
	n = size[0] << 8 | size[1];
	if (n < 17 || !read_all(ssl, m + 2, n))
		return false;
	end = read_question(m + 2, n, text);
	if (end > n)
		return false;
	printf("query %s %d\n", text, n);
	if (strncmp(text, "bye.", 4) == 0 && !has_said_bye) {
		has_said_bye = true;
		return false;
	}
	n = make_reply(m + 2, end);
	m[0] = (uint8_t)(n >> 8);
	m[1] = (uint8_t)n;
	return SSL_write(ssl, m, n + 2) > 0;
}

static void *serve(void *arg)
{
	SSL *ssl = SSL_new(ctx);
	int fd = (int)(intptr_t)arg;
	const unsigned char *alpn = NULL;
	unsigned alpn_len = 0;
	const char *name;

	SSL_set_fd(ssl, fd);
	if (SSL_accept(ssl) == 1) {
		SSL_get0_alpn_selected(ssl, &alpn, &alpn_len);
		name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
		printf("open resumed=%d alpn=%.*s name=%s\n", SSL_session_reused(ssl),
		        (int)alpn_len, alpn == NULL ? (const unsigned char *)"" : alpn,
		        name == NULL ? "" : name);
		while (serve_one(ssl))
			;
		SSL_shutdown(ssl);
	} else {
		printf("failed\n");
	}
	SSL_free(ssl);
	close(fd);
	return NULL;
}

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
        const unsigned char *in, unsigned in_len, void *arg)
{
	static const unsigned char dot[] = "\3dot";

	(void)ssl;
	(void)arg;
	return SSL_select_next_proto((unsigned char **)out, out_len, dot, 4, in, in_len) ==
	                       OPENSSL_NPN_NEGOTIATED
	               ? SSL_TLSEXT_ERR_OK
	               : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static bool prepare(char **argv, const char *ca)
{
	ctx = SSL_CTX_new(TLS_server_method());
	SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
	SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"t", 1);
	if (ca != NULL) {
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
		if (SSL_CTX_load_verify_locations(ctx, ca, NULL) != 1)
			return false;
	}
	return SSL_CTX_use_certificate_chain_file(ctx, argv[2]) == 1 &&
	       SSL_CTX_use_PrivateKey_file(ctx, argv[3], SSL_FILETYPE_PEM) == 1 &&
	       inet_pton(AF_INET, argv[4], &answer) == 1;
}

int main(int argc, char **argv)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
	struct sockaddr_in a = {.sin_family = AF_INET};

	if (argc < 5 || !prepare(argv, argc > 5 ? argv[5] : NULL))
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	a.sin_port = htons((uint16_t)atoi(argv[1]));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(fd, 16) != 0)
		return 1;
	for (;;) {
		pthread_t t;
		int c = accept(fd, NULL, NULL);

		if (c >= 0 && pthread_create(&t, NULL, serve, (void *)(intptr_t)c) == 0)
			pthread_detach(t);
	}
}
