#include "cluster/endpoint_pack.h"

#include <string.h>

/* Index of the zone in the list, n when it is not there. */
static uint8_t find_zone(const char *const *zones, uint8_t n, const char *zone)
{
	uint8_t i = 0;

	while (i < n && zones[i] != zone && strcmp(zones[i], zone) != 0)
		i++;
	return i;
}

uint8_t endpoint_pack_zones(const struct slice_data *s, const char *zones[ENDPOINT_PACK_ZONES])
{
	const char *last = NULL;
	uint8_t n = 0;

	for (uint32_t i = 0; i < s->n_endpoints && n < ENDPOINT_PACK_ZONES; i++) {
		const char *zone = slice_endpoint(s, i).zone;

		if (zone == NULL || zone == last)
			continue;
		last = zone;
		if (find_zone(zones, n, zone) == n)
			zones[n++] = zone;
	}
	return n;
}

static size_t text_size(const char *s)
{
	return s == NULL ? 0 : strlen(s) + 1;
}

size_t endpoint_pack_texts(const struct endpoint *e)
{
	return text_size(e->hostname) + text_size(e->target_name);
}

static char *put_text(char *to, const char *s)
{
	size_t n = text_size(s);

	return n == 0 ? to : (char *)memcpy(to, s, n) + n;
}

struct packed_endpoint endpoint_pack_one(const struct endpoint_pack *p, const struct endpoint *e,
	char *texts, uint32_t offset)
{
	struct packed_endpoint to = {.text = offset, .target_kind = e->target_kind};
	uint8_t zone = e->zone == NULL ? p->n_zones : find_zone(p->zones, p->n_zones, e->zone);

	to.zone = zone == p->n_zones ? 0 : (uint8_t)(zone + 1);
	to.flags = (uint8_t)((e->is_ready ? PACKED_READY : 0) |
		(e->is_serving ? PACKED_SERVING : 0) |
		(e->is_terminating ? PACKED_TERMINATING : 0) |
		(e->hostname != NULL ? PACKED_HOSTNAME : 0) |
		(e->target_name != NULL ? PACKED_TARGET : 0));
	put_text(put_text(texts + offset, e->hostname), e->target_name);
	return to;
}

struct endpoint endpoint_unpack(const struct endpoint_pack *p, uint32_t i)
{
	const struct packed_endpoint *at = &p->at[i];
	const char *text = p->texts + at->text;
	struct endpoint e = {
		.ip.len = p->ip_len,
		.is_ready = (at->flags & PACKED_READY) != 0,
		.is_serving = (at->flags & PACKED_SERVING) != 0,
		.is_terminating = (at->flags & PACKED_TERMINATING) != 0,
		.target_kind = at->target_kind,
	};

	memcpy(e.ip.bytes, p->ips + (size_t)i * p->ip_len, p->ip_len);
	if (at->flags & PACKED_HOSTNAME) {
		e.hostname = text;
		text += strlen(text) + 1;
	}
	if (at->flags & PACKED_TARGET)
		e.target_name = text;
	if (at->zone != 0)
		e.zone = p->zones[at->zone - 1];
	return e;
}
