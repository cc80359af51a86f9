/* LIST of metadata only: PartialObjectMetadataList. */
#include "sim.h"

#include <stdlib.h>
#include <string.h>

bool metadata_is_wanted(const struct ask *a)
{
	const char *accept = MHD_lookup_connection_value(a->connection, MHD_HEADER_KIND, "Accept");

	return accept != NULL && strstr(accept, "as=PartialObjectMetadataList") != NULL;
}

/* Objects are {"metadata":{...},...: the length of that inner object. */
static size_t metadata_length(const char *p)
{
	const char *at = p;
	unsigned depth = 0;
	bool quoted = false;

	do {
		if (quoted && *at == '\\')
			at++;
		else if (*at == '"')
			quoted = !quoted;
		else if (!quoted)
			depth += (unsigned)(*at == '{') - (unsigned)(*at == '}');
		at++;
	} while (depth > 0);
	return (size_t)(at - p);
}

enum MHD_Result metadata_serve(struct ask *a)
{
	static const char start[] = "{\"metadata\":";
	struct object_list l;
	struct buf out = {0};
	bool is_first = true;
	uint64_t rv;

	if (!world_snapshot(a->kind, world.rv, &l))
		return reply_status(a->connection, 500, "InternalError", "", "no snapshot");
	rv = world.rv;
	pthread_mutex_unlock(&world.lock); /* watches go on while a large list is written */
	buf_printf(&out,
	        "{\"kind\":\"PartialObjectMetadataList\",\"apiVersion\":\"meta.k8s.io/v1\","
	        "\"metadata\":{\"resourceVersion\":\"%llu\"},\"items\":[",
	        (unsigned long long)rv);
	vec_for_each (&l.all, o) {
		const char *metadata = (*o)->json + sizeof(start) - 1;

		if (!ask_matches(a, *o) || strncmp((*o)->json, start, sizeof(start) - 1) != 0)
			continue;
		buf_printf(&out,
		        "%s{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/v1\","
		        "\"metadata\":%.*s}",
		        is_first ? "" : ",", (int)metadata_length(metadata), metadata);
		is_first = false;
	}
	buf_str(&out, "]}\n");
	pthread_mutex_lock(&world.lock);
	object_list_free(&l);
	return reply_json(a->connection, 200, &out);
}
