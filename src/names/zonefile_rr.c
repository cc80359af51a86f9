#include "names/zonefile_rr.h"

#include <errno.h>
#include <ldns/ldns.h>
#include <string.h>

#include "names/zonetext.h"

static int take(const ldns_rr *rr, struct arena *a, struct text_rr *out)
{
	ldns_buffer *wire = ldns_buffer_new(512);
	const ldns_rdf *owner = ldns_rr_owner(rr);
	ldns_status status = ldns_rr_rdata2buffer_wire(wire, rr);
	size_t n = ldns_buffer_position(wire);

	if (status == LDNS_STATUS_OK && n <= UINT16_MAX) {
		out->rdata = (uint8_t *)arena_dup(a, ldns_buffer_begin(wire), n);
		out->rdlength = (uint16_t)n;
		out->type = (uint16_t)ldns_rr_get_type(rr);
		out->rr_class = (uint16_t)ldns_rr_get_class(rr);
		out->ttl = ldns_rr_ttl(rr);
		name_set(&out->owner, ldns_rdf_data(owner));
	}
	ldns_buffer_free(wire);
	return status == LDNS_STATUS_OK && n <= UINT16_MAX ? 0 : -EINVAL;
}

/* Line ends must not get to ldns 1.8: in parentheses it writes a blank for each, room or not. */
static int read_line(struct str text, struct buf *line, struct err *e)
{
	const char *why;
	struct zonetext z;

	zonetext_init(&z, text);
	why = zonetext_next(&z, line, UINT16_MAX);
	if (why == NULL && line->len == 0)
		why = "a record without text";
	return why == NULL ? 0 : err_set(e, -EINVAL, "%s", why);
}

int zonefile_rr(struct str text, struct arena *a, struct text_rr *out, struct err *e)
{
	ldns_status status = LDNS_STATUS_OK;
	struct buf line = {0};
	ldns_rr *rr = NULL;
	int rc = read_line(text, &line, e);

	if (rc == 0) {
		status = ldns_rr_new_frm_str(&rr, buf_text(&line), ZONEFILE_RR_TTL, NULL, NULL);
		rc = status == LDNS_STATUS_OK && rr != NULL ? take(rr, a, out) : -EINVAL;
		if (rc != 0)
			err_set(e, rc, "'%.200s' is no record: %s", buf_text(&line),
			        ldns_get_errorstr_by_id(status));
	}
	ldns_rr_free(rr);
	buf_free(&line);
	return rc;
}
