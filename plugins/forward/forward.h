/*
 * forward: questions for names that are not served here go to upstream servers. This header is
 * what the files of the plugin share.
 *
 *   forward         the instance of a server block: its rules, in the order of the Corefile
 *   forward_rule    one directive: which names, which servers
 *   forward_set     the servers of a rule at a time, published to the workers
 *   forward_server  what is counted about a server
 *   forward_worker  a worker's relay for a rule
 */
#pragma once

#include <stdatomic.h>

#include "core/generation.h"
#include "core/upstreams.h"
#include "core/zone_list.h"
#include "net/relay.h"
#include "net/resolvconf.h"
#include "net/resolvconf_watch.h"
#include "net/tls.h"
#include "plugin.h"

#define FORWARD_WHO "plugin/forward"
#define FORWARD_ROUTES_MAX 32u /* domains with servers of their own that a directive follows */
#define FORWARD_CLIENT_SLOTS 1024u
#define FORWARD_CLIENT_MAX 1000u /* questions of one client that may wait, for each worker */
/* What is counted of so many servers is kept, that of unused ones, too; and of so many at most. */
#define FORWARD_SERVERS_KEPT 64u
#define FORWARD_SERVERS_MAX 256u

/* A server as the Corefile or a file names it. */
struct forward_to {
	union addr addr;
	bool is_tls;
	const char *name; /* of its certificate; NULL: its address */
};

/*
 * Lifetime: made by the control thread, never changed after it is linked in, freed with the rule,
 * or when no set and no relay has it and there are many (RCU); stats[i] is written by worker i and
 * read by scrapes.
 */
struct forward_server {
	struct forward_server *next;
	struct forward_to to;
	char text[ADDR_TEXT_MAX];
	struct log_limit_shared tls_log;
	unsigned workers;
	struct relay_stats *stats; /* one a worker */
	struct tls_context **tls; /* one a worker; NULL: plain */
};

/* Lifetime: immutable; published under RCU by the control thread. */
struct forward_set {
	uint64_t version;
	struct relay_config config;
	size_t len;
	struct forward_server *servers[RELAY_TARGETS_MAX];
};

/* Lifetime: with the rule; totals is read by scrapes, all else is the worker's own. */
struct forward_worker {
	struct forward_rule *rule;
	struct worker *worker;
	struct relay *relay; /* NULL until the first question */
	uint64_t version; /* of the set that the relay has */
	struct worker_flush flush;
	struct relay_totals totals;
	uint64_t seed;
	uint16_t waits[FORWARD_CLIENT_SLOTS]; /* questions that wait, by hash of the client's IP */
} __attribute__((aligned(64)));

struct forward_split; /* split.c */

/* A file of resolv.conf form among the TO arguments. */
struct forward_file {
	struct forward_rule *rule;
	const char *path;
	struct resolvconf_watch *watch;
	char last[640]; /* the last sentence that was logged about it */
};

/* Addresses of a name, kept over reloads. Lifetime: shared registry; control thread. */
struct forward_known {
	union addr addrs[RELAY_TARGETS_MAX];
	unsigned len;
};

/* A server given by name. Control thread. */
struct forward_named {
	struct forward_rule *rule;
	const char *name;
	struct forward_to to; /* port, TLS; the address is put in */
	struct forward_known *known;
	struct lookup *lookup; /* while one is under way */
	struct loop_timer *timer; /* until the next one */
	uint64_t retry_ms;
	bool has_failed;
};

struct forward_rule {
	struct forward *forward;
	size_t number; /* its place among the rules */
	struct name from;
	const char *from_text;
	struct zone_list except;
	bool is_started; /* the files have been read once: changes are logged */
	bool has_policy; /* set by the Corefile: `options rotate` does not change it */
	uint32_t max_concurrent; /* 0: no limit */
	uint32_t next; /* bit n: after a reply with RCODE n the next rule is asked */
	bool next_on_nodata; /* and after one without an answer */
	struct relay_config config;
	const char *cert, *key, *ca; /* of `tls` */
	const char *tls_servername;
	struct tls_context *tls; /* the servers' contexts are made like it */
	VEC(struct forward_to) addresses;
	VEC(struct forward_named *) named;
	VEC(union addr) resolvers; /* that are asked for the addresses of named */
	struct resolvconf_watch *system; /* else those of the system */
	VEC(struct forward_file *) files;
	struct resolvconf_watch *systemd;
	struct forward_split *split; /* of `systemd-resolved`; else NULL */
	VEC(struct forward_to) routed; /* servers that it gives to these names */
	char route_text[NAME_TEXT_MAX]; /* from_text of a rule that is lent to a domain */
	struct forward_set *set; /* published */
	struct forward_server *servers; /* those of now and of before, newest first; published */
	unsigned servers_len;
	struct forward_worker *workers; /* one a worker */
	_Atomic uint32_t concurrent; /* only when there is a limit */
	_Atomic uint64_t rejects;
};

struct forward {
	struct arena arena; /* texts */
	VEC(struct forward_rule *) rules;
	VEC(union addr) left_out; /* by forward_upstreams; control thread */
	struct list followers; /* struct upstreams_follower; control thread */
	unsigned workers;
	struct uv_loop_s *loop;
	const struct generation *generation; /* for our own listen addresses */
	struct shared *shared;
};

/* setup.c: read the directives. */
int forward_setup(struct setup *s, struct err *e);
/* setup.c: add a rule without servers. */
struct forward_rule *forward_rule_new(struct forward *f);
/* named.c: let the rule ask the server that has this name; to has port, TLS, certificate. */
void forward_named_new(struct forward_rule *rule, const char *name, const struct forward_to *to);
/* named.c: take the addresses that were known before the reload. 0 or a negative errno. */
int forward_named_setup(struct forward_rule *rule, struct err *e);
/* named.c: begin to look names up. */
void forward_named_start(struct forward_rule *rule);
/* named.c: stop that, and free what forward_named_new() made. */
void forward_named_free(struct forward_rule *rule);
/* upstreams.c: servers of the system that are not ourselves, or those of `resolver`; how many. */
size_t forward_resolvers(struct forward_rule *rule, union addr out[RELAY_TARGETS_MAX]);
/* split.c: let the rule ask the servers that systemd-resolved knows from its files below run. */
void forward_split_new(struct forward_rule *rule, const char *run);
/* split.c: make the rules of its domains, once all options are read. */
void forward_split_setup(struct forward_rule *rule);
/* split.c: begin to follow the files. */
void forward_split_start(struct forward_rule *rule);
/* split.c: stop following them, and free what forward_split_new() made. */
void forward_split_free(struct forward_rule *rule);
/* split.c: the rule whose servers are asked for a lower-case name that rule matches. Workers. */
struct forward_rule *forward_route(struct forward_rule *rule, const uint8_t *folded);
/* upstreams.c: begin to follow the files, and publish the servers. */
int forward_start(void *instance, struct err *e);
/* upstreams.c: publish the servers of the rule when they have changed. */
void forward_publish(struct forward_rule *rule);
/* upstreams.c: stop following the files and free the rule. */
void forward_rule_free(struct forward_rule *rule);
/* forward.c: free an instance that no worker uses. */
void forward_free(void *instance);
/* metrics.c: report. */
void forward_metrics(void *instance, struct metrics *m);
/* upstreams.c: what *loop* may do with the servers. */
extern const struct upstreams_ops forward_upstreams;
/* upstreams.c: tell who follows that names go elsewhere now. */
void forward_tell_followers(struct forward *f);
