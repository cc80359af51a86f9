/* The API port: who asks, for what, and the verbs on objects. */
#include "serve.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The common name of a verified client certificate; false when there is none. */
static bool user_of_certificate(struct MHD_Connection *c, char *user, size_t size)
{
	const union MHD_ConnectionInfo *info =
	        MHD_get_connection_info(c, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	unsigned status = 0, n = 0;
	const gnutls_datum_t *chain;
	gnutls_x509_crt_t cert;
	bool ok;

	if (info == NULL || !world.need_cert)
		return false;
	chain = gnutls_certificate_get_peers(info->tls_session, &n);
	if (n == 0 || gnutls_certificate_verify_peers2(info->tls_session, &status) < 0 || status)
		return false;
	gnutls_x509_crt_init(&cert);
	ok = gnutls_x509_crt_import(cert, chain, GNUTLS_X509_FMT_DER) == 0 &&
	     gnutls_x509_crt_get_dn_by_oid(cert, GNUTLS_OID_X520_COMMON_NAME, 0, 0, user, &size) ==
	             0;
	gnutls_x509_crt_deinit(cert);
	return ok;
}

static bool user_of_token(struct MHD_Connection *c, char *user, size_t size)
{
	const char *v = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Authorization");

	if (v == NULL || strncmp(v, "Bearer ", 7) != 0)
		return false;
	vec_for_each (&world.tokens, t) {
		if (strcmp(*t, v + 7) == 0) {
			snprintf(user, size, "seamark");
			return true;
		}
	}
	return false;
}

static bool is_known(struct ask *a)
{
	snprintf(a->user, sizeof(a->user), "system:anonymous");
	if (!world.need_auth)
		return true;
	return user_of_token(a->connection, a->user, sizeof(a->user)) ||
	       user_of_certificate(a->connection, a->user, sizeof(a->user));
}

static bool take_segment(const char **path, char *out, size_t size)
{
	size_t n;

	if (**path != '/')
		return false;
	n = strcspn(*path + 1, "/");
	if (n == 0 || n >= size)
		return false;
	memcpy(out, *path + 1, n);
	out[n] = '\0';
	*path += 1 + n;
	return true;
}

/* /api/v1/..., /apis/GROUP/VERSION/...: [namespaces/NS/]PLURAL[/NAME] */
static bool parse_path(struct ask *a, const char *path)
{
	char group[128] = "", version[32], word[256], plural[128];

	if (strncmp(path, "/apis/", 6) == 0) {
		path += 5;
		if (!take_segment(&path, group, sizeof(group)))
			return false;
	} else if (strncmp(path, "/api/", 5) == 0) {
		path += 4;
	} else {
		return false;
	}
	if (!take_segment(&path, version, sizeof(version)) ||
	        !take_segment(&path, plural, sizeof(plural)))
		return false;
	if (take_segment(&path, word, sizeof(word))) {
		bool deeper = strcmp(plural, "namespaces") == 0 && *path == '/';

		if (deeper && snprintf(a->namespace, sizeof(a->namespace), "%.63s", word) > 0 &&
		        !take_segment(&path, plural, sizeof(plural)))
			return false;
		if (!deeper || take_segment(&path, word, sizeof(word)))
			snprintf(a->name, sizeof(a->name), "%s", word);
	}
	a->kind = kind_find(group, plural);
	return a->kind != NULL && strcmp(a->kind->version, version) == 0 && *path == '\0' &&
	       !a->kind->absent;
}

static bool is_watch(const struct ask *a)
{
	const char *w = query(a->connection, "watch");

	return strcmp(w, "1") == 0 || strcmp(w, "true") == 0;
}

static const char *verb_of(const struct ask *a)
{
	if (strcmp(a->method, "GET") == 0)
		return a->name[0] ? "get" : is_watch(a) ? "watch" : "list";
	return strcmp(a->method, "POST") == 0  ? "create"
	       : strcmp(a->method, "PUT") == 0 ? "update"
	                                       : "delete";
}

static enum MHD_Result reply_forbidden(struct ask *a)
{
	char text[500], extra[200];

	snprintf(text, sizeof(text),
	        "%s is forbidden: User \"%s\" cannot %s resource \"%s\" in API group \"%s\" at the "
	        "cluster scope",
	        a->kind->plural, a->user, verb_of(a), a->kind->plural, a->kind->group);
	if (a->kind->group[0])
		snprintf(extra, sizeof(extra), "\"details\":{\"group\":\"%s\",\"kind\":\"%s\"},",
		        a->kind->group, a->kind->plural);
	else
		snprintf(extra, sizeof(extra), "\"details\":{\"kind\":\"%s\"},", a->kind->plural);
	return reply_status(a->connection, 403, "Forbidden", extra, text);
}

static enum MHD_Result reply_absent(struct ask *a)
{
	char text[600], extra[500];

	snprintf(text, sizeof(text), "%s \"%s\" not found", a->kind->plural, a->name);
	snprintf(extra, sizeof(extra), "\"details\":{\"name\":\"%s\",\"kind\":\"%s\"},", a->name,
	        a->kind->plural);
	return reply_status(a->connection, 404, "NotFound", extra, text);
}

static enum MHD_Result reply_object(struct ask *a, unsigned status, const struct object *o)
{
	struct buf b = {0};

	buf_printf(&b, "{\"kind\":\"%s\",\"apiVersion\":\"%s\",", a->kind->name, a->kind->list_api);
	buf_add(&b, o->json + 1, o->len - 1);
	buf_char(&b, '\n');
	return reply_json(a->connection, status, &b);
}

static enum MHD_Result serve_write(struct ask *a)
{
	char why[200] = "";
	const char *reason = "";
	json_t *docs = manifest_parse(a->body, a->body_len, why), *o, *m;
	struct object *x;
	bool created;

	o = json_array_get(docs, 0);
	m = json_object_get(o, "metadata");
	if (!json_is_object(m)) {
		json_decref(docs);
		return reply_status(a->connection, 400, "BadRequest", "", *why ? why : "no object");
	}
	if (a->namespace[0])
		json_object_set_new(m, "namespace", json_string(a->namespace));
	if (a->name[0])
		json_object_set_new(m, "name", json_string(a->name));
	x = object_build(a->kind, o, &reason);
	json_decref(docs);
	if (x == NULL)
		return reply_status(a->connection, 422, "Invalid", "", reason);
	created = world_put(a->kind, x);
	return reply_object(a, created ? 201 : 200, x);
}

static enum MHD_Result serve_delete(struct ask *a)
{
	struct object *o = object_find(a->kind, a->namespace, a->name);
	struct buf b = {0};

	if (o == NULL)
		return reply_absent(a);
	buf_printf(&b,
	        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Success\","
	        "\"details\":{\"name\":\"%s\",\"kind\":\"%s\",\"uid\":\"%s\"}}\n",
	        o->name, a->kind->plural, o->uid);
	world_delete(a->kind, a->namespace, a->name);
	return reply_json(a->connection, 200, &b);
}

static bool is_type(struct str type, const char *want)
{
	return str_is(type, want) || str_is(type, "application/*") || str_is(type, "*/*");
}

/* "as=PartialObjectMetadataList" among the parameters of a type */
static bool is_metadata(struct str parameters)
{
	while (parameters.len > 0)
		if (str_is(str_trim(str_cut(&parameters, ';')), "as=PartialObjectMetadataList"))
			return true;
	return false;
}

/* Take the first type of the Accept header that there is; false when there is none. */
static bool negotiate(struct ask *a)
{
	const char *accept = MHD_lookup_connection_value(a->connection, MHD_HEADER_KIND, "Accept");
	struct str rest = str_from(accept);

	while (rest.len > 0) {
		struct str all = str_cut(&rest, ',');
		struct str type = str_trim(str_cut(&all, ';'));

		a->metadata_only = is_metadata(all);
		if (str_is(type, "application/vnd.kubernetes.protobuf") && a->kind->message &&
		        !world.json_only) {
			a->protobuf = true;
			return true;
		}
		if (is_type(type, "application/json"))
			return true;
	}
	return accept == NULL;
}

static enum MHD_Result serve_read(struct ask *a)
{
	struct object *o;

	if (a->name[0]) {
		o = object_find(a->kind, a->namespace, a->name);
		return o == NULL ? reply_absent(a) : reply_object(a, 200, o);
	}
	if (!negotiate(a))
		return reply_status(a->connection, 406, "NotAcceptable", "",
		        "only the following media types are accepted: application/json, "
		        "application/vnd.kubernetes.protobuf");
	if (!selector_parse(&a->labels, query(a->connection, "labelSelector")) ||
	        !selector_parse(&a->fields, query(a->connection, "fieldSelector")))
		return reply_status(
		        a->connection, 400, "BadRequest", "", "unable to parse requirement");
	if (is_watch(a)) {
		a->kind->watches++;
		return watch_serve(a);
	}
	a->kind->lists++;
	return list_serve(a);
}

static bool fault_applies(const struct fault *f, const struct ask *a)
{
	return f->count != 0 && (!f->resource[0] || strcmp(f->resource, a->kind->plural) == 0) &&
	       (!f->verb[0] || strcmp(f->verb, verb_of(a)) == 0);
}

static enum MHD_Result reply_fault(struct fault *f)
{
	const char *body = f->html ? "<html><body><h1>Bad gateway</h1></body></html>\n"
	                           : "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},"
	                             "\"status\":\"Failure\",\"message\":\"fault\",\"code\":0}\n";
	struct MHD_Response *r =
	        MHD_create_response_from_buffer(strlen(body), (void *)body, MHD_RESPMEM_MUST_COPY);
	char after[16];

	if (f->count > 0)
		f->count--;
	MHD_add_response_header(r, "Content-Type", f->html ? "text/html" : "application/json");
	if (f->retry_after >= 0) {
		snprintf(after, sizeof(after), "%d", f->retry_after);
		MHD_add_response_header(r, "Retry-After", after);
	}
	return reply_later((unsigned)f->status, r);
}

static enum MHD_Result serve_resource(struct ask *a)
{
	if (a->kind->forbidden)
		return reply_forbidden(a);
	vec_for_each (&world.faults, f) {
		if (fault_applies(f, a))
			return reply_fault(f);
	}
	if (strcmp(a->method, "GET") == 0)
		return serve_read(a);
	if (strcmp(a->method, "POST") == 0 || strcmp(a->method, "PUT") == 0)
		return serve_write(a);
	if (strcmp(a->method, "DELETE") == 0)
		return serve_delete(a);
	return reply_status(a->connection, 405, "MethodNotAllowed", "",
	        "the server does not allow this method on the requested resource");
}

/* Paths that need no resource; NULL when path is none of them. */
static const char *fixed_answer(const char *path)
{
	if (strcmp(path, "/version") == 0)
		return "{\n  \"major\": \"1\",\n  \"minor\": \"36\",\n  \"gitVersion\": "
		       "\"v1.36.0-apisim\",\n  \"platform\": \"linux/amd64\"\n}";
	if (strcmp(path, "/api") == 0)
		return "{\"kind\":\"APIVersions\",\"versions\":[\"v1\"],"
		       "\"serverAddressByClientCIDRs\":[]}\n";
	return NULL;
}

static enum MHD_Result dispatch(struct ask *a, const char *path)
{
	const char *fixed = fixed_answer(path);

	if (strcmp(path, "/healthz") == 0 || strcmp(path, "/readyz") == 0 ||
	        strcmp(path, "/livez") == 0)
		return reply_text(a->connection, 200, "text/plain; charset=utf-8", "ok");
	if (!is_known(a))
		return reply_status(a->connection, 401, "Unauthorized", "", "Unauthorized");
	if (fixed != NULL)
		return reply_text(a->connection, 200, "application/json", fixed);
	if (!parse_path(a, path))
		return reply_text(
		        a->connection, 404, "text/plain; charset=utf-8", "404 page not found\n");
	return serve_resource(a);
}

enum MHD_Result api_serve(
        struct MHD_Connection *c, const char *method, const char *path, struct buf *body)
{
	struct ask a = {.connection = c, .method = method};
	enum MHD_Result rc;

	a.body = buf_text(body);
	a.body_len = body->len;
	pthread_mutex_lock(&world.lock);
	while (world.stalled && !world.stopping)
		pthread_cond_wait(&world.changed, &world.lock);
	world.requests++;
	rc = dispatch(&a, path);
	pthread_mutex_unlock(&world.lock);
	selector_free(&a.labels);
	selector_free(&a.fields);
	return rc;
}
