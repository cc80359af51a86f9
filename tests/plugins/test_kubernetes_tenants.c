/*
 * What a tenant can do who may create Services and EndpointSlices in a namespace of his own: he
 * decides about names in it, and neither about those of others nor about the time of the server.
 */
#include "test.h"

#include <stdlib.h>
#include <time.h>

#include "kube_rig.h"
#include "kubernetes/kube.h"

/* Apply the objects, and forget their text. */
static void apply(struct rig *r, struct buf *text)
{
	kube_apply(r, buf_text(text));
	buf_clear(text);
}

static void add_service(struct buf *b, const char *ns, const char *name, const char *ip)
{
	buf_printf(b,
		"---\n{kind: Service, apiVersion: v1, metadata: {name: %s, namespace: %s}, "
		"spec: {clusterIP: \"%s\", ports: [{name: p, port: 80}]}}\n",
		name, ns, ip);
}

static void begin_slice(struct buf *b, const char *ns, const char *service, unsigned number)
{
	buf_printf(b,
		"---\n{kind: EndpointSlice, apiVersion: discovery.k8s.io/v1, metadata: "
		"{name: %s-%u, namespace: %s, labels: {kubernetes.io/service-name: %s}}, "
		"addressType: IPv4, ",
		service, number, ns, service);
}

/* So many Services of a tenant say that they have this address. */
static void claim(struct rig *r, unsigned n, const char *ip)
{
	struct buf text = {0};
	char name[16];

	for (unsigned i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "s%u", i);
		add_service(&text, "evil", name, "None");
		begin_slice(&text, "evil", name, 0);
		buf_printf(&text, "endpoints: [{addresses: [%s]}], ports: [{name: p, port: 80}]}\n",
			ip);
		if (i % 100 == 99 || i + 1 == n)
			apply(r, &text);
	}
	buf_free(&text);
}

static void nobody_takes_the_reverse_name_of_a_service(void **state)
{
	struct rig r;
	struct buf text = {0};

	(void)state;
	kube_open(&r, "cluster.local in-addr.arpa", "");
	claim(&r, ADDR_TABLE_SAME_MAX + 10, "10.96.0.9");
	assert_non_null(strstr(kube_ask(&r, "9.0.96.10.in-addr.arpa", TYPE_PTR), ".evil.svc."));
	add_service(&text, "n", "web", "10.96.0.9");
	apply(&r, &text);
	assert_string_equal(kube_ask(&r, "9.0.96.10.in-addr.arpa", TYPE_PTR),
		"NOERROR aa\n9.0.96.10.in-addr.arpa. 5 IN PTR web.n.svc.cluster.local.\n--\n--\n");
	add_service(&text, "n", "web", "10.96.0.8");
	apply(&r, &text);
	assert_non_null(strstr(kube_ask(&r, "9.0.96.10.in-addr.arpa", TYPE_PTR), ".evil.svc."));
	assert_non_null(strstr(kube_ask(&r, "8.0.96.10.in-addr.arpa", TYPE_PTR), "PTR web.n."));
	buf_free(&text);
	kube_close(&r);
}

/* A slice with so many ports of its own; of its endpoints, one is in all slices. */
static void add_wide_slice(struct buf *b, unsigned number, unsigned endpoints, unsigned ports)
{
	begin_slice(b, "evil", "wide", number);
	buf_str(b, "ports: [");
	for (unsigned i = 0; i < ports; i++)
		buf_printf(b, "{name: p%u-%u, port: %u}, ", number, i, i + 1);
	buf_str(b, "], endpoints: [{addresses: [10.99.0.1]}, ");
	for (unsigned i = 1; i < endpoints; i++)
		buf_printf(b, "{addresses: [10.%u.%u.%u]}, ", number, i / 250, i % 250 + 1);
	buf_str(b, "]}\n");
}

static const struct kube_entry *find_wide(const struct rig *r)
{
	const struct table *t = &((const struct kube *)r->setup.instance)->primary->table;
	const struct table_entry *e = table_find(
		t, "\4wide\4evil\3svc", 14, table_hash(t, "\4wide\4evil\3svc", 14));

	assert_non_null(e);
	return (const struct kube_entry *)e;
}

static uint64_t cpu_ns(void)
{
	struct timespec t;

	assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t), 0);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* What it takes to look at each port of each endpoint, however fast this machine is. */
static uint64_t time_of_all_ports(const struct kube_entry *entry)
{
	uint64_t begin = cpu_ns();
	unsigned found = 0;

	for (uint32_t i = 0; i < entry->n_endpoints; i++) {
		const struct kube_ports *ports = &entry->ports[entry->endpoints[i].ports];

		for (unsigned n = 0; n < ports->len; n++)
			found += strcmp(ports->at[n].name, "p3-511") == 0;
	}
	assert_int_not_equal(found, 0);
	return cpu_ns() - begin;
}

static uint64_t time_of(struct rig *r, uint16_t type)
{
	uint64_t begin = cpu_ns();

	for (unsigned i = 0; i < 5; i++)
		kube_ask(r, "_p3-511._tcp.wide.evil.svc.cluster.local", type);
	return (cpu_ns() - begin) / 5;
}

static void the_time_of_a_question_does_not_grow_with_ports(void **state)
{
	const struct kube_entry *entry;
	struct buf text = {0};
	unsigned ports = 0;
	struct rig r;

	(void)state;
	kube_open(&r, "cluster.local", "");
	add_service(&text, "evil", "wide", "None");
	for (unsigned i = 0; i < 20; i++)
		add_wide_slice(&text, i, 1000, OBJECT_MAX_PORTS);
	apply(&r, &text);
	entry = find_wide(&r);
	for (unsigned i = 0; i < entry->n_ports; i++)
		ports += entry->ports[i].len;
	assert_in_range(ports, OBJECT_MAX_PORTS, 5000);
	assert_in_range(time_of(&r, TYPE_SRV), 0, time_of_all_ports(entry) / 3);
	assert_in_range(time_of(&r, TYPE_A), 0, time_of_all_ports(entry) / 3);
	/* the ports of the one that is in all slices are joined as long as there is room */
	assert_non_null(strstr(kube_ask(&r, "_p0-1._tcp.wide.evil.svc.cluster.local", TYPE_SRV),
		" 2 10-"));
	buf_free(&text);
	kube_close(&r);
}

/* Records that an answer to a question by UDP was made of; not all of them fit. */
static unsigned records_of(struct rig *r, const char *name, uint16_t type)
{
	struct query *q = rig_query(r, &(struct rig_ask){.name = name, .type = type});
	unsigned n = 0;

	assert_int_equal(rig_down(r, q), DONE);
	for (unsigned i = 0; i < q->answer.count; i++)
		n += q->answer.refs[i].set->count;
	query_release(q);
	return n;
}

static void a_name_of_thousands_of_endpoints_is_answered_in_part(void **state)
{
	static const char name[] = "x.same.evil.svc.cluster.local";
	const char *first;
	struct buf text = {0};
	unsigned same = 0;
	struct rig r;

	(void)state;
	kube_open(&r, "cluster.local", "");
	add_service(&text, "evil", "same", "None");
	for (unsigned number = 0; number < 10; number++) {
		begin_slice(&text, "evil", "same", number);
		buf_str(&text, "ports: [{name: p, port: 80}], endpoints: [");
		for (unsigned i = 0; i < 1000; i++)
			buf_printf(&text, "{hostname: x, addresses: [10.%u.%u.%u]}, ", number,
				i / 250, i % 250 + 1);
		buf_str(&text, "]}\n");
	}
	apply(&r, &text);
	assert_in_range(records_of(&r, name, TYPE_A), 10, 100);
	assert_in_range(records_of(&r, name, TYPE_SRV), 10, 100);
	assert_in_range(records_of(&r, name + 2, TYPE_SRV), 10, 100);
	assert_in_range(records_of(&r, "_p._tcp.same.evil.svc.cluster.local", TYPE_SRV), 10, 100);
	/* each answer begins somewhere else */
	first = strstr(kube_ask(&r, name, TYPE_A), " A ");
	assert_non_null(first);
	buf_printf(&text, "%.12s", first);
	for (int i = 0; i < 20; i++)
		same += strncmp(strstr(kube_ask(&r, name, TYPE_A), " A "), buf_text(&text), text.len) == 0;
	assert_in_range(same, 0, 5);
	buf_free(&text);
	kube_close(&r);
}

static void an_address_of_thousands_of_names_is_answered_in_part(void **state)
{
	struct buf text = {0};
	struct rig r;

	(void)state;
	kube_open(&r, "cluster.local in-addr.arpa", "");
	add_service(&text, "evil", "names", "None");
	begin_slice(&text, "evil", "names", 0);
	buf_str(&text, "ports: [{name: p, port: 80}], endpoints: [");
	for (unsigned i = 0; i < 5000; i++)
		buf_printf(&text, "{hostname: x%u, addresses: [10.0.0.5]}, ", i);
	buf_str(&text, "]}\n");
	apply(&r, &text);
	assert_in_range(records_of(&r, "5.0.0.10.in-addr.arpa", TYPE_PTR), 5, 50);
	assert_non_null(strstr(kube_ask(&r, "5.0.0.10.in-addr.arpa", TYPE_PTR), "NOERROR aa tc\n"));
	buf_free(&text);
	kube_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_takes_the_reverse_name_of_a_service),
		cmocka_unit_test(the_time_of_a_question_does_not_grow_with_ports),
		cmocka_unit_test(a_name_of_thousands_of_endpoints_is_answered_in_part),
		cmocka_unit_test(an_address_of_thousands_of_names_is_answered_in_part),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
