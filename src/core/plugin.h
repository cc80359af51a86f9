/*
 * What a plugin is. One struct plugin for each kind; one *instance* (whatever setup() makes) for
 * each server block that names it. plugins/plugins.def fixes the order of the chain.
 *
 * setup, link, start, stop and teardown run on the control thread; attach, detach, query, reply and
 * cancel on the worker that owns the query; metrics and ready on any thread, which may borrow
 * published data (RCU). All hooks are optional but setup.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"
#include "core/offer.h"

struct metrics;
struct plugin_explain;
struct plugin_transfer;
struct query;
struct setup;
struct worker;

enum verdict {
	NEXT, /* ask the next plugin */
	DONE, /* the answer in q->answer is complete */
	WAIT, /* parked: query_resume() will be called on this worker */
	DROP, /* send nothing */
};

struct plugin {
	const char *name;
	/* query and reply are for questions of every class; else those other than IN pass it by. */
	bool takes_any_class;
	/* Its reply hook changes nothing and does not wait: refused transfers are shown to it. */
	bool observes;
	/*
	 * Read the directives of one server block (s->first and those behind it), make an instance
	 * and put it in s->instance. Leaving it NULL keeps the plugin out of the chain (bind). It
	 * must not touch the outside world beyond reading files. 0, or a negative errno with file,
	 * line and remedy in e; what it allocated is then its own to free.
	 */
	int (*setup)(struct setup *s, struct err *e);
	/*
	 * All instances of the server block are set up: find those that this one needs
	 * (core/offer.h) and check them. As setup, but what was allocated is freed by teardown.
	 */
	int (*link)(void *instance, struct err *e);
	/* Begin side work (listeners, watches) once the whole configuration is known to be good. */
	int (*start)(void *instance, struct err *e);
	/* This worker will now use the instance: make per-worker state. Not failing. */
	void (*attach)(void *instance, struct worker *w);
	/* Computes what query() will need and prefetches it; optional first pass over a batch. */
	void (*prefetch)(struct query *q, void *instance);
	/* On the way down: answer, pass on, wait or drop. */
	enum verdict (*query)(struct query *q, void *instance);
	/*
	 * On the way up, for plugins above the one that answered: look at or change q->answer.
	 * query_hold() makes it wait for another question's answer.
	 */
	void (*reply)(struct query *q, void *instance);
	/*
	 * The value that the plugin has for a label ("client-namespace") of this question, when
	 * somebody asks (core/metadata.h): published data, q->arena or static. False: none.
	 */
	bool (*metadata)(struct query *q, void *instance, struct str label, struct str *out);
	/* The query is abandoned while it waits for this plugin (shutdown): forget it. */
	void (*cancel)(struct query *q, void *instance);
	/* False while the plugin is not ready to serve (asked by the ready plugin). */
	bool (*ready)(void *instance);
	/* Report samples; any thread, while queries run. */
	void (*metrics)(void *instance, struct metrics *m);
	/* This worker has no more queries for the instance: free per-worker state. */
	void (*detach)(void *instance, struct worker *w);
	/* A shutdown begins: the server goes on while this returns false (health: lameduck). */
	bool (*stop)(void *instance);
	/* Stop side work and free the instance; no worker uses it any more. */
	void (*teardown)(void *instance);
	/* What a person can ask about an instance (core/explain.h). */
	const struct plugin_explain *explain;
	/* What instances offer to other plugins of their block (core/offer.h); ends zeroed. */
	const struct offer *offers;
	/* What the plugin `transfer` hands zones out with (core/transfer.h); NULL: it has none. */
	const struct plugin_transfer *transfer;
};
