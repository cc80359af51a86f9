/*
 * Cluster objects from arbitrary YAML; a copy of each says the same.
 */
#include "fuzz.h"

#include "base/must.h"
#include "cluster/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct yaml_objects objects = {.n_ignored = 0};
	struct err e;

	if (yaml_objects_read(&objects, (struct str){(const char *)data, size}, &e) != 0)
		return 0;
	vec_for_each (&objects.list, y) {
		struct object *copy = object_copy(y->object, 0, NULL);

		must(object_is_same(copy, y->object));
		free(copy);
	}
	yaml_objects_fini(&objects);
	return 0;
}
