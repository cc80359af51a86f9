/*
 * The slices of one Service, computed from its Pods: the rules that endpoints.h describes, without
 * any state. Called by endpoints.c.
 */
#pragma once

#include "base/arena.h"
#include "base/vec.h"
#include "cluster/object.h"

#define ENDPOINTS_IN_SLICE 1000u /* addresses */

struct slice_list {
	VEC(struct object) list;
};

/* True for a Service whose endpoints are computed at all: it has a selector and needs them. */
bool endpoint_slices_apply_to(const struct object *service);
/* True for a Pod that can be an endpoint: it has an address and has not ended. */
bool endpoint_slices_take(const struct object *pod);
/*
 * Append the slices of service with these n pods, which it selects, to out. The slices borrow
 * from service, pods and arena. Pods in the same order give the same slices; the names of slices
 * of one family are numbered, see endpoint_slice_name().
 */
void endpoint_slices_build(struct arena *a, const struct object *service,
        const struct object *const *pods, size_t n, struct slice_list *out);
/*
 * The name of the i-th slice (from 0) of a family (4 or 6). It has a '_', which the API does not
 * allow, and so is never the name of a slice that somebody wrote.
 */
char *endpoint_slice_name(struct arena *a, const char *service, unsigned family, unsigned i);
