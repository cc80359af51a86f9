#include <errno.h>
#include <string.h>

#include "base/must.h"
#include "cli/doctor_private.h"
#include "cluster/yaml_tree.h"

#define CONFIG "/var/lib/kubelet/config.yaml"
#define K3S_CONFIG "/etc/rancher/k3s/config.yaml"

/* Files in which flags of the kubelet stand; later ones win, as in kubeadm's unit. */
static const char *const flag_files[] = {
        "/etc/systemd/system/kubelet.service",
        "/etc/systemd/system/kubelet.service.d/10-kubeadm.conf",
        "/etc/systemd/system/kubelet.service.d/0-containerd.conf",
        "/var/lib/kubelet/kubeadm-flags.env",
        "/etc/default/kubelet",
        "/etc/sysconfig/kubelet",
};

static void set_pods(struct doctor *d, const char *value, const char *source)
{
	d->has_kubelet = true;
	d->has_empty_pods = value[0] == '\0';
	d->pods.path = value;
	d->pods_source = source;
}

/* --- config.yaml --- */

static void add_cluster_dns(struct doctor *d, const char *text)
{
	union addr a;

	if (text != NULL && addr_from_text(&a, str_from(text), 53) == 0)
		vec_push(&d->cluster_dns, a);
}

/* doctor_read(), and a finding when the file is there and this user may not read it. */
static int read_told(struct doctor *d, const char *path, struct buf *text)
{
	int rc = doctor_read(d, path, text);

	if (rc == -EACCES || rc == -EPERM)
		doctor_say(d, "kubelet", DOCTOR_WARNING, "run seamark doctor as root",
		        arena_printf(&d->arena,
		                "%s cannot be read by this user: which file pods get may be "
		                "another one",
		                path));
	return rc;
}

static void read_config(struct doctor *d)
{
	const struct ynode *root = NULL, *list;
	const char *path;
	struct buf text = {0};
	struct err e;

	if (read_told(d, CONFIG, &text) == 0) {
		d->has_kubelet = true;
		if (yaml_tree_parse(&d->arena, (struct str){text.at, text.len}, &root, &e) != 0)
			doctor_say(d, "kubelet", DOCTOR_BROKEN,
			        "correct the file; the kubelet cannot read it either",
			        arena_printf(&d->arena, "%s: %s", CONFIG, e.text));
		path = root == NULL ? NULL : ynode_text(root, "resolvConf");
		if (path != NULL)
			set_pods(d, path, "resolvConf of " CONFIG);
		list = root == NULL ? NULL : ynode_get(root, "clusterDNS");
		if (list != NULL && list->kind == YNODE_LIST)
			ynode_for_each (list, c)
				add_cluster_dns(d, c->text);
	}
	buf_free(&text);
}

/* k3s has the flag in its own file, and one file for all that it runs. */
static void read_k3s(struct doctor *d)
{
	const struct ynode *root = NULL;
	const char *path;
	struct buf text = {0};

	if (read_told(d, K3S_CONFIG, &text) == 0) {
		d->has_kubelet = true;
		yaml_tree_parse(&d->arena, (struct str){text.at, text.len}, &root, NULL);
		path = root == NULL ? NULL : ynode_text(root, "resolv-conf");
		if (path != NULL)
			set_pods(d, path, "resolv-conf of " K3S_CONFIG);
	}
	buf_free(&text);
}

/* --- flags --- */

/* The value behind "--resolv-conf=" or "--resolv-conf ", up to a blank or quote. */
static const char *flag_value(struct doctor *d, struct str text)
{
	static const char flag[] = "--resolv-conf";
	const char *at = memmem(text.at, text.len, flag, sizeof(flag) - 1), *end;
	const char *last = text.at + text.len;

	if (at == NULL || at + sizeof(flag) > last)
		return NULL;
	at += sizeof(flag) - 1;
	if (*at != '=' && *at != ' ')
		return NULL;
	at++;
	for (end = at; end < last && memchr(" \t\r\n\"'\\", *end, 7) == NULL; end++)
		;
	return arena_dup(&d->arena, at, (size_t)(end - at));
}

static void read_flags(struct doctor *d, const char *path)
{
	struct buf text = {0};
	struct str rest, line;
	const char *value;

	if (doctor_read(d, path, &text) == 0) {
		d->has_kubelet = true;
		rest = (struct str){text.at, text.len};
		while (rest.len > 0) {
			line = str_trim(str_cut(&rest, '\n'));
			if (line.len == 0 || line.at[0] == '#')
				continue;
			value = flag_value(d, line);
			if (value != NULL)
				set_pods(d, value,
				        arena_printf(&d->arena, "--resolv-conf of %s", path));
		}
	}
	buf_free(&text);
}

void doctor_look_at_kubelet(struct doctor *d)
{
	d->pods.path = DOCTOR_ETC;
	d->pods_source = "the kubelet's default";
	d->has_kubelet = d->has_kubelet || doctor_exists(d, "/var/lib/kubelet");
	read_config(d);
	read_k3s(d);
	for (size_t i = 0; i < ARRAY_LEN(flag_files); i++)
		read_flags(d, flag_files[i]);
	if (d->kubelet_flag != NULL)
		set_pods(d, d->kubelet_flag, "--resolv-conf of the running kubelet");
	if (!d->has_empty_pods)
		doctor_file_read(d, &d->pods, d->pods.path);
}
