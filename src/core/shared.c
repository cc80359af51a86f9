#include "core/shared.h"

#include "base/list.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/str.h"

struct shared {
	struct list entries;
};

struct entry {
	struct list node;
	const struct shared_kind *kind;
	char *key;
	void *object;
	unsigned users;
};

struct shared *shared_new(void)
{
	struct shared *s = mem_new(struct shared);

	list_init(&s->entries);
	return s;
}

void shared_free(struct shared *s)
{
	if (s == NULL)
		return;
	must(list_is_empty(&s->entries));
	free(s);
}

static struct entry *find(struct shared *s, const struct shared_kind *kind, const char *key)
{
	list_for_each(&s->entries, node) {
		struct entry *entry = container_of(node, struct entry, node);

		if (entry->kind == kind && strcmp(entry->key, key) == 0)
			return entry;
	}
	return NULL;
}

void *shared_take(struct shared *s, const struct shared_kind *kind, const char *key, void *arg,
	struct err *e)
{
	struct entry *entry = find(s, kind, key);
	void *object;

	if (entry != NULL) {
		entry->users++;
		return entry->object;
	}
	object = kind->create(key, arg, e);
	if (object == NULL)
		return NULL;
	entry = mem_new(struct entry);
	entry->kind = kind;
	entry->key = mem_str(key);
	entry->object = object;
	entry->users = 1;
	list_push(&s->entries, &entry->node);
	return object;
}

static struct entry *find_object(struct shared *s, const void *object)
{
	list_for_each(&s->entries, node) {
		struct entry *entry = container_of(node, struct entry, node);

		if (entry->object == object)
			return entry;
	}
	return NULL;
}

void shared_drop(struct shared *s, void *object)
{
	struct entry *entry;

	if (object == NULL)
		return;
	entry = find_object(s, object);
	must(entry != NULL);
	if (--entry->users > 0)
		return;
	list_remove(&entry->node);
	entry->kind->destroy(object);
	free(entry->key);
	free(entry);
}

void shared_each(struct shared *s, const struct shared_kind *kind,
	void (*fn)(void *object, void *arg), void *arg)
{
	list_for_each(&s->entries, node) {
		struct entry *entry = container_of(node, struct entry, node);

		if (entry->kind == kind)
			fn(entry->object, arg);
	}
}
