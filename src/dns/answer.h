/*
 * An answer under way: what plugins collect, and the one place that writes it to the wire.
 *
 * Plugins add references to record sets; nothing is copied before answer_encode(). A reply of an
 * upstream server is carried as its message (answer_set_message) instead.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "dns/msg.h"
#include "dns/rrset.h"

enum section { SECTION_ANSWER, SECTION_AUTHORITY, SECTION_ADDITIONAL };

/* One record set in an answer. */
struct answer_ref {
	const struct rrset *set;
	/*
	 * Owner: NULL for the question's name; else a wire name. When it points into the RDATA of a
	 * set that stands earlier in the answer (CNAME or SRV target, NS name), or is a suffix of
	 * the question's name, it is compressed.
	 */
	const uint8_t *owner;
	uint8_t section;
};

#define ANSWER_REFS_INLINE 12

struct answer {
	uint16_t rcode; /* up to 12 bits; more than 4 need an OPT */
	uint16_t ede;   /* extended error to add, or EDE_NONE */
	const char *ede_text; /* NULL, or more about it, sent if it fits; outlives the answer */
	bool is_authoritative;
	bool has_recursion; /* RA */
	bool is_truncated;  /* TC from an upstream */
	bool is_authentic;  /* AD */
	bool rotates;       /* address sets go out in random order */
	bool is_relayed;    /* another server's answer, or its failure: caches may keep it */
	bool is_full; /* a set was left out because there was no room for the reference */
	uint16_t count, cap;
	struct answer_ref *refs;
	struct answer_ref inline_refs[ANSWER_REFS_INLINE];
	struct arena *arena; /* of the query: for more references */
	/* Set by answer_set_message(). */
	const uint8_t *message;
	uint16_t message_len;
};

/* What the encoder adds around the records. */
struct answer_env {
	const char *nsid; /* sent when the client asks for it and there is room; NULL for none */
	size_t nsid_len;
	const uint8_t *cookie;  /* COOKIE_FULL octets, or NULL */
	uint16_t keepalive;     /* RFC 7828 units of 100 ms; sent on streams when asked for */
	bool is_stream;
	uint16_t pad_block; /* pad to a multiple of so many octets when asked for; 0: never */
	uint16_t udp_size; /* what we offer in our OPT */
	size_t limit;      /* octets that the answer may have, at least 512 */
};

/* Start an empty NOERROR answer that takes further memory from arena. */
void answer_init(struct answer *a, struct arena *arena);
/* Forget records, message and flags. */
void answer_reset(struct answer *a);
/* Take over what another answer is, but for its records and their order: code, error, flags. */
void answer_copy_head(struct answer *a, const struct answer *from);
/* Add a set (NULL is ignored) owned by the question's name. */
void answer_add(struct answer *a, enum section section, const struct rrset *set);
/* Add a set (NULL is ignored) owned by the wire name owner, which must outlive the answer. */
void answer_add_owned(
	struct answer *a, enum section section, const uint8_t *owner, const struct rrset *set);
/*
 * Answer with the records of a whole reply message: header, the question at the same length as
 * the client asked it, well-formed records, no OPT. Its memory must outlive the answer. Section
 * counts are taken from its header; RCODE and flags are the answer's own.
 */
void answer_set_message(struct answer *a, const uint8_t *message, size_t len);
/*
 * Turn the message, if there is one, into record sets in the answer's arena, for plugins that look
 * at records or change them. m is the question that the message answers. Owners that are the
 * question's name are NULL, those that are the target of a CNAME before them point into its set.
 * A record with malformed RDATA is left out. The message is not needed any more.
 */
void answer_open(struct answer *a, const struct msg *m);
/*
 * Copy the sets into the answer's arena, so that it survives a WAIT. Owners that point into a set
 * move along; others must be the question's or in the arena already.
 */
void answer_keep(struct answer *a);
/* True when there is neither a record nor a message in the answer section. */
bool answer_is_empty(const struct answer *a);
/*
 * Octets of the answer were it not compressed, as CoreDNS reports it in logs and metrics.
 */
size_t answer_size(const struct answer *a, const struct msg *m);
/*
 * Write the answer behind the header and question that stand at out already (m->question_end
 * octets; they may be the query's own buffer) and fill in the header. What does not fit into
 * env->limit is left out: additional records silently, others with TC=1. Returns the length.
 */
size_t answer_encode(
	const struct answer *a, const struct msg *m, const struct answer_env *env, uint8_t *out);
