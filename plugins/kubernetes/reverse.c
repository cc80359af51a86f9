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

	return n != 0 && kube_owners_has_below(&k->owners, prefix, (unsigned)n, bits);
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
	const struct rrset *ptr;
	struct ip ip = {0};

	ip.len = (uint8_t)name_to_addr(q->folded, ip.bytes);
	ptr = ip.len == 0
		? NULL
		: kube_owners_ptr(k, &ip, msg_reply_limit(&q->msg, q->transport, q->udp_cap),
			  &q->arena);
	if (ptr == NULL)
		return answer_none(k, z, q);
	if (q->msg.qtype != TYPE_PTR)
		return kube_nodata(k, z, q);
	answer_add(&q->answer, SECTION_ANSWER, ptr);
	return kube_done(k, q);
}
