/* Contexts of TLS: certificates, who is trusted, tickets, keys for a log. */
#include "net/tls_private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/rand.h"

#define TICKET_EPOCH_S \
	3600u /* after which new tickets have a new key; old ones hold as long again */
#define TICKET_NAME 16u
#define TICKET_KEY 32u

static const uint8_t alpn[] = "\3dot";

const char *tls_error_text(char out[TLS_PROBLEM_MAX])
{
	unsigned long code = ERR_peek_error();
	const char *reason = code == 0 ? NULL : ERR_reason_error_string(code);

	if (ERR_SYSTEM_ERROR(code))
		reason = strerror(ERR_GET_REASON(code));
	snprintf(out, TLS_PROBLEM_MAX, "%s", reason != NULL ? reason : "unknown error");
	ERR_clear_error();
	return out;
}

/* --- tickets --- */

/* The key material of an epoch: name, cipher key, MAC key, from a secret that never leaves. */
static bool derive(
        const struct tls_context *c, uint64_t epoch, uint8_t out[TICKET_NAME + 2 * TICKET_KEY])
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
	        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
	        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY,
	                (void *)(uintptr_t)c->ticket_secret, sizeof(c->ticket_secret)),
	        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, &epoch, sizeof(epoch)),
	        OSSL_PARAM_construct_end(),
	};
	bool is_made =
	        ctx != NULL && EVP_KDF_derive(ctx, out, TICKET_NAME + 2 * TICKET_KEY, params) == 1;

	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	return is_made;
}

static bool set_mac(EVP_MAC_CTX *mac, uint8_t *key)
{
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
	        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key, TICKET_KEY),
	        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
	        OSSL_PARAM_construct_end(),
	};

	return EVP_MAC_CTX_set_params(mac, params) == 1;
}

static uint64_t epoch_now(void)
{
	return clock_wall_s() / TICKET_EPOCH_S;
}

static int seal_ticket(const struct tls_context *c, uint8_t *name, uint8_t *iv,
        EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	uint8_t keys[TICKET_NAME + 2 * TICKET_KEY];

	if (!derive(c, epoch_now(), keys))
		return -1;
	memcpy(name, keys, TICKET_NAME);
	rand_secure(iv, EVP_MAX_IV_LENGTH);
	return EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, keys + TICKET_NAME, iv) == 1 &&
	                       set_mac(mac, keys + TICKET_NAME + TICKET_KEY)
	               ? 1
	               : -1;
}

/* 2: good, and give out a new one, because each is for one use (RFC 8446 C.4); 0: unknown. */
static int open_ticket(const struct tls_context *c, const uint8_t *name, const uint8_t *iv,
        EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	uint8_t keys[TICKET_NAME + 2 * TICKET_KEY];

	for (uint64_t age = 0; age < 2; age++) {
		if (!derive(c, epoch_now() - age, keys))
			return -1;
		if (memcmp(name, keys, TICKET_NAME) != 0)
			continue;
		if (EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, keys + TICKET_NAME, iv) !=
		                1 ||
		        !set_mac(mac, keys + TICKET_NAME + TICKET_KEY))
			return -1;
		return 2;
	}
	return 0;
}

/* The parameters are those that OpenSSL's callback has. */
static int on_ticket(
        SSL *ssl, uint8_t *name, uint8_t *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int is_new)
{
	const struct tls_context *c = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	return is_new ? seal_ticket(c, name, iv, cipher, mac)
	              : open_ticket(c, name, iv, cipher, mac);
}

/* A client keeps the newest session; TLS 1.3 tickets are for one use. */
static int on_new_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls_context *c = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	SSL_SESSION_free(c->last);
	c->last = session;
	return 1;
}

/* --- contexts --- */

/* A client that speaks of other protocols only is not for us (RFC 7301 3.2). */
static int on_alpn(SSL *ssl, const uint8_t **out, uint8_t *out_len, const uint8_t *in,
        unsigned in_len, void *arg)
{
	(void)ssl;
	(void)arg;
	for (unsigned at = 0; at < in_len; at += 1u + in[at]) {
		if (in[at] + 1u > in_len - at)
			break;
		if (in[at] + 1u == sizeof(alpn) - 1 &&
		        memcmp(in + at, alpn, sizeof(alpn) - 1) == 0) {
			*out = in + at + 1;
			*out_len = in[at];
			return SSL_TLSEXT_ERR_OK;
		}
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static void on_keylog(const SSL *ssl, const char *line)
{
	const struct tls_context *c = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	fprintf(c->keylog, "%s\n", line);
	fflush(c->keylog);
}

/* OpenSSL would ask whoever sits at the terminal, or wait for standard input. */
static int on_passphrase(char *out, int size, int is_writing, void *arg)
{
	struct tls_context *c = arg;

	(void)out;
	(void)size;
	(void)is_writing;
	c->is_locked = true;
	return -1;
}

static struct tls_context *context_new(const SSL_METHOD *method)
{
	struct tls_context *c = mem_new(struct tls_context);

	c->users = 1;
	c->ctx = SSL_CTX_new(method);
	must(c->ctx != NULL);
	rand_secure(c->ticket_secret, sizeof(c->ticket_secret));
	SSL_CTX_set_app_data(c->ctx, c);
	SSL_CTX_set_default_passwd_cb(c->ctx, on_passphrase);
	SSL_CTX_set_default_passwd_cb_userdata(c->ctx, c);
	SSL_CTX_set_min_proto_version(c->ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(c->ctx,
	        SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(c->ctx, SSL_MODE_RELEASE_BUFFERS);
	return c;
}

static int load_own(struct tls_context *c, const char *cert, const char *key, struct err *e)
{
	char why[TLS_PROBLEM_MAX];

	if (SSL_CTX_use_certificate_chain_file(c->ctx, cert) != 1)
		return err_set(e, -EINVAL, "cannot read the certificate %s: %s", cert,
		        tls_error_text(why));
	if (SSL_CTX_use_PrivateKey_file(c->ctx, key, SSL_FILETYPE_PEM) != 1) {
		tls_error_text(why);
		return err_set(e, -EINVAL, "cannot read the private key %s: %s", key,
		        c->is_locked ? "it has a passphrase, which nobody could type in; "
		                       "write it without (openssl pkey)"
		                     : why);
	}
	if (SSL_CTX_check_private_key(c->ctx) != 1)
		return err_set(e, -EINVAL, "the private key %s is not that of the certificate %s",
		        key, cert);
	return 0;
}

static int load_ca(struct tls_context *c, const char *ca, struct err *e)
{
	char why[TLS_PROBLEM_MAX];

	if (ca == NULL) {
		SSL_CTX_set_default_verify_paths(c->ctx);
		return 0;
	}
	if (SSL_CTX_load_verify_locations(c->ctx, ca, NULL) == 1)
		return 0;
	return err_set(
	        e, -EINVAL, "cannot read the CA certificates %s: %s", ca, tls_error_text(why));
}

static int accept_any(int is_good, X509_STORE_CTX *ctx)
{
	(void)is_good;
	(void)ctx;
	return 1;
}

static int set_client_auth(struct tls_context *c, const struct tls_server_options *o, struct err *e)
{
	static const int modes[] = {
	        [TLS_NO_CERT] = SSL_VERIFY_NONE,
	        [TLS_REQUEST] = SSL_VERIFY_PEER,
	        [TLS_REQUIRE] = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
	        [TLS_VERIFY_IF_GIVEN] = SSL_VERIFY_PEER,
	        [TLS_REQUIRE_AND_VERIFY] = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
	};
	bool verifies = o->auth >= TLS_VERIFY_IF_GIVEN;
	int rc = verifies ? load_ca(c, o->ca, e) : 0;

	if (rc == 0 && verifies && o->ca != NULL)
		SSL_CTX_set_client_CA_list(c->ctx, SSL_load_client_CA_file(o->ca));
	SSL_CTX_set_verify(c->ctx, modes[o->auth], verifies ? NULL : accept_any);
	return rc;
}

static int open_keylog(struct tls_context *c, const char *path, struct err *e)
{
	int fd;

	if (path == NULL)
		return 0;
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600); /* for nobody else */
	c->keylog = fd < 0 ? NULL : fdopen(fd, "a");
	if (c->keylog == NULL)
		return err_set(e, -errno, "cannot open the key log %s: %s", path, strerror(errno));
	SSL_CTX_set_keylog_callback(c->ctx, on_keylog);
	return 0;
}

struct tls_context *tls_server_context(const struct tls_server_options *o, struct err *e)
{
	static const uint8_t id[] = "seamark";
	struct tls_context *c = context_new(TLS_server_method());
	int rc = load_own(c, o->cert, o->key, e);

	if (rc == 0)
		rc = set_client_auth(c, o, e);
	if (rc == 0)
		rc = open_keylog(c, o->keylog, e);
	if (rc != 0) {
		tls_context_unref(c);
		return NULL;
	}
	SSL_CTX_set_session_id_context(c->ctx, id, sizeof(id) - 1);
	SSL_CTX_set_session_cache_mode(c->ctx, SSL_SESS_CACHE_OFF); /* tickets need no memory */
	SSL_CTX_set_num_tickets(c->ctx, 1);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(c->ctx, on_ticket);
	SSL_CTX_set_alpn_select_cb(c->ctx, on_alpn, NULL);
	return c;
}

static void set_client(struct tls_context *c)
{
	SSL_CTX_set_verify(c->ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_alpn_protos(c->ctx, alpn, sizeof(alpn) - 1);
	SSL_CTX_set_session_cache_mode(
	        c->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
	SSL_CTX_sess_set_new_cb(c->ctx, on_new_session);
}

struct tls_context *tls_client_context(const struct tls_client_options *o, struct err *e)
{
	struct tls_context *c = context_new(TLS_client_method());
	int rc = load_ca(c, o->ca, e);

	if (rc == 0 && o->cert != NULL)
		rc = load_own(c, o->cert, o->key, e);
	if (rc != 0) {
		tls_context_unref(c);
		return NULL;
	}
	set_client(c);
	return c;
}

struct tls_context *tls_client_twin(const struct tls_context *from)
{
	struct tls_context *c = context_new(TLS_client_method());
	X509 *cert = SSL_CTX_get0_certificate(from->ctx);
	STACK_OF(X509) *chain = NULL;

	SSL_CTX_set1_cert_store(c->ctx, SSL_CTX_get_cert_store(from->ctx));
	if (cert != NULL) {
		SSL_CTX_get0_chain_certs(from->ctx, &chain);
		must(SSL_CTX_use_cert_and_key(
		             c->ctx, cert, SSL_CTX_get0_privatekey(from->ctx), chain, 1) == 1);
	}
	set_client(c);
	return c;
}

uint64_t tls_context_expiry_s(const struct tls_context *c)
{
	const X509 *cert = SSL_CTX_get0_certificate(c->ctx);
	struct tm tm;

	if (cert == NULL || ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm) != 1)
		return 0;
	return (uint64_t)timegm(&tm);
}

struct tls_context *tls_context_ref(struct tls_context *c)
{
	atomic_fetch_add(&c->users, 1);
	return c;
}

void tls_context_unref(struct tls_context *c)
{
	if (c == NULL || atomic_fetch_sub(&c->users, 1) > 1)
		return;
	SSL_SESSION_free(c->last);
	SSL_CTX_free(c->ctx);
	if (c->keylog != NULL)
		fclose(c->keylog);
	OPENSSL_cleanse(c->ticket_secret, sizeof(c->ticket_secret));
	free(c);
}
