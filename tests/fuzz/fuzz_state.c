/*
 * State files: the input as a whole file, and as objects behind a checksum that is right. What can
 * be read is the same after it was written and read again.
 */
#include "fuzz.h"

#include <stdlib.h>

#include "base/must.h"
#include "cluster/state_file.h"

static void on_object(void *arg, const struct object *o)
{
	struct buf *b = arg;

	must(o->name != NULL && o->ns != NULL);
	state_object_encode(b, o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str file = {(const char *)data, n}, rest = file;
	struct buf first = {0}, second = {0};
	struct state_meta meta;
	struct object o;
	struct arena a;
	struct err e;

	(void)state_read(file, &meta, &(struct state_sink){on_object, &first}, &e);
	buf_clear(&first);
	arena_init(&a);
	if (state_object_decode(&a, &rest, &o)) {
		state_object_encode(&first, &o);
		rest = (struct str){buf_text(&first), first.len};
		must(state_object_decode(&a, &rest, &o) && rest.len == 0);
		state_object_encode(&second, &o);
		must(first.len == second.len && memcmp(first.at, second.at, first.len) == 0);
	}
	arena_reset(&a);
	buf_free(&first);
	buf_free(&second);
	return 0;
}
