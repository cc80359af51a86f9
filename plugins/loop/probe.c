#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/rand.h"
#include "dns/msg.h"
#include "dns/rr.h"
#include "dns/wire.h"
#include "loop/loop.h"

#define PROBES_MAX 128u
#define DIGITS 16u /* of a label: 64 bits in hexadecimal */

/* A name under way. Two numbers nobody can guess, so that nobody else can make us see a loop. */
static struct probe {
	atomic_ullong first, second; /* 0: free */
	atomic_bool is_back;
} probes[PROBES_MAX];

static int take_slot(uint64_t first, uint64_t second)
{
	for (unsigned i = 0; i < PROBES_MAX; i++) {
		unsigned long long none = 0;

		if (!atomic_compare_exchange_strong(&probes[i].first, &none, first))
			continue;
		atomic_store(&probes[i].is_back, false);
		atomic_store(&probes[i].second, second);
		return (int)i;
	}
	return -1;
}

static size_t put_label(uint8_t *out, uint64_t v)
{
	char text[DIGITS + 1];

	snprintf(text, sizeof(text), "%016llx", (unsigned long long)v);
	out[0] = DIGITS;
	memcpy(out + 1, text, DIGITS);
	return 1 + DIGITS;
}

size_t loop_probe_begin(uint8_t out[LOOP_PROBE_MAX], const struct name *zone, unsigned *slot)
{
	uint64_t first = rand_u64() | 1, second = rand_u64() | 1;
	size_t n = MSG_HEADER;
	int i;

	if (2 * (1 + DIGITS) + zone->len > NAME_MAX_OCTETS)
		return 0;
	i = take_slot(first, second);
	if (i < 0)
		return 0;
	*slot = (unsigned)i;
	memset(out, 0, MSG_HEADER);
	put16(out, (uint16_t)rand_u64());
	put16(out + 2, FLAG_RD);
	put16(out + 4, 1);
	n += put_label(out + n, first);
	n += put_label(out + n, second);
	memcpy(out + n, zone->wire, zone->len);
	n += zone->len;
	put16(out + n, TYPE_HINFO);
	put16(out + n + 2, CLASS_IN);
	return n + 4;
}

bool loop_probe_end(unsigned slot)
{
	bool is_back = atomic_load(&probes[slot].is_back);

	atomic_store(&probes[slot].second, 0);
	atomic_store(&probes[slot].first, 0);
	return is_back;
}

/* A label of 16 hexadecimal digits in lower case; 0 when it is none. */
static uint64_t read_label(const uint8_t *label)
{
	uint64_t v = 0;

	if (label[0] != DIGITS)
		return 0;
	for (unsigned i = 1; i <= DIGITS; i++) {
		uint8_t c = label[i];

		if (c >= '0' && c <= '9')
			v = v << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			v = v << 4 | (uint64_t)(c - 'a' + 10);
		else
			return 0;
	}
	return v;
}

bool loop_probe_is_back(const uint8_t *folded)
{
	uint64_t first = read_label(folded), second;

	if (first == 0)
		return false;
	second = read_label(folded + 1 + DIGITS);
	for (unsigned i = 0; i < PROBES_MAX && second != 0; i++) {
		if (atomic_load_explicit(&probes[i].first, memory_order_relaxed) != first ||
		        atomic_load_explicit(&probes[i].second, memory_order_relaxed) != second)
			continue;
		atomic_store(&probes[i].is_back, true);
		return true;
	}
	return false;
}
