/* Replies of upstreams: whatever is made clean is a well-formed message without OPT. */
#include "fuzz.h"

#include <string.h>

#include "base/hash.h"
#include "base/must.h"
#include "dns/msg.h"
#include "dns/name.h"
#include "dns/rr.h"
#include "dns/wire.h"
#include "net/reply.h"

static struct reply out;

/* Take the question from the input itself, so that it always fits. */
static bool take_question(const uint8_t *data, size_t n, struct reply_question *q)
{
	size_t name = n <= MSG_HEADER + 4 ? 0 : name_check(data + MSG_HEADER, n - MSG_HEADER - 4);

	q->query = data;
	q->end = (uint16_t)(MSG_HEADER + name + 4);
	q->wants_dnssec = n > 0 && (data[0] & 1) != 0;
	return name > 0 && reply_is_for(q, data, n);
}

static struct reader records_of(const struct reply_question *q)
{
	struct reader r = reader_on(out.wire, out.len);

	r.at = q->end;
	return r;
}

/* A number for all names of all records. */
static uint64_t sum_names(const struct reply_question *q)
{
	struct reader r = records_of(q);
	uint8_t rdata[2 * NAME_MAX_OCTETS + 32];
	struct rr_view rr;
	uint64_t sum = 0;

	while (r.at < r.len) {
		must(read_rr(&r, &rr));
		sum = hash_bytes(sum, rr.owner, rr.owner_len);
		if (rr_has_names(rr.type))
			sum = hash_bytes(
			        sum, rdata, (size_t)rr_rdata(&r, &rr, rdata, sizeof(rdata)));
	}
	return sum;
}

/* What is kept is given out with other TTLs and another header: its names must stay. */
static void expect_names_stay(const struct reply_question *q)
{
	uint64_t before = sum_names(q);
	struct reader r = records_of(q);
	struct rr_view rr;

	while (r.at < r.len && read_rr(&r, &rr))
		put32(out.wire + rr.ttl_at, 0x01610203);
	memset(out.wire, 1, MSG_HEADER);
	must(sum_names(q) == before);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct reply_question q = {0};
	struct reader r;
	struct rr_view rr;
	unsigned records;

	if (n > 65535 || reply_check_header(data, n) != BAD_REASONS || !take_question(data, n, &q))
		return 0;
	if (!reply_clean(&out, &q, data, n))
		return 0;
	must(out.len >= q.end && out.len <= sizeof(out.wire));
	must(memcmp(out.wire + MSG_HEADER, data + MSG_HEADER, q.end - (size_t)MSG_HEADER) == 0);
	records = get16(out.wire + 6) + (unsigned)get16(out.wire + 8);
	must(get16(out.wire + 10) == 0);
	r = reader_on(out.wire, out.len);
	r.at = q.end;
	for (unsigned i = 0; i < records; i++) {
		must(read_rr(&r, &rr));
		must(rr.ttl <= INT32_MAX);
	}
	must(r.at == out.len);
	expect_names_stay(&q);
	return 0;
}
