#include "dns/cookie.h"

#include <string.h>

#include "base/hash.h"
#include "dns/wire.h"

#define COOKIE_VERSION 1
#define MAX_AGE_S 3600
#define RENEW_AGE_S 1800
#define MAX_AHEAD_S 300

/* Hash of client cookie | version | reserved | timestamp | address, little-endian (RFC 9018 4.4).
 */
static void hash_cookie(uint8_t out[8], const uint8_t secret[16], const uint8_t *head16,
	struct cookie_client from)
{
	uint8_t in[16 + 16];
	uint64_t h;

	memcpy(in, head16, 16);
	memcpy(in + 16, from.addr, from.addr_len);
	h = siphash24(secret, in, 16 + from.addr_len);
	for (int i = 0; i < 8; i++, h >>= 8)
		out[i] = (uint8_t)h;
}

void cookie_make(uint8_t out[COOKIE_FULL], const uint8_t secret[16], const uint8_t client8[8],
	struct cookie_client from, uint32_t now_s)
{
	memcpy(out, client8, 8);
	out[8] = COOKIE_VERSION;
	memset(out + 9, 0, 3);
	put32(out + 12, now_s);
	hash_cookie(out + 16, secret, out, from);
}

/* Constant time, so that the answer's delay says nothing about how many octets were right. */
static bool same(const uint8_t *a, const uint8_t *b)
{
	uint8_t diff = 0;

	for (int i = 0; i < 8; i++)
		diff = (uint8_t)(diff | (a[i] ^ b[i]));
	return diff == 0;
}

enum cookie_state cookie_check(const struct cookie_secrets *s, const uint8_t *cookie, size_t len,
	struct cookie_client from, uint32_t now_s)
{
	uint8_t want[8];
	int32_t age;

	if (len != COOKIE_FULL || cookie[8] != COOKIE_VERSION)
		return COOKIE_BAD;
	age = (int32_t)(now_s - get32(cookie + 12)); /* serial arithmetic, RFC 1982 */
	if (age > MAX_AGE_S || age < -MAX_AHEAD_S)
		return COOKIE_BAD;
	hash_cookie(want, s->current, cookie, from);
	if (same(want, cookie + 16))
		return age > RENEW_AGE_S ? COOKIE_RENEW : COOKIE_GOOD;
	if (!s->has_previous)
		return COOKIE_BAD;
	hash_cookie(want, s->previous, cookie, from);
	return same(want, cookie + 16) ? COOKIE_RENEW : COOKIE_BAD;
}
