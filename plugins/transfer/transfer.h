/*
 * Inside of the plugin transfer: who may have which zone (setup.c), the question and its answer
 * on a worker (transfer.c, send.c), and what the control thread does for all of them (keeper.c):
 * images of zones, the queue of transfers, NOTIFY.
 *
 * A transfer is a struct job. The worker that got the question posts it to the control thread,
 * which waits for its turn and gives it an image of the zone; the worker sends that, message by
 * message as the client takes them, and posts the job back.
 *
 * Lifetime: an instance belongs to its generation; rules and zones do not change after start().
 */
#pragma once

#include "base/list.h"
#include "conf/cidr.h"
#include "core/transfer.h"
#include "core/zone_list.h"
#include "dns/packer.h"
#include "plugin.h"

#define TRANSFER "plugin/transfer"

/* Transfers that go on at once in an instance, and of these to one address. */
#define TRANSFER_ACTIVE_MAX 16u
#define TRANSFER_CLIENT_MAX 4u
/* Transfers that wait for others; then they are refused, and the secondary tries again. */
#define TRANSFER_WAITING_MAX 256u
/* A zone of records that live for seconds is of no use to who takes longer. */
#define TRANSFER_MAX_NS (UINT64_C(600) * 1000000000)
/* Octets of a message: fewer than fit, because names beyond 16 KiB cannot be pointed to. */
#define TRANSFER_MESSAGE 32768u

struct mailbox;
struct notifier;

/* Who may have zones, and gets NOTIFY. */
struct transfer_target {
	union addr addr;
	bool is_failing; /* control thread: it did not acknowledge, and that was logged */
};

/* One directive: zones, and who may have them. */
struct transfer_rule {
	struct zone_list zones;
	bool takes_all; /* to * */
	VEC(struct transfer_target) to;
	VEC(struct cidr) blocks;
	union addr source; /* of NOTIFY; family 0: any */
};

/* A zone that can be handed out. */
struct transfer_zone {
	struct name name; /* folded */
	char *text;
	const struct transfer_rule *rule;
	const struct plugin_transfer *ops;
	void *instance;
	/* control thread */
	struct zone_image *image; /* the last one made; NULL: none */
	struct notifier *notifier; /* of the rule */
	bool was_told; /* NOTIFY has been sent for told_serial */
	uint32_t told_serial;
	uint64_t told_ms;
};

enum job_outcome {
	JOB_WHOLE,   /* the image is the zone */
	JOB_CHANGES, /* the image is the changes */
	JOB_CURRENT, /* the client has it: one SOA record */
	JOB_NOT_READY,
	JOB_TOO_MANY,
};

/* A transfer. Allocated by the worker, freed by the control thread. */
struct job {
	struct list node; /* in a mailbox, or the keeper's queue */
	struct list running; /* of the keeper: in its list while it counts as active */
	struct transfer *transfer;
	struct transfer_worker *worker;
	struct transfer_zone *zone;
	union addr client;
	bool is_incremental;
	uint32_t since; /* serial of the client's copy */
	/* set by the control thread before the worker gets it back */
	enum job_outcome outcome;
	struct zone_image *image;
	bool has_been; /* at the control thread: when it comes again it is over */
	/* of the worker */
	struct query *q; /* NULL: given up */
	bool is_here; /* the worker has it, not the control thread */
	bool has_begun; /* the first message was sent */
	uint64_t start_ns;
	unsigned stage; /* SOA, records, SOA, end */
	struct zone_cursor cursor;
	struct buf row; /* records that were walked to */
	size_t pos; /* in row: the next one to send */
	uint64_t records, octets;
};

/* What a worker has of an instance. */
struct transfer_worker {
	struct transfer *transfer;
	struct worker *w;
	struct mailbox *mail;
	struct log_limit limit;
	struct packer packer;
	uint8_t message[TRANSFER_MESSAGE];
};

enum transfer_counter {
	TRANSFER_AXFR,
	TRANSFER_IXFR,
	TRANSFER_CURRENT,
	TRANSFER_REFUSED,
	TRANSFER_NOT_READY,
	TRANSFER_SHED,
	TRANSFER_BROKEN, /* the client went away, or was too slow */
	TRANSFER_RECORDS,
	TRANSFER_OCTETS,
	TRANSFER_COUNTERS,
};

struct transfer {
	char *server, *zone; /* labels of metrics: of several blocks with one address, which one */
	struct chain *chain;
	struct uv_loop_s *loop; /* NULL: nothing is served, all in one thread */
	VEC(struct transfer_rule *) rules;
	struct zone_list names; /* of zones, in the same order */
	VEC(struct transfer_zone *) zones;
	unsigned n_workers;
	struct transfer_worker **workers;
	struct counters *counters;
	_Atomic uint64_t notified, not_notified; /* acknowledged, given up */
	_Atomic unsigned active;
	/* control thread */
	struct mailbox *mail;
	struct list waiting, running; /* struct job */
	unsigned n_waiting;
	VEC(struct notifier *) notifiers;
};

/* The setup hook (setup.c). */
int transfer_setup(struct setup *s, struct err *e);
/* Free rules, zones and the instance (setup.c). */
void transfer_free(struct transfer *t);
/* The rule for a folded name, the one with the longest zone, or NULL; any thread (setup.c). */
const struct transfer_rule *transfer_rule_for(const struct transfer *t, const uint8_t *folded);
/* Equal addresses, whatever the ports; any thread (setup.c). */
bool transfer_same_ip(const union addr *a, const union addr *b);
/* True when the rule lets that client have its zones; any thread (setup.c). */
bool transfer_allows(const struct transfer_rule *r, const union addr *client);

/* Find the zones of the plugins below, begin to tick; the start hook (keeper.c). */
int transfer_start(void *instance, struct err *e);
/* End that, with what jobs are left; workers are detached (keeper.c). */
void transfer_stop(struct transfer *t);
/* A job arrives at the control thread: a new one, or one that is done with (keeper.c). */
void transfer_on_job(void *arg, struct list *node);

/* Send what the client takes now, and go on later (send.c). */
void transfer_send(struct job *job);
/* The metrics hook (metrics.c). */
void transfer_metrics(void *instance, struct metrics *m);
/* Count, on the job's worker (transfer.c). */
void transfer_count(const struct job *job, enum transfer_counter which, uint64_t n);
/* The answer is complete: log, let the query go on and give the job back (transfer.c). */
void transfer_end(struct job *job);
/* It ends with an error: SERVFAIL when nothing was sent, else a closed connection (transfer.c). */
void transfer_fail(struct job *job, enum transfer_counter which, const char *reason);
/* What a person can ask (metrics.c). */
extern const struct plugin_explain transfer_explain_hooks;
