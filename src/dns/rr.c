#include "dns/rr.h"

#include <stdio.h>

#include "base/must.h"
#include "base/num.h"

struct mnemonic {
	uint16_t number;
	const char *text;
};

static const struct mnemonic types[] = {
	{1, "A"}, {2, "NS"}, {3, "MD"}, {4, "MF"}, {5, "CNAME"}, {6, "SOA"}, {7, "MB"}, {8, "MG"},
	{9, "MR"}, {10, "NULL"}, {11, "WKS"}, {12, "PTR"}, {13, "HINFO"}, {14, "MINFO"},
	{15, "MX"}, {16, "TXT"}, {17, "RP"}, {18, "AFSDB"}, {19, "X25"}, {20, "ISDN"}, {21, "RT"},
	{22, "NSAP"}, {23, "NSAP-PTR"}, {24, "SIG"}, {25, "KEY"}, {26, "PX"}, {27, "GPOS"},
	{28, "AAAA"}, {29, "LOC"}, {30, "NXT"}, {33, "SRV"}, {35, "NAPTR"}, {36, "KX"},
	{37, "CERT"}, {38, "A6"}, {39, "DNAME"}, {41, "OPT"}, {42, "APL"}, {43, "DS"},
	{44, "SSHFP"}, {45, "IPSECKEY"}, {46, "RRSIG"}, {47, "NSEC"}, {48, "DNSKEY"},
	{49, "DHCID"}, {50, "NSEC3"}, {51, "NSEC3PARAM"}, {52, "TLSA"}, {53, "SMIMEA"},
	{55, "HIP"}, {59, "CDS"}, {60, "CDNSKEY"}, {61, "OPENPGPKEY"}, {62, "CSYNC"},
	{63, "ZONEMD"}, {64, "SVCB"}, {65, "HTTPS"}, {99, "SPF"}, {104, "NID"}, {105, "L32"},
	{106, "L64"}, {107, "LP"}, {108, "EUI48"}, {109, "EUI64"}, {249, "TKEY"}, {250, "TSIG"},
	{251, "IXFR"}, {252, "AXFR"}, {253, "MAILB"}, {254, "MAILA"}, {255, "ANY"}, {256, "URI"},
	{257, "CAA"}, {258, "AVC"}, {259, "DOA"}, {260, "AMTRELAY"}, {32768, "TA"}, {32769, "DLV"},
};

static const struct mnemonic classes[] = {
        {CLASS_IN, "IN"},
        {CLASS_CH, "CH"},
        {CLASS_HS, "HS"},
        {CLASS_NONE, "NONE"},
        {CLASS_ANY, "ANY"},
};

static const struct mnemonic rcodes[] = {
	{0, "NOERROR"}, {1, "FORMERR"}, {2, "SERVFAIL"}, {3, "NXDOMAIN"}, {4, "NOTIMP"},
	{5, "REFUSED"}, {6, "YXDOMAIN"}, {7, "YXRRSET"}, {8, "NXRRSET"}, {9, "NOTAUTH"},
	{10, "NOTZONE"}, {16, "BADVERS"}, {17, "BADKEY"}, {18, "BADTIME"}, {23, "BADCOOKIE"},
};

struct table {
	const struct mnemonic *rows;
	size_t n;
	const char *prefix; /* before the number of what has no mnemonic */
};

static const struct table type_table = {types, ARRAY_LEN(types), "TYPE"};
static const struct table class_table = {classes, ARRAY_LEN(classes), "CLASS"};
static const struct table rcode_table = {rcodes, ARRAY_LEN(rcodes), "RCODE"};

static const char *to_text(const struct table *t, uint16_t number, char out[16])
{
	for (size_t i = 0; i < t->n; i++)
		if (t->rows[i].number == number)
			return t->rows[i].text;
	snprintf(out, 16, "%s%u", t->prefix, number);
	return out;
}

static int from_text(const struct table *t, struct str text)
{
	for (size_t i = 0; i < t->n; i++)
		if (str_eq_nocase(text, str_from(t->rows[i].text)))
			return t->rows[i].number;
	return -1;
}

const char *rr_type_text(uint16_t type, char out[16])
{
	return to_text(&type_table, type, out);
}

uint16_t rr_type_from_text(struct str text)
{
	int type = from_text(&type_table, text);
	uint16_t v;

	if (type >= 0)
		return (uint16_t)type;
	if (text.len > 4 && str_eq_nocase((struct str){text.at, 4}, STR("TYPE")) &&
		num_u16((struct str){text.at + 4, text.len - 4}, UINT16_MAX, &v) == 0)
		return v;
	return 0;
}

const char *rr_class_text(uint16_t rr_class, char out[16])
{
	return to_text(&class_table, rr_class, out);
}

const char *rcode_text(uint16_t rcode, char out[16])
{
	return to_text(&rcode_table, rcode, out);
}

int rcode_from_text(struct str text)
{
	return from_text(&rcode_table, text);
}
