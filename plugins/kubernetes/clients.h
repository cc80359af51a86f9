/*
 * Who asks: the pods behind an address, for metadata (core/metadata.h). Compiled only for blocks
 * where somebody asks for it, with just the pod labels that are asked for.
 *
 * Lifetime: entries are published (RCU) like those of a zone.
 */
#pragma once

#include "cluster/ip.h"
#include "names/table.h"
#include "plugin.h"

struct kube;

/* The pods that have an address. Texts are in the block of the entry. */
struct kube_client {
	struct table_entry head; /* key: 4 or 16 octets */
	uint8_t key[16];
	const char *ns;       /* NULL: they are in several namespaces */
	const char *pod;      /* NULL: there are several pods */
	const char *labels[]; /* values in the order of kube_clients.labels; NULL: none */
};

struct kube_clients {
	bool is_wanted;
	VEC(const char *) labels; /* keys that somebody asks for; texts of the chain */
	struct table table;
};

/* Find out what the block wants to know of clients; part of setup. */
void kube_clients_init(struct kube_clients *c, const struct chain *chain);
/* Free the entries. */
void kube_clients_fini(struct kube_clients *c);
/* Compile the entry of an address, or take it out. Control thread. */
void kube_compile_client(struct kube *k, const struct ip *ip);
/* The metadata hook (metadata.c). */
bool kube_metadata(struct query *q, void *instance, struct str label, struct str *out);
