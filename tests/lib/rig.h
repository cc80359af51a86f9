/*
 * A rig for tests of one plugin: reads a server block, runs the plugin's setup, and hands it
 * questions on a bare worker, without thread, loop or socket. Answers come back as text, decoded
 * by ldns, so that the tests do not trust our own reader.
 */
#pragma once

#include "conf/corefile.h"
#include "core/generation.h"
#include "core/query.h"
#include "core/setup.h"
#include "core/worker.h"
#include "dns/rr.h"

struct rig {
	struct corefile *corefile;
	struct generation generation;
	struct chain chain;
	struct server server;
	struct server_group group; /* with that server: query_sub() finds it */
	struct setup setup;
	struct worker worker;
	const struct plugin *plugin;
	struct err err;
	struct buf text;
};

/* A question; zero fields mean: IN, no EDNS, UDP, from 127.0.0.1:40000. */
struct rig_ask {
	const char *name;
	uint16_t type, rr_class, udp_size;
	bool wants_dnssec, wants_nsid;
	uint8_t transport;
	const char *client;
};

/*
 * Read text, whose first block must name the plugin, and run its setup. Returns what setup said,
 * with the reason in r->err. rig_close() in either case.
 */
int rig_open(struct rig *r, const struct plugin *plugin, const char *text);
/* Detach, tear down and free everything. */
void rig_close(struct rig *r);
/* A server block of these lines is refused, with its line, by the plugin, for that reason. */
void rig_refuses(const struct plugin *plugin, const char *lines, const char *why);
/* The same for the plugin's name with these arguments. */
void rig_refuses_args(const struct plugin *plugin, const char *args, const char *why);
/* Write the question and its OPT into q. */
void rig_write(struct query *q, const struct rig_ask *ask);
/* A query that stands before the plugin's hooks; query_release() it. */
struct query *rig_query(struct rig *r, const struct rig_ask *ask);
/* Call the plugin's query hook. */
enum verdict rig_down(struct rig *r, struct query *q);
/* Call the plugin's reply hook, as if the plugin called by had answered. */
void rig_up(struct rig *r, struct query *q, const char *by);
/* Encode the answer; "RCODE flags\n" and one line a record, sections separated by "--\n". */
const char *rig_answer(struct rig *r, struct query *q);
