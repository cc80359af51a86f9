#include "test.h"

#include <stdio.h>

#include "cluster/store.h"

#define ALL_KINDS (1u << OBJECT_NAMESPACE | 1u << OBJECT_SERVICE | 1u << OBJECT_SLICE | 1u << OBJECT_POD)

static struct ip ip4(uint8_t last)
{
	return (struct ip){4, {10, 0, 0, last}};
}

static struct object make_object(enum object_kind kind, const char *ns, const char *name)
{
	struct object o;

	memset(&o, 0, sizeof(o));
	o.kind = kind;
	o.ns = ns;
	o.name = name;
	return o;
}

static struct object make_service(const char *name, const struct ip *ip)
{
	struct object o = make_object(OBJECT_SERVICE, "shop", name);

	o.service.cluster_ips = (struct ip_list){ip, ip == NULL ? 0 : 1};
	return o;
}

static struct object make_slice(const char *name, const char *service, const struct endpoint *at,
	uint32_t n)
{
	struct object o = make_object(OBJECT_SLICE, "shop", name);

	o.slice.service = service;
	o.slice.family = 4;
	o.slice.endpoints = at;
	o.slice.n_endpoints = n;
	return o;
}

/* A reader that writes what it is told as text: "S shop/web;". */
struct record {
	struct store_reader reader;
	struct buf text;
};

static void on_changes(void *arg, const struct changes *c)
{
	struct record *r = arg;

	for (size_t i = 0; i < c->len; i++) {
		const struct touch *t = &c->at[i];
		char ip[IP_TEXT_SIZE];

		switch (t->kind) {
		case TOUCH_NAMESPACE: buf_printf(&r->text, "N %s;", t->ns); break;
		case TOUCH_SERVICE: buf_printf(&r->text, "S %s/%s;", t->ns, t->name); break;
		case TOUCH_IMPORT: buf_printf(&r->text, "M %s/%s;", t->ns, t->name); break;
		case TOUCH_POD: buf_printf(&r->text, "P %s/%s;", t->ns, t->name); break;
		case TOUCH_IP: buf_printf(&r->text, "I %s;", ip_text(&t->ip, ip)); break;
		case TOUCH_SYNC: buf_printf(&r->text, "sync;"); break;
		}
	}
}

static struct store *open_store(struct record *r, int *source)
{
	struct store *st = store_new();

	memset(r, 0, sizeof(*r));
	r->reader.on_changes = on_changes;
	r->reader.arg = r;
	store_reader_add(st, &r->reader);
	*source = store_source_add(st, "test", ALL_KINDS);
	store_commit(st);
	buf_clear(&r->text);
	return st;
}

static void close_store(struct store *st, struct record *r)
{
	store_reader_remove(&r->reader);
	store_free(st);
	buf_free(&r->text);
}

static void expect(struct store *st, struct record *r, const char *text)
{
	store_commit(st);
	assert_string_equal(buf_text(&r->text), text);
	buf_clear(&r->text);
}

static void a_change_is_told_once_and_an_equal_object_not_at_all(void **state)
{
	struct record r;
	int src;
	struct store *st = open_store(&r, &src);
	struct ip a = ip4(1), b = ip4(2);
	struct object web = make_service("web", &a);

	(void)state;
	assert_int_equal(store_apply(st, src, &web), STORE_CHANGED);
	expect(st, &r, "S shop/web;");
	assert_int_equal(store_apply(st, src, &web), STORE_SAME);
	expect(st, &r, "");
	web = make_service("web", &b);
	assert_int_equal(store_apply(st, src, &web), STORE_CHANGED);
	expect(st, &r, "S shop/web;");
	assert_true(ip_eq(&store_service(st, "shop", "web")->service.cluster_ips.at[0], &b));
	assert_int_equal(store_delete(st, src, &web), STORE_CHANGED);
	expect(st, &r, "S shop/web;");
	assert_null(store_service(st, "shop", "web"));
	assert_int_equal(store_delete(st, src, &web), STORE_IGNORED);
	expect(st, &r, "");
	close_store(st, &r);
}

static void older_versions_and_other_uids_are_told_apart(void **state)
{
	struct record r;
	int src;
	struct store *st = open_store(&r, &src);
	struct ip a = ip4(1), b = ip4(2);
	struct object now = make_service("web", &a), old = make_service("web", &b);

	(void)state;
	now.rv = 20;
	now.uid[0] = 1;
	old.rv = 10;
	old.uid[0] = 1;
	store_apply(st, src, &now);
	assert_int_equal(store_apply(st, src, &old), STORE_STALE);
	assert_true(ip_eq(&store_service(st, "shop", "web")->service.cluster_ips.at[0], &a));
	old.uid[0] = 2; /* it was there before: of a server that lags behind */
	assert_int_equal(store_apply(st, src, &old), STORE_STALE);
	old.rv = 30; /* deleted and made again */
	assert_int_equal(store_apply(st, src, &old), STORE_CHANGED);
	assert_int_equal(store_delete(st, src, &now), STORE_STALE);
	assert_non_null(store_service(st, "shop", "web"));
	close_store(st, &r);
}

static void a_relist_removes_only_what_it_did_not_bring(void **state)
{
	struct record r;
	int src;
	struct store *st = open_store(&r, &src);
	struct object a = make_service("a", NULL), b = make_service("b", NULL);

	(void)state;
	store_apply(st, src, &a);
	store_apply(st, src, &b);
	store_commit(st);
	buf_clear(&r.text);
	store_relist_begin(st, src, OBJECT_SERVICE, false);
	store_apply(st, src, &a);
	assert_int_equal(store_relist_missing(st, src, OBJECT_SERVICE), 1);
	expect(st, &r, "");
	assert_non_null(store_service(st, "shop", "b"));
	assert_int_equal(store_relist_end(st, src, OBJECT_SERVICE), 1);
	expect(st, &r, "S shop/b;");
	store_relist_begin(st, src, OBJECT_SERVICE, false);
	store_relist_abort(st, src, OBJECT_SERVICE);
	assert_int_equal(store_relist_end(st, src, OBJECT_SERVICE), 0);
	assert_non_null(store_service(st, "shop", "a"));
	close_store(st, &r);
}

/* After an etcd restore the server's truth has lower versions than what we know. */
static void a_relist_of_truth_ignores_versions(void **state)
{
	struct record r;
	int src;
	struct store *st = open_store(&r, &src);
	struct ip a = ip4(1), b = ip4(2);
	struct object o = make_service("web", &a);

	(void)state;
	o.rv = 100;
	store_apply(st, src, &o);
	o = make_service("web", &b);
	o.rv = 50;
	store_relist_begin(st, src, OBJECT_SERVICE, true);
	assert_int_equal(store_apply(st, src, &o), STORE_CHANGED);
	store_relist_end(st, src, OBJECT_SERVICE);
	assert_true(ip_eq(&store_service(st, "shop", "web")->service.cluster_ips.at[0], &b));
	close_store(st, &r);
}

static size_t count_owners(const struct store *st, enum object_kind kind, struct ip ip)
{
	struct ip_owner owner;
	size_t pos = 0, n = 0;

	while (store_ip_next(st, kind, &ip, &pos, &owner))
		n++;
	return n;
}

static void slices_are_found_by_service_and_by_address(void **state)
{
	struct record r;
	int src;
	struct store *st = open_store(&r, &src);
	struct endpoint e1[2] = {{.ip = ip4(1), .is_ready = true}, {.ip = ip4(2), .is_ready = true}};
	struct endpoint e2[1] = {{.ip = ip4(2), .is_ready = true}};
	struct object s1 = make_slice("db-1", "db", e1, 2), s2 = make_slice("db-2", "db", e2, 1);

	(void)state;
	store_apply(st, src, &s1);
	store_apply(st, src, &s2);
	expect(st, &r, "S shop/db;");
	assert_int_equal(store_slices_of(st, "shop", "db").len, 2);
	assert_int_equal(store_slices_of(st, "shop", "web").len, 0);
	assert_int_equal(count_owners(st, OBJECT_SLICE, ip4(2)), 2);
	e1[1].is_ready = false;
	store_apply(st, src, &s1);
	expect(st, &r, "S shop/db;");
	/* a slice that moves to another service touches both */
	s1.slice.service = "web";
	store_apply(st, src, &s1);
	expect(st, &r, "S shop/db;S shop/web;");
	assert_int_equal(store_slices_of(st, "shop", "db").len, 1);
	store_delete(st, src, &s1);
	store_delete(st, src, &s2);
	assert_int_equal(count_owners(st, OBJECT_SLICE, ip4(2)), 0);
	close_store(st, &r);
}

static void the_first_source_wins_and_the_next_comes_forward(void **state)
{
	struct record r;
	int first, second;
	struct store *st = open_store(&r, &first);
	struct ip a = ip4(1), b = ip4(2);
	struct object mine = make_service("web", &a), other = make_service("web", &b);

	(void)state;
	second = store_source_add(st, "second", 1u << OBJECT_SERVICE);
	store_apply(st, second, &other);
	store_apply(st, first, &mine);
	store_commit(st);
	assert_int_equal(store_source_of(store_service(st, "shop", "web")), first);
	assert_int_equal(count_owners(st, OBJECT_SERVICE, b), 0);
	store_delete(st, first, &mine);
	assert_int_equal(store_source_of(store_service(st, "shop", "web")), second);
	assert_int_equal(count_owners(st, OBJECT_SERVICE, b), 1);
	store_source_remove(st, second);
	assert_null(store_service(st, "shop", "web"));
	close_store(st, &r);
}

static void a_kind_is_synced_when_all_its_sources_are(void **state)
{
	struct record r;
	int src, second;
	struct store *st = open_store(&r, &src);

	(void)state;
	assert_false(store_is_synced(st, OBJECT_POD));
	store_source_synced(st, src, OBJECT_POD, true);
	expect(st, &r, "sync;");
	assert_true(store_is_synced(st, OBJECT_POD));
	second = store_source_add(st, "second", 1u << OBJECT_POD);
	assert_false(store_is_synced(st, OBJECT_POD));
	store_source_remove(st, second);
	assert_true(store_is_synced(st, OBJECT_POD));
	assert_false(store_is_synced(st, OBJECT_IMPORT));
	close_store(st, &r);
}

/* Whatever order objects come in, the same is left, and the indexes agree with it. */
static void order_of_arrival_does_not_matter(void **state)
{
	struct endpoint e[2] = {{.ip = ip4(1), .is_ready = true}, {.ip = ip4(2), .is_ready = true}};
	struct ip vip = ip4(100);
	struct object objects[4] = {
		make_object(OBJECT_NAMESPACE, "", "shop"),
		make_service("web", &vip),
		make_slice("web-1", "web", e, 2),
		make_slice("web-2", "web", e + 1, 1),
	};

	(void)state;
	for (int order = 0; order < 24; order++) {
		struct record r;
		int src, left[4] = {0, 1, 2, 3}, n = order;
		struct store *st = open_store(&r, &src);

		for (int i = 4; i > 0; i--) {
			int at = n % i;

			n /= i;
			store_apply(st, src, &objects[left[at]]);
			left[at] = left[i - 1];
			store_commit(st);
		}
		assert_non_null(store_namespace(st, "shop"));
		assert_int_equal(store_slices_of(st, "shop", "web").len, 2);
		assert_int_equal(store_in_namespace(st, OBJECT_SERVICE, "shop").len, 1);
		assert_int_equal(count_owners(st, OBJECT_SLICE, ip4(2)), 2);
		assert_int_equal(count_owners(st, OBJECT_SERVICE, vip), 1);
		close_store(st, &r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_change_is_told_once_and_an_equal_object_not_at_all),
		cmocka_unit_test(older_versions_and_other_uids_are_told_apart),
		cmocka_unit_test(a_relist_removes_only_what_it_did_not_bring),
		cmocka_unit_test(a_relist_of_truth_ignores_versions),
		cmocka_unit_test(slices_are_found_by_service_and_by_address),
		cmocka_unit_test(the_first_source_wins_and_the_next_comes_forward),
		cmocka_unit_test(a_kind_is_synced_when_all_its_sources_are),
		cmocka_unit_test(order_of_arrival_does_not_matter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
