/* The files of systemd's network links, read from a directory of the test's own. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <uv.h>

#include "base/must.h"
#include "net/resolved_watch.h"

static char dir[] = "/tmp/seamark-links.XXXXXX";

static void write_file(const char *directory, unsigned index, const char *text)
{
	char path[200];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s/%u", dir, directory, index);
	f = fopen(path, "w");
	must(f != NULL && fputs(text, f) >= 0 && fclose(f) == 0);
}

static void make_directory(const char *name)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	must(mkdir(path, 0700) == 0);
}

static int make_directories(void **state)
{
	(void)state;
	must(mkdtemp(dir) != NULL);
	make_directory("netif");
	make_directory("netif/links");
	make_directory("resolve");
	make_directory("resolve/netif");
	return 0;
}

static int remove_directories(void **state)
{
	char command[100];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

static const struct resolved_link *link_of(const struct resolved_watch *w, unsigned index)
{
	size_t n;
	const struct resolved_link *links = resolved_watch_links(w, &n);

	for (size_t i = 0; i < n; i++)
		if (links[i].index == index)
			return &links[i];
	return NULL;
}

/* A node of a cluster has a link for each pod. */
static void links_without_servers_take_no_room_from_others(void **state)
{
	uv_loop_t loop;
	struct resolved_watch *w;
	const struct resolved_link *l;

	(void)state;
	for (unsigned i = 1; i <= 3 * RESOLVED_LINKS_MAX; i++)
		write_file("netif/links", i, "ADMIN_STATE=unmanaged\nOPER_STATE=degraded\n");
	write_file("netif/links", 5000, "OPER_STATE=routable\nDNS=192.0.2.1\n");
	write_file("resolve/netif", 9, "SERVERS=192.0.2.9\n");
	write_file("resolve/netif", 5000, "DOMAINS=~corp.example\n");
	write_file("netif/links", 9, "OPER_STATE=no-carrier\n");
	must(uv_loop_init(&loop) == 0);
	w = resolved_watch_start(&loop, dir, NULL, NULL);
	l = link_of(w, 5000);
	assert_non_null(l);
	assert_int_equal(l->servers_len, 1);
	assert_int_equal(l->domains_len, 1); /* of its other file */
	l = link_of(w, 9);
	assert_non_null(l);
	assert_true(l->is_down);
	resolved_watch_stop(w);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(links_without_servers_take_no_room_from_others),
	};

	return cmocka_run_group_tests(tests, make_directories, remove_directories);
}
