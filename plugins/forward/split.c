/*
 * `forward FROM systemd-resolved`: each domain that systemd-resolved routes to servers of its own
 * gets a rule of its own, with relays of its own, that takes what the options of the directive say.
 * Which domains there are changes while the server runs, but workers learn of rules only when a
 * generation begins: so there is a fixed number of such rules, lent to domains.
 */
#include <stdlib.h>

#include "base/rcu.h"
#include "forward/forward.h"
#include "net/resolved_watch.h"

/* Twice as many as there are domains at a time: the old ones are in use until the new ones are. */
#define LENT_MAX (2 * FORWARD_ROUTES_MAX)

/* Lifetime: immutable; published under RCU by the control thread. */
struct forward_routes {
	size_t len;
	struct {
		struct name zone;
		struct forward_rule *rule;
	} at[FORWARD_ROUTES_MAX]; /* longer zones first */
};

/* Lifetime: with the rule; routes is read by workers, all else is the control thread's. */
struct forward_split {
	struct forward_routes *routes; /* published */
	const char *run;
	struct resolved_watch *links;
	struct resolvconf_watch *list;
	char list_path[512];
	struct forward_rule *lent[LENT_MAX]; /* the rules; a free one has no route_text */
	uint64_t used[LENT_MAX]; /* number of the change that last used it */
	uint64_t changes;
	struct resolved_routes last; /* what was read then */
	bool has_warned_many;
};

struct forward_rule *forward_route(struct forward_rule *rule, const uint8_t *folded)
{
	const struct forward_routes *routes;

	if (rule->split == NULL)
		return rule;
	routes = rcu_borrow(rule->split->routes);
	for (size_t i = 0; routes != NULL && i < routes->len; i++)
		if (name_is_under(folded, routes->at[i].zone.wire))
			return routes->at[i].rule;
	return rule;
}

/* --- rules lent to domains --- */

/* A copy with the options of the directive, which by itself takes no name. */
static struct forward_rule *lend_new(const struct forward_rule *rule)
{
	static const struct name root = {.len = 1};
	struct forward_rule *r = forward_rule_new(rule->forward);
	struct forward_worker *workers = r->workers;

	*r = *rule;
	r->workers = workers;
	r->split = NULL;
	r->tls = NULL; /* until a server needs it */
	r->set = NULL;
	r->servers = NULL;
	r->servers_len = 0;
	memset(&r->except, 0, sizeof(r->except));
	memset(&r->addresses, 0, sizeof(r->addresses));
	memset(&r->named, 0, sizeof(r->named));
	memset(&r->resolvers, 0, sizeof(r->resolvers));
	memset(&r->files, 0, sizeof(r->files));
	memset(&r->routed, 0, sizeof(r->routed));
	zone_list_add(&r->except, &root);
	r->from_text = r->route_text;
	r->route_text[0] = '\0';
	return r;
}

void forward_split_setup(struct forward_rule *rule)
{
	struct forward_split *s = rule->split;

	for (size_t i = 0; i < LENT_MAX; i++) {
		s->lent[i] = lend_new(rule);
		forward_publish(s->lent[i]);
	}
}

void forward_split_new(struct forward_rule *rule, const char *run)
{
	rule->split = mem_new(struct forward_split);
	rule->split->run = run;
}

/* The rule that has the domain, else the one that has been free for the longest time. */
static struct forward_rule *lend(struct forward_split *s, const char *zone)
{
	size_t best = LENT_MAX;

	for (size_t i = 0; i < LENT_MAX; i++) {
		bool is_free = s->used[i] != s->changes;

		if (strcmp(s->lent[i]->route_text, zone) == 0) {
			best = i;
			break;
		}
		if (is_free && s->lent[i]->route_text[0] == '\0' &&
		        (best == LENT_MAX || s->used[i] < s->used[best]))
			best = i;
	}
	if (best == LENT_MAX)
		return NULL;
	s->used[best] = s->changes;
	return s->lent[best];
}

static void give_back_unused(struct forward_split *s)
{
	for (size_t i = 0; i < LENT_MAX; i++) {
		struct forward_rule *r = s->lent[i];

		if (s->used[i] == s->changes || r->route_text[0] == '\0')
			continue;
		vec_free(&r->routed);
		forward_publish(r);
		r->route_text[0] = '\0';
		s->used[i] = s->changes;
	}
}

/* The certificates that servers over TLS are checked with: read when the first is met. */
static bool prepare_tls(struct forward_rule *owner, struct forward_rule *rule)
{
	struct tls_client_options o = {owner->cert, owner->key, owner->ca};
	struct err e = {""};

	if (owner->tls == NULL)
		owner->tls = tls_client_context(&o, &e);
	if (owner->tls == NULL) {
		log_warning(FORWARD_WHO, "servers with DNSOverTLS=yes are left out: %s", e.text);
		return false;
	}
	if (rule->tls == NULL)
		rule->tls = tls_context_ref(owner->tls);
	return true;
}

/* A name that lives as long as the servers of the rule do: that of the same server before. */
static const char *keep_name(struct forward_rule *rule, const struct resolved_server *from)
{
	if (from->name[0] == '\0')
		return rule->tls_servername;
	for (struct forward_server *s = rule->servers; s != NULL; s = s->next)
		if (s->to.name != NULL && strcmp(s->to.name, from->name) == 0)
			return s->to.name;
	return arena_str(&rule->forward->arena, from->name);
}

static void set_servers(
        struct forward_rule *owner, struct forward_rule *rule, const struct resolved_route *route)
{
	vec_free(&rule->routed);
	for (unsigned i = 0; i < route->servers_len; i++) {
		const struct resolved_server *from = &route->servers[i];
		struct forward_to to = {.addr = from->addr, .is_tls = from->is_tls};

		if (to.is_tls && !prepare_tls(owner, rule))
			continue;
		if (to.is_tls)
			to.name = keep_name(rule, from);
		vec_push(&rule->routed, to);
	}
	forward_publish(rule);
}

/* --- changes --- */

static struct forward_routes *lend_all(
        struct forward_rule *owner, const struct resolved_routes *from)
{
	struct forward_split *s = owner->split;
	struct forward_routes *out = mem_new(struct forward_routes);
	char zone[NAME_TEXT_MAX];

	vec_for_each (&from->list, route) {
		struct forward_rule *r = NULL;

		name_to_text(zone, route->zone.wire);
		if (out->len < FORWARD_ROUTES_MAX)
			r = lend(s, zone);
		if (r == NULL) {
			if (!s->has_warned_many)
				log_warning(FORWARD_WHO,
				        "systemd-resolved has more than %u domains with servers of "
				        "their own: %s and others go where the rest goes",
				        FORWARD_ROUTES_MAX, zone);
			s->has_warned_many = true;
			break;
		}
		memcpy(r->route_text, zone, strlen(zone) + 1);
		set_servers(owner, r, route);
		out->at[out->len].zone = route->zone;
		out->at[out->len++].rule = r;
	}
	return out;
}

static void refresh(struct forward_rule *rule)
{
	struct forward_split *s = rule->split;
	struct resolved_routes routes = {0};
	struct forward_routes *fresh, *old = s->routes;
	size_t n;
	const struct resolved_link *links = resolved_watch_links(s->links, &n);

	s->changes++;
	resolved_routes_make(&routes, links, n, resolvconf_watch_conf(s->list));
	fresh = lend_all(rule, &routes);
	set_servers(rule, rule, &routes.rest);
	rcu_publish(s->routes, fresh);
	if (s->changes > 1 && !resolved_routes_equal(&s->last, &routes))
		forward_tell_followers(rule->forward);
	give_back_unused(s); /* after that: workers find no way to them any more */
	if (old != NULL)
		rcu_retire(old, free);
	if (rule->set->len == 0)
		log_warning(FORWARD_WHO,
		        "systemd-resolved has no server for names that are in no domain of a link: "
		        "they get SERVFAIL until one appears");
	resolved_routes_free(&s->last);
	s->last = routes;
}

static void on_links(void *arg)
{
	refresh(arg);
}

static void on_list(void *arg, const struct resolvconf *conf)
{
	(void)conf;
	refresh(arg);
}

void forward_split_start(struct forward_rule *rule)
{
	struct forward_split *s = rule->split;
	struct uv_loop_s *loop = rule->forward->loop;

	snprintf(s->list_path, sizeof(s->list_path), "%s/resolve/resolv.conf", s->run);
	s->links = resolved_watch_start(loop, s->run, on_links, rule);
	s->list = resolvconf_watch_start(loop, s->list_path, FORWARD_WHO, on_list, rule);
	refresh(rule);
	for (size_t i = 0; i < LENT_MAX; i++)
		s->lent[i]->is_started = true;
}

void forward_split_free(struct forward_rule *rule)
{
	struct forward_split *s = rule->split;

	if (s == NULL)
		return;
	resolved_watch_stop(s->links);
	resolvconf_watch_stop(s->list);
	resolved_routes_free(&s->last);
	free(s->routes);
	free(s);
	rule->split = NULL;
}
