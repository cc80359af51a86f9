/*
 * Rules of rewrite, template, acl and the small plugins from anybody, and questions that meet
 * them: all of them are answered or dropped, and each answer is a message.
 */
#include "fuzz.h"

#include <string.h>

#include "base/log.h"
#include "base/must.h"
#include "base/rcu.h"
#include "conf/corefile.h"
#include "core/generation.h"
#include "core/query.h"
#include "core/worker.h"
#include "dns/rr.h"
#include "dns/wire.h"

extern const struct plugin metadata_plugin, errors_plugin, local_plugin, dns64_plugin, any_plugin,
        chaos_plugin, loadbalance_plugin, rewrite_plugin, acl_plugin, cache_plugin, header_plugin,
        minimal_plugin, template_plugin, whoami_plugin;

static const struct plugin *const plugins[] = {&metadata_plugin, &errors_plugin, &local_plugin,
        &dns64_plugin, &any_plugin, &chaos_plugin, &loadbalance_plugin, &rewrite_plugin,
        &acl_plugin, &cache_plugin, &header_plugin, &minimal_plugin, &template_plugin,
        &whoami_plugin, NULL};

static void ignore_line(void *arg, enum log_level level, const char *text)
{
	(void)arg;
	(void)level;
	(void)text;
}

/* With an EDNS option, for rules that change those. */
static void write_question(struct query *q, const char *name, uint16_t type)
{
	static const uint8_t opt[] = {
	        0, 0, 41, 4, 208, 0, 0, 128, 0, 0, 8, 0xff, 0xee, 0, 4, 1, 2, 3, 4};
	struct name n;
	uint8_t *p = q->buf;

	must(name_from_text(&n, str_from(name), NULL) == 0);
	memset(p, 0, MSG_HEADER);
	put16(p + 2, FLAG_RD);
	put16(p + 4, 1);
	put16(p + 10, 1);
	p += MSG_HEADER;
	memcpy(p, n.wire, n.len);
	p += n.len;
	put16(p, type);
	put16(p + 2, CLASS_IN);
	memcpy(p + 4, opt, sizeof(opt));
	q->wire_len = (size_t)(p + 4 + sizeof(opt) - q->buf);
	must(addr_from_text(&q->client, STR("10.9.9.9"), 40000) == 0);
	must(addr_from_text(&q->local, STR("10.9.9.1"), 53) == 0);
}

static void ask(struct generation *g, struct worker *w, const char *name, uint16_t type)
{
	struct query *q = worker_query(w);
	enum query_state state = QUERY_ANSWERED;
	size_t n;

	must(q != NULL);
	write_question(q, name, type);
	q->generation = g;
	if (query_prepare(q, &g->listens.at[0]->group))
		state = query_run(q);
	must(state != QUERY_PARKED); /* nothing here waits */
	if (state == QUERY_ANSWERED && !q->is_dropped) {
		n = query_encode(q, q->buf, sizeof(q->buf));
		must(n >= MSG_HEADER && n <= sizeof(q->buf));
	}
	query_release(q);
}

static void ask_all(struct generation *g)
{
	struct worker w;

	worker_init(&w, 0);
	w.now_ns = 1000000000;
	generation_attach(g, &w);
	ask(g, &w, "www.Example.org.", TYPE_A);
	ask(g, &w, "a.b.coredns.rocks.", TYPE_AAAA);
	ask(g, &w, "4.3.2.1.in-addr.arpa.", TYPE_PTR);
	ask(g, &w, "_http._tcp.x.y.", TYPE_SRV);
	ask(g, &w, "www.example.org.", TYPE_A);
	generation_detach(g, &w);
	worker_fini(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct corefile_options reading = {.no_files = true};
	const struct generation_options options = {
	        .plugins = plugins, .default_port = 53, .workers = 1};
	struct buf text = {0};
	struct corefile *c;
	struct generation *g;
	struct err e;

	log_set_sink(ignore_line, NULL);
	buf_str(&text, ". {\n");
	buf_add(&text, data, size);
	buf_str(&text, "\n}\n");
	if (corefile_parse("Corefile", (struct str){text.at, text.len}, &reading, &c, &e) == 0) {
		g = generation_new(c, &options, &e);
		if (g != NULL) {
			ask_all(g);
			generation_free(g);
		}
	}
	rcu_reclaim();
	buf_free(&text);
	return 0;
}
