#include "sim.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/rand.h"
#include "base/rcu.h"
#include "cluster/state_file.h"

#define KINDS (1u << OBJECT_NAMESPACE | 1u << OBJECT_SERVICE | 1u << OBJECT_SLICE)

enum { FILE_GAP_MS = 10000, SPIN_MAX = 100000 };

static const struct {
	enum object_kind kind;
	const char *name;
} kinds[SIM_KINDS] = {
        {OBJECT_NAMESPACE, "namespaces"},
        {OBJECT_SERVICE, "services"},
        {OBJECT_SLICE, "endpointslices"},
};

void sim_fail(const struct sim *s, const char *fmt, ...)
{
	char text[400];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	print_error("%s\n  at %llu ms, version %llu; repeat it with: %s\n", text,
	        (unsigned long long)sim_now_ms, (unsigned long long)s->world.rv, s->repeat);
	_fail("simulation", 0);
	abort();
}

/* ---- our process ---- */

static void load_object(void *arg, const struct object *o)
{
	struct sim_kube *k = arg;

	store_apply(k->store, k->source, o);
}

/* As source_state.c does it. */
static void load_file(struct sim *s)
{
	struct sim_kube file = s->client;
	struct state_meta meta;
	struct err e;

	file.source = store_source_add(file.store, "state file", KINDS);
	store_source_provisional(file.store, file.source);
	if (s->file.len == 0)
		return;
	if (state_read((struct str){s->file.at, s->file.len}, &meta,
		    &(struct state_sink){load_object, &file}, &e) != 0)
		sim_fail(s, "the state file: %s", e.text);
	for (unsigned i = 0; i < SIM_KINDS; i++)
		store_source_synced(file.store, file.source, kinds[i].kind, true);
	store_commit(file.store);
}

static void write_file(struct sim *s)
{
	struct state_meta meta = {.saved_s = sim_now_ms / 1000, .kinds = KINDS};
	struct object_list list = store_hold(s->client.store, KINDS);
	struct state_writer w;

	state_writer_init(&w, &meta);
	for (size_t i = 0; i < list.len; i++)
		state_writer_add(&w, list.at[i]);
	state_writer_end(&w);
	store_release(s->client.store);
	buf_clear(&s->file);
	buf_add(&s->file, w.out.at, w.out.len);
	state_writer_fini(&w);
	memcpy(s->file_floor, s->floor, sizeof(s->floor));
	s->file_ms = sim_now_ms;
}

static void start_channel(struct sim *s, unsigned i)
{
	struct sim_channel *c = &s->channels[i];
	struct reflector_options o = {.name = kinds[i].name, .kind = kinds[i].kind};
	struct reflector_ops ops = sim_reflector_ops(c);
	struct audit_ops audit_ops = sim_audit_ops(c);

	c->sim = s;
	c->kind = o.kind;
	c->reflector = reflector_new(&o, s->client.store, s->client.source, &ops);
	c->audit = audit_new(c->reflector, &audit_ops, sim_now_ms);
	reflector_start(c->reflector, sim_now_ms);
}

static void start(struct sim *s, bool with_file)
{
	memset(s->serials, 0, sizeof(s->serials));
	s->fingerprint = 0;
	s->was_ready = false;
	sim_kube_open(&s->client);
	s->client.source = store_source_add(s->client.store, "api", KINDS);
	s->reader = (struct store_reader){.on_changes = sim_on_changes, .arg = s};
	store_reader_add(s->client.store, &s->reader);
	memset(s->floor, 0, sizeof(s->floor));
	if (with_file) {
		memcpy(s->floor, s->file_floor, sizeof(s->floor));
		load_file(s);
	}
	for (unsigned i = 0; i < SIM_KINDS; i++)
		start_channel(s, i);
	sim_check(s);
}

static void stop(struct sim *s)
{
	for (unsigned i = 0; i < SIM_KINDS; i++) {
		struct sim_channel *c = &s->channels[i];

		sim_forget_requests(c);
		audit_free(c->audit);
		reflector_free(c->reflector);
	}
	store_reader_remove(&s->reader);
	sim_kube_close(&s->client);
}

void sim_open(struct sim *s, const struct sim_options *o)
{
	memset(s, 0, sizeof(*s));
	s->seed = o->seed;
	s->repeat = o->repeat;
	s->writes_file = o->writes_file;
	s->refuses_audits = o->refuses_audits;
	rand_seed(o->seed);
	sim_now_ms = 1000;
	sim_epoch_s = 1700000000;
	world_init(&s->world, o->trace, o->has_fillers);
	s->world.form = o->is_protobuf ? world_protobuf : world_json;
	start(s, false);
}

void sim_close(struct sim *s)
{
	stop(s);
	if (s->oracle.store != NULL)
		sim_kube_close(&s->oracle);
	world_fini(&s->world);
	buf_free(&s->file);
	rcu_reclaim();
}

void sim_crash(struct sim *s, bool with_file)
{
	stop(s);
	start(s, with_file && s->file.len > 0);
}

void sim_cut(struct sim *s)
{
	for (unsigned i = 0; i < SIM_KINDS; i++)
		sim_cut_channel(&s->channels[i], rand_below(2) ? 0 : -ECONNRESET);
}

void sim_deaden(struct sim *s)
{
	for (unsigned i = 0; i < SIM_KINDS; i++)
		s->channels[i].is_dead = s->channels[i].is_open;
}

/* ---- time ---- */

static uint64_t next_deadline(const struct sim *s)
{
	uint64_t at = sim_server_deadline(s);

	for (unsigned i = 0; i < SIM_KINDS; i++) {
		uint64_t of_list = reflector_deadline_ms(s->channels[i].reflector);
		uint64_t of_audit = audit_deadline_ms(s->channels[i].audit);

		at = of_list < at ? of_list : at;
		at = of_audit < at ? of_audit : at;
	}
	return at;
}

static void tick(struct sim *s)
{
	for (unsigned i = 0; i < SIM_KINDS; i++) {
		reflector_on_time(s->channels[i].reflector, sim_now_ms);
		audit_on_time(s->channels[i].audit, sim_now_ms);
	}
	sim_serve(s);
	if (s->writes_file && s->was_ready && sim_now_ms >= s->file_ms + FILE_GAP_MS)
		write_file(s);
}

void sim_pass(struct sim *s, uint64_t ms)
{
	uint64_t until = sim_now_ms + ms, at;

	for (unsigned i = 0;; i++) {
		if (i > SPIN_MAX)
			sim_fail(s, "the client spins");
		tick(s);
		if (sim_now_ms >= until)
			return;
		at = next_deadline(s);
		at = at <= sim_now_ms ? sim_now_ms + 1 : at;
		sim_now_ms = at < until ? at : until;
	}
}

uint64_t sim_settle(struct sim *s, uint64_t limit_ms)
{
	uint64_t began = sim_now_ms;

	s->faults = (struct sim_faults){.is_rough = false};
	sim_pass(s, 1);
	while (!sim_is_same(s) || !s->was_ready) {
		if (sim_now_ms - began > limit_ms)
			sim_fail(s, "after %llu ms the client still does not know the world",
			        (unsigned long long)limit_ms);
		sim_pass(s, 1000);
	}
	sim_compare(s);
	return sim_now_ms - began;
}
