#include "base/arena.h"
#include "dns/answer.h"
#include "dns/name.h"
#include "dns/rr.h"
#include "dns/wire.h"

#define FEW_OCTETS 1024u

/* A message on its way to becoming sets: neighbours of one owner, type and TTL are one set. */
struct opening {
	struct answer *a;
	struct reader reader;
	const uint8_t *question; /* its name, in the message */
	struct rrset_builder set;
	const uint8_t *owner; /* of set; NULL: the question's name */
	const uint8_t *alias; /* the target of the last CNAME, inside its set */
};

static void finish_set(struct opening *o, enum section section)
{
	const struct rrset *set = rrset_build_in(&o->set, o->a->arena);

	answer_add_owned(o->a, section, o->owner, set);
	if (set != NULL && set->type == TYPE_CNAME)
		o->alias = set->wire + RR_FIXED;
}

/* The name in memory that lives as long as the answer, if possible where the encoder knows it. */
static const uint8_t *owner_of(const struct opening *o, const struct rr_view *rr)
{
	if (name_equal(rr->owner, o->question))
		return NULL;
	if (o->alias != NULL && name_equal(rr->owner, o->alias))
		return o->alias;
	if (o->owner != NULL && name_equal(rr->owner, o->owner))
		return o->owner;
	return (const uint8_t *)arena_dup(o->a->arena, rr->owner, rr->owner_len);
}

static bool continues_set(const struct opening *o, const struct rr_view *rr, const uint8_t *owner)
{
	return o->set.count > 0 && o->set.type == rr->type && o->set.ttl == rr->ttl &&
	       o->set.rr_class == rr->rr_class && o->owner == owner;
}

/* A record whose RDATA is malformed or too long is left out. */
static void take_record(struct opening *o, const struct rr_view *rr, enum section section)
{
	size_t room = rr->rdlength + 2u * NAME_MAX_OCTETS; /* two names may be compressed */
	uint8_t few[FEW_OCTETS], *rdata = few;
	const uint8_t *owner = owner_of(o, rr);
	int len;

	if (room > sizeof(few))
		rdata = arena_alloc(o->a->arena, room);
	len = rr_rdata(&o->reader, rr, rdata, room);
	if (len < 0 || len > UINT16_MAX)
		return;
	if (!continues_set(o, rr, owner)) {
		finish_set(o, section);
		owner = owner_of(o, rr); /* finishing may have made it an alias */
		o->owner = owner;
		o->set = (struct rrset_builder){.type = rr->type,
		        .rr_class = rr->rr_class,
		        .ttl = rr->ttl,
		        .arena = o->a->arena};
	}
	rrset_add(&o->set, rdata, (size_t)len);
}

void answer_open(struct answer *a, const struct msg *m)
{
	struct opening o = {.a = a};
	struct rr_view rr;

	if (a->message == NULL)
		return;
	o.question = a->message + MSG_HEADER;
	o.reader = reader_on(a->message, a->message_len);
	o.reader.at = m->question_end;
	for (unsigned section = SECTION_ANSWER; section <= SECTION_ADDITIONAL; section++) {
		unsigned n = get16(a->message + 6 + 2 * section);

		for (; n > 0 && read_rr(&o.reader, &rr); n--)
			take_record(&o, &rr, (enum section)section);
		finish_set(&o, (enum section)section);
	}
	answer_set_message(a, NULL, 0);
}
