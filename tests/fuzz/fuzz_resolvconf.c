/* resolv.conf: any bytes give a bounded list, and the choice of upstreams never a stub. */
#include "fuzz.h"

#include "base/must.h"
#include "net/resolvconf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct resolvconf rc;
	struct upstream_inputs in = {.path = "fuzz", .file = &rc, .systemd = &rc};
	struct upstream_choice out;

	if (resolvconf_parse(&rc, (struct str){(const char *)data, n}) != 0)
		return 0;
	must(rc.servers_len <= RESOLVCONF_SERVERS_MAX && rc.search_len <= RESOLVCONF_SEARCH_MAX);
	upstream_choose(&in, &out);
	for (unsigned i = 0; i < out.len; i++)
		must(!addr_is_stub(&out.servers[i]));
	return 0;
}
