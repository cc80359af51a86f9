/*
 * Inside of the control thread, shared by control.c (the thread and its life), control_load.c
 * (generations) and control_ask.c (questions of other threads). Nobody else includes it.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>

#include "base/list.h"
#include "base/vec.h"
#include "core/control.h"
#include "core/listen_sockets.h"
#include "core/worker.h"
#include "core/worker_thread.h"

/* A call of another thread, waiting for the control thread to make it. */
struct call {
	struct list node;
	void (*fn)(struct control *c, void *arg);
	void *arg;
	bool is_done;
};

/* A worker has finished with a generation. */
struct detached {
	struct list node;
	struct generation *generation;
};

struct control {
	struct control_config config;
	uv_loop_t loop;
	uv_async_t wake;
	uv_timer_t reclaim, stop_poll;
	uv_check_t after_io;
	pthread_t thread;
	pthread_mutex_t lock; /* guards calls and detached */
	pthread_cond_t called;
	struct list calls, detached;
	_Atomic bool is_stopping;
	/* control thread only */
	struct shared *shared;
	struct control_socket *socket;
	struct cookie_secrets secrets;
	VEC(struct worker_thread *) workers;
	struct listen_sockets sockets;
	VEC(struct generation *) retired;
	/* written by the control thread under current_lock, read by others under it */
	pthread_mutex_t current_lock;
	struct generation *current;
	struct err start_error;
	int start_code;
};

/* ---- control_load.c ---- */

/*
 * Read the configuration, build a generation, open, start, publish. 0, or a negative errno with a
 * sentence in e: then nothing has changed. Control thread.
 */
int control_load(struct control *c, struct err *e);
/* Worker thread: the generation is detached there; arg is the struct control. */
void control_on_detached(void *arg, struct generation *g);
/* Free the generations that no worker uses any more. Control thread. */
void control_take_detached(struct control *c);

/* ---- control_ask.c ---- */

/* Answer a request line on the control thread; the callback of the control socket. */
int control_on_request(void *arg, struct str request, struct buf *out, struct err *e);
