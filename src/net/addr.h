/*
 * Socket addresses: IPv4 or IPv6 with a port, as the kernel takes them.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/str.h"

union addr {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

/* "[" + IPv6 + "%" scope + "]:65535" and a NUL. */
#define ADDR_TEXT_MAX 80

/* Octets of the socket address for its family. */
static inline socklen_t addr_len(const union addr *a)
{
	return a->sa.sa_family == AF_INET6 ? sizeof(a->in6) : sizeof(a->in);
}

/* Port, host order. */
static inline uint16_t addr_port(const union addr *a)
{
	return ntohs(a->sa.sa_family == AF_INET6 ? a->in6.sin6_port : a->in.sin_port);
}

/* Set the port, host order. */
static inline void addr_set_port(union addr *a, uint16_t port)
{
	if (a->sa.sa_family == AF_INET6)
		a->in6.sin6_port = htons(port);
	else
		a->in.sin_port = htons(port);
}

/* The 4 or 16 octets of the IP address; *len tells how many. */
static inline const uint8_t *addr_ip(const union addr *a, size_t *len)
{
	*len = a->sa.sa_family == AF_INET6 ? 16 : 4;
	return a->sa.sa_family == AF_INET6 ? a->in6.sin6_addr.s6_addr
					   : (const uint8_t *)&a->in.sin_addr;
}

/*
 * Read an IP address without a port ("10.0.0.1", "fe80::1%eth0", brackets allowed); the port
 * is set to the given one. 0, or -EINVAL when it is not an address.
 */
int addr_from_text(union addr *a, struct str text, uint16_t port);
/*
 * Read "IP", "IP:port", "[IPv6]:port" or ":port" (the IPv4 wildcard); default_port where none
 * is given. 0 or -EINVAL.
 */
int addr_from_hostport(union addr *a, struct str text, uint16_t default_port);
/* Write "10.0.0.1:53" or "[::1]:53" to out (ADDR_TEXT_MAX); returns out. */
char *addr_to_text(char *out, const union addr *a);
/* Write the IP address alone to out (ADDR_TEXT_MAX); returns out. */
char *addr_ip_to_text(char *out, const union addr *a);
/* Same family, IP address, port and scope. */
bool addr_equal(const union addr *a, const union addr *b);
/* True for 0.0.0.0 and ::. */
bool addr_is_wildcard(const union addr *a);
/* True for 127.0.0.0/8 and ::1. */
bool addr_is_loopback(const union addr *a);
/* True for multicast, and for the IPv4 limited broadcast address. */
bool addr_is_multicast(const union addr *a);
