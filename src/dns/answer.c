/* What an answer holds while plugins collect it. */
#include "dns/answer.h"

#include <string.h>

#include "dns/rr.h"
#include "dns/wire.h"

void answer_init(struct answer *a, struct arena *arena)
{
	a->arena = arena;
	a->refs = a->inline_refs;
	a->cap = ANSWER_REFS_INLINE;
	answer_reset(a);
}

void answer_reset(struct answer *a)
{
	a->rcode = RCODE_NOERROR;
	a->ede = EDE_NONE;
	a->ede_text = NULL;
	a->is_authoritative = false;
	a->has_recursion = false;
	a->is_truncated = false;
	a->is_authentic = false;
	a->rotates = false;
	a->is_relayed = false;
	a->is_full = false;
	a->count = 0;
	a->message = NULL;
	a->message_len = 0;
}

void answer_copy_head(struct answer *a, const struct answer *from)
{
	a->rcode = from->rcode;
	a->ede = from->ede;
	a->ede_text = from->ede_text;
	a->is_authoritative = from->is_authoritative;
	a->has_recursion = from->has_recursion;
	a->is_truncated = from->is_truncated;
	a->is_authentic = from->is_authentic;
	a->is_relayed = from->is_relayed;
	a->is_full = from->is_full;
}

static void grow(struct answer *a)
{
	struct answer_ref *more = arena_alloc(a->arena, a->cap * 4u * sizeof(*more));

	memcpy(more, a->refs, a->count * sizeof(*more));
	a->refs = more;
	a->cap = (uint16_t)(a->cap * 4u);
}

void answer_add_owned(
	struct answer *a, enum section section, const uint8_t *owner, const struct rrset *set)
{
	if (set == NULL)
		return;
	if (a->count == a->cap && a->cap < 12288)
		grow(a);
	if (a->count == a->cap) {
		a->is_full = true;
		return;
	}
	a->refs[a->count++] = (struct answer_ref){set, owner, (uint8_t)section};
	__builtin_prefetch(set); /* a batch is encoded when all of it is looked up */
}

void answer_add(struct answer *a, enum section section, const struct rrset *set)
{
	answer_add_owned(a, section, NULL, set);
}

void answer_set_message(struct answer *a, const uint8_t *message, size_t len)
{
	a->message = message;
	a->message_len = (uint16_t)len;
}

/* Let owners that point into old point to the same octets of copy. */
static void move_owners(struct answer *a, const struct rrset *old, const struct rrset *copy)
{
	for (unsigned i = 0; i < a->count; i++) {
		const uint8_t *owner = a->refs[i].owner;

		if (owner >= old->wire && owner < old->wire + old->wire_len)
			a->refs[i].owner = copy->wire + (owner - old->wire);
	}
}

void answer_keep(struct answer *a)
{
	for (unsigned i = 0; i < a->count; i++) {
		const struct rrset *old = a->refs[i].set;
		struct rrset *copy = arena_alloc(a->arena, sizeof(*copy) + old->wire_len);

		memcpy(copy, old, sizeof(*copy) + old->wire_len);
		move_owners(a, old, copy);
		a->refs[i].set = copy;
	}
}

bool answer_is_empty(const struct answer *a)
{
	if (a->message != NULL)
		return get16(a->message + 6) == 0;
	for (unsigned i = 0; i < a->count; i++)
		if (a->refs[i].section == SECTION_ANSWER)
			return false;
	return true;
}
