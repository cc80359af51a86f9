/* 4.2: what may be kept and for how long, and how the directive is read. */
#include "rig.h"
#include "test.h"

#include "../../plugins/cache/cache.h"
#include "base/clock.h"
#include "base/rcu.h"
#include "dns/wire.h"

extern const struct plugin cache_plugin;

/* One record of a message: section, type, TTL, RDATA. The owner is the question's name. */
struct record {
	enum section section;
	uint16_t type;
	uint32_t ttl;
	const char *rdata;
	size_t n;
};

#define A(ttl)                                               \
	{                                                    \
		SECTION_ANSWER, TYPE_A, ttl, "\x0a\0\0\1", 4 \
	}
#define CNAME(ttl)                                        \
	{                                                 \
		SECTION_ANSWER, TYPE_CNAME, ttl, "\1b", 3 \
	}
#define SOA(ttl, minimum)                                                              \
	{                                                                              \
		SECTION_AUTHORITY, TYPE_SOA, ttl,                                      \
		        "\1n\0\1r\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0" minimum, 26 \
	}
#define RRSIG(ttl, expires)                                                   \
	{                                                                     \
		SECTION_ANSWER, TYPE_RRSIG, ttl,                              \
		        "\0\1\x08\1\0\0\0\x0a" expires "\0\0\0\0\0\1\0\1", 20 \
	}

static const struct {
	const char *what;
	const char *options;
	uint16_t rcode;
	bool is_truncated;
	struct record records[3];
	uint32_t ttl; /* of the entry; 0: it is not kept */
	enum cache_kind kind;
} rows[] = {
        {"the lowest TTL of all", "", 0, false, {CNAME(300), A(60)}, 60, CACHE_POSITIVE},
        {"at most an hour", "", 0, false, {A(86400)}, 3600, CACHE_POSITIVE},
        {"at most what success says", "success 10 50", 0, false, {A(60)}, 50, CACHE_POSITIVE},
        {"at least what success says", "success 10 50 40", 0, false, {A(3)}, 40, CACHE_POSITIVE},
        {"not at all", "", 0, false, {A(0)}, 0, CACHE_NOT},
        {"a TTL of 2^31 is 0 (RFC 2181 8)", "", 0, false, {A(0x80000000u)}, 0, CACHE_NOT},
        {"TC", "", 0, true, {A(60)}, 0, CACHE_NOT},
        {"a chain that ends nowhere", "", 0, false, {CNAME(60)}, 0, CACHE_NOT},
        {"a chain to no data", "", 0, false, {CNAME(60), SOA(50, "\x28")}, 40, CACHE_NEGATIVE},
        {"no data: MINIMUM", "", 0, false, {SOA(60, "\x28")}, 40, CACHE_NEGATIVE},
        {"no data: the SOA's TTL", "", 0, false, {SOA(30, "\x28")}, 30, CACHE_NEGATIVE},
        {"no data and no SOA", "", 0, false, {{0}}, 0, CACHE_NOT},
        {"NXDOMAIN", "", 3, false, {SOA(60, "\x28")}, 40, CACHE_NEGATIVE},
        {"NXDOMAIN and no SOA", "", 3, false, {{0}}, 0, CACHE_NOT},
        {"denial's limit", "denial 9 20", 3, false, {SOA(60, "\x28")}, 20, CACHE_NEGATIVE},
        {"SERVFAIL", "", 2, false, {{0}}, 5, CACHE_FAILURE},
        {"NOTIMP", "servfail 9s", 4, false, {{0}}, 9, CACHE_FAILURE},
        {"SERVFAIL not kept", "servfail 0", 2, false, {{0}}, 0, CACHE_NOT},
        {"REFUSED", "", 5, false, {{0}}, 0, CACHE_NOT},
        {"a signature that ends in 9 s", "", 0, false, {A(60), RRSIG(60, "\0\0\3\xf1")}, 9,
                CACHE_POSITIVE},
        {"a signature that has ended", "", 0, false, {A(60), RRSIG(60, "\0\0\3\xe7")}, 0,
                CACHE_NOT},
};

static size_t write_message(struct query *q, uint8_t *out, const struct record records[3])
{
	size_t n = q->msg.question_end;

	memcpy(out, q->buf, n);
	memset(out + 6, 0, 6);
	for (int i = 0; i < 3 && records[i].n > 0; i++) {
		const struct record *r = &records[i];
		uint8_t *count = out + 6 + 2 * r->section;

		put16(count, (uint16_t)(get16(count) + 1));
		put16(out + n, 0xc00c);
		put16(out + n + 2, r->type);
		put16(out + n + 4, CLASS_IN);
		put32(out + n + 6, r->ttl);
		put16(out + n + 10, (uint16_t)r->n);
		memcpy(out + n + 12, r->rdata, r->n);
		n += 12 + r->n;
	}
	return n;
}

static void answers_are_kept_as_long_as_they_hold(void **state)
{
	char text[200];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rig_ask ask = {.name = "a.", .type = TYPE_A};
		struct cache_key key;
		struct cache_entry *e;
		struct query *q;
		struct rig r;

		snprintf(text, sizeof(text), ". {\ncache {\n%s\n}\n}", rows[i].options);
		assert_int_equal(rig_open(&r, &cache_plugin, text), 0);
		r.worker.wall_s = 1000;
		q = rig_query(&r, &ask);
		q->answer.rcode = rows[i].rcode;
		q->answer.is_truncated = rows[i].is_truncated;
		if (rows[i].rcode != RCODE_SERVFAIL) {
			uint8_t *message = arena_alloc(&q->arena, 512);

			answer_set_message(
			        &q->answer, message, write_message(q, message, rows[i].records));
		}
		key = cache_key_of(q);
		e = cache_entry_new(q, &key, &((struct cache *)r.setup.instance)->times);
		if ((e == NULL ? 0 : e->ttl_s) != rows[i].ttl)
			fail_msg("%s: %u s, not %u", rows[i].what, e == NULL ? 0 : e->ttl_s,
			        rows[i].ttl);
		if (e != NULL)
			assert_int_equal(e->kind, rows[i].kind);
		free(e);
		query_release(q);
		rig_close(&r);
	}
}

static void bad_directives_are_refused(void **state)
{
	static const struct {
		const char *text, *error;
	} bad[] = {
	        {"cache 0", "Corefile:2 - plugin/cache: "},
	        {"cache {\nsuccess\n}", "wrong number of arguments for 'success'"},
	        {"cache {\nsuccess many\n}", "'many'"},
	        {"cache {\nsuccess 10 5 9\n}", "the lowest TTL, 9, is above the highest, 5"},
	        {"cache {\nprefetch 1 1m 5%\n}", "'5%' is no percentage, expected 10% to 90%"},
	        {"cache {\nprefetch 1 1m 50\n}", "'50' is no percentage"},
	        {"cache {\nserve_stale 1h soon\n}", "'soon'"},
	        {"cache {\nserve_stale 1h immediate 1s 2s 3s\n}", "has too many arguments"},
	        {"cache {\nservfail 6m\n}", "servfail"},
	        {"cache {\ndisable both\n}", "'both'"},
	        {"cache {\nserve_stale_policy newest\n}", "'newest'"},
	        {"cache {\nshared\n}", "unknown property 'shared'"},
	        {"cache -1", "the TTL must be at least 1, not -1"},
	        {"cache\ncache", "this plugin can only be used once per Server Block"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		rig_refuses(&cache_plugin, bad[i].text, bad[i].error);
}

/* Another plugin of the block that asks servers. */
static struct upstreams_follower *follower;

static void keep_follower(void *instance, struct upstreams_follower *f)
{
	(void)instance;
	follower = f;
}

static const struct upstreams_ops ops = {.follow = keep_follower};
static const struct offer offers[] = {{UPSTREAMS, &ops}, {NULL, NULL}};
static const struct plugin asker = {.name = "asker", .offers = offers};

/* An upstream answers "a. A" to a question that was asked so long ago. */
static void upstream_answers(struct rig *r, uint64_t ago_ms)
{
	static const struct record records[3] = {A(60)};
	struct query *q = rig_query(r, &(struct rig_ask){.name = "a.", .type = TYPE_A});
	uint8_t *message = arena_alloc(&q->arena, 512);

	q->start_ns = r->worker.now_ns - ago_ms * 1000000;
	answer_set_message(&q->answer, message, write_message(q, message, records));
	q->answer.is_relayed = true;
	rig_up(r, q, "asker");
	query_release(q);
}

static bool is_cached(struct rig *r)
{
	struct query *q = rig_query(r, &(struct rig_ask){.name = "a.", .type = TYPE_A});
	enum verdict v = rig_down(r, q);

	query_release(q);
	return v == DONE;
}

static void answers_of_another_network_are_given_up(void **state)
{
	struct rig r;

	(void)state;
	assert_int_equal(rig_open(&r, &cache_plugin, ". {\ncache {\nserve_stale\n}\n}"), 0);
	vec_push(&r.chain.links, (struct link){.plugin = &asker});
	assert_int_equal(cache_plugin.start(r.setup.instance, NULL), 0);
	r.worker.now_ns = clock_ns();
	upstream_answers(&r, 0);
	assert_true(is_cached(&r));
	follower->on_change(follower);
	assert_false(is_cached(&r)); /* as fresh or as stale */
	r.worker.now_ns += 1000000000;
	upstream_answers(&r, 1500); /* asked before the change: from who knows where */
	assert_false(is_cached(&r));
	upstream_answers(&r, 500);
	assert_true(is_cached(&r));
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(answers_are_kept_as_long_as_they_hold),
	        cmocka_unit_test(answers_of_another_network_are_given_up),
	        cmocka_unit_test(bad_directives_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
