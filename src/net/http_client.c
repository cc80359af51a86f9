#include "net/http_client.h"

#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/num.h"

enum {
	CONNECT_TIMEOUT_MS = 10000,
	KEEPALIVE_IDLE_S = 10,
	KEEPALIVE_INTERVAL_S = 5,
	KEEPALIVE_PROBES = 3,
	USER_TIMEOUT_MS = 20000,
	IDLE_CONNECTION_S = 30,
	/* libcurl reads up to 100 of them in a turn, while other requests wait */
	BODY_CHUNK_BYTES = 32 * 1024,
	AGAIN_MS = 1,
	URL_MAX_BYTES = 64 << 10, /* label selectors of 8 KiB, each octet of them as %XX */
};

struct http_client {
	uv_loop_t *loop;
	uv_timer_t timer;
	CURLM *multi;
	struct list requests; /* struct http_request.node */
	unsigned depth; /* > 0 while libcurl may be calling us */
	unsigned open_polls;
	bool closing;
};

struct http_request {
	struct list node;
	struct http_client *client;
	CURL *easy;
	struct curl_slist *headers, *connect_to;
	struct http_handler handler;
	struct http_head head;
	char *content_type;
	char *url;
	char error[CURL_ERROR_SIZE];
	bool is_added; /* libcurl knows it */
	bool has_head; /* on_head was called */
	bool cancelled; /* no more callbacks; freed when libcurl is left */
};

/* A socket of libcurl that the loop watches. */
struct socket_watch {
	uv_poll_t poll;
	struct http_client *client;
	curl_socket_t fd;
	int events; /* UV_READABLE, UV_WRITABLE */
};

static void request_free(struct http_request *r)
{
	if (r->is_added)
		curl_multi_remove_handle(r->client->multi, r->easy);
	curl_easy_cleanup(r->easy);
	curl_slist_free_all(r->headers);
	curl_slist_free_all(r->connect_to);
	list_remove(&r->node);
	free(r->content_type);
	free(r->url);
	free(r);
}

static int code_of(CURLcode code)
{
	switch (code) {
	case CURLE_OK: return 0;
	case CURLE_OPERATION_TIMEDOUT: return -ETIMEDOUT;
	case CURLE_COULDNT_CONNECT: return -ECONNREFUSED;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY: return -EHOSTUNREACH;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CONNECT_ERROR: return -EACCES;
	case CURLE_OUT_OF_MEMORY: return -ENOMEM;
	default: return -ECONNRESET;
	}
}

/* libcurl says that a transfer is over. */
static void finish(struct http_request *r, CURLcode code)
{
	struct http_result result = {.rc = code_of(code), .text = ""};
	long status = 0;

	if (r->cancelled)
		return;
	curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
	result.status = r->has_head ? (int)status : 0;
	if (result.rc < 0)
		result.text = r->error[0] ? r->error : curl_easy_strerror(code);
	r->cancelled = true;
	r->handler.on_done(r->handler.arg, &result);
}

static void request_add(struct http_request *r)
{
	must(curl_multi_add_handle(r->client->multi, r->easy) == CURLM_OK);
	r->is_added = true;
}

/*
 * Deliver what has ended, free what was cancelled and begin what was asked for meanwhile; never
 * from inside libcurl, which allows none of this in its callbacks.
 */
static void reap(struct http_client *c)
{
	CURLMsg *m;
	int left;

	c->depth++;
	while ((m = curl_multi_info_read(c->multi, &left)) != NULL) {
		struct http_request *r = NULL;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &r);
		finish(r, m->data.result);
	}
	c->depth--;
	list_for_each (&c->requests, node) {
		struct http_request *r = container_of(node, struct http_request, node);

		if (r->cancelled)
			request_free(r);
		else if (!r->is_added)
			request_add(r);
	}
}

static void run_socket(struct http_client *c, curl_socket_t fd, int events)
{
	int running;

	c->depth++;
	curl_multi_socket_action(c->multi, fd, events, &running);
	c->depth--;
	if (c->depth == 0 && !c->closing)
		reap(c);
}

static void on_timer(uv_timer_t *t)
{
	run_socket(t->data, CURL_SOCKET_TIMEOUT, 0);
}

static int on_set_timer(CURLM *multi, long timeout_ms, void *arg)
{
	struct http_client *c = arg;

	(void)multi;
	if (c->closing)
		return 0;
	/*
	 * A fast transfer wants to go on at once. Timers of no time that start each other are all
	 * that the loop of libuv 1.44 would run, so that the other sockets would starve.
	 */
	if (timeout_ms == 0 && c->depth > 0)
		timeout_ms = AGAIN_MS;
	if (timeout_ms < 0)
		uv_timer_stop(&c->timer);
	else
		uv_timer_start(&c->timer, on_timer, (uint64_t)timeout_ms, 0);
	return 0;
}

static void on_poll(uv_poll_t *p, int status, int events)
{
	struct socket_watch *w = p->data;
	int flags = 0;

	/* libuv stops a poll handle on errors; libcurl finds out what is wrong by reading */
	if (status < 0)
		flags = CURL_CSELECT_ERR | CURL_CSELECT_IN;
	if (events & UV_READABLE)
		flags |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		flags |= CURL_CSELECT_OUT;
	run_socket(w->client, w->fd, flags);
	if (status < 0 && !uv_is_closing((uv_handle_t *)&w->poll))
		uv_poll_start(&w->poll, w->events, on_poll);
}

static void client_release(struct http_client *c)
{
	if (c->closing && c->open_polls == 0)
		free(c);
}

static void on_poll_closed(uv_handle_t *h)
{
	struct socket_watch *w = h->data;
	struct http_client *c = w->client;

	free(w);
	c->open_polls--;
	client_release(c);
}

static struct socket_watch *watch_socket(struct http_client *c, curl_socket_t fd)
{
	struct socket_watch *w = mem_new(struct socket_watch);

	w->client = c;
	w->fd = fd;
	must(uv_poll_init_socket(c->loop, &w->poll, fd) == 0);
	w->poll.data = w;
	c->open_polls++;
	curl_multi_assign(c->multi, fd, w);
	return w;
}

static int on_set_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct http_client *c = arg;
	struct socket_watch *w = socket_arg;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (w != NULL) {
			uv_poll_stop(&w->poll);
			uv_close((uv_handle_t *)&w->poll, on_poll_closed);
			curl_multi_assign(c->multi, fd, NULL);
		}
		return 0;
	}
	if (w == NULL)
		w = watch_socket(c, fd);
	w->events = (what != CURL_POLL_OUT ? UV_READABLE : 0) |
	            (what != CURL_POLL_IN ? UV_WRITABLE : 0);
	uv_poll_start(&w->poll, w->events, on_poll);
	return 0;
}

static int on_new_socket(void *arg, curl_socket_t fd, curlsocktype purpose)
{
	int on = 1, idle = KEEPALIVE_IDLE_S, interval = KEEPALIVE_INTERVAL_S;
	int probes = KEEPALIVE_PROBES;
	unsigned user_timeout = USER_TIMEOUT_MS;

	(void)arg;
	(void)purpose;
	/* a socket that cannot be tuned still works; the caller has its own dead-man's timer */
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout, sizeof(user_timeout));
	return CURL_SOCKOPT_OK;
}

/* The value of "Name: value" when the name is the wanted one, else an empty slice. */
static struct str header_value(struct str line, const char *name)
{
	struct str key = str_cut(&line, ':');

	if (line.at == NULL || !str_eq_nocase(key, str_from(name)))
		return (struct str){NULL, 0};
	return str_trim(line);
}

static void take_header(struct http_request *r, struct str line)
{
	struct str v = header_value(line, "Retry-After");
	uint64_t n;

	if (v.at != NULL && num_u64(v, 86400, &n) == 0)
		r->head.retry_after_s = (int64_t)n;
	v = header_value(line, "Content-Encoding");
	if (v.at != NULL && v.len > 0 && !str_eq_nocase(v, STR("identity")))
		r->head.is_compressed = true;
	v = header_value(line, "Content-Type");
	if (v.at != NULL) {
		free(r->content_type);
		r->content_type = mem_dup(v.at, v.len);
	}
}

/* Called for each header line; the blank one ends them. */
static size_t on_header(char *data, size_t size, size_t n, void *arg)
{
	struct http_request *r = arg;
	struct str line = {data, n};
	long status = 0;

	(void)size;
	if (r->cancelled)
		return 0;
	if (str_has_prefix(line, "HTTP/")) {
		r->head.retry_after_s = -1; /* a new answer, after a 100 or a proxy's */
		r->head.is_compressed = false;
		return n;
	}
	if (str_trim(line).len > 0) {
		take_header(r, line);
		return n;
	}
	curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status < 200 || r->has_head)
		return n;
	r->has_head = true;
	r->head.status = (int)status;
	r->head.content_type = r->content_type ? r->content_type : "";
	if (r->handler.on_head != NULL)
		r->handler.on_head(r->handler.arg, &r->head);
	return r->cancelled ? 0 : n;
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
	struct http_request *r = arg;

	(void)size;
	if (r->cancelled)
		return 0;
	if (r->handler.on_body != NULL)
		r->handler.on_body(r->handler.arg, (const uint8_t *)data, n);
	return r->cancelled ? 0 : n;
}

/* libcurl is set up once in a process, by its first user, and stays. */
static bool is_curl_ready(void)
{
	static bool ready;

	if (!ready)
		ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
	return ready;
}

struct http_client *http_client_new(uv_loop_t *loop, struct err *e)
{
	struct http_client *c;
	CURLM *multi = is_curl_ready() ? curl_multi_init() : NULL;

	if (multi == NULL) {
		err_set(e, -ENOMEM, "libcurl cannot be initialised");
		return NULL;
	}
	c = mem_new(struct http_client);
	c->loop = loop;
	c->multi = multi;
	list_init(&c->requests);
	must(uv_timer_init(loop, &c->timer) == 0);
	c->timer.data = c;
	curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_set_socket);
	curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, c);
	curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_set_timer);
	curl_multi_setopt(multi, CURLMOPT_TIMERDATA, c);
	curl_multi_setopt(multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
	curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, 8L);
	return c;
}

static void on_timer_closed(uv_handle_t *h)
{
	struct http_client *c = h->data;

	c->open_polls--;
	client_release(c);
}

void http_client_free(struct http_client *c)
{
	if (c == NULL)
		return;
	must(c->depth == 0);
	list_for_each (&c->requests, node)
		request_free(container_of(node, struct http_request, node));
	c->open_polls++; /* the timer counts as one */
	curl_multi_cleanup(c->multi);
	c->closing = true;
	uv_close((uv_handle_t *)&c->timer, on_timer_closed);
}

static void add_header(struct http_request *r, const char *name, const char *value)
{
	struct buf line = {0};

	if (value == NULL || *value == '\0')
		return;
	buf_printf(&line, "%s: %s", name, value);
	r->headers = curl_slist_append(r->headers, buf_text(&line));
	must(r->headers != NULL);
	buf_free(&line);
}

/*
 * Verify against another name than the URL's host: the URL gets that name, which is what
 * libcurl sends as SNI and verifies, and the connection goes to the real host.
 */
static int set_server_name(struct http_request *r, const struct http_options *o, struct err *e)
{
	CURLU *u = curl_url();
	char *host = NULL, *port = NULL, *url = NULL;
	struct buf text = {0};
	int rc = 0;

	if (curl_url_set(u, CURLUPART_URL, r->url, 0) != CURLUE_OK ||
	        curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
	        curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) != CURLUE_OK ||
	        curl_url_set(u, CURLUPART_HOST, o->server_name, 0) != CURLUE_OK ||
	        curl_url_get(u, CURLUPART_URL, &url, 0) != CURLUE_OK) {
		rc = err_set(e, -EINVAL, "bad server name \"%s\"", o->server_name);
	} else {
		buf_printf(&text, "%s:%s", host, port);
		add_header(r, "Host", buf_text(&text));
		buf_clear(&text);
		buf_printf(&text, "::%s:%s", host, port);
		r->connect_to = curl_slist_append(NULL, buf_text(&text));
		free(r->url);
		r->url = mem_str(url);
	}
	buf_free(&text);
	curl_free(host);
	curl_free(port);
	curl_free(url);
	curl_url_cleanup(u);
	return rc;
}

static void set_blob(CURL *easy, CURLoption option, struct str pem)
{
	struct curl_blob blob = {(void *)(uintptr_t)pem.at, pem.len, CURL_BLOB_COPY};

	if (pem.len > 0)
		curl_easy_setopt(easy, option, &blob);
}

static void set_transport(struct http_request *r, const struct http_options *o)
{
	CURL *easy = r->easy;
	long timeout = o->connect_timeout_ms ? (long)o->connect_timeout_ms : CONNECT_TIMEOUT_MS;

	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	/* do not wait for a resolver that hangs when a request is dropped */
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, timeout);
	curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, (long)IDLE_CONNECTION_S);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)BODY_CHUNK_BYTES);
	curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_new_socket);
	if (!o->use_proxy)
		curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (o->ca_pem.len > 0) { /* these certificates and none of the system's */
		curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	}
	set_blob(easy, CURLOPT_CAINFO_BLOB, o->ca_pem);
	set_blob(easy, CURLOPT_SSLCERT_BLOB, o->cert_pem);
	set_blob(easy, CURLOPT_SSLKEY_BLOB, o->key_pem);
	curl_easy_setopt(easy, CURLOPT_KEYPASSWD, ""); /* nobody is asked for one */
	if (r->connect_to != NULL)
		curl_easy_setopt(easy, CURLOPT_CONNECT_TO, r->connect_to);
}

static void set_exchange(struct http_request *r, const struct http_options *o)
{
	CURL *easy = r->easy;
	struct buf bearer = {0};

	if (o->bearer != NULL && *o->bearer) {
		buf_printf(&bearer, "Bearer %s", o->bearer);
		add_header(r, "Authorization", buf_text(&bearer));
		explicit_bzero(bearer.at, bearer.len);
		buf_free(&bearer);
	}
	add_header(r, "Accept", o->accept);
	add_header(r, "User-Agent", o->user_agent);
	curl_easy_setopt(easy, CURLOPT_URL, r->url);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, r->headers);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, r->error);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, r);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, r);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, r);
}

static int check_url(const char *url, struct err *e)
{
	CURLU *u;
	bool ok;

	if (url == NULL || strlen(url) > URL_MAX_BYTES)
		return err_set(e, -EINVAL, "URL is missing or too long");
	u = curl_url();
	ok = curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
	     (strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0);
	curl_url_cleanup(u);
	return ok ? 0 : err_set(e, -EINVAL, "\"%s\" is not an http or https URL", url);
}

struct http_request *http_get(struct http_client *c, const struct http_options *o,
        const struct http_handler *h, struct err *e)
{
	struct http_request *r;

	if (check_url(o->url, e) < 0)
		return NULL;
	r = mem_new(struct http_request);
	r->client = c;
	r->handler = *h;
	r->url = mem_str(o->url);
	r->head.retry_after_s = -1;
	r->easy = curl_easy_init();
	must(r->easy != NULL);
	list_init(&r->node);
	if (o->server_name != NULL && *o->server_name && set_server_name(r, o, e) < 0) {
		request_free(r);
		return NULL;
	}
	set_transport(r, o);
	set_exchange(r, o);
	list_push(&c->requests, &r->node);
	if (c->depth == 0)
		request_add(r);
	return r;
}

void http_cancel(struct http_request *r)
{
	if (r == NULL)
		return;
	r->cancelled = true;
	if (r->client->depth == 0)
		request_free(r);
}
