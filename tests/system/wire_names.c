/*
 * What names mean: wildcards (RFC 4592), empty non-terminals (RFC 8020), negative answers (RFC
 * 2308), aliases, ANY (RFC 8482), unknown types (RFC 3597), SVCB (RFC 9460), SRV (RFC 2782), PTR,
 * record sets (RFC 2181) and their size.
 */
#include "wire.h"

#include <string.h>

#define IP6_ZERO24 "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."

/* The nth answer of the type has exactly these octets as RDATA. */
static const char *has_rdata(const struct reply *r, unsigned type, size_t nth, const char *hex)
{
	const struct record *rec = reply_find(r, 1, type, nth);
	struct pkt want;

	want.len = 0;
	put_hex(&want, hex);
	if (rec == NULL)
		return text("no answer of type %u", type);
	if (rec->rdlen != want.len || memcmp(rec->rdata, want.at, want.len) != 0)
		return "other octets in RDATA";
	return NULL;
}

static const char *is_web_address(const struct exchange *x, const struct reply *r)
{
	(void)x;
	return has_rdata(r, 1, 0, "0a60000a");
}

static const char *is_octets_3(const struct exchange *x, const struct reply *r)
{
	const struct record *rec = reply_find(r, 1, 1, 0);

	(void)x;
	return rec != NULL && rec->rdata[2] == 3 ? NULL : "another address";
}

static const char *is_wild_address(const struct exchange *x, const struct reply *r)
{
	(void)x;
	return has_rdata(r, 1, 0, "0a600014");
}

static const char *is_unknown_octets(const struct exchange *x, const struct reply *r)
{
	(void)x;
	return has_rdata(r, 65400, 0, "0007636c75737465720474657374000001c00c00ff202020");
}

static const char *is_empty_octets(const struct exchange *x, const struct reply *r)
{
	(void)x;
	return has_rdata(r, 65400, 0, "");
}

static const char *is_https_octets(const struct exchange *x, const struct reply *r)
{
	(void)x;
	return has_rdata(r, 65, 0,
	        "0001037765620470726f6407636c7573746572047465737400000100030268320003000201bb");
}

static const char *is_text(const struct exchange *x, const struct reply *r)
{
	(void)x;
	return has_rdata(r, 16, 0, "00 05613b622263 0374776f");
}

static const char *is_binary_text(const struct exchange *x, const struct reply *r)
{
	(void)x;
	return has_rdata(r, 16, 0, "03 00ff09");
}

/* All links in order, then the target. */
static const char *is_chain(const struct exchange *x, const struct reply *r)
{
	const struct record *last = reply_find(r, 1, 0, 3);

	(void)x;
	for (size_t i = 0; i < 3; i++) {
		const struct record *rec = reply_find(r, 1, 0, i);

		if (rec == NULL || rec->type != 5)
			return "links are not first";
	}
	return last != NULL && last->type == 1 && memcmp(last->rdata, "\x0a\x60\x00\x0a", 4) == 0
	               ? NULL
	               : "target's address is not last";
}

static const char *has_ede(const struct exchange *x, const struct reply *r)
{
	size_t len;

	(void)x;
	return reply_option(r, 15, &len) != NULL && len >= 2 ? NULL : "no EDE";
}

/* RFC 8482: one record set, or HINFO "RFC8482". */
static const char *is_minimal_any(const struct exchange *x, const struct reply *r)
{
	const struct record *first = reply_find(r, 1, 0, 0);

	(void)x;
	for (size_t i = 0; i < r->n_records; i++)
		if (r->records[i].section == 1 && r->records[i].type != first->type)
			return "more than one record set";
	return NULL;
}

static const char *has_target_address(const struct exchange *x, const struct reply *r)
{
	(void)x;
	return reply_find(r, 3, 1, 0) != NULL ? NULL : "no address of the target";
}

/* 5000 do not fit a message: what comes is large, bounded and of the set. */
static const char *is_nearly_full(const struct exchange *x, const struct reply *r)
{
	if (x->transport & UDP)
		return NULL;
	return r->count[1] >= 1000 ? NULL : text("%u answers of 5000", r->count[1]);
}

/* clang-format off */
const struct row names_rows[] = {
	{.id = "W00", .what = "a service", .q = "web.prod.cluster.test A", .an = EXACTLY(1),
		.check = is_web_address},
	{.id = "W00b", .what = "three addresses", .q = "three.cluster.test A", .an = EXACTLY(3)},
	{.id = "W01", .what = "wildcard", .q = "foo.wild.cluster.test A", .an = EXACTLY(1),
		.check = is_wild_address},
	{.id = "W01b", .what = "wildcard keeps the case of the name",
		.q = "FoO.wIld.cluster.tEst A", .an = EXACTLY(1), .check = is_wild_address},
	{.id = "W02", .what = "wildcard covers several labels", .q = "a.b.wild.cluster.test A",
		.an = EXACTLY(1), .check = is_wild_address},
	{.id = "W02b", .what = "the wildcard's parent itself has no data",
		.q = "wild.cluster.test A", .an = NONE},
	{.id = "W03", .what = "an empty non-terminal beside the wildcard has no data",
		.q = "ent.wild.cluster.test A", .an = NONE},
	{.id = "W04", .what = "below the empty non-terminal nothing is synthesised",
		.q = "x.ent.wild.cluster.test A", .rcode = "NXDOMAIN", .an = NONE},
	{.id = "W04b", .what = "a name beside the wildcard is itself",
		.q = "below.ent.wild.cluster.test A", .an = EXACTLY(1)},
	{.id = "W05", .what = "the wildcard asked literally", .q = "*.wild.cluster.test A",
		.an = EXACTLY(1), .check = is_wild_address},
	{.id = "W06", .what = "wildcard without that type has no data",
		.q = "foo.wild.cluster.test AAAA", .an = NONE},
	{.id = "W07", .what = "svc has descendants: no data", .q = "svc.cluster.test A",
		.an = NONE},
	{.id = "W08", .what = "ns.svc has descendants: no data", .q = "ns.svc.cluster.test A",
		.an = NONE},
	{.id = "W09", .what = "_tcp of a service has descendants: no data",
		.q = "_tcp.web.ns.svc.cluster.test SRV", .an = NONE},
	{.id = "W10", .what = "absent name", .q = "absent.cluster.test A", .rcode = "NXDOMAIN",
		.an = NONE},
	{.id = "W10b", .what = "absent name two labels down", .q = "x.absent.cluster.test SRV",
		.rcode = "NXDOMAIN", .an = NONE},
	{.id = "W11", .what = "below an alias there is nothing", .q = "x.alias.cluster.test A",
		.rcode = "NXDOMAIN", .an = NONE},
	{.id = "W11b", .what = "below a leaf there is nothing", .q = "x.v4only.cluster.test A",
		.rcode = "NXDOMAIN", .an = NONE},
	{.id = "W12", .what = "AAAA of a name with A only", .q = "v4only.cluster.test AAAA",
		.an = NONE},
	{.id = "W12b", .what = "A of a name with AAAA only", .q = "v6only.cluster.test A",
		.an = NONE},
	{.id = "W13", .what = "a chain of aliases with its target", .q = "chain1.cluster.test A",
		.an = EXACTLY(4), .check = is_chain},
	{.id = "W13b", .what = "an alias asked for as such", .q = "chain1.cluster.test CNAME",
		.an = EXACTLY(1)},
	{.id = "W13c", .what = "a chain whose target lacks the type",
		.q = "alias.cluster.test AAAA", .an = EXACTLY(1)},
	{.id = "W13d", .what = "a chain that ends at an absent name (RFC 6604)",
		.q = "dangling.cluster.test A", .rcode = "NXDOMAIN", .an = EXACTLY(1)},
	{.id = "W14", .what = "a loop of aliases fails", .differs = "NK",
		.q = "loop1.cluster.test A", .is = ANY_AA, .rcode = "SERVFAIL"},
	{.id = "W14b", .what = "a loop of aliases says why", .differs = "NK",
		.q = "loop1.cluster.test A", .opt = E0, .is = ANY_AA, .rcode = "SERVFAIL",
		.check = has_ede},
	{.id = "W15", .what = "an alias that leads outside", .q = "outside.cluster.test A",
		.an = EXACTLY(1)},
	{.id = "T12", .what = "ANY at the apex", .q = "cluster.test ANY", .an = ATLEAST(1),
		.check = is_minimal_any},
	{.id = "T13", .what = "ANY at a service", .q = "web.prod.cluster.test ANY",
		.an = ATLEAST(1), .check = is_minimal_any},
	{.id = "T13b", .what = "ANY at an absent name", .q = "absent.cluster.test ANY",
		.rcode = "NXDOMAIN", .an = NONE},
	{.id = "T14", .what = "RRSIG at the apex", .q = "cluster.test RRSIG", .an = NONE},
	{.id = "T15", .what = "DS at the apex", .q = "cluster.test DS", .an = NONE},
	{.id = "T16", .what = "HTTPS, octet for octet", .q = "https.cluster.test HTTPS",
		.an = EXACTLY(1), .check = is_https_octets},
	{.id = "T16b", .what = "HTTPS with the root as target", .q = "https2.cluster.test HTTPS",
		.an = EXACTLY(1)},
	{.id = "T17", .what = "TYPE65400, octet for octet", .q = "unknown.cluster.test TYPE65400",
		.an = EXACTLY(1), .check = is_unknown_octets},
	{.id = "T17b", .what = "TYPE65400 with empty RDATA",
		.q = "unknown2.cluster.test TYPE65400", .an = EXACTLY(1),
		.check = is_empty_octets},
	{.id = "T21", .what = "TXT strings, octet for octet", .q = "text.cluster.test TXT",
		.an = EXACTLY(1), .check = is_text},
	{.id = "T22", .what = "TXT with octets 00 and ff", .q = "text2.cluster.test TXT",
		.an = EXACTLY(1), .check = is_binary_text},
	{.id = "T23", .what = "MX", .q = "mx.cluster.test MX", .an = EXACTLY(1)},
	{.id = "S01", .what = "SRV", .q = "_http._tcp.web.ns.svc.cluster.test SRV",
		.an = EXACTLY(1)},
	{.id = "S02", .what = "SRV brings the target's address",
		.q = "_http._tcp.web.prod.cluster.test SRV", .opt = SIZE(1232), .an = EXACTLY(1),
		.check = has_target_address},
	{.id = "S03", .what = "addresses of SRV targets are dropped before TC is set",
		.q = "_many._tcp.cluster.test SRV", .is = DIFFERS_BY_TRANSPORT,
		.an = EXACTLY(9)},
	{.id = "S04", .what = "SRV with room for all addresses",
		.q = "_many._tcp.cluster.test SRV", .opt = SIZE(1232), .an = EXACTLY(9),
		.check = has_target_address},
	{.id = "U01", .what = "a name with a dot in a label", .q = "a\\.b.cluster.test A",
		.an = EXACTLY(1), .check = is_octets_3},
	{.id = "U02", .what = "a name with a space", .q = "sp\\032ace.cluster.test A",
		.an = EXACTLY(1), .check = is_octets_3},
	{.id = "U03", .what = "a name with octet 00", .q = "nul\\000x.cluster.test A",
		.an = EXACTLY(1), .check = is_octets_3},
	{.id = "U04", .what = "a name with octet ff", .q = "hi\\255x.cluster.test A",
		.an = EXACTLY(1), .check = is_octets_3},
	{.id = "U05", .what = "a name with an underscore", .q = "under_score.cluster.test A",
		.an = EXACTLY(1), .check = is_octets_3},
	{.id = "U06", .what = "a name written in capitals in the zone",
		.q = "upper.case.cluster.test A", .an = EXACTLY(1), .check = is_octets_3},
	{.id = "U07", .what = "case folding is for letters only",
		.q = "under\\127score.cluster.test A", .rcode = "NXDOMAIN", .an = NONE},
	{.id = "U08", .what = "@ and ` do not fold into each other", .q = "\\096.cluster.test A",
		.rcode = "NXDOMAIN", .an = NONE},
	{.id = "P01", .what = "PTR", .q = "10.0.96.10.in-addr.arpa PTR", .an = EXACTLY(1)},
	{.id = "P02", .what = "PTR in mixed case", .q = "10.0.96.10.In-AdDr.ArPa PTR",
		.an = EXACTLY(1)},
	{.id = "P03", .what = "PTR of an address without a name",
		.q = "99.0.96.10.in-addr.arpa PTR", .is = PTR_ZONE, .rcode = "NXDOMAIN",
		.an = NONE},
	{.id = "P04", .what = "A of a PTR name", .q = "10.0.96.10.in-addr.arpa A", .is = PTR_ZONE,
		.an = NONE},
	{.id = "P05", .what = "PTR at the apex of the reverse zone",
		.q = "0.96.10.in-addr.arpa PTR", .is = PTR_ZONE, .an = NONE},
	{.id = "P06", .what = "below a PTR name", .q = "1.10.0.96.10.in-addr.arpa PTR",
		.is = PTR_ZONE, .rcode = "NXDOMAIN", .an = NONE},
	{.id = "P07", .what = "PTR of an IPv6 address",
		.q = "0.1.0.0." IP6_ZERO24 "0.0.d.f.ip6.arpa PTR", .an = EXACTLY(1)},
	{.id = "P08", .what = "PTR of an IPv6 address in mixed case",
		.q = "0.1.0.0." IP6_ZERO24 "0.0.D.F.iP6.aRpA PTR", .an = EXACTLY(1)},
	{.id = "P09", .what = "a partial IPv6 name has no data",
		.q = "0.0.0.0.0.0.d.f.ip6.arpa PTR", .is = PTR_ZONE, .an = NONE},
	{.id = "P10", .what = "an absent partial IPv6 name", .q = "9.0.0.0.0.0.d.f.ip6.arpa PTR",
		.is = PTR_ZONE, .rcode = "NXDOMAIN", .an = NONE},
	{.id = "B01", .what = "4000 endpoints", .q = "r4000.cluster.test A", .opt = SIZE(4096),
		.on = UDP, .is = TC_SET},
	{.id = "B02", .what = "4000 endpoints over TCP", .q = "r4000.cluster.test A", .on = TCP,
		.an = EXACTLY(4000)},
	{.id = "B03", .what = "5000 endpoints are more than a message holds", .differs = "nk",
		.q = "r5000.cluster.test A", .is = TC_ANY | DIFFERS_BY_TRANSPORT,
		.check = is_nearly_full},
	{.id = 0},
};
