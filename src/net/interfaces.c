#include "net/interfaces.h"

#include <ifaddrs.h>
#include <string.h>

size_t interface_addresses(union addr *out, size_t max)
{
	struct ifaddrs *list;
	size_t n = 0;

	if (getifaddrs(&list) != 0)
		return 0;
	for (const struct ifaddrs *i = list; i != NULL && n < max; i = i->ifa_next) {
		union addr *to = &out[n];

		if (i->ifa_addr == NULL)
			continue;
		memset(to, 0, sizeof(*to));
		if (i->ifa_addr->sa_family == AF_INET)
			memcpy(&to->in, i->ifa_addr, sizeof(to->in));
		else if (i->ifa_addr->sa_family == AF_INET6)
			memcpy(&to->in6, i->ifa_addr, sizeof(to->in6));
		else
			continue;
		n++;
	}
	freeifaddrs(list);
	return n;
}
