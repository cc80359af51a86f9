/*
 * resolv.conf (resolv.conf(5)) as data: a bounded parser, and the choice of upstream servers that
 * never leads back to a local stub or to ourselves. Used by forward (upstreams) and autopath
 * (search list). Pure: the caller reads the files.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "dns/name.h"
#include "net/addr.h"

#define RESOLVCONF_MAX_SIZE (1u << 20) /* bytes of a file */
#define RESOLVCONF_MAX_LINE 4096u /* longer lines are skipped */
#define RESOLVCONF_SERVERS_MAX 15u /* as many as forward takes */
#define RESOLVCONF_SEARCH_MAX 32u

/* The list that systemd-resolved writes of the servers it really uses. */
#define RESOLVCONF_SYSTEMD "/run/systemd/resolve/resolv.conf"

struct resolvconf {
	union addr servers[RESOLVCONF_SERVERS_MAX];
	unsigned servers_len;
	struct name search[RESOLVCONF_SEARCH_MAX];
	unsigned search_len;
	unsigned skipped; /* lines that were not understood */
	unsigned ndots; /* 1 unless set; at most 15 */
	unsigned timeout_s; /* 0: not set; at most 30 */
	unsigned attempts; /* 0: not set; at most 5 */
	bool rotate, use_vc, edns0, trust_ad;
};

/*
 * Read the text of a file. Understood are nameserver (IP, IP:port, [IPv6]:port, IPv6%scope),
 * search, domain and options; comments start with # or ;. What cannot be read is skipped and
 * counted, lines that hold a NUL included. 0, or -EFBIG when it is larger than
 * RESOLVCONF_MAX_SIZE; *rc is then empty.
 */
int resolvconf_parse(struct resolvconf *rc, struct str text);

/* What the choice of upstream servers depends on. */
struct upstream_inputs {
	const char *path; /* of the configured file, for the sentence */
	const struct resolvconf *file;
	const struct resolvconf *systemd; /* of RESOLVCONF_SYSTEMD, or NULL when unreadable */
	const union addr *listens; /* where we listen */
	size_t listens_len;
	const union addr *locals; /* addresses of this host; matched by wildcard listens */
	size_t locals_len;
};

struct upstream_choice {
	union addr servers[RESOLVCONF_SERVERS_MAX];
	unsigned len; /* 0: there is no upstream */
	unsigned dropped; /* stubs and own addresses left out of the configured file's list */
	bool is_systemd; /* the list of systemd-resolved was taken instead */
	char text[640]; /* what was repaired and why, a sentence for the log; "" when nothing was */
};

/*
 * Choose the servers to forward to: those of the file without systemd-resolved's stubs
 * (127.0.0.53, 127.0.0.54) and without our own listen addresses; when none is left, those of
 * systemd-resolved's own list, filtered in the same way.
 */
void upstream_choose(const struct upstream_inputs *in, struct upstream_choice *out);
/* True when a is systemd-resolved's stub listener. */
bool addr_is_stub(const union addr *a);
/* True when a query sent to a would come back to one of our listeners. */
bool upstream_is_self(const struct upstream_inputs *in, const union addr *a);
