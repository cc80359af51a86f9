/*
 * Which small numbers belong to an IP address: a published multimap for hundreds of thousands of
 * addresses, eight octets a pair of an IPv4 address. One writer (the control thread), readers
 * without locks. What the numbers stand for is the caller's: the kubernetes plugin numbers the
 * services that have an address, and the namespaces of pods.
 *
 * Lifetime: published (RCU). A pair is written before its number, with one store each; the array
 * is replaced whole when it grows and freed after a grace period.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rcu.h"

/* Numbers of one address that are kept: more owners are hostile or broken. */
#define ADDR_TABLE_SAME_MAX 1024u
/* The largest number; 0 is none either. */
#define ADDR_TABLE_MAX (UINT32_MAX - 1)

struct addr_array;

struct addr_table {
	struct addr_array *array; /* published; NULL: empty */
	uint64_t seed;
	unsigned octets; /* of an address: 4 or 16 */
	size_t count; /* pairs; writer only */
};

/* A walk over the numbers of an address; start zeroed. It ends with the reader's RCU section. */
struct addr_walk {
	const struct addr_array *array;
	size_t at;
};

/* An empty table for addresses of 4 or 16 octets; nothing is allocated yet. */
void addr_table_init(struct addr_table *t, unsigned octets);
/* Free it; no reader is left. */
void addr_table_fini(struct addr_table *t);
/*
 * Add the pair; number is from 1 to ADDR_TABLE_MAX. False when it is there already, or when the
 * address has ADDR_TABLE_SAME_MAX numbers. Writer.
 */
bool addr_table_add(struct addr_table *t, const uint8_t *ip, uint32_t number);
/* The same for who must not be kept out by others: there may be twice as many. Writer. */
bool addr_table_add_first(struct addr_table *t, const uint8_t *ip, uint32_t number);
/* Take the pair out; false when it is not there. Writer. */
bool addr_table_remove(struct addr_table *t, const uint8_t *ip, uint32_t number);
/* The next number of the address, in no order; 0 at the end. Any thread. */
uint32_t addr_table_next(const struct addr_table *t, const uint8_t *ip, struct addr_walk *w);
/*
 * Walk all addresses, each once, in no order: start with *pos = 0; NULL at the end. The address
 * is valid until the next write. Writer.
 */
const uint8_t *addr_table_each(const struct addr_table *t, size_t *pos);
/* Octets that the table takes. */
size_t addr_table_bytes(const struct addr_table *t);
