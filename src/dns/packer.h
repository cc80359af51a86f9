/*
 * Packs records into a message with name compression (RFC 1035 4.1.4): owners, and the names in
 * RDATA of the types that every resolver knows to be compressed. Used for zone transfers, where a
 * message is filled with as many records as fit. Pure; works in the caller's memory.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/records.h"

#define PACKER_SLOTS 4096u

struct packer {
	uint8_t *out;
	size_t at, limit; /* octets written, and that the message may have */
	unsigned count; /* records written */
	/* private */
	size_t last_owner; /* offset of the last record's owner; 0: none */
	unsigned used;
	uint16_t slots[PACKER_SLOTS]; /* offsets of names, by hash; 0: free */
};

/*
 * Begin behind the `at` octets (header, question) that stand at out; the question's name is at
 * offset 12 when at is more than 12. No more than limit octets, at most 65535, are written.
 */
void packer_init(struct packer *p, uint8_t *out, size_t at, size_t limit);
/* Append a record. False when it does not fit; the message is then as before, and full. */
bool packer_add(struct packer *p, const struct record *r);
