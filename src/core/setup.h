/*
 * What a plugin's setup() gets: its directives, the server block they stand in, and the services
 * of the control thread.
 */
#pragma once

#include "base/err.h"
#include "base/vec.h"
#include "core/server.h"
#include "net/addr.h"

struct control;
struct corefile_block;
struct corefile_directive;
struct generation;
struct shared;
struct uv_loop_s;

struct setup {
	struct generation *generation;
	struct chain *chain;                     /* under construction: flags may be set */
	const struct corefile_block *block;      /* the server block */
	const struct corefile_directive **uses;  /* every use of this plugin's name, in order */
	size_t uses_len;
	VEC(const char *) *zones;                /* zones of the block, "cluster.local." form */
	VEC(union addr) *binds;                  /* listen addresses; empty: all (bind adds to it) */
	const char *server_label;                /* "dns://:53" of the first key, for metrics */
	uint16_t port;                           /* of the first key */
	unsigned workers;                        /* how many there are */
	struct uv_loop_s *loop;                  /* of the control thread; NULL in plain checks */
	struct shared *shared;                   /* what survives reloads */
	struct control *control;                 /* NULL in tests */
	void *instance;                          /* result */
};
