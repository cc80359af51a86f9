/*
 * Keys of server blocks, `[scheme://]zone[:port]`, and zone arguments of plugins: validation,
 * defaults, reverse zones of address blocks, and the check that no two blocks serve the same.
 * Called by the control thread when it builds a generation, and by plugin setup. Zones are
 * canonical presentation text: lower case, fully qualified (trailing dot), specials escaped, so
 * that equal zones are equal strings. Texts live in the arena that the caller gives.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "base/vec.h"

/* Longest canonical text: 255 octets, each perhaps \DDD, and the NUL. */
#define ZONE_TEXT_MAX 1024

enum scheme { SCHEME_DNS, SCHEME_TLS, SCHEME_QUIC, SCHEME_GRPC, SCHEME_HTTPS, SCHEME_HTTPS3 };

struct zone_key {
	enum scheme scheme;
	uint16_t port;
	bool has_port; /* the port was written; false: a default was put in */
	const char *zone; /* "." or "example.org." */
};

/* Growable lists; zero them first, vec_free() them at the end (texts stay in the arena). */
struct zone_keys {
	VEC(struct zone_key) list;
};

struct zone_names {
	VEC(const char *) list;
};

/* "dns", "tls", ... */
const char *scheme_name(enum scheme s);
/*
 * Cut "scheme://" from the front of *rest, in any case. 0 and the scheme (SCHEME_DNS when there is
 * none); -EINVAL for a scheme that is not known, *rest untouched.
 */
int scheme_cut(struct str *rest, enum scheme *out);
/* The port of a scheme when none is written: dns_port for dns, else 853 or 443. */
uint16_t scheme_port(enum scheme s, uint16_t dns_port);

/*
 * Bring a name to canonical form: validates escapes, labels (63 octets) and length (255 octets),
 * adds the final dot, folds case. An empty text is the root. 0, or -EINVAL with e filled (no
 * file and line: the caller puts them in front).
 */
int zone_normalise(struct str text, char out[ZONE_TEXT_MAX], struct err *e);
/*
 * One zone argument of a plugin: a name, or an address block in ADDRESS/BITS form that is
 * expanded to its reverse zones (10.96.0.0/12 -> 16 zones). Appends to out. 0, or -EINVAL with e
 * filled and nothing appended; CoreDNS skips such arguments without a word.
 */
int zone_expand(struct str text, struct arena *a, struct zone_names *out, struct err *e);
/*
 * One key of a server block. Appends one entry, or one for each reverse zone. dns_port is the
 * value of -dns.port (53). 0, or -EINVAL with e filled and nothing appended.
 */
int zone_key_parse(
        struct str text, uint16_t dns_port, struct arena *a, struct zone_keys *out, struct err *e);

/* One server block as far as the overlap check needs it. */
struct served {
	struct zone_key key;
	const char *const *binds; /* texts of addresses; none: all addresses */
	size_t bind_count;
	bool has_view; /* answers part of the clients only */
	const char *file; /* NULL: not named in the error */
	uint32_t line;
};

/*
 * Refuse two blocks that serve the same zone, scheme, port and address, or where one is bound to an
 * address and the other to all. A block with a view gives way to others. served is in file order.
 * 0, or -EEXIST with e filled in CoreDNS's words.
 */
int served_check(const struct served *list, size_t n, struct err *e);
