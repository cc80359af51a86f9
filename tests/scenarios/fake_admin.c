#include "fake_admin.h"

#include <stdlib.h>

#include "base/list.h"
#include "base/mem.h"
#include "core/control.h"
#include "core/generation.h"

#pragma GCC diagnostic ignored "-Wmissing-prototypes" /* the linker finds __wrap_... by name */

struct admin_route {
	struct list node;
	char *address, *path;
	admin_handler_fn *fn;
	void *arg;
};

static struct list routes = {&routes, &routes}; /* the newest first */
static struct generation *served;

void fake_admin_serve(struct generation *g)
{
	served = g;
}

bool __wrap_control_is_stopping(const struct control *c)
{
	(void)c;
	return false;
}

bool __wrap_control_is_ready(struct control *c, struct buf *names)
{
	(void)c;
	return generation_is_ready(served, names);
}

struct admin_route *admin_route_add(
	const char *address, const char *path, admin_handler_fn *fn, void *arg, struct err *e)
{
	struct admin_route *r = mem_new(struct admin_route);

	(void)e;
	r->address = mem_str(address);
	r->path = mem_str(path);
	r->fn = fn;
	r->arg = arg;
	list_push_first(&routes, &r->node);
	return r;
}

void admin_route_del(struct admin_route *r)
{
	if (r == NULL)
		return;
	list_remove(&r->node);
	free(r->address);
	free(r->path);
	free(r);
}

bool fake_admin_get(const char *address, const char *path, struct admin_reply *reply)
{
	list_for_each(&routes, at) {
		const struct admin_route *r = container_of(at, struct admin_route, node);

		if (strcmp(r->address, address) != 0 || strcmp(r->path, path) != 0)
			continue;
		reply->status = 200;
		r->fn(r->arg, reply);
		return true;
	}
	return false;
}
