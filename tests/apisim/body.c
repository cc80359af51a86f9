/*
 * Bodies that are kept, so that many readers of a large list cost its encoding once: a list in one
 * piece, and the initial events of a streaming list.
 */
#include "sim.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* labels and fields as in the request, and the namespace of its path. */
static char *selectors_of(const struct ask *a)
{
	struct buf b = {0};

	buf_printf(&b, "%s\n%s\n%s", a->namespace, query(a->connection, "labelSelector"),
	        query(a->connection, "fieldSelector"));
	return b.at;
}

struct body *body_find(const struct ask *a, bool is_watch)
{
	struct body *b = a->kind->kept[is_watch];
	char *selectors = selectors_of(a);
	bool fits = b != NULL && b->rv == world.rv && b->protobuf == a->protobuf &&
	            strcmp(b->selectors, selectors) == 0;

	free(selectors);
	if (!fits)
		return NULL;
	b->refs++;
	return b;
}

struct body *body_new(const struct ask *a, struct buf *bytes)
{
	struct body *b = mem_new(struct body);

	b->refs = 1;
	b->rv = world.rv;
	b->protobuf = a->protobuf;
	b->selectors = selectors_of(a);
	b->bytes = *bytes;
	*bytes = (struct buf){0};
	return b;
}

void body_keep(const struct ask *a, bool is_watch, struct body *b)
{
	body_unref(a->kind->kept[is_watch]);
	a->kind->kept[is_watch] = b;
	b->refs++;
}

void body_unref(struct body *b)
{
	if (b == NULL || --b->refs > 0)
		return;
	free(b->selectors);
	buf_free(&b->bytes);
	free(b);
}

void body_pace(uint64_t start_ms, size_t sent)
{
	uint64_t due_ms = world.pace == 0 ? 0 : start_ms + sent / world.pace, now = now_ms();

	if (due_ms <= now)
		return;
	pthread_mutex_unlock(&world.lock);
	poll(NULL, 0, (int)(due_ms - now));
	pthread_mutex_lock(&world.lock);
}
