/*
 * Inside of the autopath plugin: setup.c reads its directive and follows its file, autopath.c
 * decides which questions begin a walk, walk.c takes the steps, explain.c tells of them.
 *
 * Lifetime: made in setup, freed in teardown; only the search path of a file changes meanwhile,
 * under RCU.
 */
#pragma once

#include "autopath/search.h"
#include "cluster/view.h"
#include "core/zone_list.h"
#include "plugin.h"

#define AUTOPATH_WHO "plugin/autopath"

struct file_watch;

struct autopath {
	struct zone_list zones;
	const char *path;      /* of a resolv.conf; NULL: the search path of pods */
	struct search *search; /* published; of the file, or of this server's own resolv.conf */
	struct arena arena;
	const struct directive *directive;
	const struct chain *chain;
	const char *label; /* of the server, for metrics */
	struct uv_loop_s *loop;
	struct file_watch *watch;
	struct counters *successes;
	/* of kubernetes, when pods are searched for */
	const struct cluster_view *view;
	void *cluster;
};

/* A question on its walk along a search path; in its arena. */
struct autopath_walk {
	struct autopath *autopath;
	unsigned base_labels;    /* that the client wrote, without what its resolver put behind */
	size_t base_len;         /* octets of them */
	const uint8_t *own;      /* rest of the question's name that is a domain, too; NULL: none */
	unsigned own_left;       /* how many of them: svc.ZONE, ZONE */
	const uint8_t *cluster;  /* domains in it are not taken from the search path: svc.ZONE */
	const uint8_t *domains;  /* the others, as in struct search */
	unsigned domains_left;
	struct name name;        /* asked for now */
	bool is_asking, is_kept;
	struct query *first, *child; /* answers: of the question itself, and of the step */
};

/* What a person can ask (explain.c). */
extern const struct plugin_explain autopath_explain;

/* The setup hook (setup.c). */
int autopath_setup(struct setup *s, struct err *e);
/* The link hook: find the cluster that pods are in (setup.c). */
int autopath_link(void *instance, struct err *e);
/* The start hook: begin to follow the file (setup.c). */
int autopath_start(void *instance, struct err *e);
/*
 * Read the file (arg is the instance) and publish its search path; one that cannot be read changes
 * nothing (setup.c).
 */
void autopath_load(void *arg);
/* Free an instance; the teardown hook (setup.c). */
void autopath_free(void *instance);
/*
 * The search path that the client of that address has, when name (folded) is in its first domain:
 * sets base_labels, own, cluster and domains, which are published data. False: no walk.
 */
bool autopath_begin(struct autopath *a, const uint8_t *name, const union addr *client,
	struct autopath_walk *w);
/* The next name of the walk of a question whose name is given; false at its end (walk.c). */
bool autopath_next(struct autopath_walk *w, const uint8_t *name);
/* True when q is a question of a walk (walk.c). */
bool autopath_is_step(const struct query *q);
/* Ask for the question itself, then for the other names until one exists (walk.c). */
enum verdict autopath_walk(struct query *q, struct autopath_walk *w);
