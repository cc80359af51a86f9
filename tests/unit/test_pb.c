/*
 * Kubernetes protobuf: the recorded answers of a real API server give the same objects as their
 * JSON does, wherever they are cut, and hostile bodies fail without harm.
 */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "base/vec.h"
#include "cluster/json_object.h"
#include "cluster/json_stream.h"
#include "cluster/pb.h"
#include "cluster/pb_object.h"
#include "cluster/pb_stream.h"

#define DATA SRCDIR "/tests/data/apiserver/"

/* What a decoder reported: objects as copies, all else as text. */
struct heard {
	VEC(struct object *) objects;
	struct buf text;
};

static void on_object(void *arg, enum event_type type, const struct object *o)
{
	struct heard *h = arg;

	vec_push(&h->objects, object_copy(o, 0, NULL));
	buf_printf(&h->text, "%d %s %s/%s %s dropped %u deleting %d trigger %llu\n", type,
	        object_kind_name(o->kind), o->ns, o->name ? o->name : "",
	        o->version ? o->version : "", o->dropped, o->is_deleting,
	        o->kind == OBJECT_SLICE ? (unsigned long long)o->slice.trigger_ms : 0);
}

static void on_bookmark(void *arg, const char *version, bool is_initial_end)
{
	buf_printf(&((struct heard *)arg)->text, "bookmark %s %d\n", version, is_initial_end);
}

static void on_status(void *arg, const struct api_status *s)
{
	buf_printf(&((struct heard *)arg)->text, "status %d %s %s retry=%u continue=%s\n", s->code,
	        s->reason, s->message, s->retry_after_s,
	        s->continue_token ? s->continue_token : "");
}

static void on_list_end(void *arg, const struct list_meta *m)
{
	buf_printf(&((struct heard *)arg)->text, "end %s continue=%s remaining=%llu\n", m->version,
	        m->continue_token ? m->continue_token : "", (unsigned long long)m->remaining);
}

static void on_skipped(void *arg, const char *why)
{
	buf_printf(&((struct heard *)arg)->text, "skipped %s\n", why);
}

static struct object_sink sink_to(struct heard *h)
{
	return (struct object_sink){h, on_object, on_bookmark, on_status, on_list_end, on_skipped};
}

static void heard_free(struct heard *h)
{
	vec_for_each (&h->objects, o)
		free(*o);
	vec_free(&h->objects);
	buf_free(&h->text);
}

static void assert_same(const struct heard *a, const struct heard *b)
{
	assert_string_equal(buf_text(&a->text), buf_text(&b->text));
	assert_int_equal(a->objects.len, b->objects.len);
	for (size_t i = 0; i < a->objects.len; i++) {
		const struct object *x = a->objects.at[i], *y = b->objects.at[i];

		assert_true(object_is_same(x, y));
		assert_memory_equal(x->uid, y->uid, sizeof(x->uid));
		assert_int_equal(x->rv, y->rv);
	}
}

static int run_json(struct heard *h, enum pb_mode mode, enum object_kind kind, struct str text)
{
	struct object_sink sink = sink_to(h);
	struct json_stream s;
	int rc;

	json_stream_init(&s, mode == PB_LIST ? JSON_LIST : JSON_WATCH, kind, &sink);
	rc = json_stream_feed(&s, text.at, text.len);
	if (rc == 0)
		rc = json_stream_end(&s);
	json_stream_fini(&s);
	return rc;
}

/* The first piece has first bytes, all others piece. */
static int run_cut(struct heard *h, enum pb_mode mode, enum object_kind kind, struct str text,
        const size_t cut[2])
{
	struct object_sink sink = sink_to(h);
	struct pb_stream s;
	size_t n = cut[0];
	int rc = 0;

	pb_stream_init(&s, mode, kind, &sink);
	for (size_t i = 0; i < text.len && rc == 0; i += n, n = cut[1]) {
		n = text.len - i < n ? text.len - i : n;
		rc = pb_stream_feed(&s, text.at + i, n);
	}
	if (rc == 0)
		rc = pb_stream_end(&s);
	assert_int_equal(pb_stream_end(&s), rc);
	assert_true((rc != 0) == (pb_stream_error(&s)[0] != '\0'));
	pb_stream_fini(&s);
	return rc;
}

static int run(struct heard *h, enum pb_mode mode, struct str text)
{
	static const size_t whole[2] = {SIZE_MAX, SIZE_MAX};

	return run_cut(h, mode, OBJECT_SERVICE, text, whole);
}

static const struct recorded {
	const char *name;
	enum pb_mode mode;
	enum object_kind kind;
} recorded[] = {
        {"list-namespaces", PB_LIST, OBJECT_NAMESPACE},
        {"list-services", PB_LIST, OBJECT_SERVICE},
        {"list-endpointslices", PB_LIST, OBJECT_SLICE},
        {"list-pods", PB_LIST, OBJECT_POD},
        {"list-nodes", PB_LIST, OBJECT_NONE},
        {"watch-services", PB_WATCH, OBJECT_SERVICE},
        {"watch-endpointslices", PB_WATCH, OBJECT_SLICE},
        {"watch-pods", PB_WATCH, OBJECT_POD},
};

static struct str load(const char *name, const char *suffix, struct buf *text)
{
	char path[512];

	snprintf(path, sizeof(path), DATA "%s%s", name, suffix);
	assert_int_equal(buf_read_file(text, path, 1 << 20), 0);
	return (struct str){text->at, text->len};
}

static void recorded_answers_decode_as_their_json(void **state)
{
	static const size_t pieces[] = {1, 2, 3, 7, 63, 64, 65, 511, 4096, 1 << 20};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(recorded); i++) {
		const struct recorded *r = &recorded[i];
		struct buf json = {0}, pb = {0};
		struct heard want = {0};
		struct str all = load(r->name, ".pb", &pb);

		assert_int_equal(
		        run_json(&want, r->mode, r->kind, load(r->name, ".json", &json)), 0);
		assert_true(want.objects.len > 0);
		for (size_t k = 0; k < ARRAY_LEN(pieces); k++) {
			size_t cut[2] = {pieces[k], pieces[k]};
			struct heard got = {0};

			assert_int_equal(run_cut(&got, r->mode, r->kind, all, cut), 0);
			assert_same(&got, &want);
			heard_free(&got);
		}
		buf_free(&json);
		buf_free(&pb);
		heard_free(&want);
	}
}

static void every_two_piece_cut_gives_the_same(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(recorded); i++) {
		const struct recorded *r = &recorded[i];
		struct buf pb = {0};
		struct str all = load(r->name, ".pb", &pb);
		size_t cut[2] = {SIZE_MAX, SIZE_MAX};
		struct heard want = {0};

		assert_int_equal(run_cut(&want, r->mode, r->kind, all, cut), 0);
		for (cut[0] = 1; cut[0] < all.len; cut[0]++) {
			struct heard got = {0};

			assert_int_equal(run_cut(&got, r->mode, r->kind, all, cut), 0);
			assert_string_equal(buf_text(&got.text), buf_text(&want.text));
			heard_free(&got);
		}
		buf_free(&pb);
		heard_free(&want);
	}
}

/* K20: a list that ends anywhere delivers a prefix of its items, and never its end. */
static void a_cut_list_delivers_a_prefix_at_every_byte(void **state)
{
	struct buf pb = {0};
	struct str all = load("list-services", ".pb", &pb);
	struct heard whole = {0};

	(void)state;
	assert_int_equal(run(&whole, PB_LIST, all), 0);
	for (size_t n = 0; n < all.len - 4; n++) { /* behind the list: contentEncoding and -Type */
		struct heard got = {0};

		assert_int_equal(run(&got, PB_LIST, (struct str){all.at, n}), -EPROTO);
		assert_memory_equal(buf_text(&got.text), whole.text.at, got.text.len);
		assert_null(strstr(buf_text(&got.text), "end "));
		heard_free(&got);
	}
	buf_free(&pb);
	heard_free(&whole);
}

static void a_cut_watch_delivers_a_prefix_at_every_byte(void **state)
{
	struct buf pb = {0};
	struct str all = load("watch-services", ".pb", &pb);
	struct heard whole = {0};
	size_t between = 0;

	(void)state;
	assert_int_equal(run(&whole, PB_WATCH, all), 0);
	for (size_t n = 0; n < all.len; n++) {
		struct heard got = {0};
		int rc = run(&got, PB_WATCH, (struct str){all.at, n});

		assert_true(rc == 0 || rc == -EPROTO);
		between += rc == 0;
		assert_memory_equal(buf_text(&got.text), whole.text.at, got.text.len);
		heard_free(&got);
	}
	assert_int_equal(between, 11); /* before each event */
	buf_free(&pb);
	heard_free(&whole);
}

/* Whatever octet is broken: an error or other objects, the same for all cuts, and no crash. */
static void broken_octets_do_no_harm(void **state)
{
	static const size_t whole[2] = {SIZE_MAX, SIZE_MAX}, small[2] = {1, 3};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(recorded); i++) {
		const struct recorded *r = &recorded[i];
		struct buf pb = {0};
		struct str all = load(r->name, ".pb", &pb);

		for (size_t n = 0; n < all.len; n += 3) {
			char kept = pb.at[n];
			struct heard a = {0}, b = {0};

			pb.at[n] = (char)(kept ^ (1 << n % 8));
			assert_int_equal(run_cut(&a, r->mode, r->kind, all, whole),
			        run_cut(&b, r->mode, r->kind, all, small));
			assert_string_equal(buf_text(&a.text), buf_text(&b.text));
			heard_free(&a);
			heard_free(&b);
			pb.at[n] = kept;
		}
		buf_free(&pb);
	}
}

/* ---- messages by hand ---- */

static void put_varint(struct buf *b, uint64_t v)
{
	for (; v > 0x7f; v >>= 7)
		buf_char(b, (char)(v | 0x80));
	buf_char(b, (char)v);
}

static void put_number(struct buf *b, uint32_t field, uint64_t v)
{
	put_varint(b, (uint64_t)field << 3);
	put_varint(b, v);
}

static void put_bytes(struct buf *b, uint32_t field, const void *p, size_t n)
{
	put_varint(b, (uint64_t)field << 3 | PB_BYTES);
	put_varint(b, n);
	buf_add(b, p, n);
}

static void put_text(struct buf *b, uint32_t field, const char *text)
{
	put_bytes(b, field, text, strlen(text));
}

/* Append the message m as a field, and empty m. */
static void put_message(struct buf *b, uint32_t field, struct buf *m)
{
	put_bytes(b, field, buf_text(m), m->len);
	buf_free(m);
}

static void put_unknown(struct buf *b, const char *kind, struct buf *raw)
{
	struct buf type = {0};

	buf_add(b, "k8s", 4);
	put_text(&type, 1, "v1");
	put_text(&type, 2, kind);
	put_message(b, 1, &type);
	put_message(b, 2, raw);
}

static void put_frame(struct buf *b, const char *type, struct buf *object)
{
	struct buf extension = {0}, event = {0};

	put_message(&extension, 1, object);
	put_text(&event, 1, type);
	put_message(&event, 2, &extension);
	for (int shift = 24; shift >= 0; shift -= 8)
		buf_char(b, (char)(event.len >> shift));
	buf_add(b, event.at, event.len);
	buf_free(&event);
}

static void put_metadata(struct buf *b, const char *name, const char *ns)
{
	struct buf m = {0};

	put_text(&m, 1, name);
	put_text(&m, 3, ns);
	put_message(b, 1, &m);
}

static struct str str_of(const struct buf *b)
{
	return (struct str){b->at, b->len};
}

/* The same list with nothing but metadata, as it is sent for as=PartialObjectMetadataList. */
static void only_metadata(struct str list, struct buf *out)
{
	struct buf raw = {0}, item = {0};
	struct pb_unknown u;
	struct pb p, o;

	assert_int_equal(pb_unknown_decode(list, &u), 0);
	pb_init(&p, u.raw);
	while (pb_next(&p)) {
		if (!pb_is_bytes(&p, 2)) { /* not an item */
			put_bytes(&raw, p.field, p.bytes.at, p.bytes.len);
			continue;
		}
		pb_init(&o, p.bytes);
		while (pb_next(&o))
			if (pb_is_bytes(&o, 1))
				put_bytes(&item, 1, o.bytes.at, o.bytes.len);
		put_message(&raw, 2, &item);
	}
	put_unknown(out, "PartialObjectMetadataList", &raw);
}

static void lists_of_metadata_tell_names_and_versions(void **state)
{
	static const size_t whole[2] = {SIZE_MAX, SIZE_MAX};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(recorded); i++) {
		const struct recorded *r = &recorded[i];
		struct buf full = {0}, metadata = {0};
		struct heard want = {0}, got = {0};
		struct str all = load(r->name, ".pb", &full);

		if (r->mode == PB_LIST) {
			only_metadata(all, &metadata);
			assert_int_equal(run_cut(&want, PB_LIST, r->kind, all, whole), 0);
			assert_int_equal(
			        run_cut(&got, PB_LIST, OBJECT_NONE, str_of(&metadata), whole), 0);
			assert_true(want.objects.len > 0);
			assert_int_equal(got.objects.len, want.objects.len);
		}
		for (size_t k = 0; k < got.objects.len; k++) {
			const struct object *x = got.objects.at[k], *y = want.objects.at[k];

			assert_string_equal(x->ns, y->ns);
			assert_string_equal(x->name, y->name);
			assert_memory_equal(x->uid, y->uid, sizeof(x->uid));
			assert_int_equal(x->rv, y->rv);
		}
		buf_free(&full);
		buf_free(&metadata);
		heard_free(&want);
		heard_free(&got);
	}
}

static void an_error_event_is_a_status(void **state)
{
	struct buf meta = {0}, details = {0}, raw = {0}, object = {0}, body = {0};
	struct api_status status;
	struct heard got = {0};
	struct arena a;

	(void)state;
	put_text(&meta, 3, "token");
	put_number(&details, 5, 7);
	put_message(&raw, 1, &meta);
	put_text(&raw, 2, "Failure");
	put_text(&raw, 3, "too old resource version: 1 (337)");
	put_text(&raw, 4, "Expired");
	put_message(&raw, 5, &details);
	put_number(&raw, 6, 410);
	put_unknown(&object, "Status", &raw);
	arena_init(&a);
	assert_int_equal(pb_status_decode(&a, str_of(&object), &status), 0);
	assert_int_equal(status.code, 410);
	arena_reset(&a);
	assert_int_equal(run(&got, PB_LIST, str_of(&object)), 0);
	put_frame(&body, "ERROR", &object);
	assert_int_equal(run(&got, PB_WATCH, str_of(&body)), 0);
	assert_string_equal(buf_text(&got.text),
	        "status 410 Expired too old resource version: 1 (337) retry=7 continue=token\n"
	        "status 410 Expired too old resource version: 1 (337) retry=7 continue=token\n");
	buf_free(&body);
	heard_free(&got);
}

static void events_that_are_not_understood_are_skipped_or_fail(void **state)
{
	static const struct {
		const char *type, *kind, *heard;
		int rc;
	} rows[] = {
	        {"ADDED", "Service", "0 Service n/a  dropped 0 deleting 0 trigger 0\n", 0},
	        {"DELETED", "Service", "2 Service n/a  dropped 0 deleting 0 trigger 0\n", 0},
	        {"ADDED", "Node", "0 object n/a  dropped 0 deleting 0 trigger 0\n", 0},
	        {"BOOKMARK", "Service", "skipped a bookmark without resourceVersion\n", 0},
	        {"RENAMED", "Service", "skipped an event of an unknown type\n", 0},
	        {"", "Service", "skipped an event of an unknown type\n", 0},
	        {"ERROR", "Service", "", -EINVAL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf raw = {0}, object = {0}, body = {0};
		struct heard got = {0};

		put_metadata(&raw, "a", "n");
		put_unknown(&object, rows[i].kind, &raw);
		put_frame(&body, rows[i].type, &object);
		assert_int_equal(run(&got, PB_WATCH, str_of(&body)), rows[i].rc);
		assert_string_equal(buf_text(&got.text), rows[i].heard);
		buf_free(&body);
		heard_free(&got);
	}
}

#define TYPE "k8s\0\x0a\x11\x0a\x02v1\x12\x0bServiceList"

static void bodies_that_are_no_list_fail(void **state)
{
	static const struct {
		struct str body;
		int rc;
	} rows[] = {
	        {STR(""), -EPROTO},
	        {STR("{\"kind\":\"ServiceList\"}"), -EINVAL},
	        {STR("k8s"), -EPROTO},
	        {STR("k8s\0"), -EPROTO},
	        {STR("k8s\0\x12\0"), -EINVAL}, /* no type */
	        {STR("k8s\0\x0a\x02\x12\0\x12\0"), -EINVAL}, /* a type without kind */
	        {STR("k8s\0\x0a\x09\x12\x07PodList\x12\0"), -EINVAL}, /* another list */
	        {STR("k8s\0\x0a\x09\x12\x07Service\x12\0"), -EINVAL}, /* an object */
	        {STR("k8s\0\x0a\x01\x12"), -EINVAL}, /* a cut type */
	        {STR(TYPE), -EPROTO},
	        {STR(TYPE "\x12\0"), 0}, /* an empty list */
	        {STR(TYPE "\x12\0\x1a\0\x22\0"), 0},
	        {STR(TYPE "\x12\0\x1a"), -EPROTO},
	        {STR(TYPE "\x12\0\x12\0"), -EINVAL}, /* two lists */
	        {STR(TYPE "\x12\x80\0"), 0}, /* a length with a needless octet */
	        {STR(TYPE "\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), -EPROTO},
	        {STR(TYPE "\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), -EINVAL}, /* 65 bits */
	        {STR(TYPE "\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), -EINVAL},
	        {STR(TYPE "\x12\x04\x12\x05xx"), -EINVAL}, /* an item behind the list's end */
	        {STR(TYPE "\x12\x01\x12"), -EINVAL},
	        {STR(TYPE "\x12\x02\x12\x80"), -EINVAL},
	        {STR(TYPE "\x12\x02\x12\0"), 0}, /* an empty item is skipped */
	        {STR(TYPE "\x12\x02\x0a\0"), 0},
	        {STR(TYPE "\x12\x03\x0a\x01\x12"), -EINVAL}, /* broken metadata */
	        {STR(TYPE "\x12\x02\x10\x05"), 0}, /* items as a number: not for us */
	        {STR(TYPE "\x12\x0b\x11"
	                  "12345678\x08\x01"),
	                0}, /* fixed64 */
	        {STR(TYPE "\x12\x05\x15"
	                  "1234"),
	                0}, /* fixed32 */
	        {STR(TYPE "\x12\x01\x13"), -EINVAL}, /* groups */
	        {STR(TYPE "\x12\x01\x14"), -EINVAL},
	        {STR(TYPE "\x12\x01\x06"), -EINVAL}, /* wire types that do not exist */
	        {STR(TYPE "\x12\x01\x07"), -EINVAL},
	        {STR(TYPE "\x12\x02\x02\0"), -EINVAL}, /* field 0 */
	        {STR(TYPE "\x12\x05\xfa\xff\xff\xff\x7f"), -EINVAL}, /* a field over 2^29 */
	        {STR(TYPE "\x12\x06\x12\x81\x80\x80\x04x"), -EFBIG}, /* 8 MiB and one octet */
	        {STR(TYPE "\x2a\x81\x80\x80\x04"), -EFBIG},
	};
	static const size_t cuts[2][2] = {{SIZE_MAX, SIZE_MAX}, {1, 1}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t k = 0; k < 2; k++) {
			struct heard got = {0};
			int rc = run_cut(&got, PB_LIST, OBJECT_SERVICE, rows[i].body, cuts[k]);

			if (rc != rows[i].rc)
				print_message("row %zu: %d\n", i, rc);
			assert_int_equal(rc, rows[i].rc);
			heard_free(&got);
		}
}

static void watches_that_are_none_fail(void **state)
{
	static const struct {
		struct str body;
		int rc;
	} rows[] = {
	        {STR(""), 0},
	        {STR("\0\0\0"), -EPROTO},
	        {STR("\0\0\0\0"), 0}, /* an event without a type is skipped */
	        {STR("\0\0\0\1"), -EPROTO},
	        {STR("\0\0\0\1\x0a"), -EINVAL},
	        {STR("\0\x80\0\1"), -EFBIG},
	        {STR("\xff\xff\xff\xff"), -EFBIG},
	        {STR("{\"type\":\"ADDED\"}"), -EFBIG}, /* JSON */
	        {STR("\0\0\0\x07\x0a\x05"
	             "ADDED"),
	                -EINVAL}, /* no object */
	        {STR("\0\0\0\x0b\x0a\x05"
	             "ADDED\x12\x02\x0a\x07"),
	                -EINVAL},
	        {STR("\0\0\0\x0f\x0a\x05"
	             "ADDED\x12\x06\x0a\x04k8s\0"),
	                0}, /* no name: skipped */
	        {STR("\0\0\0\x0f\x0a\x05"
	             "ADDED\x12\x06\x0a\x04k8s\1"),
	                -EINVAL},
	        {STR("\0\0\0\x12\x0a\x05"
	             "ADDED\x12\x09\x0a\x07k8s\0\x1a\x01z"),
	                -EINVAL},
	};
	static const size_t cuts[2][2] = {{SIZE_MAX, SIZE_MAX}, {1, 1}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t k = 0; k < 2; k++) {
			struct heard got = {0};
			int rc = run_cut(&got, PB_WATCH, OBJECT_SERVICE, rows[i].body, cuts[k]);

			if (rc != rows[i].rc)
				print_message("row %zu: %d\n", i, rc);
			assert_int_equal(rc, rows[i].rc);
			heard_free(&got);
		}
}

/* K25: an object of almost 8 MiB is read, without room for what is not kept. */
static void large_objects_are_read_up_to_the_limit(void **state)
{
	static const size_t cut[2] = {16384, 16384};
	struct buf raw = {0}, junk = {0}, object = {0}, body = {0};
	struct heard got = {0};

	(void)state;
	for (size_t i = 0; i < 8191; i++) {
		static const char kilobyte[1024] = {'a'};

		buf_add(&junk, kilobyte, sizeof(kilobyte));
	}
	put_metadata(&raw, "a", "n");
	put_message(&raw, 99, &junk);
	put_unknown(&object, "Service", &raw);
	put_frame(&body, "ADDED", &object);
	assert_int_equal(run_cut(&got, PB_WATCH, OBJECT_SERVICE, str_of(&body), cut), 0);
	assert_int_equal(got.objects.len, 1);
	buf_free(&body);
	heard_free(&got);
}

/* A message that contains itself a hundred thousand times: what is unknown is not entered. */
static void nesting_costs_nothing(void **state)
{
	struct buf inner = {0}, raw = {0};
	struct object o;
	struct arena a;

	(void)state;
	for (int i = 0; i < 100000; i++)
		buf_add(&inner, "\x12\x7f", 2);
	put_metadata(&raw, "a", "n");
	put_message(&raw, 77, &inner);
	arena_init(&a);
	assert_int_equal(pb_object_decode(&a, str_of(&raw), OBJECT_POD, &o), 0);
	assert_string_equal(o.name, "a");
	arena_reset(&a);
	buf_free(&raw);
}

static void put_endpoint(struct buf *b, const char *ip, const char *host, int ready)
{
	struct buf e = {0}, conditions = {0};

	put_text(&e, 1, ip);
	if (ready >= 0)
		put_number(&conditions, 1, (unsigned)ready);
	put_message(&e, 2, &conditions);
	put_text(&e, 3, host);
	put_message(b, 2, &e);
}

/* K26 and the tenant row: bad elements go, the object stays. */
static void hostile_objects_lose_only_their_bad_elements(void **state)
{
	struct buf raw = {0}, port = {0};
	struct object o;
	struct arena a;

	(void)state;
	put_metadata(&raw, "a", "n");
	put_endpoint(&raw, "10.0.0.1", "Bad.Host", 0);
	put_endpoint(&raw, "bad", "", 1);
	put_endpoint(&raw, "fd00::1", "", 1);
	put_endpoint(&raw, "10.0.0.2", "h", -1);
	put_number(&raw, 2, 7); /* endpoints of the wrong wire type */
	put_number(&raw, 4, 7);
	put_text(&port, 2, "QUIC");
	put_number(&port, 3, 53);
	put_message(&raw, 3, &port);
	put_number(&port, 3, 99999);
	put_message(&raw, 3, &port);
	put_number(&port, 3, UINT64_MAX);
	put_message(&raw, 3, &port);
	put_message(&raw, 3, &port); /* all ports */
	put_text(&raw, 4, "IPv4"); /* behind the endpoints, as it is sent */
	arena_init(&a);
	assert_int_equal(pb_object_decode(&a, str_of(&raw), OBJECT_SLICE, &o), 0);
	assert_int_equal(o.dropped, 6);
	assert_int_equal(o.slice.n_endpoints, 2);
	assert_null(o.slice.endpoints[0].hostname);
	assert_false(o.slice.endpoints[0].is_ready);
	assert_string_equal(o.slice.endpoints[1].hostname, "h");
	assert_true(o.slice.endpoints[1].is_ready);
	assert_int_equal(o.slice.ports.len, 1);
	assert_int_equal(o.slice.ports.at[0].port, -1);
	arena_reset(&a);
	buf_free(&raw);
}

static void of_duplicate_fields_the_last_one_counts(void **state)
{
	struct buf raw = {0}, spec = {0}, pair = {0}, target = {0}, port = {0};
	struct object o;
	struct arena a;

	(void)state;
	put_metadata(&raw, "first", "n");
	put_metadata(&raw, "last", "m");
	put_text(&spec, 4, "ExternalName");
	put_text(&spec, 4, "ClusterIP");
	put_text(&spec, 3, "None");
	put_text(&spec, 18, "None");
	put_number(&spec, 13, 1);
	put_number(&spec, 13, 0);
	for (int i = 0; i < 2; i++) {
		put_text(&pair, 1, "app");
		put_text(&pair, 2, i == 0 ? "x" : "y");
		put_message(&spec, 2, &pair);
	}
	put_message(&raw, 2, &spec);
	put_number(&target, 1, 1);
	put_text(&target, 3, "web");
	put_number(&port, 3, 79);
	put_number(&port, 3, 80);
	put_message(&port, 4, &target);
	put_message(&spec, 1, &port);
	put_message(&raw, 2, &spec); /* parts of one message */
	arena_init(&a);
	assert_int_equal(pb_object_decode(&a, str_of(&raw), OBJECT_SERVICE, &o), 0);
	assert_string_equal(o.name, "last");
	assert_string_equal(o.ns, "m");
	assert_int_equal(o.service.type, SERVICE_CLUSTER_IP);
	assert_true(o.service.is_headless);
	assert_false(o.service.publish_not_ready);
	assert_int_equal(o.service.selector.len, 1);
	assert_string_equal(o.service.selector.at[0].value, "y");
	assert_int_equal(o.service.ports.len, 1);
	assert_int_equal(o.service.ports.at[0].port, 80);
	assert_string_equal(o.service.ports.at[0].target_name, "web");
	arena_reset(&a);
	buf_free(&raw);
}

/* targetPort is a number or a text, and either may be nonsense: the result is that of JSON. */
static void target_ports_are_read_as_in_json(void **state)
{
	static const struct {
		const char *json;
		int32_t number;
		const char *text; /* NULL: a number */
	} rows[] = {
	        {"0", 0, NULL},
	        {"1", 1, NULL},
	        {"9", 9, NULL},
	        {"10", 10, NULL},
	        {"65535", 65535, NULL},
	        {"65536", 65536, NULL},
	        {"2147483647", INT32_MAX, NULL},
	        {"-1", -1, NULL},
	        {"-2147483648", INT32_MIN, NULL},
	        {"\"web\"", 0, "web"},
	        {"\"8080\"", 5, "8080"},
	        {"\"\"", 5, ""},
	        {"\"Web!\"", 0, "Web!"},
	};
	struct arena a;

	(void)state;
	arena_init(&a);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf json = {0}, raw = {0}, spec = {0}, port = {0}, target = {0};
		struct object want, got;

		buf_printf(&json,
		        "{\"metadata\":{\"name\":\"a\",\"namespace\":\"n\"},\"spec\":{\"ports\":["
		        "{\"port\":80,\"targetPort\":%s}]}}",
		        rows[i].json);
		put_metadata(&raw, "a", "n");
		put_number(&target, 1, rows[i].text != NULL);
		put_number(&target, 2, (uint64_t)(int64_t)rows[i].number);
		put_text(&target, 3, rows[i].text != NULL ? rows[i].text : "");
		put_number(&port, 3, 80);
		put_message(&port, 4, &target);
		put_message(&spec, 1, &port);
		put_message(&raw, 2, &spec);
		assert_int_equal(json_object_decode(&a, str_of(&json), OBJECT_SERVICE, &want), 0);
		assert_int_equal(pb_object_decode(&a, str_of(&raw), OBJECT_SERVICE, &got), 0);
		assert_true(object_is_same(&want, &got));
		assert_int_equal(want.dropped, got.dropped);
		buf_free(&json);
		buf_free(&raw);
	}
	arena_reset(&a);
}

static void names_are_checked_as_in_json(void **state)
{
	static const struct {
		const char *name, *ns;
		enum object_kind kind;
		int rc;
	} rows[] = {
	        {"a", "n", OBJECT_SERVICE, 0},
	        {"a.b", "n", OBJECT_SERVICE, -EBADMSG},
	        {"a.b", "n", OBJECT_POD, 0},
	        {"UP", "n", OBJECT_SERVICE, -EBADMSG},
	        {"a", "..", OBJECT_SLICE, -EBADMSG},
	        {"", "", OBJECT_NAMESPACE, -EBADMSG},
	        {"", "", OBJECT_NONE, 0},
	};
	struct arena a;

	(void)state;
	arena_init(&a);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf raw = {0};
		struct object o;

		put_metadata(&raw, rows[i].name, rows[i].ns);
		assert_int_equal(pb_object_decode(&a, str_of(&raw), rows[i].kind, &o), rows[i].rc);
		buf_free(&raw);
	}
	arena_reset(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(recorded_answers_decode_as_their_json),
	        NAMED_TEST("K21: every cut in two gives the same",
	        	every_two_piece_cut_gives_the_same),
	        NAMED_TEST("K20: a cut list delivers a prefix at every octet",
	        	a_cut_list_delivers_a_prefix_at_every_byte),
	        NAMED_TEST("K20: a cut watch delivers a prefix at every octet",
	        	a_cut_watch_delivers_a_prefix_at_every_byte),
	        NAMED_TEST("K22: broken octets do no harm", broken_octets_do_no_harm),
	        cmocka_unit_test(lists_of_metadata_tell_names_and_versions),
	        cmocka_unit_test(an_error_event_is_a_status),
	        NAMED_TEST("K27: events that are not understood are skipped or fail",
	        	events_that_are_not_understood_are_skipped_or_fail),
	        cmocka_unit_test(bodies_that_are_no_list_fail),
	        cmocka_unit_test(watches_that_are_none_fail),
	        NAMED_TEST("K25: large objects are read up to the limit",
	        	large_objects_are_read_up_to_the_limit),
	        cmocka_unit_test(nesting_costs_nothing),
	        NAMED_TEST("K26: hostile objects lose only their bad elements",
	        	hostile_objects_lose_only_their_bad_elements),
	        cmocka_unit_test(of_duplicate_fields_the_last_one_counts),
	        cmocka_unit_test(target_ports_are_read_as_in_json),
	        cmocka_unit_test(names_are_checked_as_in_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
