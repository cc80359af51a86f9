/*
 * The messages of a transfer (RFC 5936 2.2): one a turn of the worker's loop, so that others are
 * answered in between, and only while the client takes them. An AXFR answer is the SOA record, all
 * others, and the SOA record again; in an IXFR answer what stands between is the changes.
 */
#include "transfer/transfer.h"

#include "dns/wire.h"

#define HEADER 12u
/* Our OPT record with a cookie, an identity and what else there may be. */
#define OPT_ROOM 600u

enum { STAGE_SOA, STAGE_RECORDS, STAGE_LAST_SOA, STAGE_END };

/* The next records into job->row. False at the end. */
static bool fill_row(struct job *job)
{
	const struct zone_image *image = job->image;

	buf_clear(&job->row);
	job->pos = 0;
	if (job->stage == STAGE_SOA) {
		job->stage = job->outcome == JOB_CURRENT ? STAGE_END : STAGE_RECORDS;
		records_add_set(&job->row, job->zone->name.wire, image->soa);
		return true;
	}
	if (job->stage == STAGE_RECORDS) {
		if (image->ops->walk(image, &job->cursor, &job->row))
			return true;
		job->stage = STAGE_LAST_SOA;
	}
	if (job->stage == STAGE_END)
		return false;
	job->stage = STAGE_END;
	records_add_set(&job->row, job->zone->name.wire, image->soa);
	return true;
}

/* What is ready to be packed, or false at the end. *next is where the record behind it begins. */
static bool next_record(struct job *job, struct record *r, size_t *next)
{
	*next = job->pos;
	while (!records_next(&job->row, next, r)) {
		if (!fill_row(job))
			return false;
		*next = 0;
	}
	return true;
}

/*
 * The start of a message: header and, in the first one, the question (RFC 5936 2.2.2). That one
 * has an OPT record if the client had one; *opt is its length, and it stands behind the question
 * until the records have been written. Returns the offset of the records.
 */
static size_t begin_message(struct job *job, uint8_t *opt, size_t *opt_len)
{
	struct query *q = job->q;
	struct transfer_worker *tw = job->worker;
	size_t n;

	*opt_len = 0;
	q->answer.is_authoritative = true;
	if (job->has_begun) {
		put16(tw->message, q->msg.id);
		put16(tw->message + 2, FLAG_QR | FLAG_AA);
		memset(tw->message + 4, 0, HEADER - 4);
		return HEADER;
	}
	n = query_encode(q, tw->message, q->msg.question_end + OPT_ROOM);
	*opt_len = n - q->msg.question_end;
	memcpy(opt, tw->message + q->msg.question_end, *opt_len);
	return q->msg.question_end;
}

/* Where there is no channel the answer is one message. */
static void deliver(struct job *job, const uint8_t *message, size_t n)
{
	struct query *q = job->q;

	if (q->channel != NULL)
		q->channel->send(q, message, n);
	else
		answer_set_message(&q->answer, (uint8_t *)arena_dup(&q->arena, message, n), n);
	job->octets += n;
	transfer_count(job, TRANSFER_OCTETS, n);
	transfer_count(job, TRANSFER_RECORDS, get16(message + 6));
}

/* Make and send one message. False at a record that is too large for any. */
static bool send_one(struct job *job, bool *is_last)
{
	struct transfer_worker *tw = job->worker;
	struct packer *p = &tw->packer;
	uint8_t opt[OPT_ROOM];
	size_t opt_len, next;
	struct record r;

	packer_init(p, tw->message, begin_message(job, opt, &opt_len),
		sizeof(tw->message) - OPT_ROOM);
	*is_last = true;
	while (next_record(job, &r, &next)) {
		if (!packer_add(p, &r)) {
			*is_last = false;
			break;
		}
		job->pos = next;
		job->records++;
	}
	if (p->count == 0 && !*is_last)
		return false;
	memcpy(tw->message + p->at, opt, opt_len);
	put16(tw->message + 6, (uint16_t)p->count);
	deliver(job, tw->message, p->at + opt_len);
	job->has_begun = true;
	return true;
}

static void on_room(struct query *q)
{
	transfer_send(q->plugin_data);
}

void transfer_send(struct job *job)
{
	struct query *q = job->q;
	bool is_last;

	if (q->channel != NULL && q->channel->is_closed(q))
		transfer_fail(job, TRANSFER_BROKEN, "the client went away");
	else if (q->worker->now_ns - job->start_ns > TRANSFER_MAX_NS)
		transfer_fail(job, TRANSFER_BROKEN, "the client is too slow");
	else if (!send_one(job, &is_last))
		transfer_fail(job, TRANSFER_BROKEN, "a record is too large");
	else if (is_last)
		transfer_end(job);
	else if (q->channel == NULL)
		transfer_fail(job, TRANSFER_BROKEN, "the zone is too large for one message");
	else if (q->channel->is_closed(q))
		transfer_fail(job, TRANSFER_BROKEN, "the client went away");
	else {
		q->on_room = on_room;
		q->channel->wait_room(q);
	}
}
