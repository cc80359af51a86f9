#include <stdlib.h>

#include "base/must.h"
#include "base/rcu.h"
#include "forward/forward.h"
#include "net/interfaces.h"

#define LOCALS_MAX 256u
#define RESOLVCONF_ETC "/etc/resolv.conf"
#define LISTENS_MAX 64u

/* What the choice of servers depends on besides the files. */
struct around {
	struct upstream_inputs in;
	union addr listens[LISTENS_MAX], locals[LOCALS_MAX];
};

/* --- servers and what is counted about them --- */

static void make_contexts(struct forward_server *s, const struct forward_rule *rule)
{
	unsigned workers = rule->forward->workers;

	s->tls = mem_array(workers, sizeof(struct tls_context *));
	for (unsigned i = 0; i < workers; i++)
		s->tls[i] = tls_client_twin(rule->tls);
}

static struct forward_server *server_new(struct forward_rule *rule, const struct forward_to *to)
{
	unsigned workers = rule->forward->workers;
	struct forward_server *s = mem_new(struct forward_server);

	s->to = *to;
	s->workers = workers;
	s->tls_log = (struct log_limit_shared)LOG_LIMIT_SHARED(1, 3);
	addr_to_text(s->text, &to->addr);
	s->stats = aligned_alloc(_Alignof(struct relay_stats), workers * sizeof(*s->stats));
	must(s->stats != NULL);
	memset(s->stats, 0, workers * sizeof(*s->stats));
	if (to->is_tls)
		make_contexts(s, rule);
	s->next = rule->servers;
	rcu_publish(rule->servers, s);
	rule->servers_len++;
	return s;
}

static bool is_same(const struct forward_to *a, const struct forward_to *b)
{
	if (!addr_equal(&a->addr, &b->addr) || a->is_tls != b->is_tls)
		return false;
	if (a->name == NULL || b->name == NULL)
		return a->name == b->name;
	return strcmp(a->name, b->name) == 0;
}

static void server_free(void *object)
{
	struct forward_server *s = object;

	for (unsigned i = 0; s->tls != NULL && i < s->workers; i++)
		tls_context_unref(s->tls[i]);
	free(s->tls);
	free(s->stats);
	free(s);
}

static bool has_server(const struct forward_set *set, const struct forward_server *s)
{
	for (size_t i = 0; set != NULL && i < set->len; i++)
		if (set->servers[i] == s)
			return true;
	return false;
}

/* A worker that has had no question for a while still has the servers of its last one. */
static bool is_in_use(const struct forward_server *s)
{
	for (unsigned i = 0; i < s->workers; i++)
		if (stat_read(&s->stats[i].in_use) > 0)
			return true;
	return false;
}

/*
 * Forget the servers that nobody has: neither the set of now, nor the next one, nor a relay.
 * Reclaiming waits until no worker can find an older set.
 */
static void forget_unused(struct forward_rule *rule, const struct forward_set *next)
{
	struct forward_server **at = &rule->servers;

	rcu_reclaim();
	while (*at != NULL) {
		struct forward_server *s = *at;

		if (has_server(rule->set, s) || has_server(next, s) || is_in_use(s)) {
			at = &s->next;
			continue;
		}
		rcu_publish(*at, s->next);
		rule->servers_len--;
		rcu_retire(s, server_free);
	}
}

/* The entry of an address for the set; NULL when there are too many. */
static struct forward_server *server_of(
        struct forward_rule *rule, const struct forward_set *set, const struct forward_to *to)
{
	for (struct forward_server *s = rule->servers; s != NULL; s = s->next)
		if (is_same(&s->to, to))
			return s;
	if (rule->servers_len >= FORWARD_SERVERS_KEPT)
		forget_unused(rule, set);
	return rule->servers_len < FORWARD_SERVERS_MAX ? server_new(rule, to) : NULL;
}

static bool is_left_out(const struct forward *f, const union addr *a)
{
	vec_for_each (&f->left_out, at)
		if (addr_equal(at, a))
			return true;
	return false;
}

static void add_server(
        struct forward_rule *rule, struct forward_set *set, const struct forward_to *to)
{
	struct forward_server *s = server_of(rule, set, to);

	if (!to->is_tls && is_left_out(rule->forward, &to->addr))
		return;
	if (s == NULL || set->len == RELAY_TARGETS_MAX) {
		log_warning(FORWARD_WHO, "too many upstream servers: some are not used");
		return;
	}
	for (size_t i = 0; i < set->len; i++)
		if (set->servers[i] == s)
			return;
	set->servers[set->len++] = s;
}

/* --- our own addresses --- */

static void look_around(struct around *a, const struct forward_rule *rule)
{
	const struct generation *g = rule->forward->generation;

	memset(a, 0, sizeof(*a));
	a->in.listens = a->listens;
	a->in.locals = a->locals;
	if (g == NULL)
		return;
	vec_for_each (&g->listens, l)
		if (a->in.listens_len < LISTENS_MAX)
			a->listens[a->in.listens_len++] = (*l)->addr;
	if (a->in.listens_len > 0)
		a->in.locals_len = interface_addresses(a->locals, LOCALS_MAX);
	if (rule->systemd != NULL)
		a->in.systemd = resolvconf_watch_conf(rule->systemd);
}

/* --- the list --- */

/* Options of a file that concern us: not ndots, search and edns0, which are the client's. */
static void apply_options(
        const struct forward_rule *rule, struct relay_config *c, const struct resolvconf *file)
{
	uint32_t patience_ms = file->timeout_s * (file->attempts == 0 ? 2 : file->attempts) * 1000u;

	if (file->rotate && !rule->has_policy)
		c->policy = RELAY_ROUND_ROBIN;
	if (file->use_vc)
		c->force_tcp = true;
	if (patience_ms >= 1000 && patience_ms < c->deadline_ms)
		c->deadline_ms = patience_ms;
}

static void add_file(struct forward_file *file, struct forward_set *set, struct around *a)
{
	static const struct resolvconf nothing;
	const struct resolvconf *conf =
	        file->watch == NULL ? NULL : resolvconf_watch_conf(file->watch);
	struct upstream_choice choice;

	if (file->watch == NULL)
		return;
	a->in.path = file->path;
	a->in.file = conf == NULL ? &nothing : conf;
	upstream_choose(&a->in, &choice);
	for (unsigned i = 0; i < choice.len; i++)
		add_server(file->rule, set, &(struct forward_to){.addr = choice.servers[i]});
	if (conf != NULL)
		apply_options(file->rule, &set->config, conf);
	if (choice.text[0] != '\0' && strcmp(choice.text, file->last) != 0)
		log_warning(FORWARD_WHO, "%s", choice.text);
	memcpy(file->last, choice.text, sizeof(file->last));
}

static void add_addresses(struct forward_rule *rule, struct forward_set *set, struct around *a)
{
	vec_for_each (&rule->addresses, to) {
		char text[ADDR_TEXT_MAX];

		if (!upstream_is_self(&a->in, &to->addr)) {
			add_server(rule, set, to);
			continue;
		}
		log_warning(FORWARD_WHO, "%s is this server itself: left out",
		        addr_to_text(text, &to->addr));
	}
}

static void add_named(struct forward_rule *rule, struct forward_set *set, struct around *a)
{
	vec_for_each (&rule->named, at) {
		const struct forward_named *n = *at;

		for (unsigned i = 0; n->known != NULL && i < n->known->len; i++) {
			struct forward_to to = n->to;

			to.addr = n->known->addrs[i];
			addr_set_port(&to.addr, addr_port(&n->to.addr));
			if (!upstream_is_self(&a->in, &to.addr))
				add_server(rule, set, &to);
		}
	}
}

size_t forward_resolvers(struct forward_rule *rule, union addr out[RELAY_TARGETS_MAX])
{
	static const struct resolvconf nothing;
	const struct resolvconf *system =
	        rule->system == NULL ? NULL : resolvconf_watch_conf(rule->system);
	struct around *a = mem_new(struct around);
	struct upstream_choice choice = {.len = 0};
	size_t n = 0;

	look_around(a, rule);
	a->in.path = RESOLVCONF_ETC;
	a->in.file = system == NULL ? &nothing : system;
	if (rule->resolvers.len == 0)
		upstream_choose(&a->in, &choice);
	for (unsigned i = 0; i < choice.len; i++)
		out[n++] = choice.servers[i];
	vec_for_each (&rule->resolvers, addr)
		if (n < RELAY_TARGETS_MAX && !upstream_is_self(&a->in, addr))
			out[n++] = *addr;
	free(a);
	return n;
}

static bool is_same_set(const struct forward_set *a, const struct forward_set *b)
{
	return a->len == b->len &&
	       memcmp(a->servers, b->servers, a->len * sizeof(a->servers[0])) == 0 &&
	       a->config.policy == b->config.policy && a->config.force_tcp == b->config.force_tcp &&
	       a->config.deadline_ms == b->config.deadline_ms;
}

static void log_change(const struct forward_rule *rule, const struct forward_set *set)
{
	struct buf b = {0};

	for (size_t i = 0; i < set->len; i++)
		buf_printf(&b, "%s%s", i > 0 ? ", " : "", set->servers[i]->text);
	log_info(FORWARD_WHO, "upstream servers of %s changed: %s", rule->from_text,
	        set->len == 0 ? "none" : buf_text(&b));
	buf_free(&b);
}

void forward_publish(struct forward_rule *rule)
{
	struct forward_set *set = mem_new(struct forward_set), *old = rule->set;
	struct around *a = mem_new(struct around);
	bool is_new;

	set->version = old == NULL ? 1 : old->version + 1;
	set->config = rule->config;
	look_around(a, rule);
	add_addresses(rule, set, a);
	add_named(rule, set, a);
	vec_for_each (&rule->routed, to)
		if (!addr_is_stub(&to->addr) && !upstream_is_self(&a->in, &to->addr))
			add_server(rule, set, to);
	vec_for_each (&rule->files, file)
		add_file(*file, set, a);
	free(a);
	is_new = old == NULL || !is_same_set(set, old);
	if (!is_new) {
		free(set);
		return;
	}
	if (rule->is_started)
		log_change(rule, set);
	rcu_publish(rule->set, set);
	if (old != NULL)
		rcu_retire(old, free);
}

/* --- files --- */

/* True when set has other servers than were in old, whatever their order. */
static bool has_other_servers(const struct forward_set *set, const struct forward_set *old)
{
	if (set->len != old->len)
		return true;
	for (size_t i = 0; i < old->len; i++)
		if (!has_server(set, old->servers[i]))
			return true;
	return false;
}

/* The host is in another network perhaps, where names mean something else. */
static void on_file(void *arg, const struct resolvconf *conf)
{
	struct forward_rule *rule = arg;
	struct forward_set before = *rule->set;

	(void)conf;
	forward_publish(rule);
	if (rule->is_started && has_other_servers(rule->set, &before))
		forward_tell_followers(rule->forward);
}

/* The next look-up takes what it says. */
static void on_system(void *arg, const struct resolvconf *conf)
{
	(void)arg;
	(void)conf;
}

static void start_rule(struct forward_rule *rule)
{
	bool needs_systemd = false;

	vec_for_each (&rule->files, at) {
		struct forward_file *file = *at;

		file->watch = resolvconf_watch_start(
		        rule->forward->loop, file->path, FORWARD_WHO, on_file, rule);
		needs_systemd = needs_systemd || strcmp(file->path, RESOLVCONF_SYSTEMD) != 0;
	}
	if (rule->split != NULL)
		forward_split_start(rule);
	if (rule->named.len > 0 && rule->resolvers.len == 0) {
		rule->system = resolvconf_watch_start(
		        rule->forward->loop, RESOLVCONF_ETC, NULL, on_system, rule);
		needs_systemd = true;
	}
	if (needs_systemd)
		rule->systemd = resolvconf_watch_start(
		        rule->forward->loop, RESOLVCONF_SYSTEMD, NULL, on_file, rule);
	forward_publish(rule);
	rule->is_started = true;
	forward_named_start(rule);
}

int forward_start(void *instance, struct err *e)
{
	struct forward *f = instance;

	(void)e;
	vec_for_each (&f->rules, rule)
		start_rule(*rule);
	return 0;
}

void forward_rule_free(struct forward_rule *rule)
{
	resolvconf_watch_stop(rule->systemd);
	resolvconf_watch_stop(rule->system);
	forward_named_free(rule);
	forward_split_free(rule);
	vec_for_each (&rule->files, file)
		resolvconf_watch_stop((*file)->watch);
	while (rule->servers != NULL) {
		struct forward_server *s = rule->servers;

		rule->servers = s->next;
		server_free(s);
	}
	tls_context_unref(rule->tls);
	zone_list_free(&rule->except);
	vec_free(&rule->addresses);
	vec_free(&rule->routed);
	vec_free(&rule->files);
	free(rule->workers);
	free(rule->set);
	free(rule);
}

/* --- what others may do with the servers (core/upstreams.h) --- */

/* Position: rule number times RELAY_TARGETS_MAX, plus that of the server in its list. */
static bool next_upstream(void *instance, size_t *pos, struct upstream *out)
{
	const struct forward *f = instance;

	for (;;) {
		size_t i = *pos / RELAY_TARGETS_MAX, k = *pos % RELAY_TARGETS_MAX;
		const struct forward_rule *rule;

		if (i >= f->rules.len)
			return false;
		rule = f->rules.at[i];
		if (rule->set != NULL && k < rule->set->len) {
			++*pos;
			if (rule->set->servers[k]->to.is_tls)
				continue; /* it would not understand a plain question */
			out->addr = rule->set->servers[k]->to.addr;
			out->zone = rule->from_text;
			return true;
		}
		*pos = (i + 1) * RELAY_TARGETS_MAX;
	}
}

static void publish_all(const struct forward *f)
{
	vec_for_each (&f->rules, rule)
		forward_publish(*rule);
}

static void leave_out(void *instance, const union addr *addr)
{
	struct forward *f = instance;

	if (is_left_out(f, addr))
		return;
	vec_push(&f->left_out, *addr);
	publish_all(f);
}

static void take_back(void *instance, const union addr *addr)
{
	struct forward *f = instance;

	for (size_t i = 0; i < f->left_out.len; i++) {
		if (!addr_equal(&f->left_out.at[i], addr))
			continue;
		vec_remove(&f->left_out, i);
		publish_all(f);
		return;
	}
}

static void follow(void *instance, struct upstreams_follower *f)
{
	struct forward *forward = instance;

	list_push(&forward->followers, &f->node);
}

void forward_tell_followers(struct forward *f)
{
	list_for_each (&f->followers, node) {
		struct upstreams_follower *who =
		        container_of(node, struct upstreams_follower, node);

		who->on_change(who);
	}
}

const struct upstreams_ops forward_upstreams = {
        .next = next_upstream, .leave_out = leave_out, .take_back = take_back, .follow = follow};
