#include "cluster/access.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/must.h"
#include "cluster/yaml_tree.h"

#define SERVICE_ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount/"

enum { MAX_PEM_BYTES = 1 << 20, MAX_TOKEN_BYTES = 64 << 10 };

/* One piece of the credentials: from a file that may change, or fixed. */
struct piece {
	char *path; /* NULL: text is fixed */
	struct buf text;
};

struct access {
	char *url, *server_name, *namespace;
	struct piece token, ca, cert, key;
	bool use_proxy;
	bool is_pod; /* with a service account */
	uint64_t refreshed_ms;
};

/* A file of PEM must be whole: one that is being written lacks its last line. */
static bool is_whole_pem(struct str text)
{
	struct str s = str_trim(text);
	static const char end[] = "-----";

	return s.len > 0 && memmem(s.at, s.len, "-----BEGIN ", 11) != NULL &&
	       memmem(s.at, s.len, "-----END ", 9) != NULL && str_has_suffix(s, end);
}

/* A token has no control characters or blanks; anything else would split the header. */
static bool is_token(struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] <= ' ' || text.at[i] > '~')
			return false;
	}
	return text.len > 0;
}

static void wipe(struct buf *b)
{
	if (b->at != NULL)
		explicit_bzero(b->at, b->cap);
	buf_free(b);
}

static void piece_set(struct piece *p, struct str text)
{
	wipe(&p->text);
	buf_add(&p->text, text.at, text.len);
}

/* Read the file of p again; on any error p keeps what it has. */
static int piece_load(struct piece *p, bool token, struct err *e)
{
	struct buf b = {0};
	struct str text;
	int rc;

	if (p->path == NULL)
		return 0;
	rc = buf_read_file(&b, p->path, token ? MAX_TOKEN_BYTES : MAX_PEM_BYTES);
	if (rc < 0) {
		err_set(e, rc, "%s: %s", p->path, strerror(-rc));
	} else {
		text = str_trim((struct str){buf_text(&b), b.len});
		if (text.len == 0)
			rc = err_set(e, -ENODATA, "%s: the file is empty", p->path);
		else if (token ? !is_token(text) : !is_whole_pem(text))
			rc = err_set(e, -EINVAL, "%s: the file does not hold a whole %s", p->path,
			        token ? "token" : "PEM certificate or key");
		else
			piece_set(p, text);
	}
	wipe(&b);
	return rc;
}

static void piece_free(struct piece *p)
{
	free(p->path);
	wipe(&p->text);
}

static struct str piece_str(const struct piece *p)
{
	return (struct str){buf_text(&p->text), p->text.len};
}

static bool piece_is_given(const struct piece *p)
{
	return p->path != NULL || p->text.len > 0;
}

static int load_all(struct access *a, struct err *e)
{
	int rc = piece_load(&a->token, true, e);

	if (rc == 0)
		rc = piece_load(&a->ca, false, e);
	if (rc == 0)
		rc = piece_load(&a->cert, false, e);
	return rc < 0 ? rc : piece_load(&a->key, false, e);
}

/* "host:port" gets a scheme as in Kubernetes' own clients; a path of "/" is dropped. */
static int set_url(struct access *a, const char *url, struct err *e)
{
	struct buf b = {0};
	bool tls = piece_is_given(&a->ca) || piece_is_given(&a->cert) || piece_is_given(&a->token);

	if (strstr(url, "://") == NULL)
		buf_str(&b, tls ? "https://" : "http://");
	else if (strncmp(url, "https://", 8) != 0 && strncmp(url, "http://", 7) != 0)
		return err_set(e, -EINVAL, "server \"%s\" is not an http or https URL", url);
	buf_str(&b, url);
	while (b.len > 0 && b.at[b.len - 1] == '/')
		b.at[--b.len] = '\0';
	a->url = mem_str(buf_text(&b));
	buf_free(&b);
	if (strchr(a->url, '?') != NULL || strchr(a->url, '#') != NULL || strlen(a->url) > 2000)
		return err_set(e, -EINVAL, "server \"%s\" is not the base of an API", url);
	if (strncmp(a->url, "http://", 7) == 0 && piece_is_given(&a->token))
		return err_set(e, -EINVAL, "server \"%s\": a token is not sent without TLS", url);
	return 0;
}

static char *join(const char *a, const char *b)
{
	struct buf path = {0};

	buf_str(&path, a);
	buf_str(&path, b);
	return path.at;
}

static int in_cluster(struct access *a, const struct access_options *o, struct err *e)
{
	const char *host = getenv("KUBERNETES_SERVICE_HOST");
	const char *port = getenv("KUBERNETES_SERVICE_PORT");
	char *base = join(o->root ? o->root : "", SERVICE_ACCOUNT), *file;
	struct buf url = {0}, namespace = {0};
	int rc;

	if (host == NULL || port == NULL || !*host || !*port) {
		free(base);
		return err_set(e, -ENOENT,
		        "no endpoint or kubeconfig is configured, and this is not a pod: "
		        "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set");
	}
	a->is_pod = true;
	a->token.path = join(base, "token");
	a->ca.path = join(base, "ca.crt");
	file = join(base, "namespace");
	if (buf_read_file(&namespace, file, 256) == 0)
		a->namespace = mem_dup(namespace.at, str_trim(str_from(namespace.at)).len);
	buf_printf(&url, strchr(host, ':') ? "https://[%s]:%s" : "https://%s:%s", host, port);
	rc = set_url(a, buf_text(&url), e);
	buf_free(&namespace);
	buf_free(&url);
	free(file);
	free(base);
	return rc;
}

static int from_endpoint(struct access *a, const struct access_options *o, struct err *e)
{
	a->ca.path = mem_str(o->tls_ca);
	a->cert.path = mem_str(o->tls_cert);
	a->key.path = mem_str(o->tls_key);
	a->use_proxy = true;
	if ((a->cert.path == NULL) != (a->key.path == NULL))
		return err_set(e, -EINVAL, "a client certificate and its key go together");
	return set_url(a, o->endpoint, e);
}

/* A kubeconfig that is being read. */
struct kubeconfig {
	const char *path;
	const struct ynode *root;
	struct arena arena;
};

/* The entry called name of the list "clusters", "users" or "contexts"; its inner map. */
static const struct ynode *find_entry(
        const struct kubeconfig *k, const char *list, const char *inner, const char *name)
{
	const struct ynode *all = ynode_get(k->root, list);

	if (all == NULL || all->kind != YNODE_LIST)
		return NULL;
	ynode_for_each (all, entry) {
		const char *text = ynode_text(entry, "name");

		if (text != NULL && strcmp(text, name) == 0)
			return ynode_get(entry, inner) ? ynode_get(entry, inner) : entry;
	}
	return NULL;
}

/* Paths in a kubeconfig are relative to its own directory. */
static char *resolve(const struct kubeconfig *k, const char *path)
{
	const char *slash = strrchr(k->path, '/');
	struct buf b = {0};

	if (*path != '/' && slash != NULL)
		buf_add(&b, k->path, (size_t)(slash - k->path) + 1);
	buf_str(&b, path);
	return b.at;
}

static int value_of_base64(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Standard base64, blanks and line ends allowed. */
static int decode_base64(struct buf *out, const char *s)
{
	uint32_t v = 0;
	unsigned bits = 0, digits = 0;

	for (; *s != '\0' && *s != '='; s++) {
		int d = value_of_base64(*s);

		if (*s == ' ' || *s == '\n' || *s == '\r' || *s == '\t')
			continue;
		if (d < 0)
			return -EINVAL;
		v = (v << 6 | (uint32_t)d) & 0xffffff;
		bits += 6;
		digits++;
		if (bits >= 8) {
			bits -= 8;
			buf_char(out, (char)(v >> bits & 0xff));
		}
	}
	while (*s == '=' || *s == '\n' || *s == '\r' || *s == ' ')
		s++;
	return *s == '\0' && digits % 4 != 1 ? 0 : -EINVAL;
}

/* FIELD-data wins over FIELD, as in Kubernetes' own clients. */
static int take_pem(const struct kubeconfig *k, const struct ynode *from, const char *field,
        struct piece *p, struct err *e)
{
	char data_field[64];
	const char *data, *path = ynode_text(from, field);
	struct buf pem = {0};
	int rc = 0;

	must(strlen(field) + 6 < sizeof(data_field));
	strcpy(data_field, field);
	strcat(data_field, "-data");
	data = ynode_text(from, data_field);
	if (data != NULL && *data) {
		if (decode_base64(&pem, data) < 0 ||
		        !is_whole_pem((struct str){buf_text(&pem), pem.len}))
			rc = err_set(
			        e, -EINVAL, "%s: %s is not base64 of PEM", k->path, data_field);
		else
			piece_set(p, (struct str){pem.at, pem.len});
		wipe(&pem);
	} else if (path != NULL && *path) {
		p->path = resolve(k, path);
	}
	return rc;
}

/* Generated files have fields that say nothing: null, or "". */
static bool is_given(const struct ynode *from, const char *field)
{
	const struct ynode *n = ynode_get(from, field);

	return n != NULL && n->kind != YNODE_NULL && !(n->kind == YNODE_SCALAR && n->len == 0);
}

static int take_cluster(
        struct access *a, const struct kubeconfig *k, const char *name, struct err *e)
{
	const struct ynode *c = find_entry(k, "clusters", "cluster", name);

	if (c == NULL)
		return err_set(e, -ENOENT, "%s: no cluster \"%s\"", k->path, name);
	if (ynode_is_true(c, "insecure-skip-tls-verify"))
		return err_set(e, -EINVAL,
		        "%s: cluster \"%s\": insecure-skip-tls-verify is refused: name the CA in "
		        "certificate-authority, and another server name in tls-server-name",
		        k->path, name);
	if (is_given(c, "proxy-url"))
		return err_set(e, -EINVAL,
		        "%s: cluster \"%s\": proxy-url is not supported: set https_proxy instead",
		        k->path, name);
	if (!is_given(c, "server") || ynode_text(c, "server") == NULL)
		return err_set(e, -EINVAL, "%s: cluster \"%s\" has no server", k->path, name);
	a->server_name = mem_str(ynode_text(c, "tls-server-name"));
	return take_pem(k, c, "certificate-authority", &a->ca, e);
}

static int take_token(
        struct access *a, const struct kubeconfig *k, const struct ynode *u, struct err *e)
{
	const char *file = ynode_text(u, "tokenFile"), *token = ynode_text(u, "token");

	if (file != NULL && *file) {
		a->token.path = resolve(k, file);
	} else if (token != NULL && *token) {
		if (!is_token(str_from(token)))
			return err_set(
			        e, -EINVAL, "%s: token has blanks or control characters", k->path);
		piece_set(&a->token, str_from(token));
	}
	return 0;
}

static int take_user(struct access *a, const struct kubeconfig *k, const char *name, struct err *e)
{
	static const char *const unsupported[] = {"exec", "auth-provider", "username", "password"};
	const struct ynode *u = find_entry(k, "users", "user", name);
	int rc;

	if (u == NULL)
		return err_set(e, -ENOENT, "%s: no user \"%s\"", k->path, name);
	for (size_t i = 0; i < ARRAY_LEN(unsupported); i++) {
		if (is_given(u, unsupported[i]))
			return err_set(e, -ENOTSUP,
			        "%s: user \"%s\": %s is not supported: use a token, a tokenFile or "
			        "a client certificate",
			        k->path, name, unsupported[i]);
	}
	rc = take_pem(k, u, "client-certificate", &a->cert, e);
	if (rc == 0)
		rc = take_pem(k, u, "client-key", &a->key, e);
	if (rc == 0 && piece_is_given(&a->cert) != piece_is_given(&a->key))
		rc = err_set(e, -EINVAL,
		        "%s: user \"%s\": client-certificate and client-key go together", k->path,
		        name);
	return rc < 0 ? rc : take_token(a, k, u, e);
}

static int take_context(
        struct access *a, const struct kubeconfig *k, const char *wanted, struct err *e)
{
	const char *name = wanted ? wanted : ynode_text(k->root, "current-context");
	const struct ynode *c, *cluster;
	const char *cluster_name, *user;
	int rc;

	if (name == NULL || !*name)
		return err_set(e, -ENOENT, "%s: no current-context, and none is named", k->path);
	c = find_entry(k, "contexts", "context", name);
	if (c == NULL)
		return err_set(e, -ENOENT, "%s: no context \"%s\"", k->path, name);
	cluster_name = ynode_text(c, "cluster");
	user = ynode_text(c, "user");
	if (cluster_name == NULL)
		return err_set(e, -EINVAL, "%s: context \"%s\" has no cluster", k->path, name);
	a->namespace = mem_str(ynode_text(c, "namespace"));
	rc = take_cluster(a, k, cluster_name, e);
	if (rc == 0 && user != NULL && *user)
		rc = take_user(a, k, user, e);
	if (rc < 0)
		return rc;
	cluster = find_entry(k, "clusters", "cluster", cluster_name);
	return set_url(a, ynode_text(cluster, "server"), e);
}

static int parse_kubeconfig(
        struct access *a, const struct access_options *o, struct str text, struct err *e)
{
	struct kubeconfig k = {.path = o->kubeconfig};
	int rc;

	a->use_proxy = true;
	arena_init(&k.arena);
	rc = yaml_tree_parse(&k.arena, text, &k.root, e);
	if (rc < 0)
		err_prefix(e, rc, "%s", o->kubeconfig);
	else
		rc = take_context(a, &k, o->context, e);
	arena_reset(&k.arena);
	return rc;
}

static int from_kubeconfig(struct access *a, const struct access_options *o, struct err *e)
{
	struct buf text = {0};
	int rc = buf_read_file(&text, o->kubeconfig, YAML_MAX_BYTES);

	if (rc < 0)
		err_set(e, rc, "%s: %s", o->kubeconfig, strerror(-rc));
	else
		rc = parse_kubeconfig(a, o, (struct str){buf_text(&text), text.len}, e);
	wipe(&text);
	return rc;
}

struct access *access_parse(const struct access_options *o, struct str kubeconfig, struct err *e)
{
	struct access *a = mem_new(struct access);

	if (parse_kubeconfig(a, o, kubeconfig, e) == 0)
		return a;
	access_free(a);
	return NULL;
}

struct access *access_new(const struct access_options *o, struct err *e)
{
	struct access *a = mem_new(struct access);
	int rc;

	if (o->kubeconfig != NULL)
		rc = from_kubeconfig(a, o, e);
	else if (o->endpoint != NULL)
		rc = from_endpoint(a, o, e);
	else
		rc = in_cluster(a, o, e);
	if (rc == 0)
		rc = load_all(a, e);
	if (rc == 0)
		return a;
	access_free(a);
	return NULL;
}

void access_free(struct access *a)
{
	if (a == NULL)
		return;
	piece_free(&a->token);
	piece_free(&a->ca);
	piece_free(&a->cert);
	piece_free(&a->key);
	free(a->url);
	free(a->server_name);
	free(a->namespace);
	free(a);
}

const char *access_url(const struct access *a)
{
	return a->url;
}

const char *access_namespace(const struct access *a)
{
	return a->namespace ? a->namespace : "";
}

const char *access_pod_namespace(const struct access *a)
{
	return a->is_pod ? access_namespace(a) : "";
}

struct access_credentials access_credentials(const struct access *a)
{
	return (struct access_credentials){
	        .token = a->token.text.len > 0 ? buf_text(&a->token.text) : NULL,
	        .server_name = a->server_name,
	        .ca_pem = piece_str(&a->ca),
	        .cert_pem = piece_str(&a->cert),
	        .key_pem = piece_str(&a->key),
	        .use_proxy = a->use_proxy,
	};
}

/* A certificate and its key are taken together, or neither. */
static int refresh_pair(struct access *a, struct err *e)
{
	struct piece cert = {.path = a->cert.path}, key = {.path = a->key.path};
	int rc = piece_load(&cert, false, e);

	if (rc == 0)
		rc = piece_load(&key, false, e);
	if (rc == 0 && cert.path != NULL)
		piece_set(&a->cert, piece_str(&cert));
	if (rc == 0 && key.path != NULL)
		piece_set(&a->key, piece_str(&key));
	wipe(&cert.text);
	wipe(&key.text);
	return rc;
}

int access_refresh(struct access *a, uint64_t now_ms, bool force, struct err *e)
{
	int rc, rc2;

	if (!force && a->refreshed_ms != 0 && now_ms - a->refreshed_ms < ACCESS_REFRESH_MS)
		return 0;
	a->refreshed_ms = now_ms;
	rc = piece_load(&a->token, true, e);
	rc2 = piece_load(&a->ca, false, e);
	if (rc == 0)
		rc = rc2;
	rc2 = refresh_pair(a, e);
	return rc < 0 ? rc : rc2;
}
