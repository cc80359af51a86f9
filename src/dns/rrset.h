/*
 * Record sets, precompiled: the records of one owner and type as they go on the wire, with the
 * owner C0 0C (a pointer to the question's name), so that answering is one copy. The encoder
 * replaces the two owner octets where the owner is another name.
 *
 * Lifetime: immutable once built. Sets of the name table are published under RCU; sets that a
 * plugin makes for one query live in the query's arena; sets of configuration live as long as
 * their plugin instance.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"

/* Octets of a record before its RDATA: owner pointer, type, class, TTL, RDLENGTH. */
#define RR_FIXED 12u
/* Offset of the question name in every message: what the owner pointer C0 0C aims at. */
#define MSG_QNAME_AT 12

struct rrset {
	uint32_t wire_len;
	uint32_t ttl;
	uint16_t type;
	uint16_t count;
	uint16_t stride; /* octets of each record when all have the same length, else 0 */
	uint8_t wire[];
};

/* Collects the records of a set; a zeroed builder with type and ttl is ready. */
struct rrset_builder {
	uint16_t type;
	uint16_t rr_class; /* 0 means IN */
	uint32_t ttl;      /* seconds */
	uint16_t count;
	uint16_t stride;
	struct arena *arena; /* where records are collected, such as that of a query; NULL: heap */
	struct buf wire;     /* private */
};

/*
 * Add one record with n octets of RDATA (names inside uncompressed). Duplicates are not detected
 * here. 0, or -E2BIG past 65535 records or a TCP message of 1 MiB in all.
 */
int rrset_add(struct rrset_builder *b, const void *rdata, size_t n);
/* Make the set in heap memory (free() it) and reset the builder; NULL when it has no record. */
struct rrset *rrset_build(struct rrset_builder *b);
/* The same in an arena; without a copy when it is b->arena. */
struct rrset *rrset_build_in(struct rrset_builder *b, struct arena *a);
/* A set of one record, with at most 65535 octets of RDATA, in an arena. */
struct rrset *rrset_single(struct arena *a, uint16_t type, uint32_t ttl, struct str rdata);
/* RDATA of record i; *n is its length. Linear when the set has no stride. */
const uint8_t *rrset_rdata(const struct rrset *s, unsigned i, uint16_t *n);
/* Make the RDATA of an SOA record (RFC 1035 3.3.13) from wire names; returns its length. */
struct soa {
	const uint8_t *mname, *rname; /* wire names */
	uint32_t serial, refresh, retry, expire, minimum;
};
/* Write SOA RDATA to out (at least 530 octets); returns its length. */
size_t rrset_soa_rdata(uint8_t *out, const struct soa *soa);
/* Write TXT RDATA: text cut into strings of 255 octets; returns its length. out: n + n/255 + 1. */
size_t rrset_txt_rdata(uint8_t *out, struct str text);
