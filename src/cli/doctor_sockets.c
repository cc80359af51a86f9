#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/must.h"
#include "base/num.h"
#include "cli/doctor_private.h"

#define LISTENERS_MAX 64u
#define PROCESSES_MAX 100000u

/* --- /proc/net: addresses are words of 32 bits in the order of the machine --- */

static bool read_words(struct str hex, uint32_t *words, size_t n)
{
	char part[9] = "";

	if (hex.len != 8 * n)
		return false;
	for (size_t i = 0; i < n; i++) {
		memcpy(part, hex.at + 8 * i, 8);
		if (sscanf(part, "%8x", &words[i]) != 1)
			return false;
	}
	return true;
}

/* An IPv4 or IPv6 address, without the port. */
static bool read_address(union addr *a, struct str hex)
{
	uint32_t words[4];

	memset(a, 0, sizeof(*a));
	if (read_words(hex, words, 1)) {
		a->in.sin_family = AF_INET;
		memcpy(&a->in.sin_addr, words, 4);
		return true;
	}
	if (!read_words(hex, words, 4))
		return false;
	a->in6.sin6_family = AF_INET6;
	memcpy(&a->in6.sin6_addr, words, 16);
	return true;
}

/* "sl local remote state queues timer retransmits uid timeout inode": of a line of /proc/net. */
static void read_socket(struct doctor *d, struct str line, bool is_tcp)
{
	struct doctor_listener l = {.is_tcp = is_tcp};
	struct str word[10], local;
	uint64_t inode;

	for (size_t i = 0; i < ARRAY_LEN(word); i++)
		word[i] = str_word(&line);
	local = word[1];
	if (!read_address(&l.addr, str_cut(&local, ':')) || !str_is(local, "0035"))
		return;
	if (is_tcp && !str_is(word[3], "0A"))
		return;
	if (num_u64(word[9], INT64_MAX, &inode) != 0 || d->listeners.len == LISTENERS_MAX)
		return;
	addr_set_port(&l.addr, 53);
	l.inode = (unsigned long)inode;
	vec_push(&d->listeners, l);
}

static void read_sockets(struct doctor *d, const char *path, bool is_tcp)
{
	struct buf text = {0};
	struct str rest;

	if (doctor_read(d, path, &text) == 0) {
		d->has_sockets = true;
		rest = (struct str){text.at, text.len};
		while (rest.len > 0)
			read_socket(d, str_cut(&rest, '\n'), is_tcp);
	}
	buf_free(&text);
}

/* --- processes --- */

struct process {
	const char *pid;
	char name[64];
};

static void name_listener(struct doctor *d, const struct process *p, unsigned long inode)
{
	vec_for_each (&d->listeners, l)
		if (l->inode == inode && l->process == NULL)
			l->process = arena_printf(&d->arena, "%s (%s)", p->name, p->pid);
}

static void look_at_descriptors(struct doctor *d, const struct process *p)
{
	char path[PATH_MAX], real[PATH_MAX], target[64], entry[PATH_MAX];
	struct dirent *e;
	unsigned long inode;
	ssize_t n;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%.20s/fd", p->pid);
	if (doctor_resolve(d, path, real, NULL) != 0)
		return;
	dir = opendir(real);
	while (dir != NULL && (e = readdir(dir)) != NULL) {
		if (snprintf(entry, sizeof(entry), "%s/%s", real, e->d_name) >= (int)sizeof(entry))
			continue;
		n = readlink(entry, target, sizeof(target) - 1);
		target[n < 0 ? 0 : n] = '\0';
		if (sscanf(target, "socket:[%20lu]", &inode) == 1)
			name_listener(d, p, inode);
	}
	if (dir != NULL)
		closedir(dir);
}

/* The value of --resolv-conf, as one argument or as two. */
static void look_at_kubelet_process(struct doctor *d, const struct process *p)
{
	static const char flag[] = "--resolv-conf";
	char path[64];
	struct buf text = {0};
	struct str rest, word;

	d->has_kubelet = true;
	snprintf(path, sizeof(path), "/proc/%.20s/cmdline", p->pid);
	if (doctor_read(d, path, &text) != 0)
		text.len = 0;
	rest = (struct str){text.at, text.len};
	while (rest.len > 0) {
		word = str_cut(&rest, '\0');
		if (!str_has_prefix(word, flag))
			continue;
		str_cut(&word, '=');
		if (word.at == NULL)
			word = str_cut(&rest, '\0');
		d->kubelet_flag = arena_dup(&d->arena, word.at, word.len);
	}
	buf_free(&text);
}

static void look_at_process(struct doctor *d, const char *pid)
{
	struct process p = {.pid = pid};
	char path[64];
	struct buf text = {0};
	struct str name;

	snprintf(path, sizeof(path), "/proc/%.20s/comm", pid);
	if (doctor_read(d, path, &text) == 0) {
		name = str_trim((struct str){text.at, text.len});
		snprintf(p.name, sizeof(p.name), "%.*s", (int)(name.len < 60 ? name.len : 60),
		        name.len == 0 ? "" : name.at);
		if (strcmp(p.name, "kubelet") == 0)
			look_at_kubelet_process(d, &p);
		if (d->listeners.len > 0)
			look_at_descriptors(d, &p);
	}
	buf_free(&text);
}

void doctor_look_at_processes(struct doctor *d)
{
	char proc[PATH_MAX];
	struct dirent *e;
	unsigned n = 0;
	DIR *dir;

	read_sockets(d, "/proc/net/udp", false);
	read_sockets(d, "/proc/net/udp6", false);
	read_sockets(d, "/proc/net/tcp", true);
	read_sockets(d, "/proc/net/tcp6", true);
	if (doctor_resolve(d, "/proc", proc, NULL) != 0)
		return;
	dir = opendir(proc);
	while (dir != NULL && (e = readdir(dir)) != NULL && n++ < PROCESSES_MAX)
		if (strspn(e->d_name, "0123456789") == strlen(e->d_name))
			look_at_process(d, e->d_name);
	if (dir != NULL)
		closedir(dir);
}
