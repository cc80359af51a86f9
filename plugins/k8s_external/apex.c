/*
 * The names at the top of the zones: SOA, NS, and ns1.dns with the addresses of this server as
 * they are outside the cluster.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "k8s_external/external.h"

/* LABEL.dns.ZONE; false when that is too long for a name. */
static bool below_apex(
	struct name *out, const struct external *x, const struct external_zone *z, struct str label)
{
	const uint8_t *apex = x->options.apex;

	*out = z->name;
	return name_prepend(out, (struct str){(const char *)apex + 1, apex[0]}) == 0 &&
		name_prepend(out, label) == 0;
}

static const struct rrset *make_soa(const struct external *x, const struct external_zone *z)
{
	struct rrset_builder b = {.type = TYPE_SOA, .ttl = x->options.ttl};
	uint8_t rdata[2 * NAME_MAX_OCTETS + 20];
	struct name mname, rname;
	struct soa soa = {mname.wire, rname.wire, zone_history_serial(&z->history), 7200, 1800,
		86400, x->options.ttl};

	/* a zone whose name leaves no room for these labels stands for itself */
	if (!below_apex(&mname, x, z, STR("ns1")))
		mname = z->name;
	if (!below_apex(&rname, x, z, STR("hostmaster")))
		rname = z->name;
	rrset_add(&b, rdata, rrset_soa_rdata(rdata, &soa));
	return rrset_build(&b);
}

static const struct rrset *make_ns(const struct external *x, const struct external_zone *z)
{
	struct rrset_builder b = {.type = TYPE_NS, .ttl = x->options.ttl};
	struct name name;

	if (!below_apex(&name, x, z, STR("ns1")))
		return NULL;
	rrset_add(&b, name.wire, name.len);
	return rrset_build(&b);
}

static void publish_soa(struct external *x, struct external_zone *z)
{
	const struct rrset *old = z->soa;

	rcu_publish(z->soa, make_soa(x, z));
	rcu_retire((void *)(uintptr_t)old, free);
}

void external_compile_apex(struct external *x)
{
	vec_for_each(&x->zones, z) {
		zone_history_note(&(*z)->history);
		(*z)->ns = make_ns(x, *z);
		publish_soa(x, *z);
	}
}

/*
 * Changes of what Services have outside the cluster are rare, so that each can have a serial of
 * its own. While the cluster is being read, and for endpoints, there is one a second: else the
 * serials would run ahead of the time, and fall back at the next start.
 */
void external_commit(struct external *x)
{
	bool is_synced = x->view->is_synced(x->cluster);

	vec_for_each(&x->zones, at) {
		struct external_zone *z = *at;

		if (z->must_move && is_synced)
			zone_history_see(&z->history);
		z->must_move = false;
		if (zone_history_commit(&z->history, (uint32_t)clock_wall_s()))
			publish_soa(x, z);
	}
}

/* --- own addresses ----------------------------------------------------------------------- */

struct own {
	bool has_headless;
	VEC(struct ip) ips;
};

static void push_all(struct own *own, const struct ip_list *list)
{
	for (uint32_t i = 0; i < list->len; i++)
		vec_push(&own->ips, list->at[i]);
}

/* In the cluster: how its Service is reached from outside. Outside: the server's own address. */
static void on_own(void *arg, const struct object *service, const struct ip *ip)
{
	struct own *own = arg;
	size_t before = own->ips.len;

	if (service == NULL) {
		vec_push(&own->ips, *ip);
		return;
	}
	push_all(own, &service->service.external_ips);
	push_all(own, &service->service.ingress_ips);
	if (own->ips.len == before && own->has_headless && service->service.is_headless)
		vec_push(&own->ips, *ip);
}

void external_compile_self(struct external *x)
{
	const uint8_t *apex = x->options.apex;
	struct own own = {x->options.has_headless, {NULL, 0, 0}};
	uint8_t key[4 + NAME_MAX_LABEL + 1] = "\3ns1";
	size_t n = 4 + 1u + apex[0];

	memcpy(key + 4, apex, 1u + apex[0]);
	x->view->own_services(x->cluster, on_own, &own);
	vec_for_each(&x->zones, z) {
		struct external_entry *entry;

		if (n + (*z)->name.len > NAME_MAX_OCTETS)
			continue;
		entry = external_entry_new(EXTERNAL_SELF, key, n);
		external_set_addresses(x, entry, own.ips.at, own.ips.len);
		external_put(x, *z, entry);
	}
	vec_free(&own.ips);
}
