#include "names/zonefile_rr.h"

#include <errno.h>
#include <ldns/ldns.h>
#include <string.h>

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

int zonefile_rr(struct str text, struct arena *a, struct text_rr *out, struct err *e)
{
	char *copy = arena_dup(a, text.at, text.len);
	ldns_rr *rr = NULL;
	ldns_status status;
	int rc = -EINVAL;

	if (strlen(copy) != text.len)
		return err_set(e, -EINVAL, "a record with a NUL octet");
	status = ldns_rr_new_frm_str(&rr, copy, ZONEFILE_RR_TTL, NULL, NULL);
	if (status == LDNS_STATUS_OK && rr != NULL)
		rc = take(rr, a, out);
	ldns_rr_free(rr);
	if (rc == 0)
		return 0;
	return err_set(e, rc, "'%.200s' is no record: %s", copy, ldns_get_errorstr_by_id(status));
}
