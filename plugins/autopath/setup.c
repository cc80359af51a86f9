/*
 * Reading `autopath [ZONES...] RESOLV-CONF | @kubernetes`, and the life of an instance.
 */
#include "autopath/autopath.h"

#include <errno.h>
#include <stdlib.h>

#include "base/rcu.h"
#include "net/file_watch.h"

/* How often files are looked at where the kernel reports no changes. */
#define LOOK_MS 30000u
/* What other pods of this node have in their resolv.conf behind the domains of the cluster. */
#define OWN_RESOLVCONF "/etc/resolv.conf"

static int set_resolvconf(void *conf, const struct directive *o, struct err *e)
{
	struct autopath *a = conf;
	const char *path = NULL;
	struct err why;
	int rc;

	if (a->path != NULL)
		return args_error(o, e,
			"resolvconf is for @kubernetes; the file '%s' is the search path already",
			a->path);
	rc = args_path(o, 0, &a->arena, &path, e);
	if (rc != 0)
		return rc;
	free(a->search);
	a->search = search_read(path, &why);
	return a->search == NULL ? args_error(o, e, "%s", why.text) : 0;
}

/* Not to have one is usual for a server outside of the cluster. */
static void read_own(struct autopath *a)
{
	struct err why;

	if (a->search == NULL)
		a->search = search_read(OWN_RESOLVCONF, &why);
	if (a->search == NULL) {
		log_warning(AUTOPATH_WHO, "%s; only the domains of the cluster are searched",
			why.text);
		a->search = search_empty();
	}
}

static int read_file(struct autopath *a, struct err *e)
{
	const struct directive *d = a->directive;
	struct err why;
	int rc = args_path(d, d->arg_count - 1, &a->arena, &a->path, e);

	if (rc != 0)
		return rc;
	a->search = search_read(a->path, &why);
	if (a->search == NULL)
		return args_error(d, e, "%s", why.text);
	if (a->search->len < 2)
		log_warning(AUTOPATH_WHO, "%s has no search list; nothing is done until it has",
			a->path);
	return 0;
}

static int read_source(struct autopath *a, struct setup *s, struct err *e)
{
	const struct directive *d = a->directive;
	const char *source = directive_arg(d, d->arg_count - 1);

	if (source[0] != '@')
		return read_file(a, e);
	if (strcmp(source, "@kubernetes") != 0)
		return args_error(d, e,
			"no plugin knows the search paths of clients but kubernetes: write "
			"@kubernetes or a file, not '%s'",
			source);
	if (block_find(s->block, "kubernetes", NULL) == NULL)
		return args_error(d, e,
			"@kubernetes needs the kubernetes plugin in the same server block; add it "
			"with 'pods verified'");
	return 0;
}

static int read_directive(struct autopath *a, struct setup *s, struct err *e)
{
	static const struct arg_option options[] = {
		{"resolvconf", 1, 1, set_resolvconf, false},
		{NULL, 0, 0, NULL, false},
	};
	struct directive zones = *a->directive;
	int rc = args_once(s->block, "autopath", e);

	if (rc == 0)
		rc = args_count(a->directive, 1, ARGS_ANY, e);
	if (rc != 0)
		return rc;
	zones.arg_count--;
	rc = zone_list_from_args(&a->zones, &zones, 0, e);
	if (rc == 0)
		rc = read_source(a, s, e);
	if (rc == 0)
		rc = args_options(a->directive, options, a, e);
	if (rc == 0 && a->path == NULL)
		read_own(a);
	return rc;
}

int autopath_setup(struct setup *s, struct err *e)
{
	struct autopath *a = mem_new(struct autopath);
	int rc;

	arena_init(&a->arena);
	a->directive = s->first;
	a->chain = s->chain;
	a->loop = s->loop;
	a->label = arena_str(&a->arena, s->server_label);
	a->successes = counters_new(s->workers, 1);
	rc = read_directive(a, s, e);
	if (rc != 0)
		autopath_free(a);
	else
		s->instance = a;
	return rc;
}

int autopath_link(void *instance, struct err *e)
{
	struct autopath *a = instance;
	struct offered view;

	if (a->path != NULL)
		return 0;
	if (!offer_find(a->chain, CLUSTER_VIEW, &view))
		return args_error(a->directive, e,
			"@kubernetes needs the kubernetes plugin in the same server block");
	a->view = view.ops;
	a->cluster = view.instance;
	if (!a->view->has_pods(a->cluster))
		return args_error(a->directive, e,
			"@kubernetes needs to know all pods; add 'pods verified' to kubernetes");
	return 0;
}

void autopath_load(void *arg)
{
	struct autopath *a = arg;
	struct search *old = a->search, *now;
	struct err why;

	now = search_read(a->path, &why);
	if (now == NULL) {
		log_warning(AUTOPATH_WHO, "%s; the last search path stays", why.text);
		return;
	}
	if (now->octets == old->octets && memcmp(now->wire, old->wire, now->octets) == 0) {
		free(now);
		return;
	}
	log_info(AUTOPATH_WHO, "%s has changed: %u domains to search", a->path, now->len - 1);
	rcu_publish(a->search, now);
	rcu_retire(old, free);
}

int autopath_start(void *instance, struct err *e)
{
	struct autopath *a = instance;

	(void)e;
	if (a->path != NULL && a->loop != NULL)
		a->watch = file_watch_start(a->loop, a->path, LOOK_MS, autopath_load, a);
	return 0;
}

void autopath_free(void *instance)
{
	struct autopath *a = instance;

	file_watch_stop(a->watch);
	zone_list_free(&a->zones);
	counters_free(a->successes);
	free(a->search);
	arena_reset(&a->arena);
	free(a);
}
