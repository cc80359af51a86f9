/*
 * Addresses of the HTTP server as a Corefile has them; read by the setup of health, ready and
 * prometheus.
 */
#pragma once

#include "base/err.h"

struct directive;

#define ADMIN_ADDRESS_MAX 300

/*
 * Read the only argument of a directive as such an address, or take fallback (":8080") when there
 * is none; its port stands in for a port that is not written. 0, or -EINVAL with e set.
 */
int admin_address(const struct directive *d, const char *fallback, char out[ADMIN_ADDRESS_MAX],
	struct err *e);
