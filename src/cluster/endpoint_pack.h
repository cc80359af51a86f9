/*
 * Endpoints of a slice as the store keeps them: they are most of what a large cluster says, so
 * each takes twelve octets and its texts. Built by object_copy(), read by slice_endpoint(); part
 * of the object's block.
 */
#pragma once

#include "cluster/object.h"

#define ENDPOINT_PACK_ZONES 64u /* different zones in a slice that are kept */

/* What packed_endpoint.flags says. */
enum {
	PACKED_READY = 1,
	PACKED_SERVING = 2,
	PACKED_TERMINATING = 4,
	PACKED_HOSTNAME = 8, /* its texts begin with the hostname */
	PACKED_TARGET = 16, /* then, or first, comes the name of the target */
};

struct packed_endpoint {
	uint32_t text; /* offset of its texts, each with a NUL */
	uint8_t zone; /* index + 1 in the list of zones; 0: none */
	uint8_t flags;
	uint8_t target_kind; /* enum target_kind */
};

struct endpoint_pack {
	const char *const *zones; /* shared texts */
	const struct packed_endpoint *at;
	const uint8_t *ips; /* one behind the other */
	const char *texts;
	uint8_t n_zones;
	uint8_t ip_len; /* of each address */
};

/* Zones of the first n endpoints, each once, at most ENDPOINT_PACK_ZONES; how many. */
uint8_t endpoint_pack_zones(const struct slice_data *s, const char *zones[ENDPOINT_PACK_ZONES]);
/* Octets that the texts of an endpoint take. */
size_t endpoint_pack_texts(const struct endpoint *e);
/* Pack e, its texts to texts + offset; zones are those of the pack. */
struct packed_endpoint endpoint_pack_one(const struct endpoint_pack *p, const struct endpoint *e,
	char *texts, uint32_t offset);
/* The endpoint i. */
struct endpoint endpoint_unpack(const struct endpoint_pack *p, uint32_t i);
