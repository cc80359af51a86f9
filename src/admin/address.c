#include "admin/address.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/args.h"

int admin_address(const struct directive *d, const char *fallback, char out[ADMIN_ADDRESS_MAX],
	struct err *e)
{
	struct address a;
	uint16_t port;
	int rc = args_count(d, 0, 1, e);

	if (rc != 0)
		return rc;
	if (d->arg_count == 0) {
		snprintf(out, ADMIN_ADDRESS_MAX, "%s", fallback);
		return 0;
	}
	port = (uint16_t)strtoul(strrchr(fallback, ':') + 1, NULL, 10);
	rc = args_address(d, 0, port, &a, e);
	if (rc != 0)
		return rc;
	if (a.has_scheme)
		return args_error(d, e, "'%s': an address to listen on has no scheme", d->name);
	if (a.host[0] != '\0' && !a.is_ip && strcmp(a.host, "localhost") != 0)
		return args_error(d, e, "'%s': '%s' is not an IP address", d->name, a.host);
	snprintf(out, ADMIN_ADDRESS_MAX, a.is_v6 ? "[%s]:%u" : "%s:%u", a.host, a.port);
	return 0;
}
