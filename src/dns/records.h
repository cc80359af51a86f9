/*
 * Records in a row, as flat memory: owner, type, class IN, TTL, length and RDATA of each, names
 * uncompressed. What zone transfers are listed, compared and kept in; plugins append to it
 * (core/transfer.h), dns/packer.h makes messages of it. A struct buf holds and owns them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "dns/rrset.h"

/* One record; it points into the row. */
struct record {
	const uint8_t *owner, *rdata;
	size_t owner_len, size; /* octets of the owner, and of the whole record in the row */
	uint32_t ttl;
	uint16_t type, rdlength;
};

/* Append a record with the wire name owner and at most 65535 octets of RDATA. */
void records_add(struct buf *row, const uint8_t *owner, const struct record *r);
/* Append the records of a set (NULL is ignored), whose own owners are not looked at. */
void records_add_set(struct buf *row, const uint8_t *owner, const struct rrset *set);
/*
 * Append records of the set from *at on until the row has `enough` octets; *at becomes the number
 * of the next one. False when the set is at its end, or NULL.
 */
bool records_add_some(struct buf *row, const uint8_t *owner, const struct rrset *set, size_t *at,
	size_t enough);
/* The record at *pos, which moves on; false at the end of the row. */
bool records_next(const struct buf *row, size_t *pos, struct record *out);
/*
 * Compare two rows as sets: append to removed what only before has, to added what only after
 * has. Takes memory in proportion to `before` for the time of the call.
 */
void records_diff(const struct buf *before, const struct buf *after, struct buf *removed,
	struct buf *added);
