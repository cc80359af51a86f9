/*
 * What a person asks a server about itself: how would this name be answered and why, and which
 * names are there. The control thread answers from what it owns, through the hooks of the plugins;
 * no question is asked of another server, and no counter moves. `seamark explain` and `seamark
 * names` get here through the control socket, or with a configuration set up for them alone.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "base/vec.h"
#include "dns/name.h"
#include "net/addr.h"

struct generation;
struct rrset;

/* Octets of a request line, and lines that a list of names may have. */
#define EXPLAIN_REQUEST_MAX 1600u
#define EXPLAIN_NAMES_MAX 100000u
/* Values of one answer that are shown; the rest is counted. */
#define EXPLAIN_VALUES 12u

/* A question to explain. */
struct explain_ask {
	struct name name; /* folded */
	uint16_t type;
	const union addr *client; /* who asks, for views; NULL: anybody */
};

enum explain_outcome {
	EXPLAIN_PASSES,   /* the next plugin is asked */
	EXPLAIN_ANSWER,   /* NOERROR with records */
	EXPLAIN_NODATA,   /* NOERROR without */
	EXPLAIN_NXDOMAIN,
	EXPLAIN_SERVFAIL,
	EXPLAIN_REFUSED,
	EXPLAIN_UNKNOWN, /* only asking would tell: it goes to another server */
};

/* What a plugin says about a question. Texts may stay empty; sentences are joined by "; ". */
struct explanation {
	enum explain_outcome outcome;
	struct buf zone;   /* of the plugin that the name lies in */
	struct buf values; /* of the records, with ", " between */
	struct buf object; /* that they come from: "Service shop/web" */
	struct buf field;  /* of it: "spec.clusterIPs" */
	struct buf why;    /* a sentence, mostly why there is no answer */
	unsigned n_values; /* private */
};

/* Where a client lives, for the names that it tries. */
struct explain_search {
	struct buf who; /* "Pod shop/web-1" */
	struct buf ns;  /* "shop" */
	struct name zone;
	bool is_host_network;
};

/* Lines of a list of names, "NAME TYPE VALUES". */
struct explain_names {
	const char *pattern; /* glob over names without the dot at their end; NULL: all */
	VEC(char *) lines;
	size_t left_out;
};

/* What a plugin does for a person who asks. All hooks optional; control thread. */
struct plugin_explain {
	/* The plugin's start hook is needed before, also where nothing is served. */
	bool needs_start;
	/* Say what the query hook would do with the question; x is zeroed: EXPLAIN_PASSES. */
	void (*explain)(void *instance, const struct explain_ask *ask, struct explanation *x);
	/* True when the plugin knows who has the address, and has filled s. */
	bool (*search)(void *instance, const union addr *client, struct explain_search *s);
	/*
	 * Say which names the plugin itself tries when that client asks, and so searches for it;
	 * nothing when it does no such thing.
	 */
	void (*path)(void *instance, const struct explain_ask *ask, const union addr *client,
		struct buf *out);
	/* Add everything that is served with explain_add_name(). */
	void (*names)(void *instance, struct explain_names *l);
};

/* For plugins whose query hook never answers a question of class IN. */
extern const struct plugin_explain explain_passes;

/* Set the outcome and append a printf-style sentence to x->why. */
void explain_say(struct explanation *x, enum explain_outcome outcome, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Append a printf-style value; of many only the first are shown, the others counted. */
void explain_add_value(struct explanation *x, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Append the records of a set (NULL is ignored) as values, in presentation form. */
void explain_add_set(struct explanation *x, const struct rrset *set);
/* Append the RDATA of a record to out: addresses, names, texts; other types as \# and octets. */
void explain_rdata_text(struct buf *out, uint16_t type, const uint8_t *rdata, size_t n);
/* Free the texts. */
void explanation_fini(struct explanation *x);
/* Add the records of a wire name, a line, when the pattern takes it and there is room. */
void explain_add_name(struct explain_names *l, const uint8_t *name, uint16_t type,
	const char *values);
/* The same with the records of a set; NULL is ignored. */
void explain_add_records(struct explain_names *l, const uint8_t *name, const struct rrset *set);
/* True when the name may be added, so that its values are worth making. */
bool explain_wants_name(const struct explain_names *l, const uint8_t *name);

/*
 * Append the request for a name, or the reverse name of an IP address; type NULL is the one that
 * such names mostly have, from NULL nobody. 0, or -EINVAL when a word is empty, too long or has
 * blanks.
 */
int explain_request(struct buf *line, const char *name, const char *type, const char *from);
/* Append the request for the names that fit a glob pattern (NULL: all). 0 or -EINVAL. */
int explain_names_request(struct buf *line, const char *pattern);
/*
 * Answer a request line ("explain NAME TYPE FROM" with "-" for nobody, or "names PATTERN") from a
 * generation, appending text to out. 0, or -EINVAL with a sentence in e. Control thread.
 */
int explain_run(struct generation *g, struct str line, struct buf *out, struct err *e);
