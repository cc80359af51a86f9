/* Questions that a query asks itself: those of its children, and its own once more. */
#include <errno.h>
#include <string.h>

#include "core/query.h"
#include "core/worker.h"
#include "dns/rr.h"
#include "dns/wire.h"

/* Header, question and a plain OPT of a question that we ask ourselves. */
static void write_question(struct query *child, const struct query *q, struct query_question ask)
{
	static const uint8_t opt[11] = {0, 0, TYPE_OPT, QUERY_UDP_MAX >> 8, QUERY_UDP_MAX & 255};
	size_t n = name_len(ask.name), at = MSG_HEADER + n;

	memset(child->buf, 0, MSG_HEADER);
	put16(child->buf + 2, q->msg.flags & (FLAG_RD | FLAG_CD | FLAG_AD));
	put16(child->buf + 4, 1);
	memcpy(child->buf + MSG_HEADER, ask.name, n);
	put16(child->buf + at, ask.type);
	put16(child->buf + at + 2, CLASS_IN);
	at += 4;
	if (q->msg.edns.is_present) {
		put16(child->buf + 10, 1);
		memcpy(child->buf + at, opt, sizeof(opt));
		child->buf[at + 7] = q->msg.edns.wants_dnssec ? 0x80 : 0;
		at += sizeof(opt);
	}
	child->wire_len = at;
}

int query_sub(struct query *q, struct query_question question,
        void (*on_sub)(struct query *parent, struct query *child, void *arg), void *arg)
{
	struct query *child;

	if (q->depth + 1u > QUERY_SUB_DEPTH)
		return -ELOOP;
	child = worker_query(q->worker);
	if (child == NULL)
		return -ENOBUFS;
	child->parent = q;
	child->depth = (uint8_t)(q->depth + 1);
	child->is_internal = true;
	child->transport = TRANSPORT_TCP; /* no size limit between ourselves */
	child->client = q->client;
	child->local = q->local;
	child->start_ns = q->start_ns;
	child->generation = q->generation;
	child->on_sub = on_sub;
	child->on_sub_arg = arg;
	list_push(&q->children, &child->sibling);
	write_question(child, q, question);
	if (!query_prepare(child, q->group) || query_run(child) != QUERY_PARKED)
		on_sub(q, child, arg);
	return 0;
}

/* Records of an answer, and what says how long there is none (RFC 2308 2). */
static bool is_merged(const struct query *child, const struct answer_ref *ref)
{
	uint16_t rcode = child->answer.rcode;

	if (ref->section == SECTION_ANSWER)
		return true;
	return ref->section == SECTION_AUTHORITY && ref->set->type == TYPE_SOA &&
		(rcode == RCODE_NOERROR || rcode == RCODE_NXDOMAIN);
}

void query_merge(struct query *q, const struct query *child, const uint8_t *target)
{
	const struct answer *a = &child->answer;
	struct answer opened;

	if (a->message != NULL) {
		answer_init(&opened, &q->arena);
		answer_set_message(&opened, a->message, a->message_len);
		answer_open(&opened, &child->msg);
		a = &opened;
	}
	for (unsigned i = 0; i < a->count; i++) {
		const struct answer_ref *ref = &a->refs[i];

		if (is_merged(child, ref))
			answer_add_owned(&q->answer, ref->section,
			        ref->owner == NULL ? target : ref->owner, ref->set);
	}
	/* an alias alone would say that its target has no data */
	q->answer.is_truncated |= child->answer.is_truncated;
	q->answer.is_full |= child->answer.is_full;
}

/* A question that nobody waited for, or somebody who is told by on_sub, has its answer. */
static void on_again_done(struct query *child)
{
	if (child->on_sub != NULL)
		child->on_sub(NULL, child, child->on_sub_arg);
	query_release(child);
}

/* Put the message into child; false when it is no question. */
static bool set_question(struct query *child, const uint8_t *wire, size_t len)
{
	if (len > sizeof(child->buf))
		return false;
	memcpy(child->buf, wire, len);
	child->wire_len = len;
	if (msg_parse(&child->msg, child->buf, len) != MSG_ANSWER)
		return false;
	name_fold(child->folded, query_name(child), child->msg.qname_len);
	return true;
}

static void take_place(struct query *child, const struct query *q)
{
	child->server = q->server;
	child->chain = q->chain;
	child->group = q->group;
	child->generation = q->generation;
	child->client = q->client;
	child->local = q->local;
	child->start_ns = q->worker->now_ns;
	child->depth = q->depth;
	child->origin = query_origin(q);
	child->has_origin = true;
}

int query_again(struct query *q, const struct query_again *again)
{
	struct query *child = worker_query(q->worker);
	const uint8_t *wire = again->wire != NULL ? again->wire : q->buf;

	if (child == NULL)
		return -ENOBUFS;
	if (!set_question(child, wire, again->wire != NULL ? again->wire_len : q->msg.len)) {
		query_release(child);
		return -EINVAL;
	}
	take_place(child, q);
	child->is_internal = !again->is_foreground || q->is_internal;
	child->transport = TRANSPORT_TCP; /* no size limit between ourselves */
	child->position = (uint16_t)(q->position + 1);
	child->reply_floor = (uint16_t)chain_replies_above(
	        q->chain, q->chain->query_hooks.at[q->position].order);
	child->on_sub = again->on_answer;
	child->on_sub_arg = again->arg;
	child->on_done = on_again_done;
	if (again->child != NULL)
		*again->child = child;
	vec_for_each (&child->chain->prefetch_hooks, l)
		if (l->order > q->chain->query_hooks.at[q->position].order)
			l->plugin->prefetch(child, l->instance);
	if (query_run(child) != QUERY_PARKED)
		on_again_done(child);
	return 0;
}

void query_disown(struct query *child)
{
	child->on_sub = NULL;
}

/* True when p stands in the RDATA of a set of a: answer_keep() moves it along. */
static bool is_in_set(const struct answer *a, const uint8_t *p)
{
	for (unsigned i = 0; i < a->count; i++)
		if (p >= a->refs[i].set->wire &&
		        p < a->refs[i].set->wire + a->refs[i].set->wire_len)
			return true;
	return false;
}

void query_adopt(struct query *q, const struct query *child)
{
	const struct answer *from = &child->answer;
	struct answer *a = &q->answer;

	answer_reset(a);
	answer_copy_head(a, from);
	q->reason = child->reason == NULL ? NULL : arena_str(&q->arena, child->reason);
	if (from->message != NULL) {
		answer_set_message(a, from->message, from->message_len);
		answer_open(a, &child->msg);
		return;
	}
	for (unsigned i = 0; i < from->count; i++) {
		const struct answer_ref *r = &from->refs[i];
		const uint8_t *owner = r->owner;

		if (owner != NULL && !is_in_set(from, owner))
			owner = (uint8_t *)arena_dup(&q->arena, owner, name_len(owner));
		answer_add_owned(a, (enum section)r->section, owner, r->set);
	}
	answer_keep(a);
}
