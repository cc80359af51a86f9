/*
 * Looks up addresses of names that Seamark itself needs (upstream servers given by name), with
 * c-ares. The caller says which servers are asked: never those of the system unseen, which may be
 * we ourselves. Used by forward, on the control thread's loop.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "net/addr.h"

#define LOOKUP_ADDRS_MAX 15u

struct lookup;
struct uv_loop_s;

struct lookup_result {
	union addr addrs[LOOKUP_ADDRS_MAX]; /* IPv4 first; port 0 */
	unsigned len; /* 0: see problem */
	uint32_t ttl_s; /* the shortest of all records on the way */
	const char *problem; /* why there is none, static text; NULL when there are some */
};

/* Gets the result, once, from the loop; the lookup is over. It may start another one. */
typedef void lookup_fn(void *arg, const struct lookup_result *result);

/* Whom to ask: at least one; borrowed. */
struct lookup_servers {
	const union addr *at;
	size_t len;
};

/*
 * Ask servers for A and AAAA records of name, as it is, without a search
 * list; /etc/hosts comes first. fn is called within some 10 s, never before this returns.
 */
struct lookup *lookup_start(struct uv_loop_s *loop, const char *name,
        const struct lookup_servers *servers, lookup_fn *fn, void *arg);
/* Give up: fn is not called any more. Its memory is freed by the loop. NULL is ignored. */
void lookup_stop(struct lookup *l);
