/*
 * The audit beside a reflector that watches services, with the real decoder and the real store.
 * K33 - K36: a watch that leaves changes out is found and healed within 60 s.
 */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/rand.h"
#include "cluster/audit.h"
#include "cluster/json_stream.h"

struct bench {
	struct store *store;
	struct reflector *r;
	struct audit *a;
	struct json_stream watch, list; /* decoders */
	bool is_watching, is_listing; /* requests in flight */
	char watch_query[256], list_query[256];
	uint64_t now;
	unsigned warnings, missed; /* the number that the last one says */
};

static int on_watch_send(void *arg, const char *query, bool is_watch, struct err *e)
{
	struct bench *b = arg;
	struct object_sink sink = reflector_sink(b->r);

	(void)e;
	assert_false(b->is_watching);
	snprintf(b->watch_query, sizeof(b->watch_query), "%s", query);
	b->is_watching = true;
	json_stream_init(&b->watch, is_watch ? JSON_WATCH : JSON_LIST, OBJECT_SERVICE, &sink);
	return 0;
}

static void on_watch_cancel(void *arg)
{
	struct bench *b = arg;

	assert_true(b->is_watching);
	b->is_watching = false;
	json_stream_fini(&b->watch);
}

static void on_refresh(void *arg)
{
	(void)arg;
}

static int on_list_send(void *arg, const char *query)
{
	struct bench *b = arg;
	struct object_sink sink = audit_sink(b->a);

	assert_false(b->is_listing);
	snprintf(b->list_query, sizeof(b->list_query), "%s", query);
	b->is_listing = true;
	json_stream_init(&b->list, JSON_LIST, OBJECT_NONE, &sink);
	return 0;
}

static void on_list_cancel(void *arg)
{
	struct bench *b = arg;

	assert_true(b->is_listing);
	b->is_listing = false;
	json_stream_fini(&b->list);
}

static void on_log(void *arg, enum log_level level, const char *text)
{
	struct bench *b = arg;
	const char *at = strstr(text, "at least ");

	if (level < LOG_WARNING)
		return;
	assert_non_null(at);
	b->missed = (unsigned)atoi(at + 9);
	b->warnings++;
}

/* ---- the watch ---- */

static void feed_watch(struct bench *b, const char *text, size_t n)
{
	const char *why = NULL;

	reflector_on_bytes(b->r, b->now);
	if (json_stream_feed(&b->watch, text, n) < 0)
		why = json_stream_error(&b->watch);
	reflector_on_decoded(b->r, b->now, why);
}

static void event(struct bench *b, const char *type, const char *name, unsigned rv)
{
	struct buf t = {0};

	buf_printf(&t,
	        "{\"type\":\"%s\",\"object\":{\"kind\":\"Service\",\"metadata\":{\"name\":\"%s\","
	        "\"namespace\":\"d\",\"uid\":\"00000000-0000-0000-0000-0000000000%02x\","
	        "\"resourceVersion\":\"%u\"},\"spec\":{\"clusterIP\":\"10.0.0.%u\"}}}",
	        type, name, (unsigned)name[0], rv, rv);
	feed_watch(b, buf_text(&t), t.len);
	buf_free(&t);
}

static void initial_end(struct bench *b, unsigned rv)
{
	struct buf t = {0};

	buf_printf(&t,
	        "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Service\",\"metadata\":{"
	        "\"resourceVersion\":\"%u\",\"annotations\":{\"k8s.io/initial-events-end\":"
	        "\"true\"}}}}",
	        rv);
	feed_watch(b, buf_text(&t), t.len);
	buf_free(&t);
}

/* ---- the comparison ---- */

static void feed_list(struct bench *b, const char *text, size_t n)
{
	const char *why = NULL;

	if (json_stream_feed(&b->list, text, n) < 0)
		why = json_stream_error(&b->list);
	audit_on_decoded(b->a, b->now, why);
}

static void end_list(struct bench *b, int rc)
{
	b->is_listing = false;
	json_stream_fini(&b->list);
	audit_on_done(b->a, b->now, rc);
}

/* The server's list: "a10 b20", and a token behind '+'. */
static void answer(struct bench *b, const char *objects)
{
	struct buf t = {0};
	struct str rest = str_from(objects), token = {NULL, 0};

	assert_true(b->is_listing);
	if (strchr(objects, '+') != NULL) {
		rest = str_cut(&rest, '+');
		token = str_from(strchr(objects, '+') + 1);
	}
	buf_printf(&t,
	        "{\"kind\":\"PartialObjectMetadataList\",\"apiVersion\":\"meta.k8s.io/v1\","
	        "\"metadata\":{\"resourceVersion\":\"99\",\"continue\":\"%.*s\"},\"items\":[",
	        (int)token.len, token.len > 0 ? token.at : "");
	for (struct str w = str_word(&rest); w.len > 0; w = str_word(&rest))
		buf_printf(&t,
		        "%s{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/v1\","
		        "\"metadata\":{\"name\":\"%c\",\"namespace\":\"d\",\"uid\":"
		        "\"00000000-0000-0000-0000-0000000000%02x\",\"resourceVersion\":\"%.*s\"}}",
		        t.at[t.len - 1] == '[' ? "" : ",", *w.at, (unsigned)*w.at, (int)w.len - 1,
		        w.at + 1);
	buf_str(&t, "]}");
	audit_on_head(b->a, b->now, 200);
	feed_list(b, buf_text(&t), t.len);
	end_list(b, 0);
	buf_free(&t);
}

/* Time passes until the next comparison is asked for; how long that took. */
static uint64_t next_look(struct bench *b)
{
	uint64_t begin = b->now;

	assert_false(b->is_listing);
	while (!b->is_listing) {
		assert_true(audit_deadline_ms(b->a) > b->now);
		b->now = audit_deadline_ms(b->a);
		audit_on_time(b->a, b->now);
	}
	return b->now - begin;
}

static const struct reflector_stats *stats(const struct bench *b)
{
	return reflector_stats(b->r);
}

static void begin(struct bench *b)
{
	struct reflector_options o = {.name = "services", .kind = OBJECT_SERVICE};
	struct reflector_ops ops = {b, on_watch_send, on_watch_cancel, on_refresh};
	struct audit_ops audit_ops = {b, on_list_send, on_list_cancel};

	memset(b, 0, sizeof(*b));
	b->now = 1000000;
	b->store = store_new();
	rand_seed(7);
	log_set_sink(on_log, b);
	b->r = reflector_new(
	        &o, b->store, store_source_add(b->store, "api", 1u << OBJECT_SERVICE), &ops);
	b->a = audit_new(b->r, &audit_ops, b->now);
	reflector_start(b->r, b->now);
	reflector_on_head(b->r, b->now, 200, -1);
	event(b, "ADDED", "a", 10);
	event(b, "ADDED", "b", 20);
	initial_end(b, 20);
	assert_true(stats(b)->is_connected);
}

static void end(struct bench *b)
{
	if (b->is_listing)
		on_list_cancel(b);
	if (b->is_watching)
		on_watch_cancel(b);
	audit_free(b->a);
	reflector_free(b->r);
	store_free(b->store);
	log_set_sink(NULL, NULL);
}

/* ---- tests ---- */

static void nothing_is_done_while_both_are_the_same(void **state)
{
	struct bench b;

	(void)state;
	begin(&b);
	for (int i = 0; i < 50; i++) {
		uint64_t took = next_look(&b);

		assert_in_range(took, 20000, 60000);
		assert_non_null(strstr(b.list_query, "limit="));
		answer(&b, "a10 b20");
	}
	assert_int_equal(stats(&b)->gaps_healed, 0);
	assert_int_equal(stats(&b)->lists, 1);
	end(&b);
}

/* K36, each sort of change that a watch may leave out. */
static void a_change_that_was_left_out_is_healed_within_60_s(void **state)
{
	static const char *const truths[] = {"a10 b20 c30", "a10 b30", "b20", ""};
	struct bench b;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		begin(&b);
		uint64_t start = b.now;

		next_look(&b);
		answer(&b, truths[i]);
		assert_int_equal(stats(&b)->lists, 1); /* it may be on its way */
		assert_in_range(next_look(&b), 3000, 4000);
		answer(&b, truths[i]);
		assert_in_range(b.now - start, 20000, 60000);
		assert_int_equal(stats(&b)->gaps_healed, 1);
		assert_int_equal(stats(&b)->lists, 2);
		assert_null(strstr(b.watch_query, "resourceVersion="));
		assert_int_equal(b.warnings, 1);
		/* the reflector's list is a mark and sweep: nothing went yet */
		assert_non_null(store_service(b.store, "d", "a"));
		end(&b);
	}
}

static void what_was_only_late_is_no_gap(void **state)
{
	struct bench b;

	(void)state;
	begin(&b);
	next_look(&b);
	answer(&b, "a10 b20 c30");
	event(&b, "ADDED", "c", 30);
	next_look(&b);
	answer(&b, "a10 b20 c30");
	next_look(&b);
	answer(&b, "a10 b20"); /* deleted, and the event comes later */
	event(&b, "DELETED", "c", 31);
	next_look(&b);
	answer(&b, "a10 b20");
	next_look(&b);
	answer(&b, "a10 b25"); /* changes all the time: another state at each look */
	next_look(&b);
	answer(&b, "a10 b26");
	next_look(&b);
	event(&b, "MODIFIED", "b", 40); /* newer than the list */
	event(&b, "ADDED", "e", 41);
	answer(&b, "a10 b27");
	assert_int_equal(stats(&b)->lists, 1);
	assert_int_equal(b.warnings, 0);
	end(&b);
}

static void pages_are_one_list(void **state)
{
	struct bench b;

	(void)state;
	begin(&b);
	next_look(&b);
	answer(&b, "a10+more/1");
	assert_true(b.is_listing);
	assert_non_null(strstr(b.list_query, "continue=more%2F1"));
	answer(&b, "b20");
	assert_false(b.is_listing);
	assert_true(audit_deadline_ms(b.a) - b.now > 10000); /* no second look */
	end(&b);
}

static void pages_that_go_nowhere_are_given_up(void **state)
{
	struct bench b;

	(void)state;
	begin(&b);
	next_look(&b);
	answer(&b, "a10 +tok");
	assert_non_null(strstr(b.list_query, "continue=tok"));
	answer(&b, "a10 +tok");
	assert_false(b.is_listing);
	assert_in_range(next_look(&b), 20000, 60000);
	assert_null(strstr(b.list_query, "continue="));
	answer(&b, "a10 b20");
	assert_int_equal(stats(&b)->gaps_healed, 0);
	end(&b);
}

static void a_server_without_such_lists_is_left_alone(void **state)
{
	struct bench b;

	(void)state;
	begin(&b);
	next_look(&b);
	audit_on_head(b.a, b.now, 406);
	end_list(&b, 0);
	assert_true(next_look(&b) == AUDIT_REFUSED_MS);
	audit_on_head(b.a, b.now, 503);
	end_list(&b, 0);
	assert_in_range(next_look(&b), 20000, 60000);
	end_list(&b, -ECONNRESET);
	next_look(&b);
	audit_on_head(b.a, b.now, 200);
	feed_list(&b, "<html>", 6);
	assert_false(b.is_listing);
	next_look(&b);
	b.now += AUDIT_SILENCE_MS;
	audit_on_time(b.a, b.now);
	assert_false(b.is_listing);
	assert_int_equal(stats(&b)->lists, 1);
	end(&b);
}

static void a_list_of_the_reflector_is_the_better_comparison(void **state)
{
	struct bench b;

	(void)state;
	begin(&b);
	next_look(&b);
	answer(&b, "a10 b20 c30");
	next_look(&b);
	reflector_relist(b.r, b.now);
	assert_int_equal(stats(&b)->lists, 2);
	reflector_on_head(b.r, b.now, 200, -1);
	answer(&b, "a10 b20 c30"); /* must not mark what the relist is about to sweep */
	event(&b, "ADDED", "a", 10);
	initial_end(&b, 50);
	assert_null(store_service(b.store, "d", "b"));
	assert_int_equal(stats(&b)->gaps_healed, 0);
	assert_int_equal(stats(&b)->lists, 2);
	end(&b);
}

static void lists_that_do_not_help_become_rare(void **state)
{
	uint64_t begin_ms, took = 0;
	struct bench b;

	(void)state;
	begin(&b);
	for (int i = 0; i < 12; i++) {
		begin_ms = b.now;
		next_look(&b);
		answer(&b, "a10 b20 z30");
		next_look(&b);
		answer(&b, "a10 b20 z30");
		took = b.now - begin_ms;
		reflector_on_head(b.r, b.now, 200, -1);
		event(&b, "ADDED", "a", 10);
		event(&b, "ADDED", "b", 20);
		initial_end(&b, 50);
	}
	assert_true(took > 1000000);
	assert_int_equal(b.warnings, 1);
	end(&b);
}

/*
 * The backup was restored and the server has come past the version that we know before we asked:
 * our b is of the history that was lost. (The list that answer() sends has version 99.)
 */
static void an_object_of_a_lost_history_is_found(void **state)
{
	struct bench b;

	(void)state;
	begin(&b);
	event(&b, "MODIFIED", "b", 90);
	next_look(&b);
	answer(&b, "a10 b20");
	next_look(&b);
	answer(&b, "a10 b20");
	assert_int_equal(stats(&b)->gaps_healed, 1);
	/* the list is contradicted, asked for again, and then believed */
	for (int i = 0; i < 2; i++) {
		assert_true(b.is_watching);
		reflector_on_head(b.r, b.now, 200, -1);
		event(&b, "ADDED", "a", 10);
		event(&b, "ADDED", "b", 20);
		initial_end(&b, 120);
	}
	assert_int_equal(store_service(b.store, "d", "b")->rv, 20);
	assert_true(stats(&b)->is_connected);
	end(&b);
}

/* ---- a silent watch ---- */

/* As the loop of the driver: until that time, each look answered with objects (NULL: nobody). */
static void let_pass(struct bench *b, uint64_t until, const char *objects)
{
	for (;;) {
		uint64_t watch = reflector_deadline_ms(b->r), look = audit_deadline_ms(b->a);

		if (b->is_listing && objects != NULL)
			answer(b, objects);
		else if (b->is_listing)
			end_list(b, -ECONNREFUSED);
		else if (watch > until && look > until)
			break;
		else if ((b->now = watch < look ? watch : look) == watch)
			reflector_on_time(b->r, b->now);
		else
			audit_on_time(b->a, b->now);
	}
	b->now = until;
}

static void a_silent_watch_is_compared_before_it_is_dropped(void **state)
{
	uint64_t began;
	struct bench b;

	(void)state;
	begin(&b);
	began = b.now;
	let_pass(&b, began + REFLECTOR_SILENCE_MS - 1, "a10 b20");
	assert_non_null(strstr(b.watch_query, "sendInitialEvents"));
	b.now++;
	reflector_on_time(b.r, b.now);
	assert_true(b.is_watching); /* the first one, still */
	assert_true(audit_deadline_ms(b.a) <= b.now);
	audit_on_time(b.a, b.now);
	assert_true(b.is_listing);
	assert_true(b.is_watching);
	answer(&b, "a10 b20");
	assert_true(b.is_watching); /* the next one, at once, and no list */
	assert_null(strstr(b.watch_query, "sendInitialEvents"));
	assert_non_null(strstr(b.watch_query, "resourceVersion=20"));
	assert_int_equal(stats(&b)->errors[REFLECTOR_SILENT], 1);
	assert_int_equal(stats(&b)->lists, 1);
	assert_int_equal(stats(&b)->gaps_healed, 0);
	end(&b);
}

/* A server that has no lists of meta data, behind a proxy that keeps what a watch says. */
static void silent_watches_that_nobody_compares_lead_to_a_list(void **state)
{
	struct bench b;

	(void)state;
	begin(&b);
	for (unsigned i = 1; i <= 3; i++) {
		assert_int_equal(stats(&b)->lists, 1);
		if (i > 1)
			reflector_on_head(b.r, b.now, 200, -1);
		b.now += REFLECTOR_SILENCE_MS;
		reflector_on_time(b.r, b.now);
		audit_on_time(b.a, b.now);
		assert_true(b.is_listing);
		audit_on_head(b.a, b.now, 406);
		end_list(&b, 0);
		assert_true(b.is_watching);
	}
	assert_int_equal(stats(&b)->lists, 2);
	assert_non_null(strstr(b.watch_query, "sendInitialEvents"));
	end(&b);
}

static void a_silent_watch_that_missed_something_leads_to_a_list(void **state)
{
	struct bench b;

	(void)state;
	begin(&b);
	let_pass(&b, b.now + REFLECTOR_SILENCE_MS - 1, "a10 b20");
	let_pass(&b, b.now + 1, "a10 b30");
	assert_non_null(strstr(b.watch_query, "sendInitialEvents"));
	assert_int_equal(stats(&b)->lists, 2);
	assert_int_equal(stats(&b)->gaps_healed, 1);
	end(&b);
}

static void a_silent_watch_that_wakes_up_is_kept(void **state)
{
	struct bench b;

	(void)state;
	begin(&b);
	let_pass(&b, b.now + REFLECTOR_SILENCE_MS - 1, "a10 b20");
	b.now++;
	reflector_on_time(b.r, b.now);
	audit_on_time(b.a, b.now);
	event(&b, "MODIFIED", "b", 30);
	answer(&b, "a10 b30");
	assert_int_equal(stats(&b)->lists + stats(&b)->watches, 1);
	assert_int_equal(stats(&b)->errors[REFLECTOR_SILENT], 0);
	end(&b);
}

static void a_watch_of_a_dead_server_is_dropped_when_nobody_answers(void **state)
{
	static const int statuses[] = {0, 502, 504};
	struct bench b;

	(void)state;
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		begin(&b);
		let_pass(&b, b.now + REFLECTOR_SILENCE_MS - 1, "a10 b20");
		b.now++;
		reflector_on_time(b.r, b.now);
		audit_on_time(b.a, b.now);
		if (statuses[i] != 0)
			audit_on_head(b.a, b.now, statuses[i]);
		end_list(&b, statuses[i] != 0 ? 0 : -ETIMEDOUT);
		b.is_watching = false; /* the reflector waits */
		assert_false(stats(&b)->is_connected);
		assert_in_range(reflector_deadline_ms(b.r) - b.now, 800, 1600);
		assert_non_null(store_service(b.store, "d", "a"));
		end(&b);
	}
}

static void a_comparison_that_hangs_does_not_keep_a_dead_watch(void **state)
{
	struct bench b;

	(void)state;
	begin(&b);
	let_pass(&b, b.now + REFLECTOR_SILENCE_MS - 1, "a10 b20");
	b.now++;
	reflector_on_time(b.r, b.now);
	audit_on_time(b.a, b.now);
	b.now += REFLECTOR_COMPARE_MS;
	audit_on_time(b.a, b.now);
	reflector_on_time(b.r, b.now);
	assert_false(b.is_watching);
	assert_int_equal(stats(&b)->errors[REFLECTOR_SILENT], 1);
	end(&b);
}

/* Octets of an event that never ends are no sign of life; the comparison brings what it says. */
static void an_event_that_dribbles_in_does_not_hide_a_gap(void **state)
{
	static const char start[] = "{\"type\":\"MODIFIED\",\"object\":{\"metadata\":{\"name\":\"";
	struct bench b;
	uint64_t began;

	(void)state;
	begin(&b);
	began = b.now;
	feed_watch(&b, start, sizeof(start) - 1);
	while (stats(&b)->gaps_healed == 0 && b.now - began < 200000) {
		feed_watch(&b, "x", 1);
		let_pass(&b, b.now + 100, "a10 b30");
	}
	assert_in_range(b.now - began, 20000, 60000);
	assert_int_equal(stats(&b)->lists, 2);
	end(&b);
}

/* ---- what a real server sends ---- */

static struct buf recorded(const char *name)
{
	struct buf path = {0}, b = {0};

	buf_printf(&path, SRCDIR "/tests/data/apiserver/%s", name);
	assert_int_equal(buf_read_file(&b, buf_text(&path), 16 << 20), 0);
	buf_free(&path);
	return b;
}

static void on_item(void *arg, enum event_type type, const struct object *o)
{
	(void)type;
	store_apply(arg, 0, o);
}

static void recorded_metadata_is_compared_with_recorded_services(void **state)
{
	struct buf whole = recorded("list-services.json");
	struct buf partial = recorded("list-services-metadata-only.json");
	struct object_sink sink = {.on_object = on_item};
	struct object none = {.kind = OBJECT_SERVICE, .ns = "d"};
	struct json_stream s;
	struct bench b;

	(void)state;
	begin(&b);
	sink.arg = b.store;
	json_stream_init(&s, JSON_LIST, OBJECT_SERVICE, &sink);
	assert_int_equal(json_stream_feed(&s, whole.at, whole.len), 0);
	json_stream_fini(&s);
	none.name = "a";
	store_delete(b.store, 0, &none);
	none.name = "b";
	store_delete(b.store, 0, &none);
	/* they were recorded at different times: one service came, one went, one changed */
	for (int i = 0; i < 2; i++) {
		next_look(&b);
		audit_on_head(b.a, b.now, 200);
		feed_list(&b, partial.at, partial.len);
		end_list(&b, 0);
	}
	assert_int_equal(stats(&b)->gaps_healed, 1);
	assert_int_equal(b.missed, 3);
	end(&b);
	buf_free(&whole);
	buf_free(&partial);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        NAMED_TEST("P7: nothing is done while both are the same",
	                nothing_is_done_while_both_are_the_same),
	        NAMED_TEST("K36: a change that was left out is healed within 60 s",
	                a_change_that_was_left_out_is_healed_within_60_s),
	        NAMED_TEST("K34: an object of a lost history is found",
	                an_object_of_a_lost_history_is_found),
	        cmocka_unit_test(what_was_only_late_is_no_gap),
	        cmocka_unit_test(pages_are_one_list),
	        NAMED_TEST("K22: pages that go nowhere are given up",
	                pages_that_go_nowhere_are_given_up),
	        cmocka_unit_test(a_server_without_such_lists_is_left_alone),
	        cmocka_unit_test(a_list_of_the_reflector_is_the_better_comparison),
	        NAMED_TEST("P7: lists that do not help become rare",
	                lists_that_do_not_help_become_rare),
	        NAMED_TEST("P9: a silent watch is compared before it is dropped",
	                a_silent_watch_is_compared_before_it_is_dropped),
	        NAMED_TEST("P9: silent watches that nobody compares lead to a list",
	                silent_watches_that_nobody_compares_lead_to_a_list),
	        NAMED_TEST("P9: a silent watch that missed something leads to a list",
	                a_silent_watch_that_missed_something_leads_to_a_list),
	        NAMED_TEST("P9: a silent watch that wakes up is kept",
	                a_silent_watch_that_wakes_up_is_kept),
	        NAMED_TEST("K04: a watch of a dead server is dropped when nobody answers",
	                a_watch_of_a_dead_server_is_dropped_when_nobody_answers),
	        NAMED_TEST("K04: a comparison that hangs does not keep a dead watch",
	                a_comparison_that_hangs_does_not_keep_a_dead_watch),
	        NAMED_TEST("K23: an event that dribbles in does not hide a gap",
	                an_event_that_dribbles_in_does_not_hide_a_gap),
	        cmocka_unit_test(recorded_metadata_is_compared_with_recorded_services),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
