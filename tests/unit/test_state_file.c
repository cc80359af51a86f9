#include "test.h"

#include <errno.h>
#include <stdlib.h>

#include "cluster/json_stream.h"
#include "cluster/state_file.h"
#include "cluster/store.h"

static struct ip ip4(uint8_t last)
{
	return (struct ip){4, {10, 0, 0, last}};
}

static const struct ip six = {16, {0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};

static void set_head(struct object *o, enum object_kind kind, const char *ns, const char *name)
{
	static const struct label labels[] = {{"app", "web"}, {"zone", ""}};

	memset(o, 0, sizeof(*o));
	o->kind = kind;
	o->ns = ns;
	o->name = name;
	o->rv = 18446744073709551615u;
	memset(o->uid, (int)kind + 1, sizeof(o->uid));
	o->labels = (struct labels){labels, 2};
}

static struct object make_service(void)
{
	static const struct port ports[] = {{"http", NULL, 80, 8080, PROTOCOL_TCP},
	        {"dns", "dns-udp", 53, 0, PROTOCOL_UDP}, {NULL, NULL, 65535, 65535, PROTOCOL_SCTP}};
	static const struct label host = {"lb.example.net", ""}, selector = {"app", "web"};
	static struct ip ips[2];
	struct object o;

	ips[0] = ip4(1);
	ips[1] = six;
	set_head(&o, OBJECT_SERVICE, "shop", "web");
	o.service.type = SERVICE_LOAD_BALANCER;
	o.service.has_cluster_ip = o.service.publish_not_ready = true;
	o.service.families[0] = 4;
	o.service.families[1] = 6;
	o.service.external_name = "other.example.net";
	o.service.cluster_ips = (struct ip_list){ips, 2};
	o.service.external_ips = (struct ip_list){ips, 1};
	o.service.ingress_ips = (struct ip_list){ips + 1, 1};
	o.service.ingress_hosts = &host;
	o.service.n_ingress_hosts = 1;
	o.service.ports = (struct port_list){ports, 3};
	o.service.selector = (struct labels){&selector, 1};
	return o;
}

static struct object make_slice(void)
{
	static struct endpoint at[3];
	static const struct port ports[] = {
	        {"http", NULL, 80, 0, PROTOCOL_TCP}, {NULL, NULL, -1, 0, PROTOCOL_TCP}};
	struct object o;

	at[0] = (struct endpoint){.ip = ip4(1), .is_ready = true, .hostname = "web-0"};
	at[1] = (struct endpoint){.ip = ip4(2),
	        .is_serving = true,
	        .target_kind = TARGET_POD,
	        .target_name = "web-1.x",
	        .node = "node-1",
	        .zone = "eu-1a"};
	at[2] = (struct endpoint){.ip = ip4(3), .is_terminating = true};
	set_head(&o, OBJECT_SLICE, "shop", "web-abc");
	o.is_deleting = true;
	o.slice.service = "web";
	o.slice.cluster = "east";
	o.slice.import = "far";
	o.slice.family = 4;
	o.slice.trigger_ms = 1720000000123;
	o.slice.endpoints = at;
	o.slice.n_endpoints = 3;
	o.slice.ports = (struct port_list){ports, 2};
	return o;
}

static struct object make_pod(void)
{
	static const struct port port = {"http", NULL, 8080, 0, PROTOCOL_TCP};
	struct object o;

	set_head(&o, OBJECT_POD, "shop", "web-1.x");
	o.pod.phase = POD_RUNNING;
	o.pod.ready = POD_READY_TRUE;
	o.pod.is_host_network = true;
	o.pod.hostname = "web-1";
	o.pod.subdomain = "db";
	o.pod.node = "node-1";
	o.pod.ips = (struct ip_list){&six, 1};
	o.pod.ports = (struct port_list){&port, 1};
	return o;
}

static void set_objects(struct object at[5])
{
	set_head(&at[0], OBJECT_NAMESPACE, "", "shop");
	at[1] = make_service();
	at[2] = make_slice();
	at[3] = make_pod();
	set_head(&at[4], OBJECT_IMPORT, "shop", "far");
	at[4].service.is_headless = true;
}

static const struct state_meta some_meta = {1720000000, 77, {1, 2, 3}, STORE_ALL_KINDS};

static struct buf make_file(const struct object *at, size_t n)
{
	struct state_writer w;
	struct buf file;

	state_writer_init(&w, &some_meta);
	for (size_t i = 0; i < n; i++)
		state_writer_add(&w, &at[i]);
	state_writer_end(&w);
	file = w.out;
	w.out = (struct buf){0};
	state_writer_fini(&w);
	return file;
}

struct expected {
	const struct object *at;
	size_t n;
};

static void on_object(void *arg, const struct object *o)
{
	struct expected *x = arg;

	assert_true(x->n > 0);
	assert_int_equal(x->at->kind, o->kind);
	assert_true(object_is_same(x->at, o));
	assert_int_equal(x->at->rv, o->rv);
	assert_memory_equal(x->at->uid, o->uid, sizeof(o->uid));
	if (o->kind == OBJECT_SLICE)
		assert_int_equal(x->at->slice.trigger_ms, o->slice.trigger_ms);
	x->at++;
	x->n--;
}

static int read_whole(const struct buf *b, struct state_meta *meta, struct expected *x)
{
	struct state_sink to = {on_object, x};

	return state_read((struct str){b->at, b->len}, meta, &to, NULL);
}

static void every_field_of_every_kind_survives(void **state)
{
	struct object at[5];
	struct expected x = {at, 5};
	struct state_meta meta;
	struct buf b;

	(void)state;
	set_objects(at);
	b = make_file(at, 5);
	assert_int_equal(read_whole(&b, &meta, &x), 0);
	assert_int_equal(meta.saved_s, some_meta.saved_s);
	assert_int_equal(meta.scope, some_meta.scope);
	assert_int_equal(meta.kinds, some_meta.kinds);
	assert_memory_equal(meta.cluster, some_meta.cluster, 16);
	assert_int_equal(x.n, 0);
	buf_free(&b);
}

static void an_empty_cluster_has_a_file_too(void **state)
{
	struct buf b = make_file(NULL, 0);
	struct expected x = {NULL, 0};
	struct state_meta meta;

	(void)state;
	assert_int_equal(read_whole(&b, &meta, &x), 0);
	buf_free(&b);
}

static void on_any(void *arg, const struct object *o)
{
	(void)o;
	++*(size_t *)arg;
}

/* Exactly n bytes in memory, so that a sanitizer sees each byte too many. */
static bool is_refused(const char *at, size_t n)
{
	char *copy = malloc(n == 0 ? 1 : n);
	struct err e = {{0}};
	struct state_meta meta;
	size_t seen = 0;
	int rc;

	memcpy(copy, at, n);
	rc = state_read((struct str){copy, n}, &meta, &(struct state_sink){on_any, &seen}, &e);
	free(copy);
	return rc == -EINVAL && e.text[0] != '\0';
}

static void every_bit_flip_is_found(void **state)
{
	struct object at[5];
	struct buf b;

	(void)state;
	set_objects(at);
	b = make_file(at, 5);
	for (size_t i = 0; i < b.len; i++)
		for (int bit = 0; bit < 8; bit++) {
			b.at[i] = (char)(b.at[i] ^ 1 << bit);
			if (!is_refused(b.at, b.len))
				fail_msg("bit %d of octet %zu", bit, i);
			b.at[i] = (char)(b.at[i] ^ 1 << bit);
		}
	buf_free(&b);
}

static void every_truncation_is_found(void **state)
{
	struct object at[5];
	struct buf b;

	(void)state;
	set_objects(at);
	b = make_file(at, 5);
	for (size_t n = 0; n < b.len; n++)
		assert_true(is_refused(b.at, n));
	buf_char(&b, 'x');
	assert_true(is_refused(b.at, b.len));
	buf_free(&b);
}

/* Any pieces give what the whole gives: nothing is taken from half a chunk. */
static void a_file_can_be_read_in_pieces(void **state)
{
	struct object at[5];
	struct buf b;

	(void)state;
	set_objects(at);
	b = make_file(at, 5);
	for (size_t cut = 0; cut < b.len; cut++) {
		struct str input = {b.at, cut};
		struct expected x = {at, 5};
		struct state_sink to = {on_object, &x};
		struct state_reader r;
		struct state_meta meta;
		int rc = state_reader_start(&r, &input, &meta, NULL);

		if (rc == 0)
			while ((rc = state_reader_chunk(&r, &input, &to, NULL)) == 1)
				;
		assert_int_equal(rc, -EAGAIN);
		if (input.at == b.at)
			assert_int_equal(state_reader_start(&r,
						 &(struct str){input.at, input.len}, &meta, NULL),
				-EAGAIN);
		input.len = (size_t)(b.at + b.len - input.at);
		rc = input.at == b.at ? state_reader_start(&r, &input, &meta, NULL) : 0;
		assert_int_equal(rc, 0);
		while ((rc = state_reader_chunk(&r, &input, &to, NULL)) == 1)
			;
		assert_int_equal(rc, 0);
		assert_int_equal(x.n, 0);
	}
	buf_free(&b);
}

static size_t chunk_bytes(const char *p)
{
	return 12 +
	       ((size_t)(uint8_t)p[0] | (size_t)(uint8_t)p[1] << 8 | (size_t)(uint8_t)p[2] << 16);
}

static void chunks_that_are_missing_or_swapped_are_found(void **state)
{
	struct object o = make_slice();
	struct state_writer w;
	size_t head = 14 + 4, one, two;
	struct buf cut = {0};

	(void)state;
	state_writer_init(&w, &some_meta);
	for (int i = 0; i < 3000; i++)
		state_writer_add(&w, &o);
	state_writer_end(&w);
	head += chunk_bytes(w.out.at + head);
	one = chunk_bytes(w.out.at + head);
	two = chunk_bytes(w.out.at + head + one);
	assert_true(one > STATE_CHUNK_BYTES && two > STATE_CHUNK_BYTES);
	buf_add(&cut, w.out.at, head);
	buf_add(&cut, w.out.at + head + one, w.out.len - head - one);
	assert_true(is_refused(cut.at, cut.len));
	buf_clear(&cut);
	buf_add(&cut, w.out.at, head);
	buf_add(&cut, w.out.at + head + one, two);
	buf_add(&cut, w.out.at + head, one);
	buf_add(&cut, w.out.at + head + one + two, w.out.len - head - one - two);
	assert_true(is_refused(cut.at, cut.len));
	buf_free(&cut);
	state_writer_fini(&w);
}

/* Octets of one object, with one of them changed: the checksum would be right. */
static bool is_decoded(const struct buf *b, size_t at, uint8_t value)
{
	struct str rest = {b->at, b->len};
	struct object o;
	struct arena a;
	char kept = b->at[at];
	bool ok;

	arena_init(&a);
	b->at[at] = (char)value;
	ok = state_object_decode(&a, &rest, &o) && rest.len == 0;
	b->at[at] = kept;
	arena_reset(&a);
	return ok;
}

static void what_no_decoder_would_let_through_is_refused(void **state)
{
	struct object o = make_service();
	struct buf b = {0};
	const char *name;

	(void)state;
	state_object_encode(&b, &o);
	assert_true(is_decoded(&b, 0, OBJECT_SERVICE));
	assert_false(is_decoded(&b, 0, OBJECT_NONE));
	assert_false(is_decoded(&b, 0, OBJECT_KINDS));
	assert_false(is_decoded(&b, 1, 2)); /* a flag that is neither 0 nor 1 */
	name = memmem(b.at, b.len, "web", 4);
	assert_false(is_decoded(&b, (size_t)(name - b.at), '.'));
	assert_false(is_decoded(&b, (size_t)(name - b.at), 'W'));
	assert_false(is_decoded(&b, (size_t)(name - b.at), 0));
	assert_false(is_decoded(&b, (size_t)(name - b.at) - 1, 0)); /* no name */
	name = memmem(b.at, b.len, "zone", 4);
	assert_false(is_decoded(&b, (size_t)(name - b.at), '\1')); /* labels not in order */
	buf_free(&b);
}

/* ---- real objects ---- */

static void on_item(void *arg, enum event_type type, const struct object *o)
{
	(void)type;
	store_apply(arg, 0, o);
}

static void read_recorded(struct store *st, const char *name, enum object_kind kind)
{
	struct object_sink sink = {.arg = st, .on_object = on_item};
	struct json_stream s;
	struct buf path = {0}, b = {0};

	buf_printf(&path, SRCDIR "/tests/data/apiserver/%s", name);
	assert_int_equal(buf_read_file(&b, buf_text(&path), 16 << 20), 0);
	json_stream_init(&s, JSON_LIST, kind, &sink);
	assert_int_equal(json_stream_feed(&s, b.at, b.len), 0);
	json_stream_fini(&s);
	buf_free(&path);
	buf_free(&b);
}

static void what_a_real_server_sends_survives(void **state)
{
	struct store *st = store_new();
	struct object_list held;
	struct state_writer w;
	struct state_meta meta;
	struct expected x;
	struct object *flat;

	(void)state;
	assert_int_equal(store_source_add(st, "api", STORE_ALL_KINDS), 0);
	read_recorded(st, "list-namespaces.json", OBJECT_NAMESPACE);
	read_recorded(st, "list-services.json", OBJECT_SERVICE);
	read_recorded(st, "list-endpointslices.json", OBJECT_SLICE);
	read_recorded(st, "list-pods.json", OBJECT_POD);
	held = store_hold(st, STORE_ALL_KINDS);
	assert_true(held.len > 20);
	flat = calloc(held.len, sizeof(*flat));
	state_writer_init(&w, &some_meta);
	for (size_t i = 0; i < held.len; i++) {
		char *copy = object_copy(held.at[i], 0, NULL);

		state_writer_add(&w, (struct object *)(void *)copy);
		free(copy);
		memcpy(&flat[i], held.at[i], offsetof(struct object, service));
		if (flat[i].kind == OBJECT_SERVICE)
			flat[i].service = held.at[i]->service;
		else if (flat[i].kind == OBJECT_SLICE)
			flat[i].slice = held.at[i]->slice;
		else if (flat[i].kind == OBJECT_POD)
			memcpy(&flat[i].pod, &held.at[i]->pod, POD_DATA_KEPT);
	}
	state_writer_end(&w);
	x = (struct expected){flat, held.len};
	assert_int_equal(read_whole(&w.out, &meta, &x), 0);
	assert_int_equal(x.n, 0);
	state_writer_fini(&w);
	free(flat);
	store_release(st);
	store_free(st);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        NAMED_TEST("P8: every field of every kind survives",
	        	every_field_of_every_kind_survives),
	        cmocka_unit_test(an_empty_cluster_has_a_file_too),
	        NAMED_TEST("K50: every bit flip is found", every_bit_flip_is_found),
	        NAMED_TEST("K50: every truncation is found", every_truncation_is_found),
	        cmocka_unit_test(a_file_can_be_read_in_pieces),
	        cmocka_unit_test(chunks_that_are_missing_or_swapped_are_found),
	        cmocka_unit_test(what_no_decoder_would_let_through_is_refused),
	        cmocka_unit_test(what_a_real_server_sends_survives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
