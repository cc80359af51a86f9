/*
 * acl: who may ask what. setup.c reads the rules, acl.c applies them.
 *
 * Lifetime: built in setup, read-only afterwards but for the counters; freed in teardown.
 */
#pragma once

#include "core/zone_list.h"
#include "plugin.h"

enum acl_action { ACL_ALLOW, ACL_BLOCK, ACL_FILTER, ACL_DROP, ACL_ACTIONS };

#define ACL_TYPES_MAX 256u /* types that a rule may name */

struct acl_rule {
	enum acl_action action;
	VEC(uint16_t) types; /* none: every type */
	VEC(struct cidr) nets; /* none: every client */
};

/* One acl directive. */
struct acl_policy {
	struct zone_list zones;
	size_t first_counter;
	VEC(struct acl_rule) rules;
};

struct acl {
	VEC(struct acl_policy) policies;
	struct counters *counters; /* three for each zone of each policy; the last: allowed */
	size_t allowed;
	char *server;
	char *view; /* label of metrics */
};

/* Read all acl directives of a block (setup.c). */
int acl_setup(struct setup *s, struct err *e);
/* Free everything (setup.c). */
void acl_free(struct acl *a);
