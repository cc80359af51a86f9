/*
 * From an address to the objects that have it. A multimap of eight octets an entry: the address
 * itself is read from the object. Part of the store; control thread only.
 */
#pragma once

#include "cluster/store.h"

struct ip_index {
	uint64_t *slots; /* object, which of its addresses, some bits of the hash; 0: free */
	size_t cap, len;
	uint64_t seed;
};

/* Start empty. */
void ip_index_init(struct ip_index *x);
/* Free it. */
void ip_index_fini(struct ip_index *x);
/*
 * Note every address of o, which must stay where it is until ip_index_remove(). Addresses that
 * STORE_MAX_SAME_IP others have already are left out: their owners are hostile or broken, and
 * each would make the walk over them longer.
 */
void ip_index_add(struct ip_index *x, const struct object *o);
/* Forget every address of o. */
void ip_index_remove(struct ip_index *x, const struct object *o);
/* Walk the owners of ip: start with *pos = 0; false at the end. */
bool ip_index_next(
	const struct ip_index *x, const struct ip *ip, size_t *pos, struct ip_owner *out);
/* The same as ip_index_next() for endpoints, of which there is no index: looks at all slices. */
bool ip_walk_slices(
	const struct store *st, const struct ip *ip, size_t *pos, struct ip_owner *out);
/* Number of addresses of an object: cluster IPs, endpoints or pod IPs. */
uint32_t object_ip_count(const struct object *o);
/* Address i of an object. */
struct ip object_ip(const struct object *o, uint32_t i);
