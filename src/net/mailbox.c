#include "net/mailbox.h"

#include <pthread.h>
#include <stdlib.h>
#include <uv.h>

#include "base/mem.h"
#include "base/must.h"
#include "base/ref.h"

struct mailbox {
	uv_async_t wake;
	bool has_loop, is_closed;
	struct ref ref; /* the owner's, and the loop's */
	pthread_mutex_t lock; /* guards nodes and is_closed */
	struct list nodes;
	void (*fn)(void *arg, struct list *node);
	void *arg;
};

static struct list *fetch(struct mailbox *m)
{
	struct list *node;

	pthread_mutex_lock(&m->lock);
	node = list_first(&m->nodes);
	if (node != NULL)
		list_remove(node);
	pthread_mutex_unlock(&m->lock);
	return node;
}

static void on_wake(uv_async_t *handle)
{
	struct mailbox *m = handle->data;
	struct list *node;

	while (!uv_is_closing((uv_handle_t *)handle) && (node = fetch(m)) != NULL)
		m->fn(m->arg, node);
}

struct mailbox *mailbox_new(
	struct uv_loop_s *loop, void (*fn)(void *arg, struct list *node), void *arg)
{
	struct mailbox *m = mem_new(struct mailbox);

	ref_init(&m->ref);
	pthread_mutex_init(&m->lock, NULL);
	list_init(&m->nodes);
	m->fn = fn;
	m->arg = arg;
	if (loop == NULL)
		return m;
	m->has_loop = true;
	ref_take(&m->ref);
	must(uv_async_init(loop, &m->wake, on_wake) == 0);
	m->wake.data = m;
	return m;
}

bool mailbox_post(struct mailbox *m, struct list *node)
{
	bool is_open;

	if (!m->has_loop) {
		m->fn(m->arg, node);
		return true;
	}
	pthread_mutex_lock(&m->lock);
	is_open = !m->is_closed;
	if (is_open) {
		list_push(&m->nodes, node);
		uv_async_send(&m->wake);
	}
	pthread_mutex_unlock(&m->lock);
	return is_open;
}

static void unref(struct mailbox *m)
{
	if (!ref_drop(&m->ref))
		return;
	pthread_mutex_destroy(&m->lock);
	free(m);
}

static void on_closed(uv_handle_t *handle)
{
	unref(handle->data);
}

void mailbox_close(struct mailbox *m, struct list *left)
{
	struct list *node;

	pthread_mutex_lock(&m->lock);
	m->is_closed = true;
	pthread_mutex_unlock(&m->lock);
	while ((node = fetch(m)) != NULL)
		list_push(left, node);
	if (m->has_loop)
		uv_close((uv_handle_t *)&m->wake, on_closed);
}

void mailbox_free(struct mailbox *m)
{
	if (m != NULL)
		unref(m);
}
