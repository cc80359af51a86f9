/*
 * rewrite: changes questions on their way down and answers on their way up. This header is what
 * the files of the plugin share:
 *
 *   setup.c    reads rules         match.c   which names a rule is about, and what they become
 *   rewrite.c  the query hook      edns.c    options of the question
 *   answer.c   undoes and changes in the answer
 *
 * A question that a rule is about is asked anew of the plugins below, as a query of its own, and
 * its answer is turned into one for the client's question. So nothing below sees two stories.
 *
 * Lifetime: rules are built in setup, read-only afterwards, freed in teardown.
 */
#pragma once

#include "base/pattern.h"
#include "plugin.h"

#define REWRITE_TEXT_MAX NAME_TEXT_MAX
#define REWRITE_APPLIED_MAX 32u /* rules that one question may go through */
#define REWRITE_VALUE_MAX 512u /* octets of an EDNS option */

enum match_kind {
	MATCH_EXACT,
	MATCH_PREFIX,
	MATCH_SUFFIX,
	MATCH_SUBSTRING,
	MATCH_REGEX,
	MATCH_DOMAIN, /* the name and those below it; no rule says so */
};

/* Which names, and what they become. Texts are in lower case; regex: {1} in to is a group. */
struct matcher {
	enum match_kind kind;
	const char *from, *to; /* to is NULL where names are not changed */
	struct pattern *pattern;
};

enum answer_part { ANSWER_NAME, ANSWER_VALUE };

/* One `answer name` or `answer value`: a name in the answer, as owner or in RDATA. */
struct answer_rule {
	enum answer_part part;
	struct matcher matcher;
};

enum edns_kind { EDNS_LOCAL, EDNS_NSID, EDNS_SUBNET };
enum edns_action { EDNS_SET, EDNS_APPEND, EDNS_REPLACE, EDNS_UNSET };

struct edns_rule {
	enum edns_kind kind;
	enum edns_action action;
	uint16_t code;
	uint8_t bits4, bits6; /* of a client subnet */
	const char *variable; /* "client_ip" of {client_ip}; NULL: data */
	struct str label; /* "kubernetes/client-namespace": metadata; empty: data */
	uint8_t data[REWRITE_VALUE_MAX];
	uint16_t len;
};

enum rule_kind { RULE_NAME, RULE_TYPE, RULE_CLASS, RULE_TTL, RULE_RCODE, RULE_CNAME, RULE_EDNS };

struct rule {
	enum rule_kind kind;
	bool goes_on; /* continue: the next rule sees what this one made */
	struct matcher matcher; /* name, ttl, rcode, cname */
	uint16_t from, to; /* type, class, rcode */
	uint32_t ttl_min, ttl_max;
	struct edns_rule *edns;
	bool is_undone; /* name: in the answer, what it made becomes what there was again */
	VEC(struct answer_rule) answers;
};

/* A rule that a question went through. */
struct applied {
	const struct rule *rule;
	const char *before, *after; /* the name, for a rule that is undone */
};

struct rewrite {
	struct arena arena; /* texts */
	VEC(struct rule *) rules;
};

/* A question while rules change it. */
struct subject {
	struct query *query;
	char name[REWRITE_TEXT_MAX]; /* lower case, with the dot at its end */
	size_t name_len;
	uint16_t type, rr_class;
	bool is_changed;
	uint8_t options[QUERY_BUF]; /* of the OPT record, as they will be sent */
	size_t options_len;
	bool has_edns;
};

/* Read all rules of a block (setup.c). */
int rewrite_setup(struct setup *s, struct err *e);
/* Free an instance (setup.c). */
void rewrite_free(struct rewrite *r);
/* Make *m from words; is_changing: there is a TO (match.c). 0, or -EINVAL with e filled. */
int matcher_init(
        struct matcher *m, struct arena *a, const char *from, const char *to, struct err *e);
/* Free what matcher_init() made. */
void matcher_fini(struct matcher *m);
/* True when the rule is about the name. */
bool matcher_has(const struct matcher *m, struct str name);
/*
 * What the name becomes, into out (REWRITE_TEXT_MAX); its length, or 0 when the rule is not about
 * it, or it would get too long.
 */
size_t matcher_apply(const struct matcher *m, struct str name, char *out);
/* The rule that undoes a suffix rule. */
struct matcher matcher_reverse(const struct matcher *m);
/* Copy the options of q's OPT record (edns.c). */
void subject_read_options(struct subject *s, const struct query *q);
/* Apply an edns0 rule; false when there was nothing to do (edns.c). */
bool subject_edit_options(struct subject *s, const struct edns_rule *r);
/* Change the answer of q as the rules that applied say, the last one first (answer.c). */
void rewrite_answer(struct query *q, const struct applied *applied, size_t n);
/*
 * Find an alias in the answer of q whose target a cname rule is about, point it to the rule's
 * target, and forget what follows; that target in the answer, or NULL when there is none
 * (answer.c).
 */
const uint8_t *rewrite_alias(struct query *q, const struct rule *r);
