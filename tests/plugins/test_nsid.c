#include "rig.h"

#include <unistd.h>

#include "test.h"

extern const struct plugin nsid_plugin;

/* The identity that plugin text gives, as it stands in the answer's last option. */
static void check_identity(const char *text, const char *wanted, bool asks)
{
	struct rig_ask ask = {.name = "a.", .type = TYPE_A, .udp_size = 1232, .wants_nsid = asks};
	size_t n, len = strlen(wanted);
	struct query *q;
	struct rig r;

	assert_int_equal(rig_open(&r, &nsid_plugin, text), 0);
	q = rig_query(&r, &ask);
	assert_int_equal(rig_down(&r, q), NEXT);
	n = query_encode(q, q->buf, sizeof(q->buf));
	if (asks)
		assert_memory_equal(q->buf + n - len, wanted, len);
	else
		assert_null(memmem(q->buf, n, wanted, len));
	query_release(q);
	rig_close(&r);
}

static void the_identity_is_sent_as_it_stands(void **state)
{
	(void)state;
	check_identity(". {\nnsid rack 7\n}", "rack 7", true);
}

static void clients_that_do_not_ask_get_none(void **state)
{
	(void)state;
	check_identity(". {\nnsid rack 7\n}", "rack 7", false);
}

static void the_host_name_is_the_default(void **state)
{
	char host[256];

	(void)state;
	assert_int_equal(gethostname(host, sizeof(host)), 0);
	check_identity(". {\nnsid\n}", host, true);
}

static void an_identity_that_is_too_long_is_refused(void **state)
{
	char text[400] = ". {\nnsid ";
	struct rig r;

	(void)state;
	memset(text + strlen(text), 'x', 256);
	strcat(text, "\n}");
	assert_int_equal(rig_open(&r, &nsid_plugin, text), -22);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_identity_is_sent_as_it_stands),
		cmocka_unit_test(clients_that_do_not_ask_get_none),
		cmocka_unit_test(the_host_name_is_the_default),
		cmocka_unit_test(an_identity_that_is_too_long_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
