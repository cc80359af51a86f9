/*
 * Services of type ExternalName: an alias to any name, followed through the whole chain of
 * plugins.
 */
#include "core/alias.h"
#include "kubernetes/kube.h"

enum verdict kube_external(struct kube *k, const struct kube_entry *entry, struct query *q)
{
	counters_add(k->counters, q->worker->index, KUBE_ANSWERS, 1);
	return alias_answer(q, entry->other);
}
