/*
 * All records of an entry, in steps: the names that are computed for questions, written out. For
 * images of zones, on any thread, and for comparing entries, on the control thread.
 */
#pragma once

#include "kubernetes/kube.h"

/* What records are made with, besides the entry: copies, so that nothing of a zone is needed. */
struct kube_walk {
	struct name zone; /* that the entry's names are in */
	uint32_t ttl;
	struct name reverse; /* of kube_walk_ptr(): the zone of the PTR records */
	/*
	 * Of kube_walk_ptr(): true when others have a better right to the PTR record of an
	 * address of the service itself (is_own), or of an endpoint.
	 */
	bool (*is_hidden)(const void *arg, const struct ip *ip, bool is_own);
	const void *arg;
};

/*
 * Append records of the entry from c->part and c->at on until the row has about `enough` octets;
 * false when the entry has no more. Owners are names of w->zone.
 */
bool kube_walk_entry(const struct kube_walk *w, const struct kube_entry *entry,
	struct zone_cursor *c, struct buf *row, size_t enough);
/* The same for the PTR records in w->reverse that point to names of the entry. */
bool kube_walk_ptr(const struct kube_walk *w, const struct kube_entry *entry,
	struct zone_cursor *c, struct buf *row, size_t enough);
/* The whole entry, which may be NULL, as a row. */
void kube_list_entry(const struct kube_walk *w, const struct kube_entry *entry, struct buf *row);
/* All PTR records of the entry, which may be NULL. */
void kube_list_ptr(const struct kube_walk *w, const struct kube_entry *entry, struct buf *row);
/* True when nobody can tell the entries apart; NULL has no names. */
bool kube_same_entry(const struct kube_entry *a, const struct kube_entry *b);
