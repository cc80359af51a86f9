#include "test.h"

#include <stdio.h>

#include "conf/sha512.h"

/* FIPS 180-4 examples and one from the NIST long message set. */
static void hash_matches_published_vectors(void **state)
{
	static const struct {
		const char *text;
		size_t times;
		const char *hex;
	} rows[] = {
	        {"", 1,
	                "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
	                "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"},
	        {"abc", 1,
	                "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
	                "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
	        {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmno"
	         "ijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
	                1,
	                "8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018"
	                "501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909"},
	        {"a", 1000000,
	                "e718483d0ce769644e2e42c7bc15b4638e1f98b13b2044285632a803afa973eb"
	                "de0ff244877ea60a4cb0432ce577c31beb009c5c2c49aa2e4eadb217ad8cc09b"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sha512 h;
		uint8_t out[64];
		char hex[129];

		sha512_init(&h);
		for (size_t n = 0; n < rows[i].times; n++)
			sha512_add(&h, rows[i].text, strlen(rows[i].text));
		sha512_end(&h, out);
		for (size_t n = 0; n < 64; n++)
			snprintf(hex + 2 * n, 3, "%02x", out[n]);
		assert_string_equal(hex, rows[i].hex);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(hash_matches_published_vectors)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
