/*
 * Domain names: text and wire are two forms of one name, and whatever we read, ldns reads the same.
 */
#include "fuzz.h"

#include <ldns/ldns.h>
#include <string.h>
#include <sys/socket.h>

#include "base/must.h"
#include "dns/name.h"
#include "dns/wire.h"

/* A valid name goes through text, ours and that of ldns, and stays the same. */
static void round_trip(const uint8_t *wire)
{
	char text[NAME_TEXT_MAX];
	size_t len = name_to_text(text, wire);
	struct name back;
	ldns_rdf *rdf = NULL;

	must(len == strlen(text) && len < sizeof(text));
	must(name_from_text(&back, (struct str){text, len}, NULL) == 0);
	must(back.len == name_len(wire) && memcmp(back.wire, wire, back.len) == 0);
	must(ldns_str2rdf_dname(&rdf, text) == LDNS_STATUS_OK);
	must(ldns_rdf_size(rdf) == back.len && memcmp(ldns_rdf_data(rdf), wire, back.len) == 0);
	ldns_rdf_deep_free(rdf);
}

static void check_relations(const uint8_t *wire)
{
	uint8_t folded[NAME_MAX_OCTETS], addr[16];
	unsigned labels = name_labels(wire);
	struct name n;
	int family;

	name_fold(folded, wire, name_len(wire));
	must(name_equal(folded, wire));
	for (unsigned i = 0; i <= labels; i++) {
		must(name_is_under(wire, name_skip(wire, i)));
		must(i == 0 || !name_is_under(name_skip(wire, i), wire));
	}
	family = name_to_addr(wire, addr) == 4 ? AF_INET : AF_INET6;
	if (name_to_addr(wire, addr) != 0) {
		name_from_addr(&n, family, addr);
		must(name_equal(n.wire, wire));
	}
}

static void from_text(const uint8_t *data, size_t size)
{
	struct name n;
	struct err e;

	if (name_from_text(&n, (struct str){(const char *)data, size}, &e) != 0)
		return;
	must(name_check(n.wire, n.len) == n.len);
	must(name_check(n.wire, n.len - 1u) == 0);
	round_trip(n.wire);
}

static void from_message(const uint8_t *data, size_t size, size_t at)
{
	struct reader r = reader_on(data, size);
	uint8_t wire[NAME_MAX_OCTETS];
	size_t len, pos = at;
	ldns_rdf *rdf = NULL;

	r.at = at;
	len = read_name(&r, wire);
	must((len == 0) == r.is_bad);
	if (len == 0)
		return;
	must(name_check(wire, sizeof(wire)) == len);
	if (ldns_wire2dname(&rdf, data, size, &pos) == LDNS_STATUS_INVALID_POINTER)
		return; /* ldns takes none to offset 0 */
	must(rdf != NULL);
	must(ldns_rdf_size(rdf) == len && memcmp(ldns_rdf_data(rdf), wire, len) == 0);
	must(pos == r.at);
	ldns_rdf_deep_free(rdf);
	r.at = at;
	must(read_name(&r, NULL) == len && r.at == pos);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t len = name_check(data, size);

	from_text(data, size);
	if (len > 0) {
		must(len <= size && len == name_len(data));
		round_trip(data);
		check_relations(data);
	}
	for (size_t at = 0; at < size && at < 64; at++)
		from_message(data, size, at);
	if (size > 64)
		from_message(data, size, size - 3);
	return 0;
}
