/* Sessions of TLS, from memory to memory, and why they fail. */
#include "net/tls_private.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/mem.h"
#include "base/must.h"

struct tls_session {
	struct tls_context *context;
	SSL *ssl;
	BIO *in, *out; /* memory; owned by ssl */
	enum tls_state state;
	enum tls_fault fault;
	char problem[TLS_PROBLEM_MAX];
};

static enum tls_fault kind_of(unsigned long code)
{
	int reason = ERR_GET_REASON(code);

	if (ERR_GET_LIB(code) != ERR_LIB_SSL)
		return TLS_FAULT_OTHER;
	switch (reason) {
	case SSL_R_WRONG_VERSION_NUMBER:
	case SSL_R_HTTP_REQUEST:
	case SSL_R_HTTPS_PROXY_REQUEST:
	case SSL_R_PACKET_LENGTH_TOO_LONG:
		return TLS_FAULT_NO_TLS;
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_R_VERSION_TOO_LOW:
		return TLS_FAULT_VERSION;
	case SSL_R_NO_SHARED_CIPHER:
	case SSL_R_NO_SHARED_GROUPS:
	case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
	case SSL_R_NO_SUITABLE_KEY_SHARE:
	case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
		return TLS_FAULT_CIPHER;
	case SSL_R_NO_APPLICATION_PROTOCOL: return TLS_FAULT_ALPN;
	case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
	case SSL_R_CERTIFICATE_VERIFY_FAILED:
		return TLS_FAULT_CERTIFICATE;
	default: return reason >= SSL_AD_REASON_OFFSET ? TLS_FAULT_ALERT : TLS_FAULT_OTHER;
	}
}

static void fail(struct tls_session *s)
{
	long verified = SSL_get_verify_result(s->ssl);

	s->state = TLS_FAILED;
	s->fault = kind_of(ERR_peek_error());
	tls_error_text(s->problem);
	if (s->fault == TLS_FAULT_CERTIFICATE && verified != X509_V_OK)
		snprintf(s->problem, TLS_PROBLEM_MAX, "%s",
		        X509_verify_cert_error_string(verified));
}

static struct tls_session *session_new(struct tls_context *c)
{
	struct tls_session *s = mem_new(struct tls_session);

	s->context = tls_context_ref(c);
	s->ssl = SSL_new(c->ctx);
	s->in = BIO_new(BIO_s_mem());
	s->out = BIO_new(BIO_s_mem());
	must(s->ssl != NULL && s->in != NULL && s->out != NULL);
	BIO_set_mem_eof_return(s->in, -1); /* empty means: later */
	SSL_set_bio(s->ssl, s->in, s->out);
	return s;
}

struct tls_session *tls_accept(struct tls_context *c)
{
	struct tls_session *s = session_new(c);

	SSL_set_accept_state(s->ssl);
	return s;
}

/* Names are checked, and sent for the server to choose its certificate (RFC 6066 3). */
static void expect_peer(struct tls_session *s, const char *name, const union addr *peer)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(s->ssl);
	const uint8_t *ip;
	size_t n;

	if (name == NULL) {
		ip = addr_ip(peer, &n);
		must(X509_VERIFY_PARAM_set1_ip(param, ip, n) == 1);
		return;
	}
	if (X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1)
		return; /* an address as text, which is not sent (RFC 6066 3) */
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	must(X509_VERIFY_PARAM_set1_host(param, name, 0) == 1);
	must(SSL_set_tlsext_host_name(s->ssl, name) == 1);
}

static void shake_hands(struct tls_session *s)
{
	int rc = SSL_do_handshake(s->ssl), why;

	if (rc == 1) {
		s->state = TLS_OPEN;
		return;
	}
	why = SSL_get_error(s->ssl, rc);
	if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
		fail(s);
}

struct tls_session *tls_connect(struct tls_context *c, const char *name, const union addr *peer)
{
	struct tls_session *s = session_new(c);

	SSL_set_connect_state(s->ssl);
	expect_peer(s, name, peer);
	if (c->last != NULL)
		SSL_set_session(s->ssl, c->last);
	shake_hands(s);
	return s;
}

void tls_free(struct tls_session *s)
{
	if (s == NULL)
		return;
	if (s->state != TLS_FAILED) /* else OpenSSL would not let the session be resumed */
		SSL_set_shutdown(s->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(s->ssl);
	tls_context_unref(s->context);
	free(s);
}

enum tls_state tls_feed(struct tls_session *s, const uint8_t *data, size_t n)
{
	if (s->state == TLS_FAILED)
		return s->state;
	while (n > 0) {
		int part = n > 1 << 20 ? 1 << 20 : (int)n;

		must(BIO_write(s->in, data, part) == part);
		data += part;
		n -= (size_t)part;
	}
	if (s->state == TLS_HANDSHAKE)
		shake_hands(s);
	return s->state;
}

enum tls_state tls_state(const struct tls_session *s)
{
	return s->state;
}

size_t tls_read(struct tls_session *s, uint8_t *out, size_t n)
{
	int rc, why;

	if (s->state != TLS_OPEN || n == 0)
		return 0;
	rc = SSL_read(s->ssl, out, n > INT32_MAX ? INT32_MAX : (int)n);
	if (rc > 0)
		return (size_t)rc;
	why = SSL_get_error(s->ssl, rc);
	if (why == SSL_ERROR_ZERO_RETURN)
		s->state = TLS_CLOSED;
	else if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
		fail(s);
	return 0;
}

int tls_write(struct tls_session *s, const uint8_t *data, size_t n)
{
	if (s->state == TLS_HANDSHAKE)
		return -EAGAIN;
	if (s->state == TLS_FAILED || n > INT32_MAX)
		return -EPIPE;
	if (n == 0 || SSL_write(s->ssl, data, (int)n) == (int)n)
		return 0;
	fail(s);
	return -EPIPE;
}

const uint8_t *tls_output(struct tls_session *s, size_t *n)
{
	char *at = NULL;
	long len = BIO_get_mem_data(s->out, &at);

	*n = len > 0 ? (size_t)len : 0;
	return (const uint8_t *)at;
}

void tls_sent(struct tls_session *s, size_t n)
{
	uint8_t drain[4096];

	while (n > 0) {
		int part = BIO_read(s->out, drain, n < sizeof(drain) ? (int)n : (int)sizeof(drain));

		must(part > 0);
		n -= (size_t)part;
	}
}

void tls_close(struct tls_session *s)
{
	if (s->state == TLS_OPEN || s->state == TLS_CLOSED)
		SSL_shutdown(s->ssl);
	ERR_clear_error();
}

bool tls_has_part(const struct tls_session *s)
{
	return SSL_has_pending(s->ssl) == 1;
}

const char *tls_problem(const struct tls_session *s)
{
	return s->problem;
}

enum tls_fault tls_fault(const struct tls_session *s)
{
	return s->fault;
}

const char *tls_fault_text(enum tls_fault fault)
{
	static const char *const texts[TLS_FAULTS] = {"none", "no_tls", "version", "cipher", "alpn",
	        "certificate", "alert", "other", "timeout", "closed"};

	return texts[fault];
}

bool tls_is_resumed(const struct tls_session *s)
{
	return SSL_session_reused(s->ssl) == 1;
}
