/*
 * Reverse zones: PTR records of cluster addresses and of endpoints. A partial name that has such
 * a name below it exists (RFC 8020): it is NODATA, and does not fall through.
 */
#include "kubernetes/kube.h"

/* True when an address with PTR records lies below a partial reverse name. */
static bool has_below(const struct kube *k, const uint8_t *name)
{
	uint8_t prefix[16];
	unsigned bits;
	int n = name_to_prefix(name, prefix, &bits);

	return n != 0 && prefix_set_has(n == 4 ? &k->v4 : &k->v6, prefix, bits);
}

/* The apex of a zone always exists. */
static enum verdict answer_none(struct kube *k, const struct kube_zone *z, struct query *q)
{
	if (q->msg.qname_labels == z->labels || has_below(k, q->folded))
		return kube_nodata(k, z, q);
	return kube_nxdomain(k, z, q);
}

enum verdict kube_reverse(struct kube *k, const struct kube_zone *z, struct query *q)
{
	uint8_t ip[16];
	int n = name_to_addr(q->folded, ip);
	const struct kube_address *a;

	if (n == 0)
		return answer_none(k, z, q);
	a = (const struct kube_address *)table_find(
		&k->addresses, ip, (size_t)n, table_hash(&k->addresses, ip, (size_t)n));
	if (a == NULL || a->ptr == NULL)
		return answer_none(k, z, q);
	if (q->msg.qtype != TYPE_PTR)
		return kube_nodata(k, z, q);
	answer_add(&q->answer, SECTION_ANSWER, a->ptr);
	return kube_done(k, q);
}
