/*
 * Things that outlive a reload when they are configured the same: listeners, cluster sources,
 * resolver-file watchers. A registry of reference-counted objects by kind and key.
 *
 * Control thread only.
 */
#pragma once

#include "base/err.h"

struct shared;

struct shared_kind {
	const char *name;
	/* Make the object for key; arg is the caller's. NULL with a reason in e. */
	void *(*create)(const char *key, void *arg, struct err *e);
	/* Destroy it; called when the last user drops it. */
	void (*destroy)(void *object);
};

/* An empty registry. */
struct shared *shared_new(void);
/* Free it; every object must have been dropped. */
void shared_free(struct shared *s);
/* The object of that kind and key, made when there is none; one more user. NULL with e set. */
void *shared_take(struct shared *s, const struct shared_kind *kind, const char *key, void *arg,
	struct err *e);
/* One user fewer of an object from shared_take(); the last one destroys it. NULL is ignored. */
void shared_drop(struct shared *s, void *object);
/*
 * Call fn for every object of the kind; used to hand API objects to all embedded sources.
 */
void shared_each(struct shared *s, const struct shared_kind *kind,
	void (*fn)(void *object, void *arg), void *arg);
