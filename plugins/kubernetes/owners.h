/*
 * Whose an address is: the services, of this cluster or imported, that PTR records point to. An
 * index of numbers (names/addr_table.h) leads to the entries of the services, and the names are
 * made from those for each question: a quarter of a million record sets would be most of the
 * memory of a large cluster. Without a reverse zone only the addresses of this server are noted,
 * which it finds its own services by (apex.c). Belongs to a struct kube; the control thread
 * changes it together with the zones' tables, workers read it.
 *
 * Lifetime: published (RCU), as the entries that it leads to.
 */
#pragma once

#include "base/slots.h"
#include "names/addr_table.h"
#include "names/prefix_set.h"

struct arena;
struct ip;
struct kube;
struct kube_entry;

struct kube_owners {
	struct addr_table v4, v6; /* numbers of the entries that have an address */
	struct prefix_set above4, above6; /* partial reverse names with PTR records below them */
	struct slots entries; /* by number; whoever asks makes sure that one has the address */
};

/* Start empty. */
void kube_owners_init(struct kube_owners *o);
/* Free the index; no reader is left. The entries belong to the zones' tables. */
void kube_owners_fini(struct kube_owners *o);
/*
 * An entry of the zones that PTR records point to (k->primary, k->imported) took the place of old,
 * which is not freed yet; either may be NULL. Control thread.
 */
void kube_owners_replace(struct kube *k, struct kube_entry *old, struct kube_entry *entry);
/*
 * The PTR records of an address, in the arena, or NULL. What this cluster calls it counts more
 * than what the others do, and the name of a service more than those of endpoints. With more than
 * room octets of records the others are left out. Any thread.
 */
const struct rrset *kube_owners_ptr(
	const struct kube *k, const struct ip *ip, size_t room, struct arena *arena);
/*
 * Walk the entries of services that have an address, as their own or of an endpoint: start with
 * a zeroed walk; NULL at the end. The caller makes sure that the entry has it. Any thread.
 */
const struct kube_entry *kube_owners_next(
	const struct kube_owners *o, const struct ip *ip, struct addr_walk *w);
/* True when the PTR records of an address are of this cluster, not imported. Control thread. */
bool kube_owners_is_local(const struct kube *k, const struct ip *ip);
/* True when an address with PTR records has the first bits, fewer than all, of prefix. */
bool kube_owners_has_below(
	const struct kube_owners *o, const uint8_t *prefix, unsigned octets, unsigned bits);
