#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/must.h"
#include "cli/doctor_private.h"

#define GLIBC_SERVERS 3u /* servers that the C library reads (resolv.conf(5)) */
#define SEARCH_MAX 32u /* names of a pod's search list, and their characters (Kubernetes) */
#define SEARCH_CHARS_MAX 2048u
#define POD_SEARCH 3u /* names that the kubelet puts before the host's */

#define AS_ROOT "run seamark doctor as root, or let everybody read the file (chmod 644)"
#define DIRECTORY \
	"remove the directory (container runtimes make one where a file to mount is missing), " \
	"then seamark doctor --fix, or write the file"
#define FIX "seamark doctor --fix links the list of the real servers"

static const char *join(struct doctor *d, const char *a, const char *b)
{
	return arena_printf(&d->arena, "%s%s", a, b);
}

/* "PATH" or "PATH -> TARGET". */
static const char *file_text(struct doctor *d, const struct doctor_file *f)
{
	if (f->link == NULL)
		return f->path;
	return arena_printf(&d->arena, "%s -> %s", f->path, f->link);
}

/* What would mend a file without a usable server. */
static const char *remedy_text(struct doctor *d)
{
	const struct doctor_file *real = doctor_real_list(d);

	if (real != NULL)
		return arena_printf(&d->arena, FIX ", %s, there", real->path);
	return "write \"nameserver ADDRESS\" lines with the DNS servers of your network into "
	       "/etc/resolv.conf, or set DNS= in /etc/systemd/resolved.conf and restart "
	       "systemd-resolved";
}

/* A file that this user may not read says nothing about the host. */
static bool is_hidden(int rc)
{
	return rc == -EACCES || rc == -EPERM;
}

static const char *hidden_text(struct doctor *d, const struct doctor_file *f)
{
	return arena_printf(
	        &d->arena, "%s cannot be read by this user: not examined", file_text(d, f));
}

/* --- /etc/resolv.conf, for programs of the host --- */

static void say_unreadable(struct doctor *d, const char *check, const struct doctor_file *f)
{
	const char *why = f->rc == -ENOENT && f->link != NULL ? "nothing is there"
	                                                      : strerror(-f->rc);

	if (is_hidden(f->rc))
		doctor_say(d, check, DOCTOR_WARNING, AS_ROOT, hidden_text(d, f));
	else
		doctor_say(d, check, DOCTOR_BROKEN,
		        f->rc == -EISDIR ? DIRECTORY : remedy_text(d),
		        arena_printf(&d->arena, "%s: %s", file_text(d, f), why));
}

/* A server of the host's file where nobody listens. */
static const union addr *unheard(const struct doctor *d, const struct doctor_file *f)
{
	for (unsigned i = 0; i < f->conf.servers_len; i++)
		if (!doctor_is_heard(d, &f->conf.servers[i]))
			return &f->conf.servers[i];
	return NULL;
}

static void say_unheard(struct doctor *d, const union addr *a)
{
	char ip[ADDR_TEXT_MAX];
	const char *remedy = remedy_text(d);

	addr_ip_to_text(ip, a);
	if (addr_is_stub(a))
		remedy = join(d,
		        "systemctl enable --now systemd-resolved, and no DNSStubListener=no in its "
		        "resolved.conf; or: ",
		        remedy);
	doctor_say(d, "resolv.conf", DOCTOR_BROKEN, remedy,
	        arena_printf(&d->arena, "%s names %s, where no program listens on port 53",
	                file_text(d, &d->etc), ip));
}

static void check_lines(struct doctor *d)
{
	const struct resolvconf *c = &d->etc.conf;

	if (c->skipped > 0)
		doctor_say(d, "resolv.conf", DOCTOR_WARNING,
		        "correct or remove them: programs differ in what they make of such lines",
		        arena_printf(&d->arena, "%s has lines or words that mean nothing: %u",
		                d->etc.path, c->skipped));
	if (c->servers_len > GLIBC_SERVERS)
		doctor_say(d, "resolv.conf", DOCTOR_WARNING,
		        "remove the others, or let a server here ask them all: forward takes 15",
		        arena_printf(&d->arena, "%s names %u servers: programs ask the first %u",
		                d->etc.path, c->servers_len, GLIBC_SERVERS));
}

static void check_resolvconf(struct doctor *d)
{
	const struct doctor_file *f = &d->etc;

	if (f->rc != 0) {
		say_unreadable(d, "resolv.conf", f);
	} else if (f->conf.servers_len == 0) {
		doctor_say(d, "resolv.conf", DOCTOR_BROKEN, remedy_text(d),
		        arena_printf(&d->arena,
		                "%s names no server: programs then ask 127.0.0.1, which in a pod "
		                "is the pod itself",
		                file_text(d, f)));
	} else if (unheard(d, f) != NULL) {
		say_unheard(d, unheard(d, f));
	} else {
		doctor_say(d, "resolv.conf", DOCTOR_OK, NULL,
		        arena_printf(&d->arena, "%s names %s", file_text(d, f),
		                doctor_servers_text(d, f)));
	}
	if (f->rc == 0)
		check_lines(d);
}

/* --- what systemd-resolved lists --- */

static void check_systemd(struct doctor *d)
{
	static const char set_servers[] =
	        "resolvectl status shows the servers of each link; set DNS= in "
	        "/etc/systemd/resolved.conf or in the link's configuration, then systemctl restart "
	        "systemd-resolved";
	const struct doctor_file *f = &d->systemd;
	bool is_needed = false;

	for (unsigned i = 0; i < d->etc.conf.servers_len; i++)
		is_needed = is_needed || addr_is_stub(&d->etc.conf.servers[i]);
	if (f->rc != 0 && is_needed)
		doctor_say(d, "systemd-resolved", DOCTOR_BROKEN,
		        "systemctl enable --now systemd-resolved",
		        join(d, f->path, " is not there, but /etc/resolv.conf names its stub"));
	else if (f->rc != 0)
		doctor_say(d, "systemd-resolved", DOCTOR_OK, NULL, "does not run here");
	else if (f->conf.servers_len == 0)
		doctor_say(d, "systemd-resolved", is_needed ? DOCTOR_BROKEN : DOCTOR_WARNING,
		        set_servers, join(d, f->path, " lists no server"));
	else
		doctor_say(d, "systemd-resolved", DOCTOR_OK, NULL,
		        arena_printf(&d->arena, "%s lists %s", f->path, doctor_servers_text(d, f)));
}

/* --- loops --- */

/* "ADDRESS, which is ..." for the first server that leads back; NULL when none does. */
static const char *fault_text(struct doctor *d, const struct doctor_file *f)
{
	char ip[ADDR_TEXT_MAX];

	for (unsigned i = 0; i < f->conf.servers_len; i++) {
		const char *fault = doctor_fault(d, &f->conf.servers[i]);

		if (fault != NULL)
			return arena_printf(&d->arena, "%s, which is %s",
			        addr_ip_to_text(ip, &f->conf.servers[i]), fault);
	}
	return NULL;
}

/* The list of the real servers leads back here: a file cannot mend that. */
static bool check_list_loop(struct doctor *d, const struct doctor_file *f)
{
	const char *fault = f->rc == 0 ? fault_text(d, f) : NULL;

	if (fault == NULL)
		return false;
	doctor_say(d, "loop", DOCTOR_BROKEN,
	        "take it out of DNS= (/etc/systemd/resolved.conf, the link's configuration or "
	        "resolvectl dns LINK ...); to reach the cluster's names from the host, give that "
	        "server to a link with Domains=~cluster.local instead",
	        arena_printf(&d->arena, "%s lists %s: what is forwarded there comes back", f->path,
	                fault));
	return true;
}

/* Pods get servers that lead back: --fix mends one file only, and another one needs the kubelet. */
static const char *kubelet_remedy(struct doctor *d)
{
	if (d->systemd.rc == 0 && doctor_usable(d, &d->systemd) > 0)
		return "set resolvConf: " RESOLVCONF_SYSTEMD
		       " in /var/lib/kubelet/config.yaml (or --resolv-conf), then "
		       "systemctl restart kubelet and delete the pods of the cluster's DNS";
	return remedy_text(d);
}

static const char *inherited_remedy(struct doctor *d)
{
	return strcmp(d->pods.path, DOCTOR_ETC) == 0 ? remedy_text(d) : kubelet_remedy(d);
}

static const char *container_remedy(struct doctor *d)
{
	const struct doctor_file *real = doctor_real_list(d);

	return arena_printf(&d->arena, "none for programs of this host; to containers, give %s",
	        real == NULL ? "the addresses of real servers" : real->path);
}

/* Who inherits the file gets servers that lead back to itself. */
static void check_inherited_loop(struct doctor *d)
{
	const struct doctor_file *f = d->has_kubelet ? &d->pods : &d->etc;
	const char *fault = f->rc == 0 ? fault_text(d, f) : NULL;
	bool is_usable = doctor_usable(d, f) > 0;

	if (f->rc != 0 || (d->has_kubelet && d->has_empty_pods))
		return;
	if (fault == NULL) {
		doctor_say(d, "loop", DOCTOR_OK, NULL, "no server leads back to who asks it");
		return;
	}
	doctor_say(d, "loop", d->has_kubelet && !is_usable ? DOCTOR_BROKEN : DOCTOR_WARNING,
	        d->has_kubelet ? inherited_remedy(d) : container_remedy(d),
	        arena_printf(&d->arena, "%s, which %s, names %s: in a pod, questions sent there %s",
	                f->path,
	                d->has_kubelet ? "the kubelet gives to pods" : "containers inherit", fault,
	                "come back or get lost"));
}

static void check_loops(struct doctor *d)
{
	if (!check_list_loop(d, &d->systemd))
		check_inherited_loop(d);
}

/* --- port 53 --- */

static bool is_stub_listener(const struct doctor_listener *l)
{
	return addr_is_stub(&l->addr);
}

static void say_listener(struct doctor *d, const struct doctor_listener *l)
{
	char at[ADDR_TEXT_MAX];
	const char *process =
	        l->process == NULL ? "a process that is hidden from this user" : l->process;
	bool is_wide = addr_is_wildcard(&l->addr);

	doctor_say(d, "port 53", is_wide ? DOCTOR_WARNING : DOCTOR_OK,
	        is_wide ? "stop it if another server is to have the port, or give that one an "
	                  "address of its own (bind)"
	                : NULL,
	        arena_printf(&d->arena, "%s %s is %s%s", addr_to_text(at, &l->addr),
	                l->is_tcp ? "TCP" : "UDP", process,
	                is_stub_listener(l) ? ": a server on all addresses needs bind, or "
	                                      "DNSStubListener=no in resolved.conf"
	                                    : ""));
}

static void check_port(struct doctor *d)
{
	if (!d->has_sockets)
		doctor_say(d, "port 53", DOCTOR_OK, NULL,
		        "not known: no sockets can be seen in /proc of this root");
	else if (d->listeners.len == 0)
		doctor_say(d, "port 53", DOCTOR_OK, NULL, "free");
	vec_for_each (&d->listeners, l)
		say_listener(d, l);
}

/* --- search list and ndots --- */

static unsigned search_chars(const struct resolvconf *c)
{
	char text[NAME_TEXT_MAX];
	size_t n = 0;

	for (unsigned i = 0; i < c->search_len; i++)
		n += name_to_text(text, c->search[i].wire) + 1;
	return (unsigned)n;
}

static void check_search(struct doctor *d)
{
	const struct doctor_file *f = d->has_kubelet && !d->has_empty_pods ? &d->pods : &d->etc;
	const struct resolvconf *c = &f->conf;
	unsigned n = c->search_len + (d->has_kubelet ? POD_SEARCH : 0), chars = search_chars(c);
	const char *text = arena_printf(&d->arena,
	        "%s has a search list of %u name%s and ndots:%u: %s%u questions for a short name "
	        "that "
	        "does not exist",
	        f->path, c->search_len, c->search_len == 1 ? "" : "s", c->ndots,
	        d->has_kubelet ? "a pod asks up to " : "up to ", 2 * (n + 1));

	if (f->rc != 0)
		return;
	if (n > SEARCH_MAX || chars > SEARCH_CHARS_MAX)
		doctor_say(d, "search", DOCTOR_BROKEN,
		        "shorten the search line: Kubernetes takes 32 names and 2048 characters, 3 "
		        "names of them its own",
		        text);
	else if (c->search_len > 3 || (c->search_len > 0 && c->ndots > 1))
		doctor_say(d, "search", DOCTOR_WARNING,
		        "remove names from the search line that nobody uses, and ndots from "
		        "options; "
		        "autopath takes the walk off the clients",
		        text);
	else
		doctor_say(d, "search", DOCTOR_OK, NULL, text);
}

/* --- the kubelet --- */

static const char *missing_pods_remedy(struct doctor *d)
{
	const struct doctor_file *real = doctor_real_list(d);
	const char *use = d->etc.rc == 0 && doctor_usable(d, &d->etc) > 0
	                          ? DOCTOR_ETC
	                          : "a file that exists and names real servers";

	if (real != NULL)
		return arena_printf(&d->arena,
		        "set resolvConf: %s in /var/lib/kubelet/config.yaml (or --resolv-conf), "
		        "then systemctl restart kubelet",
		        real->path);
	return arena_printf(&d->arena,
	        "systemctl enable --now systemd-resolved, or set resolvConf in "
	        "/var/lib/kubelet/config.yaml to %s; then systemctl restart kubelet",
	        use);
}

static void say_missing_pods(struct doctor *d)
{
	const struct doctor_file *f = &d->pods;

	if (is_hidden(f->rc))
		doctor_say(d, "kubelet", DOCTOR_WARNING, AS_ROOT, hidden_text(d, f));
	else
		doctor_say(d, "kubelet", DOCTOR_BROKEN, missing_pods_remedy(d),
		        arena_printf(&d->arena, "%s (%s): %s: no pod can start", file_text(d, f),
		                d->pods_source, strerror(-f->rc)));
}

static void check_kubelet(struct doctor *d)
{
	const struct doctor_file *f = &d->pods;
	const char *text;

	if (!d->has_kubelet) {
		doctor_say(d, "kubelet", DOCTOR_OK, NULL, "none here");
		return;
	}
	if (d->has_empty_pods) {
		doctor_say(d, "kubelet", DOCTOR_WARNING,
		        "give the cluster's DNS its servers in the Corefile: forward . ADDRESS",
		        join(d, d->pods_source, " is empty: pods inherit no server"));
		return;
	}
	if (f->rc != 0) {
		say_missing_pods(d);
		return;
	}
	text = arena_printf(&d->arena, "gives pods %s (%s), which names %s", file_text(d, f),
	        d->pods_source, doctor_servers_text(d, f));
	if (doctor_usable(d, f) > 0)
		doctor_say(d, "kubelet", DOCTOR_OK, NULL, text);
	else
		doctor_say(d, "kubelet", DOCTOR_BROKEN, kubelet_remedy(d), text);
}

void doctor_check_files(struct doctor *d)
{
	static void (*const checks[])(struct doctor *) = {check_resolvconf, check_systemd,
	        check_kubelet, check_loops, doctor_check_links, check_search, check_port};

	for (size_t i = 0; i < ARRAY_LEN(checks); i++)
		checks[i](d);
}
