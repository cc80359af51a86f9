/*
 * Names for the endpoints of one topology zone (`zonal`): ZONE.pin._zone.SVC.NS.svc and
 * ZONE.prefer._zone.SVC.NS.svc. The endpoints of each zone are an entry of their own, kept by the
 * entry of the service and published with it.
 */
#include "kubernetes/kube.h"

#include <stdlib.h>

#include "kubernetes/cluster.h"

/* Regions have a few zones; a service with endpoints in more has names for the first of them. */
#define MAX_ZONES 64u

struct zone_texts {
	VEC(char *) list; /* folded */
};

static bool has_text(const struct zone_texts *texts, const char *text)
{
	vec_for_each(&texts->list, at)
		if (strcmp(*at, text) == 0)
			return true;
	return false;
}

bool kube_is_in_zone(const struct endpoint *p, const char *zone)
{
	return p->zone != NULL && str_eq_nocase(str_from(p->zone), str_from(zone));
}

static void add_text(struct zone_texts *texts, const struct endpoint *p)
{
	char *text;

	if (p->zone == NULL || !p->is_ready || texts->list.len == MAX_ZONES)
		return;
	text = mem_str(p->zone);
	name_fold((uint8_t *)text, (const uint8_t *)text, strlen(text));
	if (has_text(texts, text))
		free(text);
	else
		vec_push(&texts->list, text);
}

static void collect(struct zone_texts *texts, const struct kube *k, const struct object *service)
{
	struct object_list slices =
		store_slices_of(cluster_store(k->cluster), service->ns, service->name);

	for (size_t i = 0; i < slices.len; i++) {
		const struct slice_data *s = &slices.at[i]->slice;

		for (uint32_t n = 0; n < s->n_endpoints && kube_is_selected(k, slices.at[i]); n++) {
			struct endpoint p = slice_endpoint(s, n);

			add_text(texts, &p);
		}
	}
}

struct kube_zonal *kube_zonal_build(
	const struct kube *k, const struct object *service, const struct kube_entry *entry)
{
	struct zone_texts texts = {{NULL, 0, 0}};
	struct kube_zonal *zonal;

	if (!k->options.has_zonal || !entry->is_headless || service->kind != OBJECT_SERVICE)
		return NULL;
	collect(&texts, k, service);
	zonal = mem_alloc(sizeof(*zonal) + texts.list.len * sizeof(zonal->at[0]));
	zonal->len = 0;
	vec_for_each(&texts.list, text) {
		struct kube_entry *part = kube_entry_of_zone(k, service, entry, *text);

		if (part == NULL)
			free(*text);
		else
			zonal->at[zonal->len++] = (struct kube_zone_entry){*text, part};
	}
	vec_free(&texts.list);
	return zonal;
}

void kube_zonal_free(struct kube_zonal *zonal)
{
	for (size_t i = 0; zonal != NULL && i < zonal->len; i++) {
		free(zonal->at[i].zone);
		kube_entry_free(zonal->at[i].entry);
	}
	free(zonal);
}

/* True when the first n labels are the text, with dots between them. */
static bool are_labels(const uint8_t *name, unsigned n, const char *text)
{
	for (unsigned i = 0; i < n; i++) {
		size_t len = name[0];

		/* a dot inside a label is not one between two */
		if (strncmp(text, (const char *)name + 1, len) != 0 || strlen(text) < len ||
			memchr(name + 1, '.', len) != NULL)
			return false;
		text += len;
		if (i + 1 < n && *text++ != '.')
			return false;
		name += 1 + len;
	}
	return *text == '\0';
}

static const struct kube_entry *find_zone(
	const struct kube_zonal *zonal, const uint8_t *name, unsigned n)
{
	for (size_t i = 0; zonal != NULL && i < zonal->len; i++)
		if (are_labels(name, n, zonal->at[i].zone))
			return zonal->at[i].entry;
	return NULL;
}

static bool is_label(const uint8_t *label, const char *text)
{
	size_t n = strlen(text);

	return label[0] == n && memcmp(label + 1, text, n) == 0;
}

bool kube_is_zonal(const struct kube *k, const uint8_t *name, unsigned below)
{
	return k->options.has_zonal && below > 0 && is_label(name_skip(name, below - 1), "_zone");
}

enum kube_zonal_found kube_find_zonal(const struct kube_entry *entry, const uint8_t *name,
	unsigned below, const struct kube_entry **out)
{
	const uint8_t *directive = name_skip(name, below < 2 ? 0 : below - 2);
	bool is_pin = is_label(directive, "pin");

	*out = NULL;
	if (!entry->is_headless)
		return ZONAL_NONE;
	if (below == 1)
		return ZONAL_NODE;
	if (!is_pin && !is_label(directive, "prefer"))
		return ZONAL_NONE;
	if (below == 2)
		return ZONAL_NODE;
	*out = find_zone(entry->zonal, name, below - 2);
	if (*out == NULL && is_pin)
		return ZONAL_NODE;
	if (*out == NULL)
		*out = entry;
	return ZONAL_ENTRY;
}
