/*
 * The body of a server block on its way through the setup and link hooks of all plugins, as
 * `seamark check` takes it: any text is set up or refused with a place and a reason, and all that
 * was made is freed. Nothing is started, so no socket is opened and nothing is written.
 */
#include "fuzz.h"

#include <string.h>

#include "../../plugins/table.h"
#include "base/log.h"
#include "base/must.h"
#include "base/rcu.h"
#include "conf/corefile.h"
#include "core/generation.h"
#include "core/shared.h"

static void ignore_line(void *arg, enum log_level level, const char *text)
{
	(void)arg;
	(void)level;
	must(strchr(text, '\n') == NULL);
}

static void set_up(struct str text)
{
	const struct corefile_options reading = {.no_files = true};
	struct generation_options options = {
	        .plugins = plugin_table(), .default_port = 53, .workers = 2};
	struct corefile *c;
	struct generation *g;
	struct err e = {""};

	options.shared = shared_new();
	if (corefile_parse("/nowhere/Corefile", text, &reading, &c, &e) == 0) {
		g = generation_new(c, &options, &e);
		must(g != NULL || strncmp(e.text, "/nowhere/", 9) == 0);
		if (g != NULL)
			generation_free(g);
	}
	shared_free(options.shared);
	rcu_reclaim();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf text = {0};

	log_set_sink(ignore_line, NULL);
	buf_str(&text, "example.org 10.0.0.0/24 {\n");
	buf_add(&text, data, size);
	buf_str(&text, "\n}\n");
	set_up((struct str){text.at, text.len});
	buf_free(&text);
	return 0;
}
