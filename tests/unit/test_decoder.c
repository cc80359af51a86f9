/*
 * Which decoder an answer gets, by its content type, and error bodies in both encodings.
 */
#include "test.h"

#include <errno.h>
#include <stdio.h>

#include "base/must.h"
#include "cluster/decoder.h"

#define DATA SRCDIR "/tests/data/apiserver/"

static void on_object(void *arg, enum event_type type, const struct object *o)
{
	(void)type;
	*(unsigned *)arg += o->kind == OBJECT_SERVICE;
}

static int decode(const char *content_type, bool is_watch, const char *file, unsigned *objects)
{
	struct decoder_options o = {content_type, is_watch, OBJECT_SERVICE};
	struct object_sink sink = {.arg = objects, .on_object = on_object};
	struct buf body = {0};
	struct decoder d;
	char path[512];
	int rc;

	snprintf(path, sizeof(path), DATA "%s", file);
	assert_int_equal(buf_read_file(&body, path, 1 << 20), 0);
	decoder_init(&d, &o, &sink);
	rc = decoder_feed(&d, body.at, body.len);
	assert_true((rc != 0) == (decoder_error(&d)[0] != '\0'));
	decoder_fini(&d);
	buf_free(&body);
	return rc;
}

static void the_content_type_chooses_the_decoder(void **state)
{
	static const struct {
		const char *content_type;
		bool is_watch;
		const char *file;
		bool is_good;
	} rows[] = {
	        {"application/vnd.kubernetes.protobuf", false, "list-services.pb", true},
	        {"application/vnd.kubernetes.protobuf;stream=watch", true, "watch-services.pb",
	                true},
	        {"Application/vnd.Kubernetes.Protobuf ; stream=watch", true, "watch-services.pb",
	                true},
	        {"application/json", false, "list-services.json", true},
	        {"application/json;stream=watch", true, "watch-services.json", true},
	        {"application/json", true, "watch-services.json", true},
	        {"", false, "list-services.json", true},
	        {"text/plain", false, "list-services.json", true},
	        {"application/json", false, "list-services.pb", false},
	        {"application/vnd.kubernetes.protobuf", false, "list-services.json", false},
	        {"application/vnd.kubernetes.protobuf2", false, "list-services.pb", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		unsigned objects = 0;
		int rc = decode(rows[i].content_type, rows[i].is_watch, rows[i].file, &objects);

		assert_int_equal(rc, rows[i].is_good ? 0 : -EINVAL);
		assert_true((objects > 0) == rows[i].is_good);
	}
}

/* An API server sends errors in the encoding that was asked for. */
static void error_bodies_are_read_in_both_encodings(void **state)
{
	static const struct {
		struct str body;
		int rc, code;
	} rows[] = {
	        {STR("{\"kind\":\"Status\",\"code\":403}"), 0, 403},
	        {STR("k8s\0\x0a\x0c\x0a\x02v1\x12\x06Status\x12\x03\x30\x93\x03\x1a\0\x22\0"), 0,
	                403},
	        {STR("k8s\0\x0a\x0c\x0a\x02v1\x12\x06Secret\x12\x03\x30\x93\x03"), -EINVAL, 0},
	        {STR("k8s\0\x0a\x0c\x0a\x02v1\x12\x06Status\x12\x04\x30\x93\x03"), -EINVAL, 0},
	        {STR("404 page not found\n"), -EINVAL, 0},
	        {STR(""), -EINVAL, 0},
	};
	struct arena a;

	(void)state;
	arena_init(&a);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct api_status status = {0};

		assert_int_equal(decoder_read_status(&a, rows[i].body, &status), rows[i].rc);
		assert_int_equal(rows[i].rc == 0 ? status.code : 0, rows[i].code);
	}
	arena_reset(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_content_type_chooses_the_decoder),
	        cmocka_unit_test(error_bodies_are_read_in_both_encodings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
