/* Replies of upstreams: whatever is made clean is a well-formed message without OPT. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/must.h"
#include "dns/msg.h"
#include "dns/name.h"
#include "dns/rr.h"
#include "dns/wire.h"
#include "net/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

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
	return 0;
}
