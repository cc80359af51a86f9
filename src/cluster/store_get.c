/*
 * What is asked of the store by name only.
 */
#include "cluster/store.h"

const struct object *store_namespace(const struct store *st, const char *name)
{
	return store_get(st, OBJECT_NAMESPACE, "", name);
}

const struct object *store_service(const struct store *st, const char *ns, const char *name)
{
	return store_get(st, OBJECT_SERVICE, ns, name);
}

const struct object *store_import(const struct store *st, const char *ns, const char *name)
{
	return store_get(st, OBJECT_IMPORT, ns, name);
}
