/* Expressions from anybody: compiled, and run with values that are known and others that are not.
 */
#include "fuzz.h"

#include "base/arena.h"
#include "core/view.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t name[] = "\3www\7example";
	struct view *v = view_new("fuzz", 1);
	struct view_ask ask = {name, 1, 1, NULL};
	union addr client;
	struct arena a;

	arena_init(&a);
	if (view_add(v, arena_dup(&a, data, size), NULL) == 0) {
		view_might_take(v, &ask);
		if (addr_from_text(&client, STR("10.0.0.1"), 0) == 0)
			ask.client = &client;
		view_might_take(v, &ask);
	}
	view_free(v);
	arena_reset(&a);
	return 0;
}
