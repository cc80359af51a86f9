/*
 * Plays scenario files in the real core: run FILE... prints a TAP line for each title in them.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/rcu.h"
#include "conf/corefile.h"
#include "core/generation.h"
#include "core/query.h"
#include "core/shared.h"
#include "core/worker.h"
#include "dns/wire.h"
#include "fake_admin.h"
#include "fake_cluster.h"
#include "fake_files.h"
#include "fake_relay_io.h"
#include "packet.h"
#include "script.h"
#include "table.h"

/* The clock of the whole core is that of the fake network. */
uint64_t clock_ns(void)
{
	return fake_net.now_ns;
}

uint64_t clock_ms(void)
{
	return fake_net.now_ns / 1000000;
}

uint64_t clock_wall_s(void)
{
	return 1700000000 + fake_net.now_ns / 1000000000;
}

uint64_t clock_wall_ms(void)
{
	return 1700000000000 + fake_net.now_ns / 1000000;
}

static int tap_lines; /* printed so far */

/* The serial that a zone had when it was last asked for. */
struct seen_serial {
	char zone[256];
	uint32_t serial;
};

struct sent {
	struct list node;
	struct fake_sent packet;
};

static struct play {
	struct generation *g;
	struct worker w;
	uv_loop_t loop;
	struct shared *shared;
	struct query *q; /* the question under way */
	uint8_t reply[65536];
	size_t reply_len; /* 0: none yet */
	struct list sent; /* questions that were relayed, oldest first */
	struct fake_sent last;
	bool has_last;
	uint16_t next_id;
	struct buf why;
	struct buf log; /* everything that was logged */
	struct admin_reply page; /* of the last endpoint that was asked; status 0: none */
	VEC(struct seen_serial) serials;
} play;

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER; /* of play.log */

/* What clients asked for; health probes (". NS") stay without an answer. */
static void on_send(const struct fake_sent *sent)
{
	static const uint8_t probe[] = {0, 0, 2};
	struct sent *s;

	if (memcmp(sent->data + MSG_HEADER, probe, sizeof(probe)) == 0)
		return;
	s = mem_new(struct sent);

	s->packet = *sent;
	list_push(&play.sent, &s->node);
}

static void keep_reply(struct query *q)
{
	play.reply_len = q->is_dropped ? 0 : query_encode(q, play.reply, sizeof(play.reply));
	query_release(q);
	play.q = NULL;
}

/* Let everything happen that is due now. */
static void settle(void)
{
	for (int i = 0; i < 20; i++) {
		worker_enter(&play.w);
		worker_flush_now(&play.w);
		fake_advance(0);
	}
}

/* A file beside the Corefile, or at its path. */
static bool do_file(const struct step *s)
{
	fake_files_write(step_word(s, 1), (struct str){s->text.at, s->text.len});
	return true;
}

/* Set the configuration up and start it; frees nothing of c, which the generation owns. */
static bool serve(int rc, struct corefile *c, struct err *e)
{
	struct generation_options options = {
		.plugins = plugin_table(),
		.default_port = 53,
		.workers = 1,
		.loop = &play.loop,
		.shared = play.shared,
	};

	if (rc == 0)
		play.g = generation_new(c, &options, e);
	if (play.g == NULL || generation_start(play.g, e) != 0) {
		buf_printf(&play.why, "    %s\n", e->text);
		return false;
	}
	generation_attach(play.g, &play.w);
	fake_admin_serve(play.g);
	return true;
}

static bool do_corefile(const struct step *s)
{
	char name[256];
	struct corefile *c = NULL;
	struct err e;
	int rc;

	snprintf(name, sizeof(name), "%s/Corefile", fake_files_folder());
	rc = corefile_parse(name, (struct str){s->text.at, s->text.len}, NULL, &c, &e);
	return serve(rc, c, &e);
}

/* Put value in place of each name in the text. */
static void fill_in(struct buf *text, struct str name, const char *value)
{
	struct buf out = {0};
	const char *from = buf_text(text), *at;
	char *wanted = mem_dup(name.at, name.len);

	while ((at = strstr(from, wanted)) != NULL) {
		buf_add(&out, from, (size_t)(at - from));
		buf_printf(&out, "%s", value);
		from = at + name.len;
	}
	must(out.len > 0); /* it is there */
	buf_printf(&out, "%s", from);
	free(wanted);
	buf_free(text);
	*text = out;
}

/* Read a file of the test data. */
static void read_data(struct buf *text, const char *folder, const char *name)
{
	struct buf path = {0};

	buf_printf(&path, "%s/tests/data/%s/%s", SRCDIR, folder, name);
	must(buf_read_file(text, buf_text(&path), 1 << 16) == 0);
	buf_free(&path);
}

/* A cluster of tests/data/clusters. */
static bool do_cluster(const struct step *s)
{
	struct buf text = {0};

	read_data(&text, "clusters", step_word(s, 1));
	fake_cluster_change((struct str){text.at, text.len}, false);
	fake_cluster_synced();
	buf_free(&text);
	return true;
}

/* A Corefile as it is installed: one of tests/data/corefiles, with NAME=VALUE filled in. */
static bool do_corefile_from(const struct step *s)
{
	struct buf text = {0};
	struct corefile *c = NULL;
	struct err e;
	int rc;

	read_data(&text, "corefiles", step_word(s, 1));
	for (size_t i = 2; i < s->words.len; i++) {
		struct str value = str_from(s->words.at[i]), name = str_cut(&value, '=');

		fill_in(&text, name, value.at);
	}
	fake_files_write("/etc/coredns/Corefile", (struct str){text.at, text.len});
	buf_free(&text);
	rc = corefile_read("/etc/coredns/Corefile", NULL, &c, &e);
	return serve(rc, c, &e);
}

/* The listener that is asked: the one at the address that the step names, or the first. */
static const struct listen *listener(const struct step *s)
{
	const char *at = step_value(s, "at");
	const struct listen *l = play.g->listens.at[0];
	union addr addr;

	if (at == NULL)
		return l;
	must(addr_from_text(&addr, str_from(at), addr_port(&l->addr)) == 0);
	l = generation_find_listen(play.g, &addr, false);
	must(l != NULL);
	return l;
}

static bool do_ask(const struct step *s)
{
	const char *from = step_value(s, "from");
	struct query *q = worker_query(&play.w);

	must(play.g != NULL);
	worker_enter(&play.w);
	q->wire_len = packet_ask(s, play.next_id++, q->buf);
	q->transport = step_has(s, 3, "tcp") ? TRANSPORT_TCP : TRANSPORT_UDP;
	must(addr_from_text(&q->client, str_from(from == NULL ? "10.9.9.9" : from), 40000) == 0);
	q->generation = play.g;
	q->on_done = keep_reply;
	q->start_ns = play.w.now_ns;
	play.reply_len = 0;
	play.q = q;
	if (!query_prepare(q, &listener(s)->group) || query_run(q) != QUERY_PARKED)
		keep_reply(q);
	settle();
	return true;
}

/* The words from i on, without the "<<" at the end. */
static void join_words(const struct step *s, size_t i, struct buf *out)
{
	for (; i < s->words.len && strcmp(s->words.at[i], "<<") != 0; i++)
		buf_printf(out, "%s%s", out->len > 0 ? " " : "", s->words.at[i]);
}

/* True when the words of the step from word i on are in the text. */
static bool has_text(const struct step *s, size_t i, const char *text)
{
	struct buf want = {0};
	bool is_there;

	join_words(s, i, &want);
	is_there = strstr(text, buf_text(&want)) != NULL;
	if (!is_there)
		buf_printf(&play.why, "    \"%s\" is not in: %s\n", buf_text(&want), text);
	buf_free(&want);
	return is_there;
}

/* A configuration that must be refused, with this in the reason. */
static bool do_refuse(const struct step *s)
{
	struct err e = {""};
	struct generation_options options = {
		.plugins = plugin_table(),
		.default_port = 53,
		.workers = 1,
		.loop = &play.loop,
		.shared = play.shared,
	};
	struct corefile *c;
	struct generation *g = NULL;

	if (corefile_parse("Corefile", (struct str){s->text.at, s->text.len}, NULL, &c, &e) == 0)
		g = generation_new(c, &options, &e);
	if (g == NULL)
		return has_text(s, 1, e.text);
	generation_free(g);
	buf_printf(&play.why, "    it was accepted\n");
	return false;
}

static bool do_expect(const struct step *s)
{
	if (play.reply_len == 0) {
		buf_printf(&play.why, "    there is no reply\n");
		return false;
	}
	return packet_expect(s, play.reply, play.reply_len, &play.why);
}

static struct seen_serial *find_serial(const char *zone)
{
	struct seen_serial new = {.serial = 0};

	vec_for_each(&play.serials, s)
		if (strcmp(s->zone, zone) == 0)
			return s;
	snprintf(new.zone, sizeof(new.zone), "%s", zone);
	vec_push(&play.serials, new);
	return &play.serials.at[play.serials.len - 1];
}

/* Ask for the SOA record, and compare its serial with the last one. */
static bool do_serial(const struct step *s)
{
	struct seen_serial *seen = find_serial(step_word(s, 1));
	const char *want = step_word(s, 2);
	uint32_t old = seen->serial, now;
	struct step ask = {.line = s->line};
	bool is_right;

	vec_push(&ask.words, "ask");
	vec_push(&ask.words, seen->zone);
	vec_push(&ask.words, "SOA");
	do_ask(&ask);
	vec_free(&ask.words);
	now = packet_serial(play.reply, play.reply_len);
	seen->serial = now;
	is_right = strcmp(want, "moves") == 0 ? (int32_t)(now - old) > 0
		: strcmp(want, "stays") == 0  ? now == old
					      : now != 0;
	if (!is_right)
		buf_printf(&play.why, "    the serial was %u, is %u\n", old, now);
	return is_right;
}

static bool do_quiet(const struct step *s)
{
	(void)s;
	if (play.reply_len != 0)
		buf_printf(&play.why, "    there is a reply already\n");
	return play.reply_len == 0;
}

/* Whether it went to the server, and over TCP or not, as the step says; appends how it did. */
static bool is_sent_so(const struct step *s, const struct fake_sent *sent, struct buf *got)
{
	const char *to = step_value(s, "to");
	char text[ADDR_TEXT_MAX];

	addr_ip_to_text(text, &sent->to);
	buf_printf(got, " to %s%s", text, sent->is_tcp ? " tcp" : "");
	return (to == NULL || strcmp(to, text) == 0) && step_has(s, 3, "tcp") <= sent->is_tcp;
}

static bool do_upstream(const struct step *s)
{
	struct list *node = list_first(&play.sent);
	struct buf got = {0}, want = {0};
	bool same;

	if (node == NULL) {
		buf_printf(&play.why, "    nothing was relayed\n");
		return false;
	}
	play.last = container_of(node, struct sent, node)->packet;
	play.has_last = true;
	list_remove(node);
	free(container_of(node, struct sent, node));
	packet_question(play.last.data, play.last.len, &got);
	buf_printf(&want, "%s %s", step_word(s, 1), step_word(s, 2));
	same = strcmp(got.at, want.at) == 0 && is_sent_so(s, &play.last, &got);
	if (!same)
		buf_printf(&play.why, "    relayed %s, not %s\n", got.at, want.at);
	buf_free(&got);
	buf_free(&want);
	return same;
}

static bool do_reply(const struct step *s)
{
	static uint8_t wire[2 + 65536];
	size_t n;

	must(play.has_last);
	n = packet_reply(s, play.last.data, play.last.len, wire + 2);
	put16(wire, (uint16_t)n); /* the length, over TCP (RFC 1035 4.2.2) */
	if (play.last.is_tcp)
		fake_reply(&play.last, 0, wire, 2 + n);
	else
		fake_reply(&play.last, 0, wire + 2, n);
	settle();
	return true;
}

/* In small steps, so that the worker's clock keeps up with the network's; long waits in one. */
static bool do_wait(const struct step *s)
{
	uint64_t left = (uint64_t)atoi(step_word(s, 1)), part = left > 10000 ? left : 10;

	for (; left > 0; left -= part) {
		part = part < left ? part : left;
		fake_advance(part);
		play.w.now_ns = fake_net.now_ns;
		worker_run_timers(&play.w);
		settle();
	}
	return true;
}

/* A copy of what was logged, to be freed. */
static char *logged_so_far(void)
{
	char *text;

	pthread_mutex_lock(&log_lock);
	text = mem_str(buf_text(&play.log));
	pthread_mutex_unlock(&log_lock);
	return text;
}

static bool do_logged(const struct step *s)
{
	char *log = logged_so_far();
	bool is_there = has_text(s, 1, log);

	free(log);
	return is_there;
}

/* No line of the log has this text. */
static bool do_unlogged(const struct step *s)
{
	struct buf text = {0};
	char *log = logged_so_far();
	const char *at;

	join_words(s, 1, &text);
	at = strstr(log, buf_text(&text));
	if (at != NULL)
		buf_printf(&play.why, "    logged: %.*s\n", (int)strcspn(at, "\n"), at);
	buf_free(&text);
	free(log);
	return at == NULL;
}

static bool do_get(const struct step *s)
{
	buf_free(&play.page.body);
	memset(&play.page, 0, sizeof(play.page));
	if (fake_admin_get(step_word(s, 1), step_word(s, 2), &play.page))
		return true;
	buf_printf(&play.why, "    there is no such endpoint\n");
	return false;
}

static bool do_page(const struct step *s)
{
	if (play.page.status != (unsigned)atoi(step_word(s, 1)))
		buf_printf(&play.why, "    %u: %s\n", play.page.status, buf_text(&play.page.body));
	else if (has_text(s, 2, buf_text(&play.page.body)))
		return true;
	return false;
}

static bool do_objects(const struct step *s)
{
	struct str text = {s->text.at, s->text.len};

	fake_cluster_change(text, strcmp(step_word(s, 0), "delete") == 0);
	return true;
}

static bool do_synced(const struct step *s)
{
	(void)s;
	fake_cluster_synced();
	return true;
}

static bool do_pod(const struct step *s)
{
	fake_cluster_pod(step_word(s, 1));
	return true;
}

static bool do_title(const struct step *s)
{
	(void)s; /* print_result() tells it */
	return true;
}

static bool do_step(const struct step *s)
{
	static const struct {
		const char *verb;
		bool (*play)(const struct step *s);
	} verbs[] = {
		{"ask", do_ask},
		{"cluster", do_cluster},
		{"corefile", do_corefile},
		{"corefile_from", do_corefile_from},
		{"delete", do_objects},
		{"expect", do_expect},
		{"file", do_file},
		{"get", do_get},
		{"logged", do_logged},
		{"objects", do_objects},
		{"page", do_page},
		{"pod", do_pod},
		{"quiet", do_quiet},
		{"refuse", do_refuse},
		{"reply", do_reply},
		{"serial", do_serial},
		{"synced", do_synced},
		{"title", do_title},
		{"unlogged", do_unlogged},
		{"upstream", do_upstream},
		{"wait", do_wait},
	};
	const char *verb = step_word(s, 0);

	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (strcmp(verb, verbs[i].verb) == 0)
			return verbs[i].play(s);
	buf_printf(&play.why, "    unknown step '%s'\n", verb);
	return false;
}

static void begin(void)
{
	memset(&play, 0, sizeof(play));
	fake_net_reset();
	fake_net.on_send = on_send;
	list_init(&play.sent);
	worker_init(&play.w, 0);
	must(uv_loop_init(&play.loop) == 0);
	play.shared = shared_new();
	play.next_id = 1000;
}

static void end(void)
{
	worker_cancel_parked(&play.w, NULL);
	settle();
	if (play.g != NULL) {
		generation_detach(play.g, &play.w);
		generation_free(play.g);
	}
	rcu_reclaim();
	uv_run(&play.loop, UV_RUN_DEFAULT);
	must(uv_loop_close(&play.loop) == 0);
	shared_free(play.shared);
	worker_fini(&play.w);
	while (!list_is_empty(&play.sent)) {
		struct list *node = list_first(&play.sent);

		list_remove(node);
		free(container_of(node, struct sent, node));
	}
	buf_free(&play.why);
	buf_free(&play.log);
	vec_free(&play.serials);
	buf_free(&play.page.body);
	fake_files_remove();
}

/* A TAP line: what was proved is the title, or else the name of the file. */
static void print_result(const struct script *s, const struct step *title, bool is_good)
{
	const char *slash = strrchr(s->path, '/'), *file = slash == NULL ? s->path : slash + 1;

	printf("%s %d -", is_good ? "ok" : "not ok", ++tap_lines);
	if (title == NULL)
		printf(" %.*s", (int)strcspn(file, "."), file);
	for (size_t i = 1; title != NULL && i < title->words.len; i++)
		printf(" %s", step_word(title, i));
	printf("\n");
}

static bool is_title(const struct step *s)
{
	return strcmp(step_word(s, 0), "title") == 0;
}

/* Play one file; prints a TAP line for each title in it, at least one. */
static bool run(const char *path)
{
	struct script *s = script_read(path);
	const struct step *title = NULL;
	bool is_good = s->steps.len > 0;

	begin();
	for (size_t i = 0; is_good && i < s->steps.len; i++) {
		const struct step *step = s->steps.at[i];

		if (is_title(step) && i > 0)
			print_result(s, title, true);
		if (is_title(step))
			title = step;
		is_good = do_step(step);
		if (!is_good)
			printf("# %s:%u: %s\n%s", path, step->line, step_word(step, 0),
				buf_text(&play.why));
	}
	print_result(s, title, is_good);
	end();
	script_free(s);
	return is_good;
}

/* Plugins have threads that log. */
static void keep_log(void *arg, enum log_level level, const char *text)
{
	(void)arg;
	(void)level;
	pthread_mutex_lock(&log_lock);
	buf_printf(&play.log, "%s\n", text);
	pthread_mutex_unlock(&log_lock);
	if (getenv("SCENARIO_LOG") != NULL)
		printf("# %s\n", text);
}

int main(int argc, char **argv)
{
	int failed = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	log_set_sink(keep_log, NULL);
	rcu_register_thread();
	for (int i = 1; i < argc; i++)
		failed += !run(argv[i]);
	rcu_unregister_thread();
	printf("1..%d\n", tap_lines);
	printf("# %d scenarios, %d failed\n", argc - 1, failed);
	return failed > 0 || argc < 2;
}
