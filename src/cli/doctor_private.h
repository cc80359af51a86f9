/*
 * What the files of `seamark doctor` share: the case (what was found in the root), the findings (a
 * line of the table each), and the checks, which turn one into the other.
 *
 *   doctor_root.c        paths below a root, with links that never lead out of it
 *   doctor_file.c        files of resolv.conf form; which of their servers are of use
 *   doctor_sockets.c     who listens on port 53, and kubelet's command line
 *   doctor_kubelet.c     which file the kubelet hands to pods
 *   doctor_check.c       the checks of files
 *   doctor_links.c       split DNS
 *   doctor_ask.c         asks the upstream servers
 *   doctor_report.c      the table, and JSON
 *   doctor_fix.c         --fix and --undo
 *
 * One thread, from start to exit; texts live in the arena of the case.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/vec.h"
#include "net/resolvconf.h"

#define DOCTOR_ETC "/etc/resolv.conf"
#define DOCTOR_OLD "/etc/resolv.conf.old"
#define DOCTOR_FILE_MAX (1u << 20) /* octets of any file that is read */

enum doctor_verdict { DOCTOR_OK, DOCTOR_WARNING, DOCTOR_BROKEN };

/* A line of the table. */
struct doctor_finding {
	const char *check;
	enum doctor_verdict verdict;
	const char *text;
	const char *remedy; /* what to do, a command where there is one; NULL when all is well */
};

/* A file of resolv.conf form, below the root. */
struct doctor_file {
	const char *path; /* as it is known, such as /etc/resolv.conf */
	const char *link; /* text of the symbolic link that it is; NULL when it is none */
	const char *real; /* where that leads in the root; path when it is no link */
	int rc; /* 0, or why it could not be read */
	struct resolvconf conf; /* empty when it could not be read */
};

/* A socket that takes questions on port 53. */
struct doctor_listener {
	union addr addr;
	bool is_tcp;
	unsigned long inode;
	const char *process; /* name, and id in parentheses; NULL when that is hidden from us */
};

struct doctor {
	struct arena arena;
	const char *root; /* "" for the host itself, else without a slash at its end */
	unsigned port; /* of upstream servers */
	bool is_offline, is_json, wants_fix, wants_undo;

	struct doctor_file etc; /* what programs of the host read */
	struct doctor_file systemd; /* what systemd-resolved lists */
	struct doctor_file networkmanager; /* what NetworkManager lists */
	struct doctor_file pods; /* what the kubelet hands to pods */
	bool has_kubelet, has_empty_pods; /* the kubelet is told to hand out nothing */
	const char *pods_source; /* where the kubelet is told which file */
	const char *kubelet_flag; /* --resolv-conf of the running kubelet, or NULL */
	VEC(union addr) cluster_dns;
	VEC(struct doctor_listener) listeners;
	bool has_sockets; /* the list of sockets could be read */

	VEC(struct doctor_finding) findings;
};

/* --- doctor_root.c --- */

/*
 * Where path, absolute, leads below the root, following symbolic links as inside a container. The
 * host's path of it goes to out; *inside, when not NULL, gets it as seen in the root. The last
 * component need not exist. 0, or a negative errno (-ELOOP, -ENAMETOOLONG).
 */
int doctor_resolve(
        const struct doctor *d, const char *path, char out[PATH_MAX], const char **inside);
/* The same, but a link in the last component is not followed. */
int doctor_resolve_parent(const struct doctor *d, const char *path, char out[PATH_MAX]);
/* Append a file below the root, at most DOCTOR_FILE_MAX octets, to b. 0 or a negative errno. */
int doctor_read(const struct doctor *d, const char *path, struct buf *b);
/* True when the path exists below the root. */
bool doctor_exists(const struct doctor *d, const char *path);

/* --- doctor_file.c --- */

/* Read a file of resolv.conf form; path must outlive the case. */
void doctor_file_read(struct doctor *d, struct doctor_file *f, const char *path);
/*
 * Why a pod that inherits this server could not use it, a clause that goes behind "which is"; NULL
 * when it can.
 */
const char *doctor_fault(const struct doctor *d, const union addr *a);
/* Servers of the file that a pod can use. */
unsigned doctor_usable(const struct doctor *d, const struct doctor_file *f);
/* True when a program listens where questions to a arrive; unknown counts as true. */
bool doctor_is_heard(const struct doctor *d, const union addr *a);
/* The file that lists the real servers and may take the place of /etc/resolv.conf, or NULL. */
const struct doctor_file *doctor_real_list(const struct doctor *d);
/* The servers of the file as text, in the arena. */
const char *doctor_servers_text(struct doctor *d, const struct doctor_file *f);

/* --- doctor_sockets.c, doctor_kubelet.c --- */

/* Find who listens on port 53, and a running kubelet, in /proc of the root. */
void doctor_look_at_processes(struct doctor *d);
/* Find out which file the kubelet hands to pods, and the addresses of the cluster's DNS. */
void doctor_look_at_kubelet(struct doctor *d);

/* --- doctor_check.c, doctor_links.c, doctor_ask.c --- */

/* The checks of files and sockets: a finding each, or more. */
void doctor_check_files(struct doctor *d);
/* Whether systemd-resolved sends some domains to other servers: a finding where it runs. */
void doctor_check_links(struct doctor *d);
/* Ask every upstream server over UDP and TCP, all at once, for 3 s at most: a finding each. */
void doctor_check_upstreams(struct doctor *d);
/* How many servers of the file answer now over UDP. */
unsigned doctor_answering(const struct doctor *d, const struct doctor_file *f);

/* --- doctor_report.c --- */

/* Add a finding; remedy may be NULL. Texts are copied. */
void doctor_say(struct doctor *d, const char *check, enum doctor_verdict verdict,
        const char *remedy, const char *text);
/* Write the findings to standard output as the case wants them. */
void doctor_print(const struct doctor *d);
/* True when something is broken. */
bool doctor_is_broken(const struct doctor *d);

/* --- doctor_fix.c --- */

/*
 * Put the list of the real servers in the place of /etc/resolv.conf when that is of no use, and
 * keep the old one. *done gets a sentence. 0, or a negative errno with the reason in e.
 */
int doctor_fix(struct doctor *d, const char **done, struct err *e);
/* Put the old file back. 0, or a negative errno with the reason in e. */
int doctor_undo(struct doctor *d, const char **done, struct err *e);
