#include "rig.h"

#include "admin/http.h"
#include "base/log.h"
#include "core/control.h"
#include "test.h"

extern const struct plugin ready_plugin;

/* In place of the HTTP server and the control thread. */
static admin_handler_fn *handler;
static void *handler_arg;
static const char *address, *not_ready;
static bool is_stopping;

struct admin_route *admin_route_add(
	const char *at, const char *path, admin_handler_fn *fn, void *arg, struct err *e)
{
	(void)e;
	assert_string_equal(path, "/ready");
	address = at;
	handler = fn;
	handler_arg = arg;
	return (struct admin_route *)&handler;
}

void admin_route_del(struct admin_route *r)
{
	(void)r;
}

bool control_is_ready(struct control *c, struct buf *names)
{
	(void)c;
	if (not_ready == NULL)
		return false; /* before the first configuration is in force */
	buf_str(names, not_ready);
	return *not_ready == '\0';
}

bool control_is_stopping(const struct control *c)
{
	(void)c;
	return is_stopping;
}

static char last_line[256];

static void keep_line(void *arg, enum log_level level, const char *text)
{
	(void)arg;
	(void)level;
	strncpy(last_line, text, sizeof(last_line) - 1);
}

/* Ask /ready while these plugins are not ready. */
static void assert_ready(const char *names, unsigned status, const char *body)
{
	struct admin_reply reply = {200, "", {0}};

	not_ready = names;
	handler(handler_arg, &reply);
	assert_int_equal(reply.status, status);
	assert_string_equal(buf_text(&reply.body), body);
	buf_free(&reply.body);
}

static void open_ready(struct rig *r, const char *text)
{
	assert_int_equal(rig_open(r, &ready_plugin, text), 0);
	assert_int_equal(ready_plugin.start(r->setup.instance, &r->err), 0);
	last_line[0] = '\0';
	is_stopping = false;
}

static void plugins_that_are_not_ready_are_named(void **state)
{
	struct rig r;

	(void)state;
	open_ready(&r, ". {\nready\n}");
	assert_string_equal(address, ":8181");
	assert_ready("kubernetes,file,kubernetes", 503, "kubernetes,file");
	assert_string_equal(
		last_line, "[INFO] plugin/ready: Plugins not ready: \"kubernetes,file\"");
	assert_ready("file", 503, "file");
	assert_ready("", 200, "OK");
	rig_close(&r);
}

static void nothing_is_ready_before_the_first_configuration_is_in_force(void **state)
{
	struct rig r;

	(void)state;
	open_ready(&r, ". {\nready\n}");
	assert_ready(NULL, 503, "Starting");
	assert_ready("kubernetes", 503, "kubernetes");
	assert_ready("", 200, "OK");
	rig_close(&r);
}

static void a_plugin_that_was_ready_stays_so(void **state)
{
	struct rig r;

	(void)state;
	open_ready(&r, ". {\nready 127.0.0.1:1\n}");
	assert_string_equal(address, "127.0.0.1:1");
	assert_ready("a,b", 503, "a,b");
	assert_ready("b", 503, "b");
	assert_ready("a,b", 503, "b");
	assert_ready("a", 200, "OK");
	assert_ready("a,b,c", 200, "OK");
	rig_close(&r);
}

static void monitoring_continuously_sees_every_loss(void **state)
{
	struct rig r;

	(void)state;
	open_ready(&r, ". {\nready {\nmonitor continuously\n}\n}");
	assert_ready("", 200, "OK");
	assert_ready("a", 503, "a");
	assert_ready("", 200, "OK");
	rig_close(&r);
}

static void a_stopping_server_is_not_ready(void **state)
{
	struct rig r;

	(void)state;
	open_ready(&r, ". {\nready\n}");
	assert_ready("", 200, "OK");
	is_stopping = true;
	assert_ready("", 503, "Shutting down");
	rig_close(&r);
}

static void mistakes_are_refused(void **state)
{
	static const char *const rows[] = {"8181", "a:1 b:2", "{\nmonitor sometimes\n}",
		"{\nmonitor\n}", "{\nwatch\n}", ":0"};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		rig_refuses_args(&ready_plugin, rows[i], "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plugins_that_are_not_ready_are_named),
		cmocka_unit_test(nothing_is_ready_before_the_first_configuration_is_in_force),
		cmocka_unit_test(a_plugin_that_was_ready_stays_so),
		cmocka_unit_test(monitoring_continuously_sees_every_loss),
		cmocka_unit_test(a_stopping_server_is_not_ready),
		cmocka_unit_test(mistakes_are_refused),
	};

	log_set_sink(keep_line, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
