#include "test.h"

#include <errno.h>
#include <stdlib.h>

#include "base/must.h"
#include "net/resolved.h"

#define LINKS_MAX 4

static void add_list(struct buf *b, const struct resolved_server *s, unsigned n)
{
	char text[ADDR_TEXT_MAX];

	for (unsigned i = 0; i < n; i++)
		buf_printf(b, "%s%s%s%s%s", i > 0 ? " " : "", s[i].is_tls ? "tls://" : "",
		        addr_to_text(text, &s[i].addr), s[i].name[0] == '\0' ? "" : "#", s[i].name);
}

static void add_route(struct buf *b, const struct resolved_route *r)
{
	char zone[NAME_TEXT_MAX];

	name_to_text(zone, r->zone.wire);
	buf_printf(b, "%s=", zone);
	add_list(b, r->servers, r->servers_len);
	buf_str(b, ";");
}

/* The routes of links given as texts, in the form "zone=servers;...": the rest is last. */
static void check_routes(const char *const *links, const char *global, const char *expected)
{
	struct resolved_link *all = mem_array(LINKS_MAX, sizeof(*all));
	struct resolved_routes routes = {0};
	struct resolvconf list;
	struct buf b = {0};
	size_t n = 0;

	for (; links[n] != NULL; n++) {
		all[n].index = (unsigned)n + 2;
		assert_int_equal(resolved_link_parse(&all[n], str_from(links[n])), 0);
	}
	resolvconf_parse(&list, str_from(global));
	resolved_routes_make(&routes, all, n, &list);
	vec_for_each (&routes.list, r)
		add_route(&b, r);
	add_route(&b, &routes.rest);
	assert_string_equal(buf_text(&b), expected);
	buf_free(&b);
	resolved_routes_free(&routes);
	free(all);
}

static void servers_are_read_in_all_their_forms(void **state)
{
	static const struct {
		const char *text, *servers;
		unsigned skipped;
	} rows[] = {
	        {"DNS=192.0.2.1 2001:db8::1\n", "192.0.2.1:53 [2001:db8::1]:53", 0},
	        {"SERVERS=192.0.2.1\n", "192.0.2.1:53", 0},
	        {"DNS=192.0.2.1:5353 [2001:db8::1]:5354\n", "192.0.2.1:5353 [2001:db8::1]:5354", 0},
	        {"DNS=192.0.2.1#dns.example [2001:db8::1]:853#dns.example\n",
	                "192.0.2.1:53#dns.example [2001:db8::1]:853#dns.example", 0},
	        {"DNS=fe80::1 fe80::2%eth7 [fe80::3]:54%eth7#x\n",
	                "[fe80::1%7]:53 [fe80::2%7]:53 [fe80::3%7]:54#x", 0},
	        {"DNS=\"192.0.2.1 192.0.2.2\"\n", "192.0.2.1:53 192.0.2.2:53", 0},
	        {"DNS=192.0.2.1 192.0.2.1\n", "192.0.2.1:53", 0},
	        {"DNS=name 192.0.2.1:0 224.0.0.251 # \n", "", 4},
	        {"# DNS=192.0.2.1\n\nDNS\n=\nDNS_SERVERS=192.0.2.1\n", "", 0},
	        {"DNS=192.0.2.1\nSERVERS=192.0.2.2", "192.0.2.1:53 192.0.2.2:53", 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct resolved_link l = {.index = 7};
		struct buf b = {0};

		assert_int_equal(resolved_link_parse(&l, str_from(rows[i].text)), 0);
		add_list(&b, l.servers, l.servers_len);
		assert_string_equal(buf_text(&b), rows[i].servers);
		assert_int_equal(l.skipped, rows[i].skipped);
		buf_free(&b);
	}
}

#define ETH "OPER_STATE=routable\nDNS=192.0.2.1\nDOMAINS=lan\n"
#define VPN "SERVERS=10.0.0.1\nDOMAINS=~corp.example\n"
#define BOTH "nameserver 192.0.2.1\nnameserver 10.0.0.1\n"

static void routes_are_those_of_systemd_resolved(void **state)
{
	static const struct {
		const char *links[LINKS_MAX];
		const char *global, *expected;
	} rows[] = {
	        /* without links, and without anything */
	        {{NULL}, "nameserver 192.0.2.1\n", ".=192.0.2.1:53;"},
	        {{NULL}, "", ".=;"},
	        /* a VPN with a routing-only domain gets that and nothing else */
	        {{ETH, VPN}, BOTH, "corp.example.=10.0.0.1:53;lan.=192.0.2.1:53;.=192.0.2.1:53;"},
	        {{ETH, "DNS=10.0.0.1\nROUTE_DOMAINS=Corp.Example\n"}, BOTH,
	                "corp.example.=10.0.0.1:53;lan.=192.0.2.1:53;.=192.0.2.1:53;"},
	        /* a search domain leaves a link a default route */
	        {{ETH, "DNS=10.0.0.1\nDOMAINS=b.example\n"}, BOTH,
	                "b.example.=10.0.0.1:53;lan.=192.0.2.1:53;.=192.0.2.1:53 10.0.0.1:53;"},
	        /* DNSDefaultRoute= decides where it is set */
	        {{ETH, VPN "DEFAULT_ROUTE=yes\n"}, BOTH,
	                "corp.example.=10.0.0.1:53;lan.=192.0.2.1:53;.=192.0.2.1:53 10.0.0.1:53;"},
	        {{ETH "DNS_DEFAULT_ROUTE=no\n", VPN}, BOTH,
	                "corp.example.=10.0.0.1:53;lan.=192.0.2.1:53;.=;"},
	        /* "~." takes all that no longer domain has */
	        {{ETH, "SERVERS=10.0.0.1\nDOMAINS=~.\n"}, BOTH, "lan.=192.0.2.1:53;.=10.0.0.1:53;"},
	        /* the longest domain first; equal ones share */
	        {{"DNS=192.0.2.1\nDOMAINS=example a.b.example\n", "DNS=10.0.0.1\nDOMAINS=b.example\n",
	                 "DNS=10.0.0.2\nROUTE_DOMAINS=b.example\n"},
	                "",
	                "a.b.example.=192.0.2.1:53;b.example.=10.0.0.1:53 10.0.0.2:53;"
	                "example.=192.0.2.1:53;.=192.0.2.1:53 10.0.0.1:53;"},
	        /* servers that belong to no link are for the rest */
	        {{VPN}, "nameserver 192.0.2.9\nnameserver 10.0.0.1\n",
	                "corp.example.=10.0.0.1:53;.=192.0.2.9:53;"},
	        /* DNSOverTLS=yes: over TLS, on its port where none is given; never in plain text */
	        {{"DNS=192.0.2.1#a.example 192.0.2.2:53\nDNS_OVER_TLS=yes\n"},
	                "nameserver 192.0.2.1\nnameserver 192.0.2.2\n",
	                ".=tls://192.0.2.1:853#a.example tls://192.0.2.2:53;"},
	        {{"DNS=192.0.2.1#a.example\nDNS_OVER_TLS=opportunistic\n"}, "",
	                ".=192.0.2.1:53#a.example;"},
	        /* links that are down or without servers are out of it */
	        {{"OPER_STATE=no-carrier\nDNS=192.0.2.1\nDOMAINS=lan\n", "DOMAINS=~corp.example\n"},
	                "nameserver 192.0.2.1\n", ".=;"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_routes(rows[i].links, rows[i].global, rows[i].expected);
}

static void tls_is_noticed_where_it_is_demanded(void **state)
{
	struct resolved_link l = {.index = 2};

	(void)state;
	resolved_link_parse(&l, STR("DNS=192.0.2.1\nDNS_OVER_TLS=opportunistic\n"));
	assert_false(l.wants_tls);
	resolved_link_parse(&l, STR("DNS_OVER_TLS=yes\n"));
	assert_true(l.wants_tls);
}

static void a_change_of_routes_is_told_from_one_of_files(void **state)
{
	static const struct {
		const char *before, *after;
		bool is_same;
	} rows[] = {
	        {"DNS=192.0.2.1\nDOMAINS=a.b\n", "DOMAINS=a.b\nDNS=192.0.2.1\n", true},
	        {"DNS=192.0.2.1\nDOMAINS=a.b\n", "DNS=192.0.2.1\nDOMAINS=A.b.\n", true},
	        {"DNS=192.0.2.1\nDOMAINS=a.b\n", "DNS=192.0.2.1\nDOMAINS=b\n", false},
	        {"DNS=192.0.2.1\nDOMAINS=a.b\n", "DNS=192.0.2.1\n", false},
	        {"DNS=192.0.2.1\n", "DNS=192.0.2.2\n", false},
	        {"DNS=192.0.2.1\n", "DNS=192.0.2.1:54\n", false},
	        {"DNS=192.0.2.1\n", "DNS=192.0.2.1#x\n", false},
	        {"DNS=192.0.2.1:5\n", "DNS=192.0.2.1:5\nDNS_OVER_TLS=yes\n", false},
	        {"DNS=192.0.2.1\n", "DNS=192.0.2.1 192.0.2.2\n", false},
	        {"DNS=192.0.2.1\nDOMAINS=b\n", "DNS=192.0.2.1\nDOMAINS=~b\n", false},
	        {"", "DOMAINS=a.b\n", true}, /* no server, no route */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct resolved_link *l = mem_array(2, sizeof(*l));
		struct resolved_routes a = {0}, b = {0};

		assert_int_equal(resolved_link_parse(&l[0], str_from(rows[i].before)), 0);
		assert_int_equal(resolved_link_parse(&l[1], str_from(rows[i].after)), 0);
		resolved_routes_make(&a, &l[0], 1, NULL);
		resolved_routes_make(&b, &l[1], 1, NULL);
		if (resolved_routes_equal(&a, &b) != rows[i].is_same)
			fail_msg("row %zu", i);
		resolved_routes_free(&a);
		resolved_routes_free(&b);
		free(l);
	}
}

static void limits_hold(void **state)
{
	struct resolved_link *l = mem_new(struct resolved_link);
	struct buf b = {0};

	(void)state;
	buf_str(&b, "DOMAINS=");
	for (int i = 0; i < 100; i++)
		buf_printf(&b, "d%d.example ", i);
	buf_str(&b, "\nDNS=");
	for (int i = 0; i < 100; i++)
		buf_printf(&b, "192.0.2.%d ", i);
	assert_int_equal(resolved_link_parse(l, (struct str){b.at, b.len}), 0);
	assert_int_equal(l->domains_len, RESOLVED_DOMAINS_MAX);
	assert_int_equal(l->servers_len, RESOLVCONF_SERVERS_MAX);
	for (size_t i = b.len; i <= RESOLVED_FILE_MAX; i++)
		buf_char(&b, '\n');
	assert_int_equal(resolved_link_parse(l, (struct str){b.at, b.len}), -EFBIG);
	buf_free(&b);
	free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(servers_are_read_in_all_their_forms),
	        cmocka_unit_test(routes_are_those_of_systemd_resolved),
	        cmocka_unit_test(tls_is_noticed_where_it_is_demanded),
	        cmocka_unit_test(a_change_of_routes_is_told_from_one_of_files),
	        cmocka_unit_test(limits_hold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
