/*
 * Replies of upstream servers on their way through the plugins that look into them - cache,
 * rewrite, dns64, loadbalance, minimal - to clients over TCP and UDP: whatever a server sends, what
 * goes out is a message within its limit. The first octet chooses the plugins, the reply follows,
 * and its question is what the client asks.
 */
#include "fuzz.h"

#include <string.h>

#include "base/must.h"
#include "base/rcu.h"
#include "conf/corefile.h"
#include "core/generation.h"
#include "core/query.h"
#include "core/worker.h"
#include "dns/rr.h"
#include "dns/wire.h"
#include "net/reply.h"

extern const struct plugin dns64_plugin, loadbalance_plugin, rewrite_plugin, cache_plugin,
        header_plugin, minimal_plugin;

static const char *const blocks[] = {
        ". {\ncache {\nsuccess 8 60 5\ndenial 8\nserve_stale\n}\nupstream\n}",
        ". {\ncache {\nsuccess 8\ndenial 8\n}\nloadbalance\n"
        "rewrite name regex (.*) {0} answer name (.*)[.] x.{1}. "
        "answer value ^([^.]*)[.] {1}y.\nupstream\n}",
        ". {\ndns64 {\ntranslate_all\n}\nminimal\ncache {\nsuccess 8 30\ndenial 8\n}\nupstream\n}",
        ". {\nrewrite continue ttl regex .* 5-30\nrewrite continue rcode regex .* NXDOMAIN "
        "NOERROR\n"
        "rewrite cname regex .* other.example\nheader {\nresponse set aa\n}\nupstream\n}",
};

/* --- the server --- */

static struct {
	const uint8_t *data;
	size_t size;
	struct reply clean;
} sent;

/* As forward does it. */
static enum verdict answer_from_server(struct query *q, void *instance)
{
	const struct reply_question rq = {.query = q->buf,
	        .end = q->msg.question_end,
	        .wants_dnssec = q->msg.edns.wants_dnssec};
	struct answer *a = &q->answer;

	(void)instance;
	a->is_relayed = true;
	a->rcode = RCODE_SERVFAIL;
	if (!reply_is_for(&rq, sent.data, sent.size) ||
	        !reply_clean(&sent.clean, &rq, sent.data, sent.size))
		return DONE;
	a->rcode = sent.clean.rcode;
	a->is_truncated = sent.clean.is_truncated;
	a->is_authoritative = sent.clean.is_authoritative;
	a->is_authentic = sent.clean.is_authentic;
	a->has_recursion = true;
	answer_set_message(a, (uint8_t *)arena_dup(&q->arena, sent.clean.wire, sent.clean.len),
	        sent.clean.len);
	return DONE;
}

static int setup(struct setup *s, struct err *e)
{
	static int instance;

	(void)e;
	s->instance = &instance;
	return 0;
}

static const struct plugin upstream_plugin = {
        .name = "upstream", .setup = setup, .query = answer_from_server};
static const struct plugin *const plugins[] = {&dns64_plugin, &loadbalance_plugin, &rewrite_plugin,
        &cache_plugin, &header_plugin, &minimal_plugin, &upstream_plugin, NULL};

/* --- the client --- */

/* The reply's question, with RD, perhaps with DO; false when it has none. */
static bool write_question(struct query *q, bool wants_dnssec)
{
	static const uint8_t opt[] = {0, 0, 41, 4, 208, 0, 0, 128, 0, 0, 0};
	size_t n = sent.size <= MSG_HEADER + 4u
	                   ? 0
	                   : name_check(sent.data + MSG_HEADER, sent.size - MSG_HEADER - 4);

	if (n == 0)
		return false;
	memset(q->buf, 0, MSG_HEADER);
	put16(q->buf + 2, FLAG_RD);
	put16(q->buf + 4, 1);
	put16(q->buf + 10, wants_dnssec ? 1 : 0);
	memcpy(q->buf + MSG_HEADER, sent.data + MSG_HEADER, n + 4);
	q->wire_len = MSG_HEADER + n + 4;
	memcpy(q->buf + q->wire_len, opt, sizeof(opt));
	q->wire_len += wants_dnssec ? sizeof(opt) : 0;
	return addr_from_text(&q->client, STR("10.9.9.9"), 40000) == 0;
}

/* Header, question, and records to the last octet. */
static void check_message(const uint8_t *at, size_t n)
{
	struct reader r = reader_on(at, n);
	unsigned records = get16(at + 6) + (unsigned)get16(at + 8) + get16(at + 10);
	struct rr_view rr;

	must(get16(at + 4) == 1);
	r.at = MSG_HEADER + name_check(at + MSG_HEADER, n - MSG_HEADER) + 4;
	for (unsigned i = 0; i < records; i++)
		must(read_rr(&r, &rr));
	must(r.at == n);
}

static void ask(struct generation *g, struct worker *w, uint8_t transport, bool wants_dnssec)
{
	static uint8_t out[65535];
	struct query *q = worker_query(w);
	size_t n;

	must(q != NULL);
	q->transport = transport;
	q->generation = g;
	q->start_ns = w->now_ns;
	if (write_question(q, wants_dnssec) && query_prepare(q, &g->listens.at[0]->group)) {
		must(query_run(q) == QUERY_ANSWERED);
		n = query_encode(q, out, sizeof(out));
		must(n <= (transport == TRANSPORT_TCP ? sizeof(out) : wants_dnssec ? 1232u : 512u));
		check_message(out, n);
	}
	query_release(q);
}

/* The caches live on, but nothing in them does after so long. */
static void ask_all(struct generation *g, struct worker *w)
{
	w->now_ns += 1000000000000000;
	ask(g, w, TRANSPORT_TCP, false);
	ask(g, w, TRANSPORT_UDP, false);
	ask(g, w, TRANSPORT_UDP, true);
	w->now_ns += 7000000000;
	ask(g, w, TRANSPORT_TCP, true);
	ask(g, w, TRANSPORT_TCP, false);
	rcu_quiescent_state();
}

static struct generation *generations[ARRAY_LEN(blocks)];
static struct worker worker;

static void begin(void)
{
	const struct generation_options options = {
	        .plugins = plugins, .default_port = 53, .workers = 1};
	struct corefile *c;
	struct err e;

	rcu_register_thread();
	worker_init(&worker, 0);
	worker.wall_s = 1700000000;
	for (size_t i = 0; i < ARRAY_LEN(blocks); i++) {
		must(corefile_parse("Corefile", str_from(blocks[i]), NULL, &c, &e) == 0);
		generations[i] = generation_new(c, &options, &e);
		must(generations[i] != NULL);
		generation_attach(generations[i], &worker);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (generations[0] == NULL)
		begin();
	if (size < 1 || size > 65535)
		return 0;
	sent.data = data + 1;
	sent.size = size - 1;
	if (reply_check_header(sent.data, sent.size) == BAD_REASONS)
		ask_all(generations[data[0] % ARRAY_LEN(blocks)], &worker);
	return 0;
}
