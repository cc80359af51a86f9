/*
 * A deterministic simulation of the watch client: the real reflectors, audits, decoders, store
 * and kubernetes plugin against a world (sim_world.h) behind a simulated API server, on a virtual
 * clock, without sockets. One run takes milliseconds and depends on nothing but its seed.
 *
 * The checker looks at answers, at every commit of the store:
 * - An answer must be that of states which its objects had, each no older than the last one that
 *   was acknowledged (delivered whole to the client, or seen in an answer before).
 * - Nothing negative is said before the first sync, and no SERVFAIL after it.
 * - Serials never go back, and without a change of some object there is no touch and no new one.
 * At quiescence the store is the world, and a second plugin that is given the world directly
 * answers all kinds of questions alike.
 */
#pragma once

#include "sim_world.h"

#include "cluster/audit.h"
#include "cluster/decoder.h"
#include "cluster/reflector.h"
#include "kubernetes/kube.h"
#include "rig.h"

struct sim;

enum { SIM_KINDS = 3, SIM_ZONES = 2, SIM_PAGE = 2 };

/* What goes wrong, until somebody puts it right. */
struct sim_faults {
	bool is_down; /* connections are refused */
	bool is_silent; /* nothing is answered or sent */
	bool refuses_streams; /* no streaming lists */
	bool doubles; /* each event is sent twice */
	bool is_rough; /* pieces of any size, kinds in any order, time between them */
	bool lists_stale; /* NotOlderThan is not heeded, and watches begin in the past */
	bool loses_fillers; /* lists with a version leave most fillers out */
	int next_status; /* of the next answer; 0: none */
	bool lag_varies; /* many servers: each request may meet another one */
	uint64_t lag; /* versions that all but quorum reads are behind */
	uint64_t hidden; /* the event with this version is not sent; 0: none */
	unsigned paused; /* mask of channels that are not served */
	unsigned expired; /* mask of channels whose next watch gets 410 */
	unsigned hides; /* one of so many events is not sent; 0: none */
	unsigned cuts; /* one of so many pieces is cut at any octet; 0: none */
};

/* An object in what is sent: acknowledged when the client has read so far. */
struct sim_mark {
	size_t end;
	unsigned object;
	uint32_t at;
	bool is_old; /* the client had better ignore it */
};

/* One kind: its reflector and audit, and their requests. */
struct sim_channel {
	struct sim *sim;
	enum object_kind kind;
	struct reflector *reflector;
	struct audit *audit;
	bool is_dead; /* half-open: nothing comes any more until the client drops it */
	bool is_in_flight, is_watch, is_open, has_decoder, wants_initial;
	bool is_audit_in_flight;
	char query[512], audit_query[256];
	struct decoder decoder;
	size_t next_event; /* in world.events */
	uint64_t from_rv, sent_rv, bookmark_ms, end_ms;
	bool is_list_whole; /* what is being listed leaves nothing out */
	uint32_t listed[WORLD_MAX]; /* history index */
	uint64_t relists; /* that were noticed */
	bool was_synced;
	struct buf out;
	VEC(struct sim_mark) marks;
};

/* The kubernetes plugin over a store of ours. */
struct sim_kube {
	struct rig rig;
	struct kube *kube;
	struct store *store;
	int source; /* -1: none */
};

struct sim {
	uint64_t seed;
	const char *repeat; /* the command that repeats this run */
	struct world world;
	struct sim_faults faults;
	struct sim_channel channels[SIM_KINDS];
	struct sim_kube client, oracle;
	struct store_reader reader;
	bool was_ready;
	uint32_t serials[SIM_ZONES];
	uint64_t fingerprint;
	uint32_t floor[WORLD_MAX]; /* history index that was acknowledged */
	struct buf file; /* state file, and what was acknowledged when it was written */
	uint32_t file_floor[WORLD_MAX];
	uint64_t file_ms;
	bool refuses_audits; /* lists of meta data get 403 */
	bool writes_file, has_rest; /* the server has not said everything */
	uint64_t checks; /* answers that were looked at */
};

/* How a run begins. */
struct sim_options {
	uint64_t seed, trace; /* of what the client does; of what the world does */
	const char *repeat;
	bool is_protobuf, has_fillers, writes_file, refuses_audits;
};

/* A world, and a client that starts from nothing. */
void sim_open(struct sim *s, const struct sim_options *o);
/* Free everything. */
void sim_close(struct sim *s);
/* Let time go by. */
void sim_pass(struct sim *s, uint64_t ms);
/* Our process dies and begins again, with its state file or without. */
void sim_crash(struct sim *s, bool with_file);
/* Break all open connections. */
void sim_cut(struct sim *s);
/* All open connections become half-open. */
void sim_deaden(struct sim *s);
/* No more faults: pass time until the client knows the world; fails after limit_ms. Milliseconds.
 */
uint64_t sim_settle(struct sim *s, uint64_t limit_ms);
/* Fail the test with the command that repeats the run. */
void sim_fail(const struct sim *s, const char *fmt, ...)
        __attribute__((format(printf, 2, 3), noreturn));

/* ---- sim_server.c, for sim.c ---- */

/* The requests that a reflector and an audit make. */
struct reflector_ops sim_reflector_ops(struct sim_channel *c);
struct audit_ops sim_audit_ops(struct sim_channel *c);
/* Answer and send what is due. */
void sim_serve(struct sim *s);
/* When the server has something to say by itself. */
uint64_t sim_server_deadline(const struct sim *s);
/* The connections of a channel break; the client hears of it. */
void sim_cut_channel(struct sim_channel *c, int rc);
/* The client is gone. */
void sim_forget_requests(struct sim_channel *c);

/* ---- sim_check.c ---- */

/* The time now, for all clocks, and the wall clock at 0. */
extern uint64_t sim_now_ms, sim_epoch_s;
/* A plugin over an empty store. */
void sim_kube_open(struct sim_kube *k);
/* Free it. */
void sim_kube_close(struct sim_kube *k);
/* Look at the answers. */
void sim_check(struct sim *s);
/* The client was sent all of this. */
void sim_acknowledge(struct sim *s, unsigned object, uint32_t at);
/* The store has committed. */
void sim_on_changes(void *arg, const struct changes *c);
/* True when the store has exactly what the world has. */
bool sim_is_same(const struct sim *s);
/* Compare with a plugin that was given the world. */
void sim_compare(struct sim *s);
