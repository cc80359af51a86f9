/*
 * What `seamark explain NAME --from ADDRESS` says about walks.
 */
#include "autopath/autopath.h"

static void write_names(struct autopath_walk *w, const uint8_t *name, struct buf *out)
{
	char text[NAME_TEXT_MAX];

	w->base_len = (size_t)(name_skip(name, w->base_labels) - name);
	name_to_text(text, name);
	buf_printf(out, "one question is enough, the server tries %s", text);
	while (autopath_next(w, name)) {
		name_to_text(text, w->name.wire);
		buf_printf(out, " %s", text);
	}
}

/* Why nothing is tried for a name that may come from a search path; NULL: it does not. */
static const char *obstacle(const struct autopath *a, const uint8_t *name)
{
	if (a->path != NULL || a->view->zone_of(a->cluster, name, name_labels(name)) == NULL)
		return NULL;
	return a->view->is_synced(a->cluster)
		? "nothing is tried for this client: it is not clear who asks from its address"
		: "nothing is tried yet: the cluster has not been read completely";
}

static void path(void *instance, const struct explain_ask *ask, const union addr *client,
	struct buf *out)
{
	struct autopath *a = instance;
	struct autopath_walk w = {.autopath = a};

	if ((ask->type != TYPE_A && ask->type != TYPE_AAAA) ||
		zone_list_match(&a->zones, ask->name.wire) < 0)
		return;
	if (autopath_begin(a, ask->name.wire, client, &w))
		write_names(&w, ask->name.wire, out);
	else if (obstacle(a, ask->name.wire) != NULL)
		buf_str(out, obstacle(a, ask->name.wire));
}

const struct plugin_explain autopath_explain = {.path = path};
