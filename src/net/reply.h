/*
 * Replies of upstream servers: whether one belongs to a question, and what of it becomes the
 * client's answer. Pure functions; called by relay.c for every datagram and TCP message.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/relay_stats.h"

/* Aliases that are followed inside one reply. */
#define REPLY_CHAIN_MAX 12u

/* What was asked. */
struct reply_question {
	const uint8_t *query; /* the message as sent */
	uint16_t end; /* offset behind its question */
	bool is_exact; /* letters must come back in the case they were sent (0x20) */
	bool wants_dnssec; /* DO was sent: signatures and proofs are kept */
};

/* A reply made clean. */
struct reply {
	uint16_t rcode; /* with the upper bits of the OPT record */
	bool is_truncated;
	bool is_authoritative; /* AA: the server has the zone itself */
	bool is_authentic;
	bool is_referral; /* not an answer: the server does not resolve for us */
	bool has_edns; /* an OPT record was there */
	size_t len;
	uint8_t wire[65535]; /* header with the section counts, question as sent, records */
};

/* Checks of the header alone: BAD_SHORT, BAD_QR, BAD_OPCODE, or BAD_REASONS when all is well. */
enum relay_bad reply_check_header(const uint8_t *data, size_t n);
/* True when the reply carries exactly the question that was asked. */
bool reply_is_for(const struct reply_question *q, const uint8_t *data, size_t n);
/*
 * Clean a reply that reply_is_for() accepted into out: the answer keeps the chain from the
 * question's name (CNAME, DNAME) to the records asked for; the authority section keeps the SOA of
 * a negative answer, and with DO the proofs; all else goes, OPT included. A TTL with the high bit
 * set becomes 0 (RFC 2181 8). False when the message is malformed. With is_truncated no record is
 * kept.
 */
bool reply_clean(struct reply *out, const struct reply_question *q, const uint8_t *data, size_t n);
