/*
 * EDNS (RFC 6891), cookies (RFC 7873, 9018) and sizes. Answers over UDP stay within 1232 octets
 * whatever the client offers.
 */
#include "wire.h"

#include <string.h>

#define WEB_A "web.prod.cluster.test A"
#define BIG_A "r200.cluster.test A"
/* TSIG of key "key.test" by hmac-sha256 over nothing */
#define TSIG_RDATA                                                                                 \
	"0b686d61632d73686132353600 00006553f100 012c 0010 00112233445566778899aabbccddeeff 1092 " \
	"0000 0000"

static unsigned u16_at(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

/* RDATA of n options with this head, each empty. */
static void put_many_options(struct pkt *p, unsigned n, unsigned code)
{
	p->at[5] = 1;
	p->at[11] = 1;
	put_question(p, WEB_A);
	put_hex(p, "00 0029 1000 00000000");
	put_u16(p, n * 4);
	for (unsigned i = 0; i < n; i++) {
		put_u16(p, code == 0 ? 1000 + i : code);
		put_u16(p, 0);
	}
}

static void build_1000_options(struct pkt *p)
{
	put_many_options(p, 1000, 0);
}

static void build_500_nsids(struct pkt *p)
{
	put_many_options(p, 500, 3);
}

static const char *has_bad_key(const struct exchange *x, const struct reply *r)
{
	const struct record *tsig = reply_find(r, 3, 250, 0);
	size_t off = 0, mac;

	(void)x;
	if (r->rcode != 9)
		return tsig == NULL ? NULL : "TSIG in a reply that is not NOTAUTH";
	if (tsig == NULL)
		return "NOTAUTH without TSIG";
	if (!skip_name(tsig->rdata, tsig->rdlen, &off) || off + 10 > tsig->rdlen)
		return "TSIG cut";
	mac = u16_at(tsig->rdata + off + 8);
	off += 10 + mac + 2;
	if (off + 2 > tsig->rdlen)
		return "TSIG cut";
	if (mac != 0)
		return "signed with a key that is not known";
	return u16_at(tsig->rdata + off) == 17 ? NULL
	                                       : text("TSIG error %u", u16_at(tsig->rdata + off));
}

static const char *has_keepalive(const struct exchange *x, const struct reply *r)
{
	size_t len;

	(void)x;
	if (reply_option(r, 11, &len) == NULL)
		return "no TCP-KEEPALIVE";
	return len == 2 ? NULL : text("TCP-KEEPALIVE of %zu octets", len);
}

static const char *has_nsid(const struct exchange *x, const struct reply *r)
{
	size_t len;
	const uint8_t *p = reply_option(r, 3, &len);

	(void)x;
	if (p == NULL)
		return "no NSID";
	return len == 10 && memcmp(p, "wire-probe", 10) == 0 ? NULL : "another NSID";
}

static const char *has_no_nsid(const struct exchange *x, const struct reply *r)
{
	size_t len;

	(void)x;
	return reply_option(r, 3, &len) != NULL ? "NSID unasked" : NULL;
}

/* A wrong server part is replaced by a right one. */
static const char *has_new_cookie(const struct exchange *x, const struct reply *r)
{
	size_t len = 0;
	const uint8_t *p = reply_option(r, 10, &len);

	(void)x;
	if (p == NULL)
		return target.cookies ? "no COOKIE" : NULL;
	return len == 24 && p[8] == 0xaa && p[9] == 0xaa ? "the wrong server cookie came back"
	                                                 : NULL;
}

/* Without room for a record set TC is set; whatever came must be of the set that was asked. */
static const char *is_part_of_set(const struct exchange *x, const struct reply *r)
{
	if (x->transport & TCP)
		return r->count[1] == 200 ? NULL : text("%u answers", r->count[1]);
	return r->count[1] < 200 ? NULL : "all records and TC";
}

/* clang-format off */
const struct row edns_rows[] = {
	{.id = "E01", .what = "EDNS version 255", .q = WEB_A, .opt = E0, .version = 255,
		.is = NO_AA, .rcode = "BADVERS", .an = NONE},
	{.id = "E02", .what = "EDNS version 1 and a COOKIE of 7 octets: the version decides",
		.q = WEB_A, .opt = E0, .version = 1, .options = "000a0007 01020304050607",
		.is = NO_AA, .rcode = "BADVERS|FORMERR", .an = NONE},
	{.id = "E03", .what = "all EDNS flags set", .q = WEB_A, .opt = E0, .eflags = 0xffff,
		.an = EXACTLY(1)},
	{.id = "E04", .what = "option code 65535 with 4 octets is not echoed", .q = WEB_A,
		.opt = E0, .options = "ffff0004 deadbeef", .an = EXACTLY(1)},
	{.id = "E05", .what = "OPT only when asked, NXDOMAIN", .q = "absent.cluster.test A",
		.rcode = "NXDOMAIN", .an = NONE},
	{.id = "E06", .what = "OPT in a negative answer when asked", .q = "absent.cluster.test A",
		.opt = E0, .rcode = "NXDOMAIN", .an = NONE},
	{.id = "E07", .what = "OPT in REFUSED when asked", .q = "www.example.org A", .opt = E0,
		.rcode = "REFUSED", .an = NONE},
	{.id = "E08", .what = "NSID when asked", .q = WEB_A, .opt = E0, .options = "00030000",
		.an = EXACTLY(1), .check = has_nsid},
	{.id = "E09", .what = "no NSID unasked", .q = WEB_A, .opt = E0, .an = EXACTLY(1),
		.check = has_no_nsid},
	{.id = "E12", .what = "200 records without EDNS", .q = BIG_A,
		.is = TC_SET | DIFFERS_BY_TRANSPORT, .check = is_part_of_set},
	{.id = "E13", .what = "EDNS size 1 counts as 512", .differs = "K", .q = BIG_A,
		.opt = SIZE(1), .is = TC_SET | DIFFERS_BY_TRANSPORT, .check = is_part_of_set},
	{.id = "E13b", .what = "EDNS size 511 counts as 512", .q = "r28-aaaaaaaa.cluster.test A",
		.opt = SIZE(511), .an = EXACTLY(28)},
	{.id = "E14", .what = "EDNS size 1232", .q = BIG_A, .opt = SIZE(1232),
		.is = TC_SET | DIFFERS_BY_TRANSPORT, .check = is_part_of_set},
	{.id = "E15", .what = "EDNS size 65535: still at most 1232", .q = BIG_A,
		.opt = SIZE(65535), .is = TC_SET | DIFFERS_BY_TRANSPORT,
		.check = is_part_of_set},
	{.id = "E15b", .what = "EDNS size 600 is kept to", .q = BIG_A, .opt = SIZE(600),
		.is = TC_SET | DIFFERS_BY_TRANSPORT, .check = is_part_of_set},
	{.id = "W17", .what = "28 records fit 512 octets", .q = "r28-aaaaaaaa.cluster.test A",
		.an = EXACTLY(28)},
	{.id = "W18", .what = "29 records fit 512 octets", .q = "r29-aaaaaaaaa.cluster.test A",
		.an = EXACTLY(29)},
	{.id = "W18b", .what = "30 records do not fit", .q = "r30-aaaaaaaaa.cluster.test A",
		.is = TC_SET | DIFFERS_BY_TRANSPORT},
	{.id = "W18c", .what = "30 records fit with EDNS", .q = "r30-aaaaaaaaa.cluster.test A",
		.opt = SIZE(1232), .an = EXACTLY(30)},
	{.id = "E17", .what = "two OPTs", .q = WEB_A, .opt = E0, .records = "3 . OPT 4096 0",
		.rcode = "FORMERR"},
	{.id = "E18", .what = "OPT whose owner is not the root", .differs = "K", .q = WEB_A,
		.records = "3 a OPT 4096 0", .is = ANY_OPT, .rcode = "FORMERR"},
	{.id = "E19", .what = "OPT in the answer section", .q = WEB_A,
		.records = "1 . OPT 4096 0", .is = ANY_OPT, .rcode = "FORMERR"},
	{.id = "E20", .what = "OPT in the authority section", .q = WEB_A,
		.records = "2 . OPT 4096 0", .is = ANY_OPT, .rcode = "FORMERR"},
	{.id = "E21", .what = "RDLEN of the OPT behind the message", .q = WEB_A,
		.tail = "00 0029 1000 00000000 0010", .counts = "1 0 0 1", .is = ANY_OPT,
		.rcode = "FORMERR"},
	{.id = "E22", .what = "an option longer than the RDATA", .q = WEB_A,
		.records = "3 . OPT 4096 0 00030010", .is = ANY_OPT, .rcode = "FORMERR"},
	{.id = "E23", .what = "an option of three octets", .q = WEB_A,
		.records = "3 . OPT 4096 0 000300", .is = ANY_OPT, .rcode = "FORMERR"},
	{.id = "E24", .what = "an extended RCODE in the query is ignored", .q = WEB_A, .opt = E0,
		.version = 0x1700, .an = EXACTLY(1)},
	{.id = "E26", .what = "COOKIE of 8 octets gets a server cookie", .differs = "K",
		.q = WEB_A, .opt = E0, .options = "000a0008 0102030405060708",
		.is = COOKIE | NEEDS_COOKIES, .an = EXACTLY(1)},
	{.id = "E26b", .what = "no COOKIE unasked", .q = WEB_A, .opt = E0, .is = NO_COOKIE,
		.an = EXACTLY(1)},
	{.id = "E27", .what = "COOKIE of 7 octets", .differs = "K", .q = WEB_A, .opt = E0,
		.options = "000a0007 01020304050607", .rcode = "FORMERR"},
	{.id = "E28", .what = "COOKIE of 12 octets", .differs = "K", .q = WEB_A, .opt = E0,
		.options = "000a000c 010203040506070809101112", .rcode = "FORMERR"},
	{.id = "E29", .what = "COOKIE of 41 octets", .differs = "K", .q = WEB_A, .opt = E0,
		.options = "000a0029 0102030405060708"
			" 01020304050607080910111213141516171819202122232425262728293031323a",
		.rcode = "FORMERR"},
	{.id = "E30", .what = "a wrong server cookie is answered with a new one", .q = WEB_A,
		.opt = E0,
		.options = "000a0018 0102030405060708 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		.an = EXACTLY(1), .check = has_new_cookie},
	{.id = "E31", .what = "two COOKIEs: the first counts", .differs = "N", .q = WEB_A,
		.opt = E0, .options = "000a0008 0102030405060708 000a0008 1112131415161718",
		.is = COOKIE, .an = EXACTLY(1)},
	{.id = "E32", .what = "ECS of an unknown family is ignored", .q = WEB_A, .opt = E0,
		.options = "00080007 00632000 0a0000", .an = EXACTLY(1)},
	{.id = "E33", .what = "ECS with too long a prefix is ignored", .q = WEB_A, .opt = E0,
		.options = "00080005 0001ff00 0a", .an = EXACTLY(1)},
	{.id = "E34", .what = "TCP-KEEPALIVE over UDP is ignored", .on = UDP, .q = WEB_A,
		.opt = E0, .options = "000b0000", .an = EXACTLY(1)},
	{.id = "E35", .what = "PADDING in clear text is not returned", .q = WEB_A, .opt = E0,
		.options = "000c0010 00000000000000000000000000000000", .an = EXACTLY(1)},
	{.id = "E36", .what = "1000 unknown options", .build = build_1000_options,
		.is = ANY_OPT | ANY_AA, .rcode = "NOERROR|FORMERR"},
	{.id = "E37", .what = "500 NSIDs", .differs = "N", .build = build_500_nsids, .opt = E0,
		.options = "00030000", .is = ANY_OPT | ANY_AA, .rcode = "NOERROR|FORMERR"},
	{.id = "E38", .what = "TCP-KEEPALIVE over TCP is answered", .differs = "NK", .on = TCP,
		.q = WEB_A, .opt = E0, .options = "000b0000", .an = EXACTLY(1),
		.check = has_keepalive},
	{.id = "E39", .what = "TSIG with an unknown key", .q = WEB_A,
		.records = "3 key.test TSIG ANY 0 " TSIG_RDATA, .is = ANY_AA | ANY_QUESTION,
		.rcode = "NOTAUTH|FORMERR", .check = has_bad_key},
	{.id = "E40", .what = "EDNS size 0 counts as 512", .q = BIG_A, .opt = SIZE(0),
		.is = TC_SET | DIFFERS_BY_TRANSPORT, .check = is_part_of_set},
	{.id = 0},
};
