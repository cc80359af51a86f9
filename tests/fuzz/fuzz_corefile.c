/*
 * Corefile parser on arbitrary text, without files; what it accepts is walked, and each key is
 * read as a zone.
 */
#include "fuzz.h"

#include "conf/corefile.h"
#include "conf/zonekey.h"

static const char *no_variable(void *arg, const char *name)
{
	(void)arg;
	return name[0] == 'A' ? "value {" : NULL;
}

static void read_keys(struct corefile *c)
{
	struct zone_keys keys = {0};
	struct err e;

	corefile_for_each_block (c, b)
		for (size_t i = 0; i < b->key_count && keys.list.len < 1000; i++)
			(void)zone_key_parse(str_from(b->keys[i].text), 53, &c->arena, &keys, &e);
	vec_free(&keys.list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct corefile_options options = {.no_files = true, .env = no_variable};
	struct str text = {(const char *)data, size};
	struct corefile *c;
	struct err e;

	if (corefile_parse("Corefile", text, &options, &c, &e) == 0) {
		read_keys(c);
		corefile_free(c);
	}
	return 0;
}
