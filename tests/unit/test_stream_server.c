/*
 * Questions over TCP through the real query engine with a chain of one plugin of our own, on a
 * bare worker with a loop. Names say what the plugin does with them.
 */
#include "loopback.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include "base/must.h"
#include "base/rcu.h"
#include "core/stream_server.h"
#include "dns/rr.h"
#include "dns/wire.h"

#define WAITING_MAX 8

static struct {
	struct query *at[WAITING_MAX];
	unsigned n, cancelled;
} waiting;

/* The first label: "wait" parks, "drop" drops, anything else is answered with no records. */
static enum verdict on_query(struct query *q, void *instance)
{
	const uint8_t *label = query_name(q) + 1;

	(void)instance;
	if (memcmp(label, "drop", 4) == 0)
		return DROP;
	if (memcmp(label, "wait", 4) != 0)
		return DONE;
	assert_true(waiting.n < WAITING_MAX);
	waiting.at[waiting.n++] = q;
	return WAIT;
}

static void on_cancel(struct query *q, void *instance)
{
	(void)q;
	(void)instance;
	waiting.cancelled++;
}

static const struct plugin plugin = {.name = "own", .query = on_query, .cancel = on_cancel};

struct fixture {
	uv_loop_t loop;
	struct worker w;
	struct chain chain;
	struct server server;
	struct server_group group;
	struct serving serving;
	struct stream_server *tcp;
	union addr addr;
	int fd; /* a client */
};

static void turn(struct fixture *f)
{
	worker_flush_now(&f->w);
	uv_run(&f->loop, UV_RUN_NOWAIT);
	worker_flush_now(&f->w);
}

static int connected(struct fixture *f)
{
	uint64_t before = f->w.streams.accepted;
	int fd = connect_to(&f->addr, INADDR_LOOPBACK);

	run_until(f, f->w.streams.accepted == before + 1);
	return fd;
}

static int start(void **state)
{
	static struct fixture fixture;
	struct fixture *f = &fixture;
	struct link l = {.plugin = &plugin};

	*state = f;
	memset(f, 0, sizeof(*f));
	memset(&waiting, 0, sizeof(waiting));
	assert_int_equal(uv_loop_init(&f->loop), 0);
	worker_init(&f->w, 0);
	f->w.loop = &f->loop;
	vec_push(&f->chain.query_hooks, l);
	f->server.zone.len = 1; /* the root */
	f->server.chain = &f->chain;
	vec_push(&f->group.servers, &f->server);
	server_group_build(&f->group);
	f->serving.group = &f->group;
	f->tcp = stream_server_open(&f->w, listen_on_loopback(&f->addr), &f->serving);
	f->fd = connected(f);
	return 0;
}

static void close_server(struct fixture *f)
{
	worker_cancel_parked(&f->w, NULL);
	stream_server_close_all(&f->w);
	run_until(f, list_is_empty(&f->w.stream_servers));
}

static int stop(void **state)
{
	struct fixture *f = *state;

	close(f->fd);
	close_server(f);
	assert_int_equal(uv_loop_close(&f->loop), 0);
	assert_int_equal(f->w.in_use, 0);
	worker_fini(&f->w);
	vec_free(&f->chain.query_hooks);
	server_group_fini(&f->group);
	return 0;
}

/* Ask for TYPE65280 of a name of one label, with opt octets of options in an OPT, or none. */
static void ask(int fd, uint16_t id, const char *label, struct str opt)
{
	uint8_t q[512] = {0};
	size_t n = strlen(label), at = 2;

	put16(q + at, id);
	put16(q + at + 2, FLAG_RD);
	put16(q + at + 4, 1);
	at += MSG_HEADER;
	q[at++] = (uint8_t)n;
	memcpy(q + at, label, n);
	at += n + 1;
	put16(q + at, 65280);
	put16(q + at + 2, 1);
	at += 4;
	if (opt.len > 0) {
		put16(q + 2 + 10, 1);
		put16(q + at + 1, TYPE_OPT);
		put16(q + at + 3, 1232);
		put16(q + at + 9, (uint16_t)opt.len);
		memcpy(q + at + 11, opt.at, opt.len);
		at += 11 + opt.len;
	}
	put16(q, (uint16_t)(at - 2));
	assert_int_equal(send(fd, q, at, MSG_NOSIGNAL), (ssize_t)at);
}

static const struct str no_options = {NULL, 0};

struct reply {
	uint8_t at[1024];
	size_t len; /* of the message behind its length field; 0: none yet */
	bool is_closed;
};

/* The next answer; one at a time is what the tests wait for. */
static struct reply *read_reply(int fd)
{
	static struct reply r;
	ssize_t n = recv(fd, r.at, sizeof(r.at), 0);

	r.is_closed = n == 0 || (n < 0 && errno != EAGAIN);
	r.len = n > 2 ? (size_t)n - 2 : 0;
	if (r.len > 0)
		assert_int_equal(get16(r.at), r.len);
	return &r;
}

static struct reply *await_reply(struct fixture *f, uint16_t id)
{
	struct reply *r;

	run_until(f, (r = read_reply(f->fd))->len > 0);
	assert_int_equal(get16(r->at + 2), id);
	return r;
}

#define reply_rcode(r) (get16((r)->at + 4) & FLAG_RCODE)

#define SERVER_TEST(test) cmocka_unit_test_setup_teardown(test, start, stop)

static void a_question_is_answered_with_its_id(void **state)
{
	struct fixture *f = *state;
	struct reply *r;

	ask(f->fd, 4242, "name", no_options);
	r = await_reply(f, 4242);
	assert_int_equal(reply_rcode(r), RCODE_NOERROR);
	assert_true(get16(r->at + 4) & FLAG_QR);
	assert_int_equal(f->w.answers, 1);
}

static void a_parked_question_is_overtaken_and_answered_later(void **state)
{
	struct fixture *f = *state;

	ask(f->fd, 1, "wait", no_options);
	ask(f->fd, 2, "name", no_options);
	await_reply(f, 2);
	assert_int_equal(waiting.n, 1);
	query_resume(waiting.at[0], DONE);
	await_reply(f, 1);
}

static void a_dropped_question_leaves_the_connection_open(void **state)
{
	struct fixture *f = *state;

	ask(f->fd, 1, "drop", no_options);
	ask(f->fd, 2, "name", no_options);
	await_reply(f, 2);
	assert_int_equal(f->w.answers, 1);
}

static void keepalive_is_told_to_those_who_ask(void **state)
{
	static const uint8_t option[] = {0, 11, 0, 0}, told[] = {0, 11, 0, 2, 0, 100};
	struct fixture *f = *state;
	struct reply *r;

	ask(f->fd, 1, "name", (struct str){(const char *)option, sizeof(option)});
	r = await_reply(f, 1);
	assert_non_null(memmem(r->at, r->len + 2, told, sizeof(told)));
	ask(f->fd, 2, "name", (struct str){"\0\3\0\0", 4});
	r = await_reply(f, 2);
	assert_null(memmem(r->at, r->len + 2, told, sizeof(told)));
}

static void a_message_longer_than_any_question_is_a_format_error(void **state)
{
	static const struct {
		uint16_t flags;
		uint16_t rcode;
	} rows[] = {{FLAG_RD, RCODE_FORMERR}, {5 << 11, RCODE_NOTIMP}};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t q[2 + 5000] = {0};
		struct reply *r;

		put16(q, sizeof(q) - 2);
		put16(q + 2, 77);
		put16(q + 4, rows[i].flags);
		put16(q + 6, 1);
		assert_int_equal(send(f->fd, q, sizeof(q), MSG_NOSIGNAL), sizeof(q));
		r = await_reply(f, 77);
		assert_int_equal(r->len, MSG_HEADER);
		assert_int_equal(reply_rcode(r), rows[i].rcode);
		assert_int_equal(get16(r->at + 6), 0);
		ask(f->fd, 78, "name", no_options);
		await_reply(f, 78);
	}
}

static void responses_are_never_answered(void **state)
{
	struct fixture *f = *state;
	uint8_t q[14] = {0, 12, 0, 1, 0x80};

	assert_int_equal(send(f->fd, q, sizeof(q), MSG_NOSIGNAL), sizeof(q));
	ask(f->fd, 2, "name", no_options);
	await_reply(f, 2);
}

static void a_client_that_left_does_not_keep_its_parked_question(void **state)
{
	struct fixture *f = *state;

	ask(f->fd, 1, "wait", no_options);
	run_until(f, waiting.n == 1);
	close(f->fd);
	f->fd = -1;
	turn(f);
	query_resume(waiting.at[0], DONE);
	run_until(f, f->w.in_use == 0);
}

static void closing_answers_what_is_parked_and_takes_nobody_new(void **state)
{
	struct fixture *f = *state;
	int idle = connected(f), late;

	ask(f->fd, 1, "wait", no_options);
	run_until(f, waiting.n == 1);
	stream_server_close(f->tcp);
	run_until(f, read_reply(idle)->is_closed);
	late = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(late, &f->addr.sa, sizeof(f->addr.in)), -1);
	query_resume(waiting.at[0], DONE);
	await_reply(f, 1);
	run_until(f, read_reply(f->fd)->is_closed);
	run_until(f, list_is_empty(&f->w.stream_servers));
	close(idle);
	close(late);
}

static void closing_all_abandons_what_is_parked(void **state)
{
	struct fixture *f = *state;

	ask(f->fd, 1, "wait", no_options);
	run_until(f, waiting.n == 1);
	stream_server_close(f->tcp);
	close_server(f);
	assert_int_equal(waiting.cancelled, 1);
	assert_true(read_reply(f->fd)->is_closed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        SERVER_TEST(a_question_is_answered_with_its_id),
	        SERVER_TEST(a_parked_question_is_overtaken_and_answered_later),
	        SERVER_TEST(a_dropped_question_leaves_the_connection_open),
	        SERVER_TEST(keepalive_is_told_to_those_who_ask),
	        SERVER_TEST(a_message_longer_than_any_question_is_a_format_error),
	        SERVER_TEST(responses_are_never_answered),
	        SERVER_TEST(a_client_that_left_does_not_keep_its_parked_question),
	        SERVER_TEST(closing_answers_what_is_parked_and_takes_nobody_new),
	        SERVER_TEST(closing_all_abandons_what_is_parked),
	};
	int rc;

	rcu_register_thread();
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	rcu_unregister_thread();
	return rc;
}
