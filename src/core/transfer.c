#include "core/transfer.h"

#include <stdlib.h>

#include "base/mem.h"
#include "dns/wire.h"

struct flat {
	struct zone_image image;
	struct buf row;
};

uint32_t zone_soa_serial(const struct rrset *soa)
{
	uint16_t n;
	const uint8_t *p = rrset_rdata(soa, 0, &n);

	return get32(p + n - 20);
}

bool zone_serial_is_newer(uint32_t a, uint32_t b)
{
	return a != b && a - b < UINT32_C(1) << 31;
}

void zone_image_init(struct zone_image *image, const struct zone_image_ops *ops,
	const struct rrset *soa)
{
	ref_init(&image->ref);
	image->ops = ops;
	image->serial = zone_soa_serial(soa);
	image->soa = mem_dup(soa, sizeof(*soa) + soa->wire_len);
}

struct zone_image *zone_image_ref(struct zone_image *image)
{
	ref_take(&image->ref);
	return image;
}

void zone_image_unref(struct zone_image *image)
{
	if (image == NULL || !ref_drop(&image->ref))
		return;
	free(image->soa);
	image->ops->fini(image);
}

/* Whole records from c->at on. */
static bool walk_flat(const struct zone_image *image, struct zone_cursor *c, struct buf *row)
{
	const struct flat *f = (const struct flat *)image;
	size_t start = c->at;
	struct record r;

	while (c->at - start < ZONE_WALK_STEP && records_next(&f->row, &c->at, &r))
		continue;
	buf_add(row, f->row.at + start, c->at - start);
	return c->at > start;
}

static void fini_flat(struct zone_image *image)
{
	struct flat *f = (struct flat *)image;

	buf_free(&f->row);
	free(f);
}

struct zone_image *zone_image_flat(const struct rrset *soa, struct buf *row)
{
	static const struct zone_image_ops ops = {walk_flat, fini_flat};
	struct flat *f = mem_new(struct flat);

	zone_image_init(&f->image, &ops, soa);
	f->row = *row;
	*row = (struct buf){NULL, 0, 0};
	return &f->image;
}
