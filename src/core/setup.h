/*
 * What a plugin's setup() gets: its directives, the server block they stand in, and the services
 * of the control thread.
 */
#pragma once

#include "base/err.h"
#include "base/vec.h"
#include "core/server.h"
#include "net/addr.h"
#include "net/stream.h"

struct control;
struct directive;
struct server_block;
struct generation;
struct shared;
struct tls_files;
struct uv_loop_s;
struct view;

struct setup {
	struct generation *generation;
	struct chain *chain;                     /* under construction: flags may be set */
	const struct server_block *block;        /* walk the uses with block_find() */
	const struct directive *first;           /* the first use of this plugin's name in it */
	VEC(const char *) zones;                 /* zones of the block, "cluster.local." form */
	VEC(union addr) binds;            /* listen addresses; empty: all (bind adds to it) */
	const char *server_label;                /* "dns://:53" of the first key, for metrics */
	uint16_t port;                           /* of the first key */
	unsigned workers;                        /* how many there are */
	struct uv_loop_s *loop;                  /* of the control thread; NULL in plain checks */
	struct shared *shared;                   /* what survives reloads */
	struct control *control;                 /* NULL in tests and where nothing is served */
	struct stream_limits limits;             /* of connections: timeouts sets them */
	bool has_limits;
	struct tls_files *tls;                   /* of tls:// keys: tls sets it, and owns it */
	struct view *view;                       /* view sets it, and owns it; NULL: takes all */
	void *instance;                          /* result */
};

/* The view label of metrics: the name of the block's view, or "". */
const char *setup_view_name(const struct setup *s);
