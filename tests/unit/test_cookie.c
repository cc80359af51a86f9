#include "test.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "dns/cookie.h"

static void from_hex(uint8_t *out, const char *hex)
{
	for (unsigned v; *hex != '\0' && sscanf(hex, "%2x", &v) == 1; hex += 2)
		*out++ = (uint8_t)v;
}

/* RFC 9018, appendix A. */
static const struct {
	const char *name, *secret, *addr, *client, *sent, *made;
	uint32_t now;
	enum cookie_state state;
} vectors[] = {
	{"A.1 learning a new server cookie", "e5e973e5a6b2a43f48e7dc849e37bfcf", "198.51.100.100",
		"2464c4abcf10c957", NULL, "2464c4abcf10c957010000005cf79f111f8130c3eee29480",
		1559731985, COOKIE_BAD},
	{"A.2 the same client, within the hour, renewed", "e5e973e5a6b2a43f48e7dc849e37bfcf",
		"198.51.100.100", "2464c4abcf10c957",
		"2464c4abcf10c957010000005cf79f111f8130c3eee29480",
		"2464c4abcf10c957010000005cf7a871d4a564a1442aca77", 1559734385, COOKIE_RENEW},
	{"A.3 another client; its old cookie is over an hour old and has reserved octets set",
		"e5e973e5a6b2a43f48e7dc849e37bfcf", "203.0.113.203", "fc93fc62807ddb86",
		"fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5",
		"fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e", 1559734700, COOKIE_BAD},
};

static struct cookie_client client_of(uint8_t addr[16], const char *text)
{
	bool is_v4 = strchr(text, ':') == NULL;

	inet_pton(is_v4 ? AF_INET : AF_INET6, text, addr);
	return (struct cookie_client){addr, is_v4 ? 4 : 16};
}

static void published_vectors_hold(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		uint8_t addr[16], client[8], made[24], want[24], sent[24];
		struct cookie_secrets s = {.has_previous = false};
		struct cookie_client from = client_of(addr, vectors[i].addr);

		from_hex(s.current, vectors[i].secret);
		from_hex(client, vectors[i].client);
		from_hex(want, vectors[i].made);
		cookie_make(made, s.current, client, from, vectors[i].now);
		assert_memory_equal(made, want, 24);
		if (vectors[i].sent == NULL)
			continue;
		from_hex(sent, vectors[i].sent);
		assert_int_equal(
			cookie_check(&s, sent, 24, from, vectors[i].now), vectors[i].state);
		/* when it was new it was good, whatever the reserved octets hold */
		assert_int_equal(cookie_check(&s, sent, 24, from, 1559727985 + 60) == COOKIE_GOOD,
			vectors[i].state == COOKIE_BAD);
	}
}

/* RFC 9018 A.4: IPv6, and a roll-over of the secret. */
static void a_cookie_of_the_previous_secret_is_renewed(void **state)
{
	struct cookie_secrets s = {.has_previous = true};
	uint8_t addr[16], sent[24], made[24], want[24];
	struct cookie_client from = client_of(addr, "2001:db8:220:1:59de:d0f4:8769:82b8");

	(void)state;
	from_hex(s.current, "445536bcd2513298075a5d379663c962");
	from_hex(s.previous, "dd3bdf9344b678b185a6f5cb60fca715");
	from_hex(sent, "22681ab97d52c298010000005cf7c57926556bd0934c72f8");
	from_hex(want, "22681ab97d52c298010000005cf7c609a6bb79d16625507a");
	assert_int_equal(cookie_check(&s, sent, 24, from, 1559741961), COOKIE_RENEW);
	cookie_make(made, s.current, sent, from, 1559741961);
	assert_memory_equal(made, want, 24);
	s.has_previous = false;
	assert_int_equal(cookie_check(&s, sent, 24, from, 1559741961), COOKIE_BAD);
}

static void age_decides(void **state)
{
	static const struct {
		int age_s;
		enum cookie_state state;
	} rows[] = {
		{0, COOKIE_GOOD},
		{1800, COOKIE_GOOD},
		{1801, COOKIE_RENEW},
		{3600, COOKIE_RENEW},
		{3601, COOKIE_BAD},
		{-300, COOKIE_GOOD},
		{-301, COOKIE_BAD},
	};
	struct cookie_secrets s = {.current = {1, 2, 3}};
	uint8_t addr[16], client[8] = {9}, cookie[24];
	struct cookie_client from = client_of(addr, "10.0.0.1");

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint32_t made_at = 100; /* the clock wraps between some of the rows */

		cookie_make(cookie, s.current, client, from, made_at);
		assert_int_equal(cookie_check(&s, cookie, 24, from,
					 made_at + (uint32_t)rows[i].age_s),
			rows[i].state);
	}
	cookie[20] ^= 1;
	assert_int_equal(cookie_check(&s, cookie, 24, from, 100), COOKIE_BAD);
	assert_int_equal(cookie_check(&s, cookie, 16, from, 100), COOKIE_BAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_vectors_hold),
		cmocka_unit_test(a_cookie_of_the_previous_secret_is_renewed),
		cmocka_unit_test(age_decides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
