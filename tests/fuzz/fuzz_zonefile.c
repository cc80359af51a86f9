/* Zone files without $INCLUDE: what is accepted can be looked up at every name and type. */
#include "fuzz.h"

#include "base/must.h"
#include "names/zonefile.h"

static void look_up_all(const struct tree *t)
{
	for (size_t i = 0; i < t->len; i++) {
		struct tree_result r = tree_lookup(t, t->nodes[i].name, 255);

		must(r.kind != TREE_OUTSIDE && r.kind != TREE_NXDOMAIN);
		must(tree_node_at(t, t->nodes[i].name) == &t->nodes[i]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = {(const char *)data, size};
	struct err e;
	struct tree *t = zonefile_parse("z", text, (const uint8_t *)"\7example\3org", NULL, &e);

	if (t != NULL)
		look_up_all(t);
	tree_free(t);
	return 0;
}
