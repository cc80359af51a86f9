#include "test.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "cluster/build.h"
#include "cluster/intern.h"
#include "cluster/json_stream.h"

static void addresses_parse_strictly(void **state)
{
	static const struct {
		const char *text, *canonical; /* NULL: refused */
		bool is_unusable;
	} rows[] = {
	        {"10.0.0.1", "10.0.0.1", false},
	        {"127.0.0.1", "127.0.0.1", false},
	        {"255.255.255.255", "255.255.255.255", true},
	        {"0.0.0.0", "0.0.0.0", true},
	        {"224.0.0.251", "224.0.0.251", true},
	        {"fd00::1", "fd00::1", false},
	        {"FD00:0:0::0001", "fd00::1", false},
	        {"::1", "::1", false},
	        {"::", "::", true},
	        {"ff02::fb", "ff02::fb", true},
	        {"::ffff:10.0.0.1", NULL, false},
	        {"010.0.0.1", NULL, false},
	        {"10.0.0", NULL, false},
	        {"10.0.0.256", NULL, false},
	        {"10.0.0.1 ", NULL, false},
	        {"fe80::1%eth0", NULL, false},
	        {"[::1]", NULL, false},
	        {"", NULL, false},
	        {"None", NULL, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[IP_TEXT_SIZE];
		struct ip ip;

		assert_int_equal(
		        ip_parse(str_from(rows[i].text), &ip) == 0, rows[i].canonical != NULL);
		if (rows[i].canonical == NULL) {
			assert_int_equal(ip.len, 0);
			continue;
		}
		assert_string_equal(ip_text(&ip, text), rows[i].canonical);
		assert_int_equal(ip_is_unusable(&ip), rows[i].is_unusable);
	}
	assert_int_equal(ip_parse((struct str){"10.0.0.1\0", 9}, &(struct ip){0}), -22);
}

static void names_are_those_of_the_api(void **state)
{
	static char long_label[65], long_name[255];
	static const struct {
		const char *text;
		bool is_name, is_label;
	} rows[] = {
	        {"web", true, true},
	        {"web-1", true, true},
	        {"_tcp", true, true},
	        {"a.b", true, false},
	        {"", false, false},
	        {".a", false, false},
	        {"a.", false, false},
	        {"a..b", false, false},
	        {"Web", false, false},
	        {"w b", false, false},
	        {"w\xc3\xa9", false, false},
	        {"a/b", false, false},
	        {long_label, true, false},
	        {long_name, false, false},
	};

	(void)state;
	memset(long_label, 'a', 64);
	memset(long_name, 'a', 254);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(object_is_name(str_from(rows[i].text)), rows[i].is_name);
		assert_int_equal(object_is_label(str_from(rows[i].text)), rows[i].is_label);
	}
}

static void times_read_as_unix_milliseconds(void **state)
{
	static const struct {
		const char *text;
		uint64_t ms;
	} rows[] = {
	        {"1970-01-01T00:00:01Z", 1000},
	        {"2026-11-22T14:08:20Z", 1795356500000},
	        {"2026-11-22T14:08:20.123456789Z", 1795356500123},
	        {"2026-11-22T16:08:20+02:00", 1795356500000},
	        {"2026-11-22T09:08:20.5-05:00", 1795356500500},
	        {"2026-11-22T14:08:20", 0},
	        {"2026-11-22", 0},
	        {"", 0},
	        {"yesterday", 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_true(build_time_ms(str_from(rows[i].text)) == rows[i].ms);
}

/* ---- copies ---- */

struct copies {
	struct intern shared;
	size_t seen;
};

static void on_object(void *arg, enum event_type type, const struct object *o)
{
	struct copies *c = arg;
	struct object *own = object_copy(o, 0, NULL);
	char *block = object_copy(own, 32, &c->shared);
	struct object *shared = (struct object *)(void *)(block + 32);
	struct object other = *o;

	(void)type;
	assert_int_equal((uintptr_t)shared % 16, 0);
	assert_true(object_is_same(o, own));
	free(own);
	assert_true(object_is_same(o, shared));
	assert_memory_equal(shared->uid, o->uid, sizeof(o->uid));
	assert_true(shared->rv == o->rv && shared->rv != 0);
	other.is_deleting = !other.is_deleting;
	assert_false(object_is_same(&other, shared));
	object_unshare(shared, &c->shared);
	free(block);
	c->seen++;
}

static void copies_say_the_same_and_give_all_shared_texts_back(void **state)
{
	static const struct {
		const char *file;
		enum object_kind kind;
		size_t count;
	} rows[] = {
	        {"list-namespaces.json", OBJECT_NAMESPACE, 6},
	        {"list-services.json", OBJECT_SERVICE, 7},
	        {"list-endpointslices.json", OBJECT_SLICE, 7},
	        {"list-pods.json", OBJECT_POD, 6},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct copies c = {.seen = 0};
		struct object_sink sink = {.arg = &c, .on_object = on_object};
		struct json_stream s;
		struct buf text = {0};
		char path[512];

		snprintf(path, sizeof(path), SRCDIR "/tests/data/apiserver/%s", rows[i].file);
		assert_int_equal(buf_read_file(&text, path, 1 << 20), 0);
		intern_init(&c.shared);
		json_stream_init(&s, JSON_LIST, rows[i].kind, &sink);
		assert_int_equal(json_stream_feed(&s, text.at, text.len), 0);
		json_stream_fini(&s);
		assert_int_equal(c.seen, rows[i].count);
		assert_int_equal(c.shared.texts.len, 0);
		intern_fini(&c.shared);
		buf_free(&text);
	}
}

static void lists_are_capped(void **state)
{
	struct arena a;
	struct object o;
	struct build b;
	char text[32];

	(void)state;
	arena_init(&a);
	build_init(&b, &a, OBJECT_SERVICE, &o);
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "10.0.%u.%u", i / 250, i % 250 + 1);
		build_ip_add(&b, &o.service.external_ips, "ip", str_from(text));
		build_port_add(&b, &o.service.ports, &(struct port){.port = (int)i + 1});
		snprintf(text, sizeof(text), "key%u", i);
		build_labels_add(&b, &o.labels, str_from(text), STR("v"));
		build_ingress_host(&b, str_from(text));
	}
	assert_int_equal(o.service.external_ips.len, OBJECT_MAX_ADDRESSES);
	assert_int_equal(o.service.ports.len, OBJECT_MAX_PORTS);
	assert_int_equal(o.labels.len, OBJECT_MAX_LABELS);
	assert_int_equal(o.service.n_ingress_hosts, OBJECT_MAX_ADDRESSES);
	/* an endpoint of an EndpointSlice may have a hundred */
	assert_in_range(OBJECT_MAX_ADDRESSES, 100, 1000);
	assert_string_equal(o.problem, "ip \"10.0.0.101\"");
	arena_reset(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(addresses_parse_strictly),
	        cmocka_unit_test(names_are_those_of_the_api),
	        cmocka_unit_test(times_read_as_unix_milliseconds),
	        cmocka_unit_test(copies_say_the_same_and_give_all_shared_texts_back),
	        cmocka_unit_test(lists_are_capped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
