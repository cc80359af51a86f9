#include "core/view.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "core/counters.h"
#include "core/metadata.h"
#include "core/query.h"
#include "core/worker.h"
#include "dns/name.h"
#include "dns/rr.h"

#define METADATA_MAX 1024u /* octets of a value */

/* What the functions look at: q, or without it what a person said. */
struct asked {
	struct query *q; /* NULL: a person asks */
	struct view_ask ask;
};

static struct str copy_text(char *room, const char *text)
{
	size_t n = strlen(text);

	memcpy(room, text, n);
	return (struct str){room, n};
}

/* --- the question ------------------------------------------------------------------------ */

static bool read_name(void *env, struct str label, char *room, struct expr_value *out)
{
	const struct asked *a = env;

	(void)label;
	out->text = (struct str){room, name_to_text(room, a->ask.name)};
	return true;
}

static bool read_type(void *env, struct str label, char *room, struct expr_value *out)
{
	const struct asked *a = env;
	char text[16];

	(void)label;
	out->text = copy_text(room, rr_type_text(a->ask.type, text));
	return true;
}

static bool read_class(void *env, struct str label, char *room, struct expr_value *out)
{
	const struct asked *a = env;
	char text[16];

	(void)label;
	out->text = copy_text(room, rr_class_text(a->ask.qclass, text));
	return true;
}

static bool read_opcode(void *env, struct str label, char *room, struct expr_value *out)
{
	const struct asked *a = env;

	(void)label;
	(void)room;
	out->number = a->q == NULL ? 0 : a->q->msg.opcode;
	return true;
}

static bool read_do(void *env, struct str label, char *room, struct expr_value *out)
{
	const struct asked *a = env;

	(void)label;
	(void)room;
	if (a->q != NULL)
		out->truth = a->q->msg.edns.wants_dnssec;
	return a->q != NULL;
}

static bool read_id(void *env, struct str label, char *room, struct expr_value *out)
{
	const struct asked *a = env;

	(void)label;
	(void)room;
	if (a->q != NULL)
		out->number = query_origin(a->q).id;
	return a->q != NULL;
}

static bool read_size(void *env, struct str label, char *room, struct expr_value *out)
{
	const struct asked *a = env;

	(void)label;
	(void)room;
	if (a->q != NULL)
		out->number = (int64_t)a->q->wire_len;
	return a->q != NULL;
}

/* The size of answer that the client takes: 512 at least, no limit over streams. */
static bool read_bufsize(void *env, struct str label, char *room, struct expr_value *out)
{
	const struct asked *a = env;

	(void)label;
	(void)room;
	if (a->q != NULL)
		out->number = query_origin(a->q).bufsize;
	return a->q != NULL;
}

static bool read_proto(void *env, struct str label, char *room, struct expr_value *out)
{
	const struct asked *a = env;

	(void)label;
	(void)room;
	if (a->q != NULL)
		out->text = query_origin(a->q).is_udp ? STR("udp") : STR("tcp");
	return a->q != NULL;
}

/* --- addresses --------------------------------------------------------------------------- */

/* An address that is not known is empty. */
static struct str ip_text(char *room, const union addr *addr)
{
	if (addr->sa.sa_family == AF_UNSPEC)
		return STR("");
	return str_from(addr_ip_to_text(room, addr));
}

static struct str port_text(char *room, const union addr *addr)
{
	return (struct str){room, (size_t)snprintf(room, 8, "%u", addr_port(addr))};
}

static bool read_client_ip(void *env, struct str label, char *room, struct expr_value *out)
{
	const struct asked *a = env;

	(void)label;
	if (a->ask.client != NULL)
		out->text = ip_text(room, a->ask.client);
	return a->ask.client != NULL;
}

static bool read_server_ip(void *env, struct str label, char *room, struct expr_value *out)
{
	const struct asked *a = env;

	(void)label;
	if (a->q != NULL)
		out->text = ip_text(room, &a->q->local);
	return a->q != NULL;
}

static bool read_port(void *env, struct str label, char *room, struct expr_value *out)
{
	const struct asked *a = env;

	(void)label;
	if (a->q != NULL)
		out->text = port_text(room, &a->q->client);
	return a->q != NULL;
}

static bool read_server_port(void *env, struct str label, char *room, struct expr_value *out)
{
	const struct asked *a = env;

	(void)label;
	if (a->q != NULL)
		out->text = port_text(room, &a->q->local);
	return a->q != NULL;
}

static const uint8_t *octets_of(const union addr *addr, size_t *n)
{
	const uint8_t *ip = addr_ip(addr, n);

	if (addr->sa.sa_family == AF_UNSPEC)
		*n = 0;
	return ip;
}

static const uint8_t *client_address(void *env, size_t *n)
{
	const struct asked *a = env;

	return a->ask.client == NULL ? NULL : octets_of(a->ask.client, n);
}

static const uint8_t *server_address(void *env, size_t *n)
{
	const struct asked *a = env;

	return a->q == NULL ? NULL : octets_of(&a->q->local, n);
}

/* --- metadata ---------------------------------------------------------------------------- */

/* A value that there is not is empty. */
static bool read_metadata(void *env, struct str label, char *room, struct expr_value *out)
{
	const struct asked *a = env;

	(void)room;
	out->text = STR("");
	if (a->q != NULL)
		metadata_get_own(a->q, label, &out->text);
	return a->q != NULL;
}

static const struct expr_function functions[] = {
        {.name = "bufsize", .type = EXPR_INT, .read = read_bufsize},
        {.name = "class",
                .type = EXPR_TEXT,
                .text_max = 16,
                .needs_room = true,
                .read = read_class},
        {.name = "client_ip",
                .type = EXPR_TEXT,
                .text_max = ADDR_TEXT_MAX,
                .needs_room = true,
                .read = read_client_ip,
                .address = client_address},
        {.name = "do", .type = EXPR_BOOL, .read = read_do},
        {.name = "id", .type = EXPR_INT, .read = read_id},
        {.name = "metadata",
                .type = EXPR_TEXT,
                .takes_label = true,
                .text_max = METADATA_MAX,
                .read = read_metadata},
        {.name = "name",
                .type = EXPR_TEXT,
                .text_max = NAME_TEXT_MAX,
                .needs_room = true,
                .read = read_name},
        {.name = "opcode", .type = EXPR_INT, .read = read_opcode},
        {.name = "port", .type = EXPR_TEXT, .text_max = 8, .needs_room = true, .read = read_port},
        {.name = "proto", .type = EXPR_TEXT, .text_max = 3, .read = read_proto},
        {.name = "server_ip",
                .type = EXPR_TEXT,
                .text_max = ADDR_TEXT_MAX,
                .needs_room = true,
                .read = read_server_ip,
                .address = server_address},
        {.name = "server_port",
                .type = EXPR_TEXT,
                .text_max = 8,
                .needs_room = true,
                .read = read_server_port},
        {.name = "size", .type = EXPR_INT, .read = read_size},
        {.name = "type", .type = EXPR_TEXT, .text_max = 16, .needs_room = true, .read = read_type},
        {.name = NULL},
};

/* --- views ------------------------------------------------------------------------------- */

struct view *view_new(const char *name, unsigned workers)
{
	struct view *v = mem_new(struct view);

	v->name = mem_str(name);
	v->failed = counters_new(workers, 1);
	return v;
}

int view_add(struct view *v, const char *text, struct err *e)
{
	struct expr *x = expr_new(str_from(text), functions, e);

	if (x == NULL)
		return -EINVAL;
	vec_push(&v->conditions, (struct view_condition){x, mem_str(text)});
	return 0;
}

void view_want_metadata(const struct view *v, struct chain *c)
{
	struct str label;

	vec_for_each (&v->conditions, condition)
		for (size_t i = 0; expr_label(condition->expr, i, &label); i++)
			metadata_want(c, label);
}

static enum expr_result decide(const struct view *v, struct asked *a)
{
	enum expr_result all = EXPR_TRUE;

	vec_for_each (&v->conditions, condition) {
		enum expr_result one = expr_run(condition->expr, a);

		if (one == EXPR_FALSE || one == EXPR_FAILED)
			return one;
		if (one == EXPR_UNKNOWN)
			all = one;
	}
	return all;
}

bool view_takes(const struct view *v, struct query *q)
{
	struct asked a = {q, {q->folded, q->msg.qtype, q->msg.qclass, &q->client}};
	enum expr_result result = decide(v, &a);

	if (result == EXPR_FAILED)
		counters_add(v->failed, q->worker->index, 0, 1);
	return result == EXPR_TRUE;
}

enum expr_result view_might_take(const struct view *v, const struct view_ask *ask)
{
	struct asked a = {NULL, *ask};
	enum expr_result result = decide(v, &a);

	return result == EXPR_FAILED ? EXPR_FALSE : result;
}

void view_free(struct view *v)
{
	if (v == NULL)
		return;
	vec_for_each (&v->conditions, condition) {
		expr_free(condition->expr);
		free(condition->text);
	}
	vec_free(&v->conditions);
	counters_free(v->failed);
	free(v->name);
	free(v);
}
