#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cli/doctor_private.h"
#include "net/interfaces.h"

#define LOCALS_MAX 256u

static const char *read_link_text(struct doctor *d, const char *path)
{
	char at[PATH_MAX], target[PATH_MAX];
	ssize_t n;

	if (doctor_resolve_parent(d, path, at) != 0)
		return NULL;
	n = readlink(at, target, sizeof(target) - 1);
	return n < 0 ? NULL : arena_dup(&d->arena, target, (size_t)n);
}

void doctor_file_read(struct doctor *d, struct doctor_file *f, const char *path)
{
	char real[PATH_MAX];
	const char *inside = path;
	struct buf text = {0};

	memset(f, 0, sizeof(*f));
	f->path = path;
	f->link = read_link_text(d, path);
	f->rc = doctor_resolve(d, path, real, &inside);
	f->real = arena_str(&d->arena, inside);
	if (f->rc == 0)
		f->rc = buf_read_file(&text, real, RESOLVCONF_MAX_SIZE);
	if (f->rc == 0)
		f->rc = resolvconf_parse(&f->conf, (struct str){text.at, text.len});
	buf_free(&text);
}

static bool is_ip(const union addr *a, uint8_t third, uint8_t fourth)
{
	size_t n;
	const uint8_t *ip = addr_ip(a, &n);

	return n == 4 && ip[0] == 127 && ip[1] == 0 && ip[2] == third && ip[3] == fourth;
}

static bool is_same_ip(const union addr *a, const union addr *b)
{
	union addr x = *a, y = *b;

	addr_set_port(&x, 0);
	addr_set_port(&y, 0);
	return addr_equal(&x, &y);
}

/* True for an address of this host, which a socket at the wildcard address hears. */
static bool is_local(const struct doctor *d, const union addr *a)
{
	union addr locals[LOCALS_MAX];
	size_t n;

	if (addr_is_loopback(a) || addr_is_wildcard(a))
		return true;
	if (d->root[0] != '\0')
		return false; /* its addresses may not be those of this host */
	n = interface_addresses(locals, LOCALS_MAX);
	for (size_t i = 0; i < n; i++)
		if (is_same_ip(&locals[i], a))
			return true;
	return false;
}

static bool hears(const struct doctor *d, const struct doctor_listener *l, const union addr *a)
{
	return addr_is_wildcard(&l->addr) ? is_local(d, a) : is_same_ip(&l->addr, a);
}

/* A DNS server of a cluster, which forwards what it does not know. */
static bool is_forwarder(const char *process)
{
	struct str name = str_from(process);

	name = str_cut(&name, ' ');
	return str_is(name, "coredns") || str_is(name, "seamark") || str_is(name, "node-cache");
}

static bool is_cluster_dns(const struct doctor *d, const union addr *a)
{
	vec_for_each (&d->cluster_dns, at)
		if (is_same_ip(at, a))
			return true;
	return false;
}

const char *doctor_fault(const struct doctor *d, const union addr *a)
{
	if (addr_is_stub(a))
		return "the stub of systemd-resolved";
	if (is_ip(a, 0, 11))
		return "Docker's own DNS, which answers in one container only";
	if (is_ip(a, 1, 1))
		return "the dnsmasq that NetworkManager starts on the host";
	if (addr_is_loopback(a) || addr_is_wildcard(a))
		return "a loopback address";
	if (is_cluster_dns(d, a))
		return "the cluster's own DNS (clusterDNS of the kubelet)";
	vec_for_each (&d->listeners, l)
		if (is_forwarder(l->process) && hears(d, l, a))
			return "a cluster's DNS server on this host";
	return NULL;
}

unsigned doctor_usable(const struct doctor *d, const struct doctor_file *f)
{
	unsigned n = 0;

	for (unsigned i = 0; i < f->conf.servers_len; i++)
		n += doctor_fault(d, &f->conf.servers[i]) == NULL;
	return n;
}

bool doctor_is_heard(const struct doctor *d, const union addr *a)
{
	if (!d->has_sockets || d->port != 53 || !addr_is_loopback(a))
		return true;
	vec_for_each (&d->listeners, l)
		if (hears(d, l, a))
			return true;
	return false;
}

const struct doctor_file *doctor_real_list(const struct doctor *d)
{
	const struct doctor_file *all[] = {&d->systemd, &d->networkmanager};

	/* a list with one server that leads back is no list of real ones */
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i]->conf.servers_len > 0 &&
		        doctor_usable(d, all[i]) == all[i]->conf.servers_len)
			return all[i];
	return NULL;
}

const char *doctor_servers_text(struct doctor *d, const struct doctor_file *f)
{
	struct buf b = {0};
	char text[ADDR_TEXT_MAX];
	const char *out;

	for (unsigned i = 0; i < f->conf.servers_len; i++)
		buf_printf(
		        &b, "%s%s", i > 0 ? ", " : "", addr_ip_to_text(text, &f->conf.servers[i]));
	out = arena_str(&d->arena, f->conf.servers_len == 0 ? "no server" : buf_text(&b));
	buf_free(&b);
	return out;
}
