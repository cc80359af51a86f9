/*
 * Framing of streams: however the octets are cut into reads, the same messages come out, none
 * reaches outside the buffer, and the memory stays near what has arrived.
 */
#include "fuzz.h"

#include <string.h>

#include "base/must.h"
#include "net/frame.h"

/* All whole messages of f; returns how many, and adds up their octets. */
static size_t take_messages(struct fifo *f, uint64_t *sum, int *is_bad)
{
	struct frame m;
	size_t n = 0;

	while (f->len > 0) {
		enum frame_status status = frame_next(fifo_head(f), f->len, &m);

		if (status == FRAME_BAD)
			*is_bad = 1;
		if (status != FRAME_MESSAGE)
			break;
		must(m.len >= FRAME_MESSAGE_MIN && m.message + m.len <= fifo_tail(f));
		for (size_t i = 0; i < m.len; i++)
			*sum += m.message[i];
		fifo_take(f, FRAME_PREFIX + m.len);
		n++;
	}
	return n;
}

/* Feed in pieces of step octets. */
static size_t run(const uint8_t *data, size_t size, size_t step, uint64_t *sum)
{
	struct fifo f = {0};
	size_t n = 0;
	int is_bad = 0;

	for (size_t at = 0; at < size && !is_bad; at += step) {
		size_t piece = size - at < step ? size - at : step;

		if (f.len > 0)
			must(frame_room(fifo_head(&f), f.len) > 0);
		must(fifo_reserve(&f, piece) == 0);
		fifo_put(&f, data + at, piece);
		n += take_messages(&f, sum, &is_bad);
		must(f.cap <= 2 * (f.len + piece + 512) + 65537);
	}
	fifo_fini(&f);
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t whole = 0, cut = 0;
	size_t step = size > 0 ? 1u + data[size - 1] % 64u : 1;

	must(run(data, size, size + 1, &whole) == run(data, size, step, &cut));
	must(whole == cut);
	return 0;
}
