#include "core/generation.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "conf/corefile.h"
#include "conf/zonekey.h"
#include "core/metadata.h"
#include "core/metrics.h"
#include "core/unavailable.h"
#include "core/view.h"

/* One server block while it is built. */
struct build {
	struct generation *g;
	const struct server_block *block;
	struct zone_keys keys;
	struct setup setup;
};

static const struct plugin *find_plugin(const struct generation *g, const char *name)
{
	for (const struct plugin *const *p = g->options.plugins; *p != NULL; p++)
		if (strcmp((*p)->name, name) == 0)
			return *p;
	return NULL;
}

static int explain_unavailable(
	const struct generation *g, const struct directive *d, struct err *e)
{
	VEC(const char *) known = {0};
	int rc;

	for (const struct plugin *const *p = g->options.plugins; *p != NULL; p++)
		vec_push(&known, (*p)->name);
	vec_push(&known, NULL);
	rc = unavailable_explain(d, known.at, e);
	vec_free(&known);
	return rc;
}

/* Every directive must be one of ours; each that is not is reported on a line of its own. */
static int check_directives(const struct generation *g, const struct corefile *c, struct err *e)
{
	size_t bad = 0;

	corefile_for_each_block(c, b) {
		block_for_each(b, d) {
			struct err one;

			if (find_plugin(g, d->name) != NULL)
				continue;
			explain_unavailable(g, d, &one);
			if (bad++ == 0 && e != NULL)
				*e = one;
			else
				log_error(NULL, "%s", one.text);
		}
	}
	return bad == 0 ? 0 : -ENOTSUP;
}

static int read_keys(struct build *b, struct err *e)
{
	const struct server_block *block = b->block;

	for (size_t i = 0; i < block->key_count; i++) {
		const struct token *t = &block->keys[i];
		int rc = zone_key_parse(str_from(t->text), b->g->options.default_port, &b->g->arena,
			&b->keys, e);

		if (rc != 0)
			return err_prefix(e, rc, "%s:%u - Error during parsing", t->file, t->line);
	}
	vec_for_each(&b->keys.list, k) {
		if (k->scheme != SCHEME_DNS && k->scheme != SCHEME_TLS)
			return err_set(e, -ENOTSUP,
			        "%s:%u - Error during parsing: %s:// is not part of this version "
			        "of Seamark; serve this block over dns:// or tls://",
			        block->file, block->line, scheme_name(k->scheme));
		vec_push(&b->setup.zones, k->zone);
	}
	b->setup.port = b->keys.list.at[0].port;
	return 0;
}

static const char *server_label(struct build *b)
{
	const char *scheme = scheme_name(b->keys.list.at[0].scheme);
	char text[ADDR_TEXT_MAX];

	if (b->setup.binds.len == 0)
		return arena_printf(&b->g->arena, "%s://:%u", scheme, b->setup.port);
	addr_set_port(&b->setup.binds.at[0], b->setup.port);
	return arena_printf(
		&b->g->arena, "%s://%s", scheme, addr_to_text(text, &b->setup.binds.at[0]));
}

static void add_link(struct chain *c, struct link l)
{
	vec_push(&c->links, l);
	if (l.plugin->query != NULL)
		vec_push(&c->query_hooks, l);
	if (l.plugin->reply != NULL)
		vec_push(&c->reply_hooks, l);
	if (l.plugin->prefetch != NULL)
		vec_push(&c->prefetch_hooks, l);
	if (l.plugin->metadata != NULL)
		vec_push(&c->metadata_hooks, l);
}

/* Set up the plugins of one block in chain order. */
static int setup_plugins(struct build *b, struct err *e)
{
	const struct plugin *const *all = b->g->options.plugins;

	for (uint16_t i = 0; all[i] != NULL; i++) {
		int rc;

		b->setup.first = block_find(b->block, all[i]->name, NULL);
		if (b->setup.first == NULL)
			continue;
		b->setup.instance = NULL;
		b->setup.server_label = server_label(b);
		rc = all[i]->setup(&b->setup, e);
		if (rc != 0)
			return rc;
		if (b->setup.instance != NULL)
			add_link(b->setup.chain, (struct link){all[i], b->setup.instance, i});
	}
	b->setup.server_label = server_label(b);
	return 0;
}

/* Let the instances of a block find each other. */
static int link_plugins(const struct chain *c, struct err *e)
{
	vec_for_each(&c->links, l) {
		int rc = l->plugin->link == NULL ? 0 : l->plugin->link(l->instance, e);

		if (rc != 0)
			return rc;
	}
	return 0;
}

const struct listen *generation_find_listen(
	const struct generation *g, const union addr *addr, bool has_tls)
{
	vec_for_each(&g->listens, at)
		if (addr_equal(&(*at)->addr, addr) && ((*at)->tls != NULL) == has_tls)
			return *at;
	return NULL;
}

static struct listen *take_listen(struct generation *g, const union addr *addr)
{
	struct listen *l;

	vec_for_each(&g->listens, at)
		if (addr_equal(&(*at)->addr, addr))
			return *at;
	l = mem_new(struct listen);
	l->addr = *addr;
	l->limits = stream_limits_default;
	vec_push(&g->listens, l);
	return l;
}

/* What the connections of an address are like is for one block to say: the first that does. */
static int join_listen(struct build *b, struct listen *l, struct server *s, struct err *e)
{
	char text[ADDR_TEXT_MAX];
	bool is_new = l->group.servers.len == 0;

	if (!is_new && (l->tls != NULL) != s->has_tls)
		return err_set(e, -EINVAL,
			"%s:%u - Error during parsing: %s is served with TLS and without; give one "
			"of them another port",
			b->block->file, b->block->line, addr_to_text(text, &l->addr));
	if (is_new && s->has_tls)
		l->tls = b->setup.tls;
	else if (l->tls != NULL && l->tls != b->setup.tls)
		log_warning("tls",
			"%s:%u - %s has the certificate of another server block already, which is "
			"used for all",
			b->block->file, b->block->line, addr_to_text(text, &l->addr));
	if (b->setup.has_limits && !l->has_limits) {
		l->limits = b->setup.limits;
		l->has_limits = true;
	}
	vec_push(&l->group.servers, s);
	return 0;
}

/* Serve s on every address of the block, or on both wildcards. */
static int add_listens(struct build *b, struct server *s, struct err *e)
{
	static const char *const wildcards[] = {"0.0.0.0", "::"};
	union addr addr;
	int rc = 0;

	vec_for_each(&b->setup.binds, bind) {
		addr = *bind;
		addr_set_port(&addr, s->port);
		if (rc == 0)
			rc = join_listen(b, take_listen(b->g, &addr), s, e);
	}
	for (size_t i = 0; i < 2 && b->setup.binds.len == 0 && rc == 0; i++) {
		must(addr_from_text(&addr, str_from(wildcards[i]), s->port) == 0);
		rc = join_listen(b, take_listen(b->g, &addr), s, e);
	}
	return rc;
}

static int check_tls(const struct build *b, struct err *e)
{
	vec_for_each(&b->keys.list, k)
		if (k->scheme == SCHEME_TLS && b->setup.tls == NULL)
			return err_set(e, -EINVAL,
				"%s:%u - Error during parsing: tls:// needs a certificate; add "
				"'tls CERT KEY' to the block",
				b->block->file, b->block->line);
	return 0;
}

static int add_servers(struct build *b, unsigned block_index, struct err *e)
{
	int rc = check_tls(b, e);

	vec_for_each(&b->keys.list, k) {
		struct server *s = arena_new(&b->g->arena, struct server);

		must(name_from_text(&s->zone, str_from(k->zone), NULL) == 0);
		s->zone_labels = name_labels(s->zone.wire);
		s->zone_text = arena_str(&b->g->arena, k->zone);
		s->label = arena_str(&b->g->arena, b->setup.server_label);
		s->port = k->port;
		s->has_tls = k->scheme == SCHEME_TLS;
		s->block_index = block_index;
		s->chain = b->setup.chain;
		s->view = b->setup.view;
		vec_push(&b->g->servers, s);
		if (rc == 0)
			rc = add_listens(b, s, e);
	}
	return rc;
}

static struct served served_entry(struct build *b, const struct zone_key *k)
{
	struct served s = {.key = *k, .file = b->block->file, .line = b->block->line};
	const char **binds = arena_alloc(&b->g->arena, (b->setup.binds.len + 1) * sizeof(*binds));
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < b->setup.binds.len; i++)
		binds[i] = arena_str(
			&b->g->arena, addr_ip_to_text(text, &b->setup.binds.at[i]));
	s.binds = binds;
	s.bind_count = b->setup.binds.len;
	s.has_view = b->setup.view != NULL;
	return s;
}

const char *setup_view_name(const struct setup *s)
{
	return s->view == NULL ? "" : s->view->name;
}

typedef VEC(struct served) served_list;

static int build_block(struct build *b, served_list *served, struct err *e)
{
	struct generation *g = b->g;
	struct setup *s = &b->setup;
	int rc;

	s->generation = g;
	s->block = b->block;
	s->workers = g->options.workers;
	s->loop = g->options.loop;
	s->shared = g->options.shared;
	s->control = g->options.control;
	s->limits = stream_limits_default;
	s->chain = mem_new(struct chain);
	vec_push(&g->chains, s->chain);
	rc = read_keys(b, e);
	if (rc == 0)
		rc = setup_plugins(b, e);
	if (rc == 0)
		rc = link_plugins(s->chain, e);
	if (rc == 0)
		rc = add_servers(b, (unsigned)g->chains.len - 1, e);
	vec_for_each(&b->keys.list, k)
		vec_push(served, served_entry(b, k));
	vec_free(&b->keys.list);
	vec_free(&s->zones);
	vec_free(&s->binds);
	return rc;
}

static int build_blocks(struct generation *g, struct err *e)
{
	served_list served = {NULL, 0, 0};
	int rc = check_directives(g, g->corefile, e);

	for (size_t i = 0; rc == 0 && i < g->corefile->block_count; i++) {
		struct build b = {.g = g, .block = &g->corefile->blocks[i]};

		rc = build_block(&b, &served, e);
	}
	if (rc == 0)
		rc = served_check(served.at, served.len, e);
	vec_free(&served);
	return rc;
}

/* A file that was emptied, or is half written, must not end what is served. */
static int check_any_block(const struct corefile *c, struct err *e)
{
	if (c->block_count > 0)
		return 0;
	return err_set(e, -EINVAL,
		"%s: there is no server block, so nothing would be served; write a zone, such as "
		"'.', and its plugins in braces",
		c->file_count > 0 ? c->files[0] : "the Corefile");
}

struct generation *generation_new(
	struct corefile *corefile, const struct generation_options *options, struct err *e)
{
	struct generation *g = mem_new(struct generation);

	arena_init(&g->arena);
	g->corefile = corefile;
	g->options = *options;
	if (check_any_block(corefile, e) != 0 || build_blocks(g, e) != 0) {
		generation_free(g);
		return NULL;
	}
	vec_for_each(&g->listens, l)
		server_group_build(&(*l)->group);
	return g;
}

/* Put file and line of the plugin's directive before what its start hook said. */
static int blame(const struct server_block *block, const char *plugin, int rc, struct err *e)
{
	const struct directive *d = block_find(block, plugin, NULL);
	struct err why;

	if (d == NULL || e == NULL)
		return rc;
	why = *e;
	return err_set(e, rc, "%s:%u - %s", d->file, d->line, why.text);
}

static int start_chain(const struct chain *c, const struct server_block *block, struct err *e)
{
	vec_for_each(&c->links, l) {
		int rc = l->plugin->start == NULL ? 0 : l->plugin->start(l->instance, e);

		if (rc != 0)
			return blame(block, l->plugin->name, rc, e);
	}
	return 0;
}

int generation_start(struct generation *g, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < g->chains.len; i++)
		rc = start_chain(g->chains.at[i], &g->corefile->blocks[i], e);
	return rc;
}

void generation_attach(struct generation *g, struct worker *w)
{
	vec_for_each(&g->chains, c)
		vec_for_each(&(*c)->links, l)
			if (l->plugin->attach != NULL)
				l->plugin->attach(l->instance, w);
}

void generation_detach(struct generation *g, struct worker *w)
{
	vec_for_each(&g->chains, c)
		vec_for_each(&(*c)->links, l)
			if (l->plugin->detach != NULL)
				l->plugin->detach(l->instance, w);
}

static void chain_free(struct chain *c)
{
	vec_for_each(&c->links, l)
		if (l->plugin->teardown != NULL)
			l->plugin->teardown(l->instance);
	vec_free(&c->links);
	vec_free(&c->query_hooks);
	vec_free(&c->reply_hooks);
	vec_free(&c->prefetch_hooks);
	vec_free(&c->metadata_hooks);
	metadata_fini(c);
	free(c);
}

void generation_free(struct generation *g)
{
	vec_for_each(&g->chains, c)
		chain_free(*c);
	vec_for_each(&g->listens, l) {
		server_group_fini(&(*l)->group);
		free(*l);
	}
	vec_free(&g->chains);
	vec_free(&g->servers);
	vec_free(&g->listens);
	corefile_free(g->corefile);
	arena_reset(&g->arena);
	free(g);
}

void generation_metrics(struct generation *g, struct metrics *m)
{
	vec_for_each(&g->chains, c)
		vec_for_each(&(*c)->links, l)
			if (l->plugin->metrics != NULL)
				l->plugin->metrics(l->instance, m);
}

bool generation_is_ready(struct generation *g, struct buf *names)
{
	size_t before = names->len;

	vec_for_each(&g->chains, c) {
		vec_for_each(&(*c)->links, l) {
			if (l->plugin->ready == NULL || l->plugin->ready(l->instance))
				continue;
			if (names->len > before)
				buf_char(names, ',');
			buf_str(names, l->plugin->name);
		}
	}
	return names->len == before;
}

bool generation_stop(struct generation *g)
{
	bool may_stop = true;

	vec_for_each(&g->chains, c)
		vec_for_each(&(*c)->links, l)
			if (l->plugin->stop != NULL && !l->plugin->stop(l->instance))
				may_stop = false;
	return may_stop;
}
