#include "loopback.h"

#include <fcntl.h>
#include <netinet/tcp.h>

#include "base/must.h"

int listen_on_loopback(union addr *addr)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(*addr);

	memset(addr, 0, sizeof(*addr));
	addr->in.sin_family = AF_INET;
	addr->in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	must(bind(fd, &addr->sa, sizeof(addr->in)) == 0 && listen(fd, 511) == 0);
	must(getsockname(fd, &addr->sa, &len) == 0);
	return fd;
}

int connect_to(const union addr *addr, uint32_t ip)
{
	union addr from = {.in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(ip)}};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	assert_int_equal(bind(fd, &from.sa, sizeof(from.in)), 0);
	assert_int_equal(connect(fd, &addr->sa, sizeof(addr->in)), 0);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}
