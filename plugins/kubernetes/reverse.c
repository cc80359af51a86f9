/*
 * Reverse zones: PTR records of cluster addresses and of endpoints.
 */
#include "kubernetes/kube.h"

enum verdict kube_reverse(struct kube *k, const struct kube_zone *z, struct query *q)
{
	uint8_t ip[16];
	int n = name_to_addr(q->folded, ip);
	const struct kube_address *a;

	if (n == 0)
		return kube_nxdomain(k, z, q);
	a = (const struct kube_address *)table_find(
		&k->addresses, ip, (size_t)n, table_hash(&k->addresses, ip, (size_t)n));
	if (a == NULL || a->ptr == NULL)
		return kube_nxdomain(k, z, q);
	if (q->msg.qtype != TYPE_PTR)
		return kube_nodata(k, z, q);
	answer_add(&q->answer, SECTION_ANSWER, a->ptr);
	return kube_done(k, q);
}
