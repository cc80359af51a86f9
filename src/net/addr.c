#include "net/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"

static int read_scope(struct str text, uint32_t *scope)
{
	char name[IF_NAMESIZE];

	if (num_u32(text, UINT32_MAX, scope) == 0)
		return 0;
	if (text.len == 0 || text.len >= sizeof(name))
		return -EINVAL;
	memcpy(name, text.at, text.len);
	name[text.len] = '\0';
	*scope = if_nametoindex(name);
	return *scope == 0 ? -EINVAL : 0;
}

int addr_from_text(union addr *a, struct str text, uint16_t port)
{
	char ip[INET6_ADDRSTRLEN];
	struct str rest = text, host;
	uint32_t scope = 0;

	memset(a, 0, sizeof(*a));
	if (text.len > 2 && text.at[0] == '[' && text.at[text.len - 1] == ']')
		rest = (struct str){text.at + 1, text.len - 2};
	host = str_cut(&rest, '%');
	if (host.len == 0 || host.len >= sizeof(ip))
		return -EINVAL;
	memcpy(ip, host.at, host.len);
	ip[host.len] = '\0';
	if (rest.at == NULL && inet_pton(AF_INET, ip, &a->in.sin_addr) == 1) {
		a->in.sin_family = AF_INET;
		a->in.sin_port = htons(port);
		return 0;
	}
	if (inet_pton(AF_INET6, ip, &a->in6.sin6_addr) != 1)
		return -EINVAL;
	if (rest.at != NULL && read_scope(rest, &scope) != 0)
		return -EINVAL;
	a->in6.sin6_family = AF_INET6;
	a->in6.sin6_port = htons(port);
	a->in6.sin6_scope_id = scope;
	return 0;
}

int addr_from_hostport(union addr *a, struct str text, uint16_t default_port)
{
	const char *colon = text.len == 0 ? NULL : memrchr(text.at, ':', text.len);
	struct str host, digits;
	uint16_t port;

	if (addr_from_text(a, text, default_port) == 0)
		return 0;
	if (colon == NULL)
		return -EINVAL;
	host = (struct str){text.at, (size_t)(colon - text.at)};
	digits = (struct str){colon + 1, text.len - host.len - 1};
	if (num_u16(digits, UINT16_MAX, &port) != 0)
		return -EINVAL;
	if (host.len == 0)
		host = STR("0.0.0.0");
	else if (memchr(host.at, ':', host.len) != NULL && host.at[0] != '[')
		return -EINVAL;
	return addr_from_text(a, host, port);
}

char *addr_ip_to_text(char *out, const union addr *a)
{
	size_t n;

	if (a->sa.sa_family == AF_INET) {
		inet_ntop(AF_INET, &a->in.sin_addr, out, ADDR_TEXT_MAX);
		return out;
	}
	inet_ntop(AF_INET6, &a->in6.sin6_addr, out, ADDR_TEXT_MAX);
	n = strlen(out);
	if (a->in6.sin6_scope_id != 0)
		snprintf(out + n, ADDR_TEXT_MAX - n, "%%%u", a->in6.sin6_scope_id);
	return out;
}

char *addr_to_text(char *out, const union addr *a)
{
	char ip[ADDR_TEXT_MAX];
	bool is_v6 = a->sa.sa_family == AF_INET6;

	snprintf(out, ADDR_TEXT_MAX, is_v6 ? "[%.64s]:%u" : "%.64s:%u", addr_ip_to_text(ip, a),
		addr_port(a));
	return out;
}

bool addr_equal(const union addr *a, const union addr *b)
{
	size_t n, m;
	const uint8_t *x = addr_ip(a, &n), *y = addr_ip(b, &m);

	return a->sa.sa_family == b->sa.sa_family && memcmp(x, y, n) == 0 &&
		addr_port(a) == addr_port(b) &&
		(n == 4 || a->in6.sin6_scope_id == b->in6.sin6_scope_id);
}

bool addr_is_wildcard(const union addr *a)
{
	static const uint8_t zero[16];
	size_t n;
	const uint8_t *ip = addr_ip(a, &n);

	return memcmp(ip, zero, n) == 0;
}

bool addr_is_loopback(const union addr *a)
{
	if (a->sa.sa_family == AF_INET)
		return ntohl(a->in.sin_addr.s_addr) >> 24 == 127;
	return IN6_IS_ADDR_LOOPBACK(&a->in6.sin6_addr);
}

bool addr_is_multicast(const union addr *a)
{
	if (a->sa.sa_family == AF_INET)
		return ntohl(a->in.sin_addr.s_addr) >> 28 == 14 ||
			a->in.sin_addr.s_addr == INADDR_BROADCAST;
	return IN6_IS_ADDR_MULTICAST(&a->in6.sin6_addr);
}
