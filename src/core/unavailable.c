#include "core/unavailable.h"

#include <errno.h>
#include <string.h>

#include "base/must.h"
#include "conf/corefile.h"
#include "conf/suggest.h"

/* Plugins of CoreDNS, and of its usual companions, that this version does not have. */
static const char *const names[] = {
	"auto", "azure", "clouddns",
	"dnssec", "dnstap", "etcd", "geoip", "grpc", "grpc_server", "https",
	"https3", "nomad",
	"ocp_dnsnameresolver", "on", "proxyproto", "quic",
	"route53", "secondary", "sign", "trace",
	"tsig",
};

int unavailable_explain(const struct directive *d, const char *const *known, struct err *e)
{
	const char *near;

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(names[i], d->name) == 0)
			return err_set(e, -ENOTSUP,
			        "%s:%u - plugin '%s' is not part of this version of Seamark; "
			        "remove "
			        "the directive",
			        d->file, d->line, d->name);
	near = suggest_word(d->name, known);
	return err_set(e, -ENOTSUP, "%s:%u - Error during parsing: Unknown directive '%s'%s%s%s",
	        d->file, d->line, d->name, near == NULL ? "" : ", did you mean '",
	        near == NULL ? "" : near, near == NULL ? "" : "'?");
}
