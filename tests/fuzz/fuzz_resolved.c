/* Files of network links: any bytes give bounded lists, and routes with each zone once. */
#include "fuzz.h"

#include <stdlib.h>

#include "base/must.h"
#include "net/resolved.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct resolved_link *l = mem_array(2, sizeof(*l));
	struct resolved_routes routes = {0};
	size_t half = n / 2;

	l[0].index = 2;
	l[1].index = 3;
	resolved_link_parse(&l[0], (struct str){(const char *)data, n});
	resolved_link_parse(&l[1], (struct str){(const char *)data + half, n - half});
	must(l[0].servers_len <= RESOLVCONF_SERVERS_MAX);
	must(l[0].domains_len <= RESOLVED_DOMAINS_MAX);
	resolved_routes_make(&routes, l, 2, NULL);
	vec_for_each (&routes.list, r) {
		must(name_check(r->zone.wire, sizeof(r->zone.wire)) == r->zone.len);
		must(r->servers_len > 0 && r->servers_len <= RESOLVCONF_SERVERS_MAX);
	}
	for (size_t i = 1; i < routes.list.len; i++)
		must(!name_equal(routes.list.at[i - 1].zone.wire, routes.list.at[i].zone.wire));
	resolved_routes_free(&routes);
	free(l);
	return 0;
}
