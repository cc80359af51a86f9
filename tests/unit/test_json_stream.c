/*
 * The recorded answers of a real API server through json_stream, with jansson as the oracle: what
 * the stream delivers must be what a reader of the whole tree finds, wherever the text is cut.
 */
#include "test.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>

#include "base/must.h"
#include "cluster/json_object.h"
#include "cluster/json_stream.h"

#define DATA SRCDIR "/tests/data/apiserver/"

/* ---- objects as text ---- */

static void show_ips(struct buf *out, const char *what, const struct ip_list *l)
{
	char text[IP_TEXT_SIZE];

	for (uint32_t i = 0; i < l->len; i++)
		buf_printf(out, " %s=%s", what, ip_text(&l->at[i], text));
}

static void show_labels(struct buf *out, const char *what, const struct labels *l)
{
	for (uint32_t i = 0; i < l->len; i++)
		buf_printf(out, " %s:%s=%s", what, l->at[i].key, l->at[i].value);
}

static const char *protocol_name(enum protocol p)
{
	return p == PROTOCOL_UDP ? "UDP" : p == PROTOCOL_SCTP ? "SCTP" : "TCP";
}

static void show_ports(struct buf *out, const struct port_list *l)
{
	for (uint32_t i = 0; i < l->len; i++)
		buf_printf(out, " port=%s/%d/%s", l->at[i].name != NULL ? l->at[i].name : "",
		        l->at[i].port, protocol_name(l->at[i].protocol));
}

static const char *or_empty(const char *s)
{
	return s != NULL ? s : "";
}

static void show_slice(struct buf *out, const struct slice_data *s)
{
	char text[IP_TEXT_SIZE];

	buf_printf(out, " of=%s", or_empty(s->service));
	for (uint32_t i = 0; i < s->n_endpoints; i++) {
		const struct endpoint *e = &s->endpoints[i];

		buf_printf(out, " ep=%s/%d/%d/%d/%s/%s/%s/%s", ip_text(&e->ip, text), e->is_ready,
		        e->is_serving, e->is_terminating, or_empty(e->hostname),
		        or_empty(e->target_name), or_empty(e->node), or_empty(e->zone));
	}
	show_ports(out, &s->ports);
}

static void show_object(struct buf *out, const struct object *o)
{
	buf_printf(out, "%s %s/%s rv=%s", object_kind_name(o->kind), o->ns, o->name,
	        or_empty(o->version));
	show_labels(out, "label", &o->labels);
	if (o->kind == OBJECT_SERVICE) {
		buf_printf(out, " type=%d headless=%d pnr=%d ext=%s", o->service.type,
		        o->service.is_headless, o->service.publish_not_ready,
		        or_empty(o->service.external_name));
		show_ips(out, "ip", &o->service.cluster_ips);
		show_labels(out, "selector", &o->service.selector);
		show_ports(out, &o->service.ports);
	} else if (o->kind == OBJECT_SLICE) {
		show_slice(out, &o->slice);
	} else if (o->kind == OBJECT_POD) {
		buf_printf(out, " phase=%d ready=%d host=%s sub=%s node=%s", o->pod.phase,
		        o->pod.ready, or_empty(o->pod.hostname), or_empty(o->pod.subdomain),
		        or_empty(o->pod.node));
		show_ips(out, "ip", &o->pod.ips);
		show_ports(out, &o->pod.ports);
	}
	assert_int_equal(o->dropped, 0);
}

/* ---- the same from jansson ---- */

static const char *text_of(const json_t *o, const char *key)
{
	return or_empty(json_string_value(json_object_get(o, key)));
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void oracle_labels(struct buf *out, const char *what, json_t *labels)
{
	const char *keys[64], *key;
	json_t *value;
	size_t n = 0;

	json_object_foreach(labels, key, value) keys[n++] = key;
	qsort(keys, n, sizeof(keys[0]), compare_keys);
	for (size_t i = 0; i < n; i++)
		buf_printf(out, " %s:%s=%s", what, keys[i], text_of(labels, keys[i]));
}

static void oracle_ports(struct buf *out, const json_t *ports)
{
	const json_t *p;
	size_t i;

	json_array_foreach(ports, i, p)
	{
		const json_t *n = json_object_get(p, "port");

		if (n == NULL)
			n = json_object_get(p, "containerPort");
		buf_printf(out, " port=%s/%lld/%s", text_of(p, "name"),
		        n == NULL ? -1 : json_integer_value(n), text_of(p, "protocol"));
	}
}

static bool bool_of(const json_t *o, const char *key, bool other)
{
	const json_t *v = json_object_get(o, key);

	return json_is_boolean(v) ? json_is_true(v) : other;
}

static void oracle_endpoints(struct buf *out, const json_t *endpoints)
{
	const json_t *e, *ip;
	size_t i, k;

	json_array_foreach(endpoints, i, e)
	        json_array_foreach(json_object_get(e, "addresses"), k, ip)
	{
		const json_t *c = json_object_get(e, "conditions");
		bool is_ready = bool_of(c, "ready", true);

		buf_printf(out, " ep=%s/%d/%d/%d/%s/%s/%s/%s", json_string_value(ip), is_ready,
		        bool_of(c, "serving", is_ready), bool_of(c, "terminating", false),
		        text_of(e, "hostname"), text_of(json_object_get(e, "targetRef"), "name"),
		        text_of(e, "nodeName"), text_of(e, "zone"));
	}
}

static void oracle_service(struct buf *out, const json_t *spec)
{
	static const char *const types[] = {
	        "ClusterIP", "NodePort", "LoadBalancer", "ExternalName"};
	const json_t *ip;
	size_t i;
	int type = 0;

	for (int t = 0; t < 4; t++)
		type = strcmp(text_of(spec, "type"), types[t]) == 0 ? t : type;
	buf_printf(out, " type=%d headless=%d pnr=%d ext=%s", type,
	        strcmp(text_of(spec, "clusterIP"), "None") == 0,
	        bool_of(spec, "publishNotReadyAddresses", false), text_of(spec, "externalName"));
	json_array_foreach(json_object_get(spec, "clusterIPs"), i,
	        ip) if (strcmp(json_string_value(ip), "None") != 0)
	        buf_printf(out, " ip=%s", json_string_value(ip));
	oracle_labels(out, "selector", json_object_get(spec, "selector"));
	oracle_ports(out, json_object_get(spec, "ports"));
}

static void oracle_pod(struct buf *out, const json_t *spec, const json_t *status)
{
	static const char *const phases[] = {
	        "", "Pending", "Running", "Succeeded", "Failed", "Unknown"};
	const json_t *c;
	size_t i;
	int phase = 0, ready = 0;

	for (int p = 0; p < 6; p++)
		phase = strcmp(text_of(status, "phase"), phases[p]) == 0 ? p : phase;
	json_array_foreach(json_object_get(status, "conditions"), i,
	        c) if (strcmp(text_of(c, "type"), "Ready") == 0) ready =
	        strcmp(text_of(c, "status"), "True") == 0 ? 1 : 2;
	buf_printf(out, " phase=%d ready=%d host=%s sub=%s node=%s", phase, ready,
	        text_of(spec, "hostname"), text_of(spec, "subdomain"), text_of(spec, "nodeName"));
	json_array_foreach(json_object_get(status, "podIPs"), i, c)
	        buf_printf(out, " ip=%s", text_of(c, "ip"));
	json_array_foreach(json_object_get(spec, "containers"), i, c)
	        oracle_ports(out, json_object_get(c, "ports"));
}

static void oracle_object(struct buf *out, enum object_kind kind, const json_t *o)
{
	const json_t *meta = json_object_get(o, "metadata");
	json_t *labels = json_object_get(meta, "labels");

	buf_printf(out, "%s %s/%s rv=%s", object_kind_name(kind), text_of(meta, "namespace"),
	        text_of(meta, "name"), text_of(meta, "resourceVersion"));
	oracle_labels(out, "label", labels);
	if (kind == OBJECT_SERVICE)
		oracle_service(out, json_object_get(o, "spec"));
	if (kind == OBJECT_POD)
		oracle_pod(out, json_object_get(o, "spec"), json_object_get(o, "status"));
	if (kind != OBJECT_SLICE)
		return;
	buf_printf(out, " of=%s", text_of(labels, "kubernetes.io/service-name"));
	oracle_endpoints(out, json_object_get(o, "endpoints"));
	oracle_ports(out, json_object_get(o, "ports"));
}

static void oracle_list(struct buf *out, enum object_kind kind, const char *text, size_t n)
{
	json_t *root = json_loadb(text, n, 0, NULL), *item;
	const json_t *meta = json_object_get(root, "metadata");
	size_t i;

	assert_non_null(root);
	json_array_foreach(json_object_get(root, "items"), i, item)
	{
		buf_str(out, "0 ");
		oracle_object(out, kind, item);
		buf_char(out, '\n');
	}
	buf_printf(out, "end rv=%s continue=%s remaining=%lld\n", text_of(meta, "resourceVersion"),
	        text_of(meta, "continue"),
	        json_integer_value(json_object_get(meta, "remainingItemCount")));
	json_decref(root);
}

static void oracle_event(struct buf *out, enum object_kind kind, const json_t *frame)
{
	static const char *const types[] = {"ADDED", "MODIFIED", "DELETED"};
	const json_t *object = json_object_get(frame, "object");
	const json_t *meta = json_object_get(object, "metadata");

	if (strcmp(text_of(frame, "type"), "BOOKMARK") == 0) {
		buf_printf(out, "bookmark %s %d\n", text_of(meta, "resourceVersion"),
		        json_object_get(json_object_get(meta, "annotations"),
		                "k8s.io/initial-events-end") != NULL);
		return;
	}
	for (int t = 0; t < 3; t++)
		if (strcmp(text_of(frame, "type"), types[t]) == 0)
			buf_printf(out, "%d ", t);
	oracle_object(out, kind, object);
	buf_char(out, '\n');
}

static void oracle_watch(struct buf *out, enum object_kind kind, const char *text, size_t n)
{
	struct str rest = {text, n};

	while (rest.len > 0) {
		struct str line = str_cut(&rest, '\n');
		json_t *frame = json_loadb(line.at, line.len, 0, NULL);

		if (line.len == 0)
			continue;
		assert_non_null(frame);
		oracle_event(out, kind, frame);
		json_decref(frame);
	}
}

/* ---- the stream under test ---- */

static void on_object(void *arg, enum event_type type, const struct object *o)
{
	buf_printf(arg, "%d ", type);
	show_object(arg, o);
	buf_char(arg, '\n');
}

static void on_bookmark(void *arg, const char *version, bool is_initial_end)
{
	buf_printf(arg, "bookmark %s %d\n", version, is_initial_end);
}

static void on_status(void *arg, const struct api_status *s)
{
	buf_printf(arg, "status %d %s %.40s retry=%u continue=%s\n", s->code, s->reason, s->message,
	        s->retry_after_s, s->continue_token != NULL ? "yes" : "no");
}

static void on_list_end(void *arg, const struct list_meta *m)
{
	buf_printf(arg, "end rv=%s continue=%s remaining=%llu\n", m->version,
	        or_empty(m->continue_token), (unsigned long long)m->remaining);
}

static void on_skipped(void *arg, const char *why)
{
	buf_printf(arg, "skipped %s\n", why);
}

static struct object_sink sink_to(struct buf *out)
{
	return (struct object_sink){
	        out, on_object, on_bookmark, on_status, on_list_end, on_skipped};
}

/* Feed text in pieces of size; returns what feed or end said first. */
static int run(
        struct buf *out, enum json_mode mode, enum object_kind kind, struct str text, size_t piece)
{
	struct json_stream s;
	struct object_sink sink = sink_to(out);
	int rc = 0;

	json_stream_init(&s, mode, kind, &sink);
	for (size_t i = 0; i < text.len && rc == 0; i += piece)
		rc = json_stream_feed(&s, text.at + i, text.len - i < piece ? text.len - i : piece);
	if (rc == 0)
		rc = json_stream_end(&s);
	json_stream_fini(&s);
	return rc;
}

static const struct recorded {
	const char *file;
	enum json_mode mode;
	enum object_kind kind;
} recorded[] = {
        {"list-namespaces.json", JSON_LIST, OBJECT_NAMESPACE},
        {"list-services.json", JSON_LIST, OBJECT_SERVICE},
        {"page1-services.json", JSON_LIST, OBJECT_SERVICE},
        {"page2-services.json", JSON_LIST, OBJECT_SERVICE},
        {"list-endpointslices.json", JSON_LIST, OBJECT_SLICE},
        {"list-pods.json", JSON_LIST, OBJECT_POD},
        {"watch-services.json", JSON_WATCH, OBJECT_SERVICE},
        {"watch-endpointslices.json", JSON_WATCH, OBJECT_SLICE},
        {"watch-pods.json", JSON_WATCH, OBJECT_POD},
};

static struct str load(const char *file, struct buf *text)
{
	char path[512];

	snprintf(path, sizeof(path), DATA "%s", file);
	assert_int_equal(buf_read_file(text, path, 1 << 20), 0);
	return (struct str){text->at, text->len};
}

static void recorded_answers_decode_as_jansson_reads_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(recorded); i++) {
		static const size_t pieces[] = {1, 2, 3, 7, 63, 64, 65, 511, 4096, 1 << 20};
		const struct recorded *r = &recorded[i];
		struct buf text = {0}, expected = {0};
		struct str all = load(r->file, &text);

		(r->mode == JSON_LIST ? oracle_list : oracle_watch)(
		        &expected, r->kind, all.at, all.len);
		for (size_t k = 0; k < ARRAY_LEN(pieces); k++) {
			struct buf got = {0};

			assert_int_equal(run(&got, r->mode, r->kind, all, pieces[k]), 0);
			assert_string_equal(buf_text(&got), buf_text(&expected));
			buf_free(&got);
		}
		buf_free(&text);
		buf_free(&expected);
	}
}

/* K20: a stream that ends anywhere delivers a prefix of the events, and says that it was cut. */
static void a_cut_stream_delivers_a_prefix_at_every_byte(void **state)
{
	struct buf text = {0}, whole = {0};
	struct str all = load("page1-services.json", &text);

	(void)state;
	run(&whole, JSON_LIST, OBJECT_SERVICE, all, 1 << 20);
	for (size_t n = 0; n + 1 < all.len; n++) {
		struct buf got = {0};

		assert_int_equal(run(&got, JSON_LIST, OBJECT_SERVICE, (struct str){all.at, n}, 512),
		        -EPROTO);
		assert_memory_equal(buf_text(&got), whole.at, got.len);
		assert_null(strstr(buf_text(&got), "end rv"));
		buf_free(&got);
	}
	buf_free(&text);
	buf_free(&whole);
}

static void every_two_piece_cut_of_a_watch_gives_the_same(void **state)
{
	struct buf text = {0}, whole = {0};
	struct str all = load("watch-services.json", &text);

	(void)state;
	run(&whole, JSON_WATCH, OBJECT_SERVICE, all, 1 << 20);
	for (size_t n = 1; n < all.len; n++) {
		struct buf got = {0};
		struct object_sink sink = sink_to(&got);
		struct json_stream s;

		json_stream_init(&s, JSON_WATCH, OBJECT_SERVICE, &sink);
		assert_int_equal(json_stream_feed(&s, all.at, n), 0);
		assert_int_equal(json_stream_feed(&s, all.at + n, all.len - n), 0);
		assert_int_equal(json_stream_end(&s), 0);
		assert_string_equal(buf_text(&got), buf_text(&whole));
		json_stream_fini(&s);
		buf_free(&got);
	}
	buf_free(&text);
	buf_free(&whole);
}

static void errors_of_the_server_are_statuses(void **state)
{
	static const struct {
		const char *file, *expected;
		enum json_mode mode;
	} rows[] = {
	        {"err-401.json", "status 401 Unauthorized Unauthorized retry=0 continue=no\n",
	                JSON_LIST},
	        {"err-403.json",
	                "status 403 Forbidden services is forbidden: User \"seamark\" ca "
	                "retry=0 "
	                "continue=no\n",
	                JSON_LIST},
	        {"err-410-continue.json",
	                "status 410 Expired The provided continue parameter is too o retry=0 "
	                "continue=yes\n",
	                JSON_LIST},
	        {"err-410-watch.json",
	                "status 410 Expired too old resource version: 1 (337) retry=0 "
	                "continue=no\n",
	                JSON_WATCH},
	        {"err-504-large-rv.json",
	                "status 504 Timeout Timeout: Too large resource version: 999 retry=1 "
	                "continue=no\n",
	                JSON_LIST},
	        {"err-401.json", "status 401 Unauthorized Unauthorized retry=0 continue=no\n",
	                JSON_WATCH},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf text = {0}, got = {0};
		struct str all = load(rows[i].file, &text);

		assert_int_equal(run(&got, rows[i].mode, OBJECT_SERVICE, all, 10), 0);
		assert_string_equal(buf_text(&got), rows[i].expected);
		buf_free(&text);
		buf_free(&got);
	}
}

static void bodies_that_are_no_list_fail(void **state)
{
	static const struct {
		const char *text;
		int rc;
	} rows[] = {
	        {"", -EPROTO},
	        {"404 page not found\n", -EINVAL},
	        {"<html>", -EINVAL},
	        {"{}", -EINVAL},
	        {"{\"kind\":\"PodList\",\"items\":[]}", -EINVAL},
	        {"{\"kind\":\"ServiceList\",\"items\":null}", 0},
	        {"{\"kind\":\"ServiceList\",\"items\":[null,5,\"x\"]}", 0},
	        {"{\"items\":[],\"kind\":\"ServiceList\",\"metadata\":{}} \n", 0},
	        {"{\"kind\":\"ServiceList\",\"items\":[]} x", -EINVAL},
	        {"{\"kind\":\"ServiceList\",\"items\":[{},]}", -EINVAL},
	        {"{\"kind\":\"ServiceList\",\"items\":[,{}]}", -EINVAL},
	        {"{\"kind\":\"ServiceList\",\"items\":[{}{}]}", -EINVAL},
	        {"{\"kind\":\"ServiceList\",,\"items\":[]}", -EINVAL},
	        {"{\"kind\":\"ServiceList\",}", -EINVAL},
	        {"{\"kind\":}", -EINVAL},
	        {"{\"kind\":\"ServiceList\" \"items\":[]}", -EINVAL},
	        {"{\"kind\":\"ServiceList\",\"items\":[}]}", -EINVAL},
	        {"{\"kind\":\"ServiceList\",\"items\":[{\"metadata\":{\"name\":01}}]}", -EINVAL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t piece = 1; piece < 99; piece += 97) {
			struct buf got = {0};

			assert_int_equal(
			        run(&got, JSON_LIST, OBJECT_SERVICE, str_from(rows[i].text), piece),
			        rows[i].rc);
			buf_free(&got);
		}
}

static void items_of_another_list_are_not_taken(void **state)
{
	static const char text[] = "{\"kind\":\"PodList\",\"items\":["
	                           "{\"metadata\":{\"name\":\"s\",\"namespace\":\"n\"}}]}";
	struct buf got = {0};

	(void)state;
	for (size_t piece = 1; piece < sizeof(text); piece++) {
		assert_int_equal(
		        run(&got, JSON_LIST, OBJECT_SERVICE, str_from(text), piece), -EINVAL);
		assert_null(strstr(buf_text(&got), "n/s"));
		buf_free(&got);
	}
	assert_int_equal(run(&got, JSON_LIST, OBJECT_POD, str_from(text), 7), 0);
	assert_non_null(strstr(buf_text(&got), "n/s"));
	buf_free(&got);
}

static void sizes_are_capped(void **state)
{
	struct buf text = {0}, got = {0};

	(void)state;
	buf_str(&text, "{\"type\":\"ADDED\",\"object\":{\"x\":\"");
	for (int i = 0; i < 9 << 10; i++) {
		static const char kilobyte[1024] = {'a'};

		buf_add(&text, kilobyte, sizeof(kilobyte));
	}
	assert_int_equal(
	        run(&got, JSON_WATCH, OBJECT_SERVICE, (struct str){text.at, text.len}, 4096),
	        -EFBIG);
	buf_clear(&text);
	buf_str(&text, "{\"type\":\"ADDED\",\"object\":");
	for (unsigned i = 0; i <= JSON_MAX_SKIPPED; i++)
		buf_char(&text, '[');
	assert_int_equal(
	        run(&got, JSON_WATCH, OBJECT_SERVICE, (struct str){text.at, text.len}, 4096),
	        -E2BIG);
	buf_free(&text);
	buf_free(&got);
}

/* Who may write an object may nest its managedFields as deep as the API server can read. */
static void deep_fields_of_an_object_do_no_harm(void **state)
{
	struct buf item = {0}, text = {0}, got = {0};

	(void)state;
	buf_str(&item, "{\"metadata\":{\"managedFields\":[{\"fieldsV1\":");
	for (int i = 0; i < 9000; i++)
		buf_str(&item, "{\"f:a\":");
	buf_str(&item, "{}");
	for (int i = 0; i < 9000; i++)
		buf_char(&item, '}');
	buf_str(&item, "}],\"name\":\"s\",\"namespace\":\"n\"}}");
	buf_printf(&text,
	        "{\"kind\":\"ServiceList\",\"metadata\":{\"resourceVersion\":\"7\"},\"items\":["
	        "%s]}",
	        buf_text(&item));
	assert_int_equal(
	        run(&got, JSON_LIST, OBJECT_SERVICE, (struct str){text.at, text.len}, 4096), 0);
	assert_non_null(strstr(buf_text(&got), "n/s"));
	buf_clear(&text);
	buf_clear(&got);
	buf_printf(&text, "{\"type\":\"ADDED\",\"object\":%s}\n", buf_text(&item));
	assert_int_equal(
	        run(&got, JSON_WATCH, OBJECT_SERVICE, (struct str){text.at, text.len}, 4096), 0);
	assert_non_null(strstr(buf_text(&got), "n/s"));
	buf_free(&item);
	buf_free(&text);
	buf_free(&got);
}

/* ---- recorded objects with another value in place of each one ---- */

static const char *const odd_values[] = {"null", "[]", "{}", "\"\"", "\"x\"", "0", "-1", "true",
        "-9223372036854775808", "99999999999999999999", "1.5", "[null]", "{\"\":null}", "[[]]",
        "\"\\u0000\"", "\"Ready\"", "{\"name\":{\"name\":null}}"};

struct mutation {
	json_t *root;
	enum object_kind kind;
	const char *key; /* of the member that is changed, or of the list that it is in */
	unsigned tried;
};

static bool names_the_object(const char *key)
{
	return strcmp(key, "metadata") == 0 || strcmp(key, "name") == 0 ||
	       strcmp(key, "namespace") == 0 || strcmp(key, "kind") == 0 ||
	       strcmp(key, "apiVersion") == 0;
}

static void decode_mutant(struct mutation *m)
{
	char *text = json_dumps(m->root, JSON_COMPACT);
	struct object o;
	struct arena a;
	int rc;

	arena_init(&a);
	rc = json_object_decode(&a, str_from(text), m->kind, &o);
	if (rc != 0 && !(rc == -EBADMSG && names_the_object(m->key)))
		fail_msg("%d for %s", rc, text);
	arena_reset(&a);
	free(text);
	m->tried++;
}

static void mutate(struct mutation *m, json_t *parent);

/* Put each odd value where value stands, then go into it. */
static void mutate_at(struct mutation *m, json_t *parent, const char *key, size_t i)
{
	json_t *value = key != NULL ? json_object_get(parent, key) : json_array_get(parent, i);
	const char *outer = m->key;

	m->key = key != NULL ? key : outer;
	json_incref(value);
	for (size_t k = 0; k < ARRAY_LEN(odd_values); k++) {
		json_t *odd = json_loads(odd_values[k], JSON_DECODE_ANY | JSON_ALLOW_NUL |
		                                                JSON_DECODE_INT_AS_REAL, NULL);

		if (key != NULL)
			json_object_set_new(parent, key, odd);
		else
			json_array_set_new(parent, i, odd);
		decode_mutant(m);
	}
	if (key != NULL)
		json_object_set(parent, key, value);
	else
		json_array_set(parent, i, value);
	mutate(m, value);
	json_decref(value);
	m->key = outer;
}

static void mutate(struct mutation *m, json_t *parent)
{
	const char *key;
	json_t *value;
	void *next;
	size_t i;

	if (json_is_object(parent))
		json_object_foreach_safe(parent, next, key, value)
			mutate_at(m, parent, key, 0);
	json_array_foreach(parent, i, value)
		mutate_at(m, parent, NULL, i);
}

static void any_field_may_be_anything(void **state)
{
	static const struct {
		const char *file;
		enum object_kind kind;
	} lists[] = {{"list-services.json", OBJECT_SERVICE},
	        {"list-endpointslices.json", OBJECT_SLICE}, {"list-pods.json", OBJECT_POD},
	        {"list-namespaces.json", OBJECT_NAMESPACE}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		struct mutation m = {.kind = lists[i].kind, .key = ""};
		struct buf path = {0};
		json_t *list;

		buf_printf(&path, "%s%s", DATA, lists[i].file);
		list = json_load_file(buf_text(&path), 0, NULL);
		assert_non_null(list);
		/* the first object is like the others, and has all that they have */
		m.root = json_array_get(json_object_get(list, "items"), 0);
		mutate(&m, m.root);
		assert_true(m.tried > 100);
		json_decref(list);
		buf_free(&path);
	}
}

/* K26, K27 and the tenant row: bad elements go, the object and the stream stay. */
static void hostile_objects_lose_only_their_bad_elements(void **state)
{
	static const struct {
		const char *object;
		enum object_kind kind;
		uint32_t dropped;
		const char *shown; /* NULL: skipped as a whole */
	} rows[] = {
	        {"{\"metadata\":{\"name\":\"a\",\"namespace\":\"n\"},\"addressType\":\"IPv4\","
	         "\"endpoints\":[{\"addresses\":[\"10.0.0.1\",\"bad\",\"fd00::1\",\"10.0.0.2\"],"
	         "\"hostname\":\"Bad.Host\"},null,7,{\"addresses\":null},"
	         "{\"addresses\":[\"::ffff:1.2.3.4\"]},{\"addresses\":[\"0.0.0.0\"]}]}",
	                OBJECT_SLICE, 7,
	                "EndpointSlice n/a rv= of= ep=10.0.0.1/1/1/0//// ep=10.0.0.2/1/1/0////"},
	        {"{\"metadata\":{\"name\":\"a\",\"namespace\":\"n\"},\"addressType\":\"FQDN\","
	         "\"endpoints\":[{\"addresses\":[\"www.example\"]}]}",
	                OBJECT_SLICE, 0, "EndpointSlice n/a rv= of="},
	        {"{\"metadata\":{\"name\":\"a\",\"namespace\":\"n\"},\"addressType\":\"IPv6\","
	         "\"endpoints\":[{\"addresses\":[\"fd00::1\"],\"conditions\":{\"ready\":null,"
	         "\"terminating\":\"true\"}}],\"ports\":[{\"port\":null},{\"port\":\"80\"},"
	         "{\"port\":99999},{\"port\":53,\"protocol\":\"QUIC\"}]}",
	                OBJECT_SLICE, 2,
	                "EndpointSlice n/a rv= of= ep=fd00::1/1/1/1//// port=/-1/TCP port=/80/TCP"},
	        {"{\"metadata\":{\"name\":\"s\",\"namespace\":\"n\",\"labels\":null,"
	         "\"resourceVersion\":7},\"spec\":{\"clusterIP\":\"None\",\"clusterIPs\":[\"None\"]"
	         ","
	         "\"ports\":null,\"selector\":{\"a\":\"b\\u0000\",\"c\":1}}}",
	                OBJECT_SERVICE, 1,
	                "Service n/s rv=7 type=0 headless=1 pnr=0 ext= selector:c=1"},
	        {"{\"metadata\":{\"name\":\"a.b\",\"namespace\":\"n\"}}", OBJECT_SERVICE, 1, NULL},
	        {"{\"metadata\":{\"name\":\"UP\",\"namespace\":\"n\"}}", OBJECT_SERVICE, 1, NULL},
	        {"{\"metadata\":{\"name\":\"a\",\"namespace\":\"..\"}}", OBJECT_SERVICE, 1, NULL},
	        {"{\"metadata\":{}}", OBJECT_NAMESPACE, 1, NULL},
	        {"{\"spec\":[]}", OBJECT_SERVICE, 1, NULL},
	};
	struct arena a;

	(void)state;
	arena_init(&a);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out = {0};
		struct object o;
		int rc = json_object_decode(&a, str_from(rows[i].object), rows[i].kind, &o);

		assert_int_equal(rc, rows[i].shown == NULL ? -EBADMSG : 0);
		assert_int_equal(o.dropped, rows[i].dropped);
		o.dropped = 0;
		if (rows[i].shown != NULL) {
			show_object(&out, &o);
			assert_string_equal(buf_text(&out), rows[i].shown);
		}
		buf_free(&out);
	}
	arena_reset(&a);
}

static void a_service_of_knative_is_not_ours(void **state)
{
	static const struct {
		const char *text;
		enum object_kind kind;
	} rows[] = {
	        {"{\"apiVersion\":\"v1\",\"kind\":\"Service\"}", OBJECT_SERVICE},
	        {"{\"spec\":{},\"kind\":\"Service\",\"apiVersion\":\"serving.knative.dev/v1\"}",
	                OBJECT_NONE},
	        {"{\"apiVersion\":\"discovery.k8s.io/v1beta1\",\"kind\":\"EndpointSlice\"}",
	                OBJECT_SLICE},
	        {"{\"apiVersion\":\"multicluster.x-k8s.io/v1alpha1\",\"kind\":\"ServiceImport\"}",
	                OBJECT_IMPORT},
	        {"{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\"}", OBJECT_NONE},
	        {"{}", OBJECT_POD},
	};
	struct arena a;
	struct object o;

	(void)state;
	arena_init(&a);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		json_object_decode(&a, str_from(rows[i].text), OBJECT_POD, &o);
		assert_int_equal(o.kind, rows[i].kind);
	}
	arena_reset(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(recorded_answers_decode_as_jansson_reads_them),
	        NAMED_TEST("K20: a cut stream delivers a prefix at every octet",
	        	a_cut_stream_delivers_a_prefix_at_every_byte),
	        NAMED_TEST("K21: every cut of a watch in two gives the same",
	        	every_two_piece_cut_of_a_watch_gives_the_same),
	        cmocka_unit_test(errors_of_the_server_are_statuses),
	        cmocka_unit_test(bodies_that_are_no_list_fail),
	        NAMED_TEST("K22: items of another list are not taken",
	        	items_of_another_list_are_not_taken),
	        NAMED_TEST("K25: sizes are capped", sizes_are_capped),
	        NAMED_TEST("K25: deep fields of an object do no harm",
	        	deep_fields_of_an_object_do_no_harm),
	        NAMED_TEST("K26: any field may be anything", any_field_may_be_anything),
	        NAMED_TEST("K26: hostile objects lose only their bad elements",
	        	hostile_objects_lose_only_their_bad_elements),
	        cmocka_unit_test(a_service_of_knative_is_not_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
