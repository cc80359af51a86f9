/*
 * HTTP client on a libuv loop: libcurl's multi interface, HTTP/1.1, streaming. The cluster
 * sources use it to list and watch the Kubernetes API.
 *
 * A client belongs to one loop and one thread and owns its requests. libcurl is initialised when
 * the first client is made, because it costs some hundred kilobytes. Redirects are refused,
 * bodies are never compressed, and the server's certificate and name are always verified.
 * A dead connection is found by TCP itself: keepalive 10/5/3 and a user timeout of 20 s.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/err.h"
#include "base/str.h"

struct http_client;
struct http_request;

/* Where to go and as whom. All text is copied by http_get(); NULL or empty means absent. */
struct http_options {
	const char *url; /* http:// or https://, with path and query */
	const char *accept; /* value of Accept */
	const char *user_agent; /* value of User-Agent */
	const char *bearer; /* token of an Authorization: Bearer header */
	const char *server_name; /* verify the certificate against this name, not the URL's host */
	struct str ca_pem; /* certificates to trust; absent: those of the system */
	struct str cert_pem; /* client certificate chain */
	struct str key_pem; /* its private key */
	bool use_proxy; /* obey http_proxy, https_proxy and no_proxy */
	uint32_t connect_timeout_ms; /* 0: 10 s */
};

/* The start of an answer. */
struct http_head {
	int status;
	int64_t retry_after_s; /* -1 without a Retry-After header in seconds */
	const char *content_type; /* "" when absent; valid during the call */
	bool is_compressed; /* the body has a Content-Encoding, which is never asked for */
};

/* How a request ended. */
struct http_result {
	int rc; /* 0: the whole answer arrived; else a negative errno */
	int status; /* HTTP status, 0 when no answer began */
	const char *text; /* for a person, "" when rc is 0; valid during the call */
};

/* Callbacks of one request; on_done is called once, last, and never after http_cancel(). */
struct http_handler {
	void (*on_head)(void *arg, const struct http_head *head);
	void (*on_body)(void *arg, const uint8_t *data, size_t n);
	void (*on_done)(void *arg, const struct http_result *result);
	void *arg;
};

/* A client on loop. NULL with the reason in e when libcurl cannot be set up. */
struct http_client *http_client_new(uv_loop_t *loop, struct err *e);
/*
 * Cancel every request and give the client up (NULL is ignored); not from a callback of a
 * request. Its memory is freed by the loop, which must run until the client's handles are closed.
 */
void http_client_free(struct http_client *c);
/*
 * Start a GET. The callbacks run from the loop, never from inside this call. NULL with the
 * reason in e when the options are unusable (bad URL).
 */
struct http_request *http_get(struct http_client *c, const struct http_options *o,
        const struct http_handler *h, struct err *e);
/*
 * Forget a request and close its connection if an answer was under way; no callback follows.
 * Allowed anywhere, also in callbacks of this or of other requests. NULL is ignored.
 */
void http_cancel(struct http_request *r);
