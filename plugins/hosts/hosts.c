#include <errno.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/rcu.h"
#include "hosts/hosts.h"
#include "net/file_watch.h"

static const struct metric_family entries_family = {
        "coredns_hosts_entries",
        "The combined number of entries in hosts and Corefile.",
        METRIC_GAUGE,
};
static const struct metric_family reload_family = {
        "coredns_hosts_reload_timestamp_seconds",
        "The timestamp of the last reload of hosts file.",
        METRIC_GAUGE,
};

static void free_table(void *table)
{
	hosts_table_free(table);
}

static void log_odd(const struct hosts *h, const struct hosts_odd *odd)
{
	if (odd->lines > 0)
		log_warning(HOSTS_WHO, "%s:%u: %s; %u bad lines skipped", h->path,
		        odd->first_line, odd->why, odd->lines);
}

void hosts_load(struct hosts *h)
{
	struct buf text = {0};
	struct hosts_odd odd;
	struct hosts_table *t, *old = h->table;
	int rc = buf_read_file(&text, h->path, HOSTS_FILE_MAX);

	if (rc != 0) {
		buf_clear(&text);
		log_warning(HOSTS_WHO, "cannot read %s: %s%s", h->path,
		        rc == -EFBIG ? "larger than 16 MiB" : strerror(-rc),
		        old != NULL ? "; the old entries stay" : "");
		if (old != NULL) {
			buf_free(&text);
			return;
		}
	}
	t = hosts_table_new(&h->rules, (struct str){h->inline_text.at, h->inline_text.len},
	        (struct str){text.at, text.len}, &odd);
	log_odd(h, &odd);
	buf_free(&text);
	atomic_store(&h->records, hosts_table_records(t));
	atomic_store(&h->loaded_s, rc == 0 ? clock_wall_s() : 0);
	rcu_publish(h->table, t);
	rcu_retire(old, free_table);
}

static enum verdict answer(struct query *q, const struct rrset *set)
{
	q->answer.is_authoritative = true;
	answer_add(&q->answer, SECTION_ANSWER, set);
	return DONE;
}

static const struct rrset *set_of(const struct hosts_entry *e, uint16_t type)
{
	switch (type) {
	case TYPE_A: return e->a;
	case TYPE_AAAA: return e->aaaa;
	case TYPE_ANY: return e->a != NULL ? e->a : e->aaaa; /* one set: RFC 8482 */
	default: return NULL;
	}
}

/* Nobody knows the name. There is no SOA for an NXDOMAIN: CoreDNS too says SERVFAIL. */
static enum verdict miss(struct query *q, const struct hosts *h)
{
	if (fall_has(&h->fall, q->folded))
		return NEXT;
	q->reason = "no such name in the hosts table";
	return query_fail(q, RCODE_SERVFAIL);
}

/* Do questions for that type go where those for unknown names go? */
static bool passes_type(const struct hosts *h, uint16_t type)
{
	return h->passes_unsupported && type != TYPE_A && type != TYPE_AAAA;
}

static enum verdict hosts_query(struct query *q, void *instance)
{
	const struct hosts *h = instance;
	const struct hosts_table *t = rcu_borrow(h->table);
	const struct hosts_entry *e;
	uint16_t type = q->msg.qtype;

	if (type == TYPE_PTR) { /* reverse zones need not be among the zones */
		e = hosts_table_find(t, q->folded);
		return e != NULL && e->ptr != NULL ? answer(q, e->ptr) : NEXT;
	}
	if (zone_list_match(&h->zones, q->folded) < 0)
		return NEXT;
	if (passes_type(h, type) && fall_has(&h->fall, q->folded))
		return NEXT;
	e = hosts_table_match(t, q->folded);
	if (e == NULL || (e->a == NULL && e->aaaa == NULL))
		return miss(q, h);
	return answer(q, set_of(e, type));
}

static void on_change(void *arg)
{
	hosts_load(arg);
}

static int hosts_start(void *instance, struct err *e)
{
	struct hosts *h = instance;

	(void)e;
	if (h->loop != NULL && h->reload_ms > 0)
		h->watch = file_watch_start(h->loop, h->path, h->reload_ms, on_change, h);
	return 0;
}

static void hosts_metrics(void *instance, struct metrics *m)
{
	struct hosts *h = instance;

	metrics_sample(m, &entries_family, "", (double)atomic_load(&h->records));
	metrics_sample(m, &reload_family, "", (double)atomic_load(&h->loaded_s));
}

void hosts_free(struct hosts *h)
{
	hosts_table_free(h->table);
	zone_list_free(&h->zones);
	fall_free(&h->fall);
	buf_free(&h->inline_text);
	free(h->path);
	free(h);
}

static void hosts_teardown(void *instance)
{
	struct hosts *h = instance;

	file_watch_stop(h->watch);
	hosts_free(h);
}

/* The decisions of hosts_query(). */
static void explain(void *instance, const struct explain_ask *ask, struct explanation *x)
{
	const struct hosts *h = instance;
	const struct hosts_table *t = h->table;
	const uint8_t *name = ask->name.wire;
	const struct hosts_entry *e =
	        ask->type == TYPE_PTR ? hosts_table_find(t, name) : hosts_table_match(t, name);
	const struct rrset *set;

	if (ask->type != TYPE_PTR &&
	        (zone_list_match(&h->zones, name) < 0 ||
	                (passes_type(h, ask->type) && fall_has(&h->fall, name))))
		return;
	if (ask->type == TYPE_PTR ? e == NULL || e->ptr == NULL
				  : e == NULL || (e->a == NULL && e->aaaa == NULL)) {
		if (ask->type != TYPE_PTR && !fall_has(&h->fall, name))
			explain_say(x, EXPLAIN_SERVFAIL, "no such name in the hosts table");
		return;
	}
	set = ask->type == TYPE_PTR ? e->ptr : set_of(e, ask->type);
	buf_str(&x->object, h->path);
	explain_add_set(x, set);
	x->outcome = set == NULL ? EXPLAIN_NODATA : EXPLAIN_ANSWER;
}

static const struct plugin_explain explain_hooks = {.explain = explain};

const struct plugin hosts_plugin = {
        .name = "hosts",
        .setup = hosts_setup,
        .start = hosts_start,
        .query = hosts_query,
        .metrics = hosts_metrics,
        .teardown = hosts_teardown,
        .explain = &explain_hooks,
};
