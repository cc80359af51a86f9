/* Split DNS: domains that systemd-resolved asks other servers for than the rest. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "cli/doctor_private.h"
#include "net/resolved.h"

struct links {
	VEC(struct resolved_link) list;
};

static void read_link(
        struct doctor *d, struct links *links, const char *directory, const char *name)
{
	char path[PATH_MAX];
	struct buf text = {0};
	uint32_t index;

	if (num_u32(str_from(name), INT32_MAX, &index) != 0 ||
	        links->list.len == RESOLVED_LINKS_MAX)
		return;
	snprintf(path, sizeof(path), "%s/%.20s", directory, name);
	if (doctor_read(d, path, &text) == 0) {
		vec_push(&links->list, (struct resolved_link){.index = index});
		resolved_link_parse(
		        &links->list.at[links->list.len - 1], (struct str){text.at, text.len});
	}
	buf_free(&text);
}

static void read_directory(struct doctor *d, struct links *links, const char *directory)
{
	char path[PATH_MAX];
	struct dirent *e;
	DIR *dir = NULL;

	if (doctor_resolve(d, directory, path, NULL) == 0)
		dir = opendir(path);
	while (dir != NULL && (e = readdir(dir)) != NULL)
		read_link(d, links, directory, e->d_name);
	if (dir != NULL)
		closedir(dir);
}

static bool is_same_servers(const struct resolved_route *a, const struct resolved_route *b)
{
	if (a->servers_len != b->servers_len)
		return false;
	for (unsigned i = 0; i < a->servers_len; i++)
		if (!addr_equal(&a->servers[i].addr, &b->servers[i].addr))
			return false;
	return true;
}

static void say_routes(struct doctor *d, const struct resolved_routes *routes)
{
	struct buf b = {0};
	char zone[NAME_TEXT_MAX], ip[ADDR_TEXT_MAX];

	vec_for_each (&routes->list, r) {
		if (is_same_servers(r, &routes->rest))
			continue;
		name_to_text(zone, r->zone.wire);
		buf_printf(&b, "%s%s to %s", b.len > 0 ? ", " : "", zone,
		        addr_ip_to_text(ip, &r->servers[0].addr));
	}
	if (b.len > 0)
		doctor_say(d, "split DNS", DOCTOR_WARNING,
		        "write forward . systemd-resolved in the Corefile, or a forward line for "
		        "each "
		        "of these domains: pods that inherit the plain list ask any of its servers",
		        arena_printf(&d->arena, "systemd-resolved sends %s", buf_text(&b)));
	else
		doctor_say(d, "split DNS", DOCTOR_OK, NULL, "no domain has servers of its own");
	buf_free(&b);
}

void doctor_check_links(struct doctor *d)
{
	struct links links = {0};
	struct resolved_routes routes = {0};

	if (d->systemd.rc != 0)
		return;
	read_directory(d, &links, "/run/systemd/netif/links");
	read_directory(d, &links, "/run/systemd/resolve/netif");
	resolved_routes_make(&routes, links.list.at, links.list.len, &d->systemd.conf);
	say_routes(d, &routes);
	resolved_routes_free(&routes);
	vec_free(&links.list);
}
