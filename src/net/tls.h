/*
 * TLS without sockets: what came from the network goes in, what has to go there comes out, and so
 * do the octets inside. Used by the stream server (DoT, RFC 7858) and by relays (tls:// upstreams).
 *
 *     network -> tls_feed() -> tls_read() -> messages
 *     messages -> tls_write() -> tls_output(), tls_sent() -> network
 *
 * TLS 1.2 and later, the application protocol "dot", no renegotiation, no compression. Servers give
 * tickets whose keys change every hour; clients resume with the last one they got.
 *
 * Lifetime: a context is counted; server contexts may be used by all workers at once, a client
 * context belongs to one. A session belongs to one worker.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "net/addr.h"

struct tls_context;
struct tls_session;

/* What a server asks of certificates of clients, in the words of CoreDNS. */
enum tls_client_auth {
	TLS_NO_CERT,
	TLS_REQUEST,              /* ask, take any answer */
	TLS_REQUIRE,              /* any certificate, not verified */
	TLS_VERIFY_IF_GIVEN,
	TLS_REQUIRE_AND_VERIFY,
};

struct tls_server_options {
	const char *cert, *key; /* PEM files; cert with its chain */
	const char *ca;         /* of clients' certificates; NULL: those of the system */
	enum tls_client_auth auth;
	const char *keylog; /* file for secrets, for debugging; NULL: none */
};

struct tls_client_options {
	const char *cert, *key; /* PEM files, or NULL */
	const char *ca;         /* PEM file; NULL: those of the system */
};

/* A context for a server. NULL with file and reason in e. */
struct tls_context *tls_server_context(const struct tls_server_options *o, struct err *e);
/* A context for a client; the server's certificate is always verified. NULL with e set. */
struct tls_context *tls_client_context(const struct tls_client_options *o, struct err *e);
/* When the certificate of a context ends, seconds since 1970; 0: it has none. */
uint64_t tls_context_expiry_s(const struct tls_context *c);
/* A client context with the certificates of c and sessions of its own: one for each server. */
struct tls_context *tls_client_twin(const struct tls_context *c);
/* One more user; any thread. */
struct tls_context *tls_context_ref(struct tls_context *c);
/* One user fewer; sessions count as users. NULL is ignored. Any thread. */
void tls_context_unref(struct tls_context *c);

/* A session of a server, before the first octet. */
struct tls_session *tls_accept(struct tls_context *c);
/*
 * A session of a client, with its first message in tls_output(). The certificate must be for name,
 * a host name or an IP address, or, when that is NULL, for the address of peer.
 */
struct tls_session *tls_connect(struct tls_context *c, const char *name, const union addr *peer);
/* Free it; NULL is ignored. */
void tls_free(struct tls_session *s);

enum tls_state {
	TLS_HANDSHAKE, /* nothing can be written yet */
	TLS_OPEN,
	TLS_CLOSED, /* the peer has said that nothing more comes */
	TLS_FAILED, /* see tls_problem(); send what tls_output() has (an alert), then close */
};

/* Why a session came to nothing, in as many kinds as a counter needs. */
enum tls_fault {
	TLS_FAULT_NONE,
	TLS_FAULT_NO_TLS,      /* the peer speaks something else */
	TLS_FAULT_VERSION,     /* it is too old, or too new */
	TLS_FAULT_CIPHER,      /* no cipher, group or signature that both know */
	TLS_FAULT_ALPN,        /* it wants another protocol than "dot" */
	TLS_FAULT_CERTIFICATE, /* the peer's is missing or not good */
	TLS_FAULT_ALERT,       /* the peer says that something of ours is not good */
	TLS_FAULT_OTHER,
	/* these are for the owner of the connection to find out */
	TLS_FAULT_TIMEOUT,
	TLS_FAULT_CLOSED,
	TLS_FAULTS
};

/* Take n octets from the network. Returns the state. */
enum tls_state tls_feed(struct tls_session *s, const uint8_t *data, size_t n);
/* The state now. */
enum tls_state tls_state(const struct tls_session *s);
/* Up to n octets of what was inside; 0 when there is no more now. */
size_t tls_read(struct tls_session *s, uint8_t *out, size_t n);
/* Send n octets, all of them. 0, -EAGAIN during the handshake, -EPIPE when it is over. */
int tls_write(struct tls_session *s, const uint8_t *data, size_t n);
/* Octets that have to go to the network, and how many; valid until the next call. */
const uint8_t *tls_output(struct tls_session *s, size_t *n);
/* The first n octets of tls_output() have gone. */
void tls_sent(struct tls_session *s, size_t n);
/* Say that nothing more comes from us. */
void tls_close(struct tls_session *s);
/* True while a record has come in part: OpenSSL keeps buffers for a whole one. */
bool tls_has_part(const struct tls_session *s);
/* Why it failed: "certificate has expired", "wrong version number"; "" when it did not. */
const char *tls_problem(const struct tls_session *s);
/* Why it failed, as a kind; TLS_FAULT_NONE when it did not. */
enum tls_fault tls_fault(const struct tls_session *s);
/* The word for a kind in labels of metrics. */
const char *tls_fault_text(enum tls_fault fault);
/* True when the session was resumed, without certificates. */
bool tls_is_resumed(const struct tls_session *s);
