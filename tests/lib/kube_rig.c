#include "kube_rig.h"

#include "base/rcu.h"
#include "kubernetes/cluster.h"
#include "kubernetes/kube.h"
#include "test.h"

void kube_open_with(struct rig *r, struct shared *shared, const char *zones, const char *rest)
{
	struct ip own = {4, {10, 1, 0, 4}};
	struct buf text = {0};
	struct kube *k;

	buf_printf(&text, ".:53 {\n    kubernetes %s {\n        embedded\n%s    }\n}\n", zones,
		rest);
	if (rig_open(r, &kubernetes_plugin, buf_text(&text)) != 0)
		fail_msg("%s", r->err.text);
	buf_free(&text);
	k = r->setup.instance;
	k->shared = shared;
	/* not those of the machine that runs the test */
	k->local.len = 0;
	vec_push(&k->local, own);
	assert_int_equal(kubernetes_plugin.start(k, &r->err), 0);
}

void kube_open(struct rig *r, const char *zones, const char *rest)
{
	kube_open_with(r, shared_new(), zones, rest);
}

void kube_close(struct rig *r)
{
	struct shared *shared = ((struct kube *)r->setup.instance)->shared;

	rig_close(r);
	shared_free(shared);
	rcu_reclaim();
}

void kube_apply(struct rig *r, const char *text)
{
	struct kube *k = r->setup.instance;

	if (cluster_embed(k->shared, str_from(text), false, &r->err) != 0)
		fail_msg("%s", r->err.text);
}

const char *kube_ask_as(struct rig *r, const struct rig_ask *a)
{
	struct query *q = rig_query(r, a);
	const char *text = rig_down(r, q) == DONE ? rig_answer(r, q) : "NEXT";

	query_release(q);
	return text;
}

const char *kube_ask(struct rig *r, const char *name, uint16_t type)
{
	return kube_ask_as(r, &(struct rig_ask){.name = name, .type = type});
}
