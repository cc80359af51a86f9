/*
 * Finding the end of a JSON value, 64 bytes a step: bit masks of quotes and brackets, and from
 * them one of what lies inside strings. Most bytes of an API answer (managedFields, pod specs)
 * are only ever seen here.
 */
#include "cluster/json.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* One bit for each of 64 bytes. */
struct masks {
	uint64_t quote, backslash, open, close;
};

#ifdef __SSE2__
static uint64_t mask_of(__m128i eq, unsigned at)
{
	return (uint64_t)(uint32_t)_mm_movemask_epi8(eq) << at;
}

static struct masks find_marks(const char *p)
{
	const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\');
	const __m128i open = _mm_set1_epi8('{'), close = _mm_set1_epi8('}');
	const __m128i fold = _mm_set1_epi8(0x20); /* makes [ and ] into { and } */
	struct masks m = {0, 0, 0, 0};

	for (unsigned i = 0; i < 64; i += 16) {
		__m128i b = _mm_loadu_si128((const __m128i *)(const void *)(p + i));
		__m128i folded = _mm_or_si128(b, fold);

		m.quote |= mask_of(_mm_cmpeq_epi8(b, quote), i);
		m.backslash |= mask_of(_mm_cmpeq_epi8(b, backslash), i);
		m.open |= mask_of(_mm_cmpeq_epi8(folded, open), i);
		m.close |= mask_of(_mm_cmpeq_epi8(folded, close), i);
	}
	return m;
}
#else
static struct masks find_marks(const char *p)
{
	struct masks m = {0, 0, 0, 0};

	for (unsigned i = 0; i < 64; i++) {
		m.quote |= (uint64_t)(p[i] == '"') << i;
		m.backslash |= (uint64_t)(p[i] == '\\') << i;
		m.open |= (uint64_t)((p[i] | 0x20) == '{') << i;
		m.close |= (uint64_t)((p[i] | 0x20) == '}') << i;
	}
	return m;
}
#endif

/* Bits of the bytes behind a backslash that is not itself escaped, among the first n. */
static uint64_t find_escaped(struct json_span *s, uint64_t backslash, unsigned n)
{
	uint64_t escaped = s->is_escaped;

	backslash &= ~escaped;
	s->is_escaped = false;
	while (backslash != 0) {
		uint64_t one = backslash & -backslash;

		if (one == (uint64_t)1 << (n - 1))
			s->is_escaped = true;
		escaped |= one << 1;
		backslash &= ~(one | one << 1);
	}
	return escaped;
}

/* Bit i tells whether an odd number of the bits 0..i is set. */
static uint64_t prefix_xor(uint64_t x)
{
	for (unsigned i = 1; i < 64; i *= 2)
		x ^= x << i;
	return x;
}

/* Bracket by bracket; returns the bytes up to the end of the value, or n. */
static size_t count_brackets(struct json_span *s, uint64_t open, uint64_t close, size_t n)
{
	for (uint64_t both = open | close; both != 0; both &= both - 1) {
		uint64_t one = both & -both;

		if (open & one)
			s->depth++;
		else
			s->depth--;
		s->is_too_deep = s->depth > JSON_MAX_SKIPPED;
		s->is_done = s->depth == 0;
		if (s->is_done || s->is_too_deep)
			return (size_t)__builtin_ctzll(one) + 1;
	}
	return n;
}

static size_t feed_block(struct json_span *s, const char *block, size_t n)
{
	struct masks m = find_marks(block);
	uint64_t inside;
	unsigned opened, closed;

	if (m.backslash != 0 || s->is_escaped)
		m.quote &= ~find_escaped(s, m.backslash, (unsigned)n);
	inside = prefix_xor(m.quote) ^ (s->in_string ? ~(uint64_t)0 : 0);
	m.open &= ~inside;
	m.close &= ~inside;
	opened = (unsigned)__builtin_popcountll(m.open);
	closed = (unsigned)__builtin_popcountll(m.close);
	s->in_string = inside >> 63;
	if (closed >= s->depth || s->depth + opened > JSON_MAX_SKIPPED)
		return count_brackets(s, m.open, m.close, n);
	s->depth += opened - closed;
	return n;
}

size_t json_span_feed(struct json_span *s, const char *p, size_t n)
{
	size_t used = 0;
	char last[64];

	while (n - used >= 64 && !s->is_done && !s->is_too_deep)
		used += feed_block(s, p + used, 64);
	if (used == n || s->is_done || s->is_too_deep)
		return used;
	memset(last, ' ', sizeof(last));
	memcpy(last, p + used, n - used);
	return used + feed_block(s, last, n - used);
}
