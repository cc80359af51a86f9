/* Generations: read, built, published to the workers, and freed when the last one has let go. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf/corefile.h"
#include "core/control_private.h"

int control_hash(struct control *c, uint8_t sha512[64], struct err *e)
{
	struct corefile *corefile;
	int rc = control_config_read(&c->config, &corefile, e);

	if (rc != 0)
		return rc;
	memcpy(sha512, corefile->sha512, sizeof(corefile->sha512));
	corefile_free(corefile);
	return 0;
}

static struct generation *build(struct control *c, struct err *e)
{
	struct generation_options options = {
		.plugins = c->config.plugins,
		.default_port = c->config.default_port,
		.workers = c->config.workers,
		.loop = &c->loop,
		.shared = c->shared,
		.control = c,
	};
	struct corefile *corefile;

	if (control_config_read(&c->config, &corefile, e) != 0)
		return NULL;
	return generation_new(corefile, &options, e);
}

static void free_if_done(struct control *c, struct generation *g)
{
	if (g->detached < c->config.workers)
		return;
	for (size_t i = 0; i < c->retired.len; i++) {
		if (c->retired.at[i] != g)
			continue;
		vec_remove(&c->retired, i);
		generation_free(g);
		return;
	}
}

void control_on_detached(void *arg, struct generation *g)
{
	struct control *c = arg;
	struct detached *d = mem_new(struct detached);

	d->generation = g;
	pthread_mutex_lock(&c->lock);
	list_push(&c->detached, &d->node);
	pthread_mutex_unlock(&c->lock);
	uv_async_send(&c->wake);
}

void control_take_detached(struct control *c)
{
	for (;;) {
		struct detached *d;
		struct list *node;

		pthread_mutex_lock(&c->lock);
		node = list_first(&c->detached);
		if (node != NULL)
			list_remove(node);
		pthread_mutex_unlock(&c->lock);
		if (node == NULL)
			return;
		d = container_of(node, struct detached, node);
		d->generation->detached++;
		free_if_done(c, d->generation);
		free(d);
	}
}

/* Hand worker i its share of the new sockets. */
static void serve_on(
	struct control *c, unsigned i, struct generation *g, const struct socket_list *opened)
{
	struct socket_list mine = {NULL, 0, 0};

	for (size_t k = i; k < opened->len; k += c->config.workers)
		vec_push(&mine, opened->at[k]);
	worker_thread_serve(c->workers.at[i], g, mine.at, mine.len);
	vec_free(&mine);
}

static void publish(struct control *c, struct generation *g, const struct socket_list *opened)
{
	struct generation *old = c->current;

	pthread_mutex_lock(&c->current_lock);
	c->current = g;
	pthread_mutex_unlock(&c->current_lock);
	for (unsigned i = 0; i < c->config.workers; i++)
		serve_on(c, i, g, opened);
	if (old == NULL)
		return;
	vec_push(&c->retired, old);
	free_if_done(c, old);
}

int control_load(struct control *c, struct err *e)
{
	struct socket_list opened = {NULL, 0, 0};
	struct generation *g = build(c, e);
	int rc;

	if (g == NULL)
		return -EINVAL;
	rc = listen_sockets_open(&c->sockets, g, c->config.workers, &opened, e);
	if (rc == 0) {
		rc = generation_start(g, e);
		if (rc != 0)
			socket_list_close(&opened);
	}
	if (rc != 0) {
		generation_free(g);
		return rc;
	}
	listen_sockets_note(&c->sockets, g, &opened);
	publish(c, g, &opened);
	vec_free(&opened);
	return 0;
}
