/*
 * Addresses as configuration writes them: `8.8.8.8`, `[2001:db8::1]:53`, `tls://9.9.9.9:853`,
 * `:9153`, `localhost:8080`. Text only: no look-up, no socket. Used through conf/args.h and by
 * readers of resolver files. Owns nothing.
 */
#pragma once

#include "base/err.h"
#include "conf/zonekey.h"

#define ADDRESS_HOST_MAX 256

struct address {
	enum scheme scheme;
	bool has_scheme;
	bool has_port;
	bool is_ip; /* host is an IPv4 or IPv6 address, perhaps with %interface */
	bool is_v6;
	uint16_t port; /* 0 when has_port is false */
	char host[ADDRESS_HOST_MAX]; /* without brackets; "" when only a port was written */
};

/*
 * Read `[scheme://]host[:port]`. An IPv6 address needs brackets when a port follows. The host is
 * checked to be an address or a plausible host name. 0, or -EINVAL with e filled.
 */
int address_parse(struct str text, struct address *out, struct err *e);
