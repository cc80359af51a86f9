/*
 * What the endpoint-slice controller does, in small: Services with a selector get slices that are
 * computed from Pods. For sources without a control plane behind them (manifests, embedded), which
 * own one each. It is a reader of the store and writes the slices as a source of its own, within
 * the same commit. Only Services that a change touches are computed again. Pure.
 *
 * A Service of the given source is computed when it has a selector, is not of type ExternalName,
 * and has no slice from another source. Pods of its namespace whose labels match take part unless
 * they have succeeded or failed. An endpoint is ready as the Ready condition of its Pod says;
 * without one it is ready when the phase is Running or absent; never while it terminates; always
 * with publishNotReadyAddresses. It has the Pod's hostname when spec.subdomain names the Service.
 * Families are those of ipFamilies, else of the cluster IPs, else all that the Pods have. A
 * targetPort by name is looked up in each Pod; Pods that lack it are endpoints without that port.
 * The slices carry the labels of their Service.
 */
#pragma once

#include "base/err.h"

struct endpoints;
struct store;

/*
 * Compute for the Services that source number source has and will have. NULL with a sentence in e
 * when the store takes no more sources. Objects already in the store are looked at now.
 */
struct endpoints *endpoints_new(struct store *st, int source, struct err *e);
/* Call once the other source is complete: slices count as synced from now on. Commits. */
void endpoints_synced(struct endpoints *p);
/* Stop; the store keeps the slices. NULL is ignored. */
void endpoints_free(struct endpoints *p);
