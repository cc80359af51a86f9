/*
 * Texts that many objects share (namespaces, nodes, zones, label keys) kept once, with a count of
 * their users. Belongs to one store; control thread.
 */
#pragma once

#include "base/map.h"

struct intern {
	struct map texts;
};

/* Start empty. */
void intern_init(struct intern *t);
/* Free the table; every text must have been given back. */
void intern_fini(struct intern *t);
/* The shared copy of text, counted; NULL stays NULL. */
const char *intern_take(struct intern *t, const char *text);
/* Give a text from intern_take() back; NULL is ignored. */
void intern_drop(struct intern *t, const char *text);
