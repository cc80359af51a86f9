#include "kubernetes/pods.h"

#include "kubernetes/cluster.h"
#include "kubernetes/kube.h"

#define POD_ON_HOST 1u /* in place of a namespace: a pod on the network of its node */
/* A number is given again after so many others: whoever is reading now has long ended. */
#define NUMBERS_AT_REST 64u

/* A namespace with pods. */
struct space {
	uint32_t number, users; /* users: addresses; control thread */
	uint8_t label[NAME_MAX_LABEL + 1]; /* folded */
	char name[]; /* key of the map */
};

void kube_pods_init(struct kube_pod_index *p)
{
	addr_table_init(&p->v4, 4);
	addr_table_init(&p->v6, 16);
	map_init(&p->by_name);
	slots_init(&p->spaces, POD_ON_HOST, NUMBERS_AT_REST);
}

void kube_pods_fini(struct kube_pod_index *p)
{
	struct space *s;
	size_t pos = 0;

	while ((s = map_next(&p->by_name, &pos)) != NULL)
		free(s);
	map_fini(&p->by_name);
	addr_table_fini(&p->v4);
	addr_table_fini(&p->v6);
	slots_fini(&p->spaces);
}

/* --- namespaces -------------------------------------------------------------------------- */

/* The namespace called name, with a number of its own. */
static struct space *space_of(struct kube_pod_index *p, const char *name)
{
	struct str key = str_from(name);
	struct space *s = map_get(&p->by_name, key);

	if (s != NULL || key.len > NAME_MAX_LABEL)
		return s;
	s = mem_alloc(sizeof(*s) + key.len + 1);
	memcpy(s->name, name, key.len + 1);
	s->label[0] = (uint8_t)key.len;
	name_fold(s->label + 1, (const uint8_t *)name, key.len);
	s->number = slots_take(&p->spaces);
	map_put(&p->by_name, (struct str){s->name, key.len}, s);
	slots_set(&p->spaces, s->number, s);
	return s;
}

static void space_hold(struct kube_pod_index *p, uint32_t number)
{
	struct space *s = slots_get(&p->spaces, number);

	s->users++;
}

static void space_drop(struct kube_pod_index *p, uint32_t number)
{
	struct space *s = slots_get(&p->spaces, number);

	if (--s->users > 0)
		return;
	map_del(&p->by_name, str_from(s->name));
	slots_give(&p->spaces, number);
	rcu_retire(s, free);
}

/* --- compiling --------------------------------------------------------------------------- */

struct numbers {
	VEC(uint32_t) list;
};

static bool has_number(const struct numbers *n, uint32_t number)
{
	vec_for_each(&n->list, at)
		if (*at == number)
			return true;
	return false;
}

static void add_number(struct numbers *n, uint32_t number)
{
	if (n->list.len < ADDR_TABLE_SAME_MAX && !has_number(n, number))
		vec_push(&n->list, number);
}

/* Finished pods keep their address in the API although others may have it by now. */
static bool is_alive(const struct object *o)
{
	return o->pod.phase != POD_SUCCEEDED && o->pod.phase != POD_FAILED &&
		o->pod.phase != POD_UNKNOWN;
}

static void collect(struct numbers *out, struct kube *k, const struct ip *ip)
{
	const struct store *st = cluster_store(k->cluster);
	struct ip_owner owner;
	size_t pos = 0;

	while (store_ip_next(st, OBJECT_POD, ip, &pos, &owner)) {
		const struct object *o = owner.object;
		const struct space *s;

		if (!is_alive(o) || !kube_is_selected(k, o))
			continue;
		s = space_of(&k->pods, o->ns);
		if (s != NULL)
			add_number(out, s->number);
		if (o->pod.is_host_network)
			add_number(out, POD_ON_HOST);
	}
}

static struct addr_table *table_of(struct kube_pod_index *p, const struct ip *ip)
{
	return ip->len == 4 ? &p->v4 : &p->v6;
}

static void change(struct kube_pod_index *p, const struct ip *ip, const struct numbers *old,
	const struct numbers *new)
{
	struct addr_table *t = table_of(p, ip);

	vec_for_each(&new->list, n)
		if (!has_number(old, *n) && addr_table_add(t, ip->bytes, *n) && *n != POD_ON_HOST)
			space_hold(p, *n);
	vec_for_each(&old->list, n)
		if (!has_number(new, *n) && addr_table_remove(t, ip->bytes, *n) &&
			*n != POD_ON_HOST)
			space_drop(p, *n);
}

void kube_compile_pods(struct kube *k, const struct ip *ip)
{
	struct numbers old = {{NULL, 0, 0}}, new = {{NULL, 0, 0}};
	struct addr_walk w = {NULL, 0};
	uint32_t number;

	if (k->options.pods != PODS_VERIFIED)
		return; /* nobody asks for them */
	while ((number = addr_table_next(table_of(&k->pods, ip), ip->bytes, &w)) != 0)
		vec_push(&old.list, number);
	collect(&new, k, ip);
	change(&k->pods, ip, &old, &new);
	vec_free(&old.list);
	vec_free(&new.list);
}

/* --- asking ------------------------------------------------------------------------------ */

/* The next number of the address, and the label of its namespace; 0 at the end. */
static uint32_t next_space(const struct kube_pod_index *p, const struct ip *ip,
	struct addr_walk *w, const uint8_t **label)
{
	const struct addr_table *t = ip->len == 4 ? &p->v4 : &p->v6;
	uint32_t number = addr_table_next(t, ip->bytes, w);
	const struct space *s;

	*label = NULL;
	if (number == 0 || number == POD_ON_HOST)
		return number;
	s = slots_get(&p->spaces, number);
	if (s != NULL)
		*label = s->label;
	return number;
}

bool kube_has_pod(const struct kube *k, const struct ip *ip, const uint8_t *ns)
{
	struct addr_walk w = {NULL, 0};
	const uint8_t *label;

	while (next_space(&k->pods, ip, &w, &label) != 0)
		if (label != NULL && memcmp(label, ns, 1u + ns[0]) == 0)
			return true;
	return false;
}

const uint8_t *kube_pod_namespace(const struct kube *k, const struct ip *ip)
{
	const uint8_t *label, *only = NULL;
	struct addr_walk w = {NULL, 0};
	uint32_t number;

	while ((number = next_space(&k->pods, ip, &w, &label)) != 0) {
		if (number == POD_ON_HOST || (only != NULL && label != NULL))
			return NULL;
		only = label != NULL ? label : only;
	}
	return only;
}
