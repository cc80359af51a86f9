/*
 * On the control thread: whose turn it is, images of zones that transfers share, and NOTIFY.
 */
#include "transfer/transfer.h"

#include "base/clock.h"
#include "net/mailbox.h"
#include "net/notifier.h"

/* Secondaries are told of changes at most so often; they fetch all of them at once. */
#define NOTIFY_INTERVAL_MS 5000u

/* --- zones ------------------------------------------------------------------------------------ */

static void add_zone(struct transfer *t, const struct link *l, const struct name *name)
{
	const struct transfer_rule *rule = transfer_rule_for(t, name->wire);
	int i = zone_list_match(&t->names, name->wire);
	char text[NAME_TEXT_MAX];
	struct transfer_zone *z;

	/* of two plugins with a zone, the one that answers its questions hands it out */
	if (rule == NULL || (i >= 0 && t->names.zones.at[i].len == name->len))
		return;
	z = mem_new(struct transfer_zone);
	z->name = *name;
	z->text = mem_dup(text, name_to_text(text, name->wire));
	z->rule = rule;
	z->ops = l->plugin->transfer;
	z->instance = l->instance;
	zone_list_add(&t->names, name);
	vec_push(&t->zones, z);
	if (z->ops->keep_changes != NULL)
		z->ops->keep_changes(z->instance, name);
}

static void find_zones(struct transfer *t)
{
	vec_for_each (&t->chain->links, l) {
		struct zone_list zones = {0};

		if (l->plugin->transfer == NULL)
			continue;
		l->plugin->transfer->zones(l->instance, &zones);
		vec_for_each (&zones.zones, name)
			add_zone(t, l, name);
		zone_list_free(&zones);
	}
}

/* The zone as it is now; the reference is the zone's. NULL: not known yet. */
static struct zone_image *take_image(struct transfer_zone *z)
{
	uint32_t serial;

	if (!z->ops->serial(z->instance, &z->name, &serial))
		return NULL;
	if (z->image != NULL && z->image->serial == serial)
		return z->image;
	zone_image_unref(z->image);
	z->image = z->ops->image(z->instance, &z->name);
	return z->image;
}

/* --- jobs ------------------------------------------------------------------------------------- */

static void free_job(struct job *job)
{
	zone_image_unref(job->image);
	buf_free(&job->row);
	free(job);
}

/* Decide what the client gets. */
static void prepare(struct job *job)
{
	struct transfer_zone *z = job->zone;
	uint32_t serial;

	job->outcome = JOB_NOT_READY;
	if (!z->ops->serial(z->instance, &z->name, &serial))
		return;
	if (job->is_incremental && z->ops->changes != NULL &&
		zone_serial_is_newer(serial, job->since)) {
		job->image = z->ops->changes(z->instance, &z->name, job->since);
		job->outcome = JOB_CHANGES;
		if (job->image != NULL)
			return;
	}
	job->image = take_image(z);
	if (job->image == NULL) {
		job->outcome = JOB_NOT_READY;
		return;
	}
	zone_image_ref(job->image);
	job->outcome = job->is_incremental &&
			!zone_serial_is_newer(job->image->serial, job->since) ?
		JOB_CURRENT : JOB_WHOLE;
}

static void end_job(struct transfer *t, struct job *job)
{
	if (!list_is_empty(&job->running))
		t->active--;
	list_remove(&job->running);
	free_job(job);
}

static void give_back(struct transfer *t, struct job *job)
{
	if (mailbox_post(job->worker->mail, &job->node))
		return;
	/* the worker is gone, and the question with it */
	end_job(t, job);
}

static unsigned running_for(const struct transfer *t, const union addr *client)
{
	unsigned count = 0;

	list_for_each (&t->running, node)
		if (transfer_same_ip(&container_of(node, struct job, running)->client, client))
			count++;
	return count;
}

/* The one that waits longest and may begin, or NULL. */
static struct job *next_job(const struct transfer *t)
{
	if (t->active >= TRANSFER_ACTIVE_MAX)
		return NULL;
	list_for_each (&t->waiting, node) {
		struct job *job = container_of(node, struct job, node);

		if (running_for(t, &job->client) < TRANSFER_CLIENT_MAX)
			return job;
	}
	return NULL;
}

static void run_queue(struct transfer *t)
{
	struct job *job;

	while ((job = next_job(t)) != NULL) {
		list_remove(&job->node);
		t->n_waiting--;
		prepare(job);
		list_push(&t->running, &job->running);
		t->active++;
		give_back(t, job);
	}
}

void transfer_on_job(void *arg, struct list *node)
{
	struct transfer *t = arg;
	struct job *job = container_of(node, struct job, node);

	if (job->has_been) {
		end_job(t, job);
		run_queue(t);
		return;
	}
	job->has_been = true;
	if (t->n_waiting == TRANSFER_WAITING_MAX) {
		job->outcome = JOB_TOO_MANY;
		give_back(t, job);
	} else {
		list_push(&t->waiting, &job->node);
		t->n_waiting++;
		run_queue(t);
	}
}

/* --- NOTIFY ----------------------------------------------------------------------------------- */

/* An image that nobody can want any more holds memory that the zone has given up. */
static void drop_old_image(struct transfer_zone *z, uint32_t serial)
{
	if (z->image == NULL || z->image->serial == serial)
		return;
	zone_image_unref(z->image);
	z->image = NULL;
}

static void tell(struct transfer_zone *z, uint32_t serial, uint64_t now_ms)
{
	struct zone_image *image = take_image(z);

	if (image == NULL)
		return;
	z->was_told = true;
	z->told_serial = serial;
	z->told_ms = now_ms;
	vec_for_each (&z->rule->to, to)
		notifier_send(z->notifier, &to->addr, &z->name, image->soa);
	log_debug(TRANSFER, "Sent notifies for zone \"%s\" with %u SOA serial", z->text, serial);
}

static void look_at(struct transfer_zone *z, uint64_t now_ms)
{
	uint32_t serial;

	if (!z->ops->serial(z->instance, &z->name, &serial))
		return;
	drop_old_image(z, serial);
	if (z->notifier == NULL || (z->was_told && z->told_serial == serial))
		return;
	if (!z->was_told || now_ms - z->told_ms >= NOTIFY_INTERVAL_MS)
		tell(z, serial, now_ms);
}

static void on_tick(void *arg)
{
	struct transfer *t = arg;
	uint64_t now_ms = clock_ms();

	vec_for_each (&t->zones, z)
		look_at(*z, now_ms);
}

/* The first failure of an address is logged, and the first success after it. */
static void log_result(struct transfer_target *target, const struct notify_result *r)
{
	char zone[NAME_TEXT_MAX], to[ADDR_TEXT_MAX], rcode[16];
	bool is_failing = r->rcode != RCODE_NOERROR;

	if (is_failing == target->is_failing)
		return;
	target->is_failing = is_failing;
	name_to_text(zone, r->zone->wire);
	addr_to_text(to, r->to);
	if (!is_failing)
		log_info(TRANSFER, "notify for zone \"%s\" is accepted by \"%s\" again", zone, to);
	else if (r->rcode < 0)
		log_warning(TRANSFER,
			"notify for zone \"%s\" was not accepted by \"%s\": no answer to %u tries; "
			"is the secondary running, and does it listen there?",
			zone, to, r->tries);
	else
		log_warning(TRANSFER,
			"notify for zone \"%s\" was not accepted by \"%s\": rcode was %s; does "
			"the secondary have the zone, and may this server notify it?",
			zone, to, rcode_text((uint16_t)r->rcode, rcode));
}

static void on_result(void *arg, const struct notify_result *r)
{
	struct transfer *t = arg;

	if (r->rcode == RCODE_NOERROR)
		t->notified++;
	else
		t->not_notified++;
	vec_for_each (&t->rules, rule)
		vec_for_each (&(*rule)->to, target)
			if (addr_equal(&target->addr, r->to))
				log_result(target, r);
}

/* A notifier for each rule with addresses, on the rule's source; the first one ticks for all. */
static void start_notifiers(struct transfer *t)
{
	struct notifier_callbacks callbacks = {on_tick, on_result, t};

	vec_for_each (&t->rules, r) {
		const union addr *source = &(*r)->source;
		struct notifier *n = notifier_new(
			t->loop, source->sa.sa_family == 0 ? NULL : source, &callbacks);

		callbacks.on_tick = NULL;
		vec_push(&t->notifiers, n);
		vec_for_each (&t->zones, z)
			if ((*z)->rule == *r && (*r)->to.len > 0)
				(*z)->notifier = n;
	}
}

/* --- life ------------------------------------------------------------------------------------- */

int transfer_start(void *instance, struct err *e)
{
	struct transfer *t = instance;

	(void)e;
	t->mail = mailbox_new(t->loop, transfer_on_job, t);
	find_zones(t);
	if (t->zones.len == 0)
		log_warning(TRANSFER, "no zone of the server block can be transferred: 'transfer' "
				      "needs zones of kubernetes, file or k8s_external");
	if (t->loop != NULL)
		start_notifiers(t);
	return 0;
}

static void free_jobs(struct list *jobs)
{
	struct list *node;

	while ((node = list_first(jobs)) != NULL) {
		list_remove(node);
		free_job(container_of(node, struct job, node));
	}
}

void transfer_stop(struct transfer *t)
{
	struct list left;

	list_init(&left);
	vec_for_each (&t->notifiers, n)
		notifier_free(*n);
	if (t->mail != NULL)
		mailbox_close(t->mail, &left);
	free_jobs(&left);
	free_jobs(&t->waiting);
	mailbox_free(t->mail);
	for (unsigned i = 0; i < t->n_workers; i++) {
		if (t->workers[i] == NULL)
			continue;
		mailbox_free(t->workers[i]->mail);
		free(t->workers[i]);
	}
	vec_for_each (&t->zones, z)
		zone_image_unref((*z)->image);
}
