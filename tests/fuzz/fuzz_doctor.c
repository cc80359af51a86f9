/*
 * What `seamark doctor` reads of a host: files of the kubelet, of k3s, of systemd units, lists of
 * sockets in /proc/net and resolv.conf. Each chunk of the input, up to a NUL, is one of them.
 * The files are in memory: this takes the place of src/cli/doctor_root.c.
 */
#include "fuzz.h"

#include <errno.h>
#include <string.h>

#include "base/must.h"
#include "cli/doctor_private.h"

static const char *const paths[] = {
        "/var/lib/kubelet/config.yaml",
        "/etc/rancher/k3s/config.yaml",
        "/etc/systemd/system/kubelet.service.d/10-kubeadm.conf",
        "/var/lib/kubelet/kubeadm-flags.env",
        "/proc/net/udp",
        "/proc/net/tcp6",
};
static struct str files[ARRAY_LEN(paths)], etc, systemd;

int doctor_resolve(
        const struct doctor *d, const char *path, char out[PATH_MAX], const char **inside)
{
	(void)d;
	(void)path;
	(void)inside;
	out[0] = '\0';
	return -ENOENT;
}

int doctor_resolve_parent(const struct doctor *d, const char *path, char out[PATH_MAX])
{
	return doctor_resolve(d, path, out, NULL);
}

int doctor_read(const struct doctor *d, const char *path, struct buf *b)
{
	(void)d;
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		if (strcmp(path, paths[i]) == 0 && files[i].at != NULL) {
			buf_add(b, files[i].at, files[i].len);
			return 0;
		}
	}
	return -ENOENT;
}

bool doctor_exists(const struct doctor *d, const char *path)
{
	(void)d;
	(void)path;
	return true;
}

static void take(struct doctor_file *f, const char *path, struct str text)
{
	f->path = f->real = path;
	f->rc = resolvconf_parse(&f->conf, text);
}

static void look(struct doctor *d)
{
	arena_init(&d->arena);
	doctor_look_at_processes(d);
	doctor_look_at_kubelet(d);
	take(&d->etc, DOCTOR_ETC, etc);
	take(&d->systemd, RESOLVCONF_SYSTEMD, systemd);
	doctor_check_files(d);
	must(d->findings.len > 0 && d->findings.len < 100);
	vec_for_each (&d->findings, f)
		must(f->text != NULL && (f->verdict != DOCTOR_OK || f->remedy == NULL));
	vec_free(&d->cluster_dns);
	vec_free(&d->listeners);
	vec_free(&d->findings);
	arena_reset(&d->arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct doctor d = {.root = "/host", .port = 53};
	struct str rest = {(const char *)data, size};

	memset(files, 0, sizeof(files));
	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		files[i] = str_cut(&rest, '\0');
	etc = str_cut(&rest, '\0');
	systemd = rest;
	look(&d);
	return 0;
}
