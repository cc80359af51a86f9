/*
 * The addresses of this host, for telling a server of others from ourselves. Control thread.
 */
#pragma once

#include <stddef.h>

#include "net/addr.h"

/* Write at most max addresses of the network interfaces, without ports; how many were written. */
size_t interface_addresses(union addr *out, size_t max);
