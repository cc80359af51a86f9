/*
 * Intrusive doubly linked list with a sentinel head. Owns nothing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/must.h"

struct list {
	struct list *next, *prev;
};

/* Make l an empty list, or a detached node. */
static inline void list_init(struct list *l)
{
	l->next = l->prev = l;
}

/* True when the list has no node (or the node is detached). */
static inline bool list_is_empty(const struct list *l)
{
	return l->next == l;
}

/* Put node at the end of the list. */
static inline void list_push(struct list *head, struct list *node)
{
	node->prev = head->prev;
	node->next = head;
	head->prev->next = node;
	head->prev = node;
}

/* Put node at the start of the list. */
static inline void list_push_first(struct list *head, struct list *node)
{
	list_push(head->next, node);
}

/* Take node out of its list and leave it detached; harmless on a detached node. */
static inline void list_remove(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

/* The first node, or NULL when empty. */
static inline struct list *list_first(const struct list *head)
{
	return list_is_empty(head) ? NULL : head->next;
}

/* Walk; the current node may be removed in the body. */
#define list_for_each(head, node)                                                                  \
	for (struct list *node = (head)->next, *node##_next = node->next; node != (head);          \
		node = node##_next, node##_next = node->next)
