/*
 * Split DNS as systemd-resolved does it: which servers belong to which network link, and which
 * domains are asked for there. Read from the files that systemd-networkd keeps for each link
 * (/run/systemd/netif/links/INDEX) and systemd-resolved for links that others set up, VPN clients
 * for one (/run/systemd/resolve/netif/INDEX). Used by forward. Pure: resolved_watch.h reads the
 * files.
 */
#pragma once

#include <stdbool.h>

#include "base/vec.h"
#include "dns/name.h"
#include "net/addr.h"
#include "net/resolvconf.h"

#define RESOLVED_LINKS_MAX 64u
#define RESOLVED_DOMAINS_MAX 32u /* of a link; more are skipped */
#define RESOLVED_FILE_MAX (64u << 10) /* octets of a link's file */

#define RESOLVED_NAME_MAX 254u /* text of a certificate's name, with its NUL */

struct resolved_server {
	union addr addr;
	bool has_port; /* was given one */
	bool is_tls; /* in a route: is asked over TLS or not at all */
	char name[RESOLVED_NAME_MAX]; /* of its certificate; "": its address */
};

struct resolved_domain {
	struct name name; /* lower case */
	bool is_route_only; /* "~name": not in the search list of programs */
};

enum resolved_default { RESOLVED_AUTO, RESOLVED_YES, RESOLVED_NO };

/* A network link. */
struct resolved_link {
	unsigned index; /* of the interface */
	struct resolved_server servers[RESOLVCONF_SERVERS_MAX];
	unsigned servers_len;
	struct resolved_domain domains[RESOLVED_DOMAINS_MAX];
	unsigned domains_len;
	enum resolved_default is_default; /* is asked for names that no link's domains have */
	bool is_down; /* has no address or no carrier: nothing is asked there */
	bool wants_tls; /* DNSOverTLS=yes: nothing may go to its servers in plain text */
	unsigned skipped; /* words that were not understood */
};

/* Names below zone go to these servers. */
struct resolved_route {
	struct name zone;
	struct resolved_server servers[RESOLVCONF_SERVERS_MAX];
	unsigned servers_len;
};

/* A zeroed one is empty. */
struct resolved_routes {
	VEC(struct resolved_route) list; /* zones with more labels first, each zone once */
	struct resolved_route rest; /* for all other names */
};

/*
 * Add what a link's file says to *l, which the caller has zeroed but for its index. Both forms of
 * file are understood; a link may have one of each. 0, or -EFBIG beyond RESOLVED_FILE_MAX.
 */
int resolved_link_parse(struct resolved_link *l, struct str text);
/*
 * The routes that links make, in *out, which is empty; global is the list of all servers that
 * systemd-resolved uses (RESOLVCONF_SYSTEMD) or NULL. The longest domain of any link decides; equal
 * domains of several links share their servers. Names without such a domain go to the links that
 * take them (by DNSDefaultRoute=, else those without routing-only domains) and to the servers that
 * belong to no link; a domain "~." takes their place.
 */
void resolved_routes_make(struct resolved_routes *out, const struct resolved_link *links, size_t n,
        const struct resolvconf *global);
/* True when all names go to the same servers, in the same order. */
bool resolved_routes_equal(const struct resolved_routes *a, const struct resolved_routes *b);
/* Free them and leave *r empty. */
void resolved_routes_free(struct resolved_routes *r);
