#include "net/udp.h"

#include <errno.h>
#include <netinet/udp.h>
#include <string.h>
#include <unistd.h>

#define RECEIVE_BUFFER (4 << 20)
#define TCP_BACKLOG 511

/* What an operator can do about it. */
static const char *remedy(int code, const union addr *addr)
{
	if (code == EINVAL && addr->sa.sa_family == AF_INET6 && addr->in6.sin6_scope_id == 0 &&
		IN6_IS_ADDR_LINKLOCAL(&addr->in6.sin6_addr))
		return " (a link-local address needs its interface, as in fe80::1%eth0)";
	switch (code) {
	case EACCES: return " (ports below 1024 need root or CAP_NET_BIND_SERVICE)";
	case EADDRINUSE: return " (by another process; ss -lntup shows which)";
	case EADDRNOTAVAIL: return " (no interface of this machine has it)";
	default: return "";
	}
}

static int fail(struct err *e, const union addr *addr, const char *what)
{
	char text[ADDR_TEXT_MAX];
	int code = errno;

	return err_set(e, -code, "listen %s: %s: %s%s", addr_to_text(text, addr), what,
		strerror(code), remedy(code, addr));
}

static int set_int(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value));
}

static int open_socket(union addr *addr, int type, bool is_shared, struct err *e)
{
	socklen_t len = sizeof(*addr);
	int fd = socket(addr->sa.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), rc;

	if (fd < 0)
		return fail(e, addr, "socket");
	if (addr->sa.sa_family == AF_INET6)
		set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	if (type == SOCK_STREAM)
		set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (is_shared)
		set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (bind(fd, &addr->sa, addr_len(addr)) == 0 && getsockname(fd, &addr->sa, &len) == 0)
		return fd;
	rc = fail(e, addr, "bind");
	close(fd);
	return rc;
}

int socket_probe(const union addr *addr, int type, struct err *e)
{
	union addr copy = *addr;
	int fd;

	if (addr_port(addr) == 0)
		return 0;
	fd = open_socket(&copy, type, false, e);
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

/*
 * Fragments can be forged, so none should be made or believed: with OMIT the kernel ignores
 * path MTU messages and sets no DF bit; answers of at most 1232 octets need no fragments.
 */
static void set_path_mtu(int fd, int family)
{
	if (family == AF_INET)
		set_int(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT);
	else
		set_int(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_OMIT);
}

int udp_open(struct udp_socket *s, union addr *addr, struct err *e)
{
	s->fd = open_socket(addr, SOCK_DGRAM, true, e);
	if (s->fd < 0)
		return s->fd;
	s->family = addr->sa.sa_family;
	s->is_wildcard = addr_is_wildcard(addr);
	if (set_int(s->fd, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER) != 0)
		set_int(s->fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER);
	set_path_mtu(s->fd, s->family);
	if (s->is_wildcard && s->family == AF_INET)
		set_int(s->fd, IPPROTO_IP, IP_PKTINFO, 1);
	else if (s->is_wildcard)
		set_int(s->fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
	return 0;
}

void udp_mute(struct udp_socket *s)
{
	union addr self;
	socklen_t len = sizeof(self);

	/* connected to itself it hears nobody else; sending to named addresses goes on */
	if (getsockname(s->fd, &self.sa, &len) == 0)
		(void)!connect(s->fd, &self.sa, len);
}

void udp_close(struct udp_socket *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

int tcp_listen(union addr *addr, struct err *e)
{
	int fd = open_socket(addr, SOCK_STREAM, true, e), rc;

	if (fd < 0)
		return fd;
	if (listen(fd, TCP_BACKLOG) == 0)
		return fd;
	rc = fail(e, addr, "listen");
	close(fd);
	return rc;
}

#define CONTROL_SPACE 64u

struct control_space {
	_Alignas(struct cmsghdr) uint8_t at[CONTROL_SPACE];
};

/* What the kernel says of the address that a datagram was sent to. */
static void read_local(struct msghdr *m, struct udp_packet *p)
{
	union addr *local = &p->local;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			local->in.sin_family = AF_INET;
			local->in.sin_addr = info.ipi_addr;
			/* an answer would leave from another address: the first was none of ours */
			p->is_broadcast = info.ipi_spec_dst.s_addr != info.ipi_addr.s_addr;
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			local->in6.sin6_family = AF_INET6;
			local->in6.sin6_addr = info.ipi6_addr;
			local->in6.sin6_scope_id = info.ipi6_ifindex;
			p->is_broadcast = addr_is_multicast(local);
		}
	}
}

/* Ask the kernel to send from the address that the question was sent to. */
static void write_local(struct msghdr *m, const union addr *local)
{
	struct cmsghdr *c = m->msg_control;

	memset(c, 0, CONTROL_SPACE);
	if (local->sa.sa_family == AF_INET) {
		struct in_pktinfo info = {.ipi_spec_dst = local->in.sin_addr};

		c->cmsg_level = IPPROTO_IP;
		c->cmsg_type = IP_PKTINFO;
		c->cmsg_len = CMSG_LEN(sizeof(info));
		memcpy(CMSG_DATA(c), &info, sizeof(info));
		m->msg_controllen = CMSG_SPACE(sizeof(info));
	} else {
		struct in6_pktinfo info = {.ipi6_addr = local->in6.sin6_addr};

		if (IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr))
			info.ipi6_ifindex = local->in6.sin6_scope_id;
		c->cmsg_level = IPPROTO_IPV6;
		c->cmsg_type = IPV6_PKTINFO;
		c->cmsg_len = CMSG_LEN(sizeof(info));
		memcpy(CMSG_DATA(c), &info, sizeof(info));
		m->msg_controllen = CMSG_SPACE(sizeof(info));
	}
}

unsigned udp_recv(struct udp_socket *s, struct udp_packet **packets, unsigned n)
{
	struct mmsghdr msgs[UDP_BATCH];
	struct iovec iov[UDP_BATCH];
	struct control_space control[UDP_BATCH];
	int got;

	for (unsigned i = 0; i < n; i++) {
		struct msghdr *m = &msgs[i].msg_hdr;

		iov[i] = (struct iovec){packets[i]->buf, packets[i]->cap};
		m->msg_name = &packets[i]->peer;
		m->msg_namelen = sizeof(packets[i]->peer);
		m->msg_iov = &iov[i];
		m->msg_iovlen = 1;
		m->msg_control = s->is_wildcard ? control[i].at : NULL;
		m->msg_controllen = s->is_wildcard ? CONTROL_SPACE : 0;
		m->msg_flags = 0;
	}
	got = recvmmsg(s->fd, msgs, n, MSG_DONTWAIT, NULL);
	if (got <= 0)
		return 0;
	for (int i = 0; i < got; i++) {
		packets[i]->len = msgs[i].msg_len;
		packets[i]->is_cut = (msgs[i].msg_hdr.msg_flags & MSG_TRUNC) != 0;
		packets[i]->is_broadcast = false;
		packets[i]->local.sa.sa_family = AF_UNSPEC;
		if (s->is_wildcard)
			read_local(&msgs[i].msg_hdr, packets[i]);
	}
	return (unsigned)got;
}

unsigned udp_send(struct udp_socket *s, struct udp_packet *const *packets, unsigned n)
{
	struct mmsghdr msgs[UDP_BATCH];
	struct iovec iov[UDP_BATCH];
	struct control_space control[UDP_BATCH];
	unsigned sent = 0, failures = 0;

	for (unsigned i = 0; i < n; i++) {
		struct msghdr *m = &msgs[i].msg_hdr;

		iov[i] = (struct iovec){packets[i]->buf, packets[i]->len};
		m->msg_name = &packets[i]->peer;
		m->msg_namelen = addr_len(&packets[i]->peer);
		m->msg_iov = &iov[i];
		m->msg_iovlen = 1;
		m->msg_control = NULL;
		m->msg_controllen = 0;
		m->msg_flags = 0;
		if (s->is_wildcard && packets[i]->local.sa.sa_family != AF_UNSPEC) {
			m->msg_control = control[i].at;
			write_local(m, &packets[i]->local);
		}
	}
	while (sent + failures < n) {
		unsigned at = sent + failures;
		int rc = sendmmsg(s->fd, msgs + at, n - at, MSG_DONTWAIT);

		/* an error belongs to the first datagram: it is lost, the others go on */
		if (rc > 0)
			sent += (unsigned)rc;
		else if (errno != EINTR)
			failures++;
	}
	return sent;
}
