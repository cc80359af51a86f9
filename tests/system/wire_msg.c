/* Builds queries from rows and takes replies apart, strictly. */
#include "wire.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct {
	const char *name;
	uint16_t type;
} types[] = {{"A", 1}, {"NS", 2}, {"MD", 3}, {"MF", 4}, {"CNAME", 5}, {"SOA", 6}, {"MB", 7},
        {"MG", 8}, {"MR", 9}, {"NULL", 10}, {"WKS", 11}, {"PTR", 12}, {"HINFO", 13}, {"MINFO", 14},
        {"MX", 15}, {"TXT", 16}, {"RP", 17}, {"AFSDB", 18}, {"X25", 19}, {"ISDN", 20}, {"RT", 21},
        {"NSAP", 22}, {"NSAP-PTR", 23}, {"SIG", 24}, {"KEY", 25}, {"PX", 26}, {"GPOS", 27},
        {"AAAA", 28}, {"LOC", 29}, {"NXT", 30}, {"SRV", 33}, {"NAPTR", 35}, {"KX", 36},
        {"CERT", 37}, {"A6", 38}, {"DNAME", 39}, {"OPT", 41}, {"APL", 42}, {"DS", 43},
        {"SSHFP", 44}, {"IPSECKEY", 45}, {"RRSIG", 46}, {"NSEC", 47}, {"DNSKEY", 48}, {"DHCID", 49},
        {"NSEC3", 50}, {"NSEC3PARAM", 51}, {"TLSA", 52}, {"SMIMEA", 53}, {"HIP", 55}, {"CDS", 59},
        {"CDNSKEY", 60}, {"OPENPGPKEY", 61}, {"SVCB", 64}, {"HTTPS", 65}, {"SPF", 99}, {"NID", 104},
        {"L32", 105}, {"L64", 106}, {"LP", 107}, {"EUI48", 108}, {"EUI64", 109}, {"TKEY", 249},
        {"TSIG", 250}, {"IXFR", 251}, {"AXFR", 252}, {"MAILB", 253}, {"ANY", 255}, {"URI", 256},
        {"CAA", 257}, {"AVC", 258}, {"DOA", 259}, {"DLV", 32769}};

static void bad(const char *what, const char *text)
{
	fprintf(stderr, "wire: %s: %s\n", what, text);
	exit(2);
}

void put_bytes(struct pkt *p, const void *from, size_t n)
{
	if (n > sizeof(p->at) - p->len)
		bad("message too long", "");
	memcpy(p->at + p->len, from, n);
	p->len += n;
}

void put_u16(struct pkt *p, unsigned v)
{
	uint8_t b[2] = {(uint8_t)(v >> 8), (uint8_t)v};

	put_bytes(p, b, 2);
}

void put_hex(struct pkt *p, const char *hex)
{
	for (; *hex != '\0'; hex++) {
		unsigned v;
		uint8_t b;

		if (*hex == ' ')
			continue;
		if (sscanf(hex, "%2x", &v) != 1 || hex[1] == '\0')
			bad("hex", hex);
		b = (uint8_t)v;
		put_bytes(p, &b, 1);
		hex++;
	}
}

/* One character of a name, which may be \DDD or \c; moves *s behind it. */
static uint8_t name_char(const char **s)
{
	const char *c = *s;

	if (*c != '\\') {
		*s = c + 1;
		return (uint8_t)*c;
	}
	if (isdigit((unsigned char)c[1]) && isdigit((unsigned char)c[2]) &&
	        isdigit((unsigned char)c[3])) {
		*s = c + 4;
		return (uint8_t)((c[1] - '0') * 100 + (c[2] - '0') * 10 + (c[3] - '0'));
	}
	*s = c + 2;
	return (uint8_t)c[1];
}

void put_name(struct pkt *p, const char *name)
{
	const char *s = strcmp(name, ".") == 0 ? "" : name;

	while (*s != '\0') {
		size_t head = p->len;
		uint8_t len = 0;

		put_bytes(p, &len, 1);
		while (*s != '\0' && *s != '.') {
			uint8_t c = name_char(&s);

			put_bytes(p, &c, 1);
		}
		if (p->len - head - 1 == 0 || p->len - head - 1 > 63)
			bad("label", name);
		p->at[head] = (uint8_t)(p->len - head - 1);
		s += *s == '.';
	}
	put_bytes(p, "", 1);
}

unsigned type_of(const char *name)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcasecmp(name, types[i].name) == 0)
			return types[i].type;
	if (strncasecmp(name, "TYPE", 4) != 0)
		bad("type", name);
	return (unsigned)atoi(name + 4);
}

static unsigned class_of(const char *name)
{
	if (strcmp(name, "IN") == 0)
		return 1;
	if (strcmp(name, "CH") == 0)
		return 3;
	if (strcmp(name, "NONE") == 0)
		return 254;
	if (strcmp(name, "ANY") == 0)
		return 255;
	return (unsigned)atoi(name + strcspn(name, "0123456789"));
}

const char *rcode_name(unsigned rcode)
{
	static const char *const names[] = {"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP",
	        "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH", "NOTZONE", "DSOTYPENI"};

	if (rcode < sizeof(names) / sizeof(names[0]))
		return names[rcode];
	return rcode == 16 ? "BADVERS" : rcode == 23 ? "BADCOOKIE" : "unknown";
}

void put_question(struct pkt *p, const char *question)
{
	char name[1100], type[40] = "A", class[40] = "IN";

	if (sscanf(question, "%1099s %39s %39s", name, type, class) < 2)
		bad("question", question);
	put_name(p, name);
	put_u16(p, type_of(type));
	put_u16(p, class_of(class));
}

/* "SECTION NAME TYPE CLASS TTL [HEX]" with a count in count[]. */
static void put_record(struct pkt *p, const char *record, unsigned *count)
{
	char name[300], type[40], class[40], hex[1000] = "";
	unsigned section, ttl;
	size_t length_at;

	if (sscanf(record, "%u %299s %39s %39s %u %999[0-9a-fA-F ]", &section, name, type, class,
	            &ttl, hex) < 5 ||
	        section > 3)
		bad("record", record);
	put_name(p, name);
	put_u16(p, type_of(type));
	put_u16(p, class_of(class));
	put_u16(p, ttl >> 16);
	put_u16(p, ttl & 0xffff);
	length_at = p->len;
	put_u16(p, 0);
	put_hex(p, hex);
	p->at[length_at] = (uint8_t)((p->len - length_at - 2) >> 8);
	p->at[length_at + 1] = (uint8_t)(p->len - length_at - 2);
	count[section]++;
}

/* Call one() for each part of a ';' separated list. */
static unsigned each(struct pkt *p, const char *list, unsigned *count)
{
	char part[1200];
	unsigned n = 0;

	while (list != NULL && *list != '\0') {
		size_t len = strcspn(list, ";");

		if (len >= sizeof(part))
			bad("list", list);
		memcpy(part, list, len);
		part[len] = '\0';
		if (count == NULL)
			put_question(p, part);
		else
			put_record(p, part, count);
		n++;
		list += len + (list[len] == ';');
	}
	return n;
}

static void put_opt(struct pkt *p, const struct row *row, unsigned *count)
{
	size_t length_at;

	put_bytes(p, "", 1);
	put_u16(p, 41);
	put_u16(p, row->opt & 0xffff);
	put_u16(p, row->version & 0xffff); /* extended RCODE in the high octet when a row sets it */
	put_u16(p, row->eflags);
	length_at = p->len;
	put_u16(p, 0);
	if (row->options != NULL)
		put_hex(p, row->options);
	p->at[length_at] = (uint8_t)((p->len - length_at - 2) >> 8);
	p->at[length_at + 1] = (uint8_t)(p->len - length_at - 2);
	count[3]++;
}

void build_query(struct pkt *p, const struct row *row, uint16_t id)
{
	unsigned count[4] = {0};

	p->len = 0;
	put_u16(p, id);
	if (row->raw != NULL) {
		put_hex(p, row->raw);
		return;
	}
	put_u16(p, row->flags);
	put_bytes(p, "\0\0\0\0\0\0\0\0", 8);
	if (row->build != NULL) {
		row->build(p);
		return;
	}
	count[0] = each(p, row->q, NULL);
	each(p, row->records, count);
	if (row->opt != 0)
		put_opt(p, row, count);
	if (row->tail != NULL)
		put_hex(p, row->tail);
	if (row->counts != NULL)
		sscanf(row->counts, "%u %u %u %u", &count[0], &count[1], &count[2], &count[3]);
	for (int i = 0; i < 4; i++) {
		p->at[4 + 2 * i] = (uint8_t)(count[i] >> 8);
		p->at[5 + 2 * i] = (uint8_t)count[i];
	}
}

bool skip_name(const uint8_t *at, size_t len, size_t *off)
{
	while (*off < len) {
		uint8_t c = at[*off];

		if ((c & 0xc0) == 0xc0) {
			*off += 2;
			return *off <= len;
		}
		if (c > 63)
			return false;
		*off += 1u + c;
		if (c == 0)
			return true;
	}
	return false;
}

/* Expand a name; pointers must point to before the name they are in. */
static bool take_name(const struct reply *r, size_t *off, uint8_t *out, size_t *out_len)
{
	size_t at = *off, start = *off;
	bool jumped = false;

	*out_len = 0;
	for (;;) {
		uint8_t c;

		if (at >= r->len)
			return false;
		c = r->at[at];
		if ((c & 0xc0) == 0xc0) {
			size_t to;

			if (at + 2 > r->len)
				return false;
			to = (size_t)(c & 0x3f) << 8 | r->at[at + 1];
			if (!jumped)
				*off = at + 2;
			if (to < 12 || to >= start)
				return false;
			jumped = true;
			at = start = to;
			continue;
		}
		if (c > 63 || at + 1 + c > r->len || *out_len + 1 + c > 255)
			return false;
		memcpy(out + *out_len, r->at + at, 1u + c);
		*out_len += 1u + c;
		at += 1u + c;
		if (c == 0)
			break;
	}
	if (!jumped)
		*off = at;
	return true;
}

static unsigned u16_at(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static bool take_options(struct reply *r)
{
	size_t at = 0;

	while (at < r->opt_rdlen) {
		if (at + 4 > r->opt_rdlen)
			return false;
		at += 4 + u16_at(r->opt_rdata + at + 2);
	}
	return at == r->opt_rdlen;
}

static const char *take_opt(struct reply *r, const struct record *rec)
{
	if (rec->section != 3 || rec->owner_len != 1)
		return "OPT in a wrong place";
	if (r->opts++ > 0)
		return "second OPT";
	r->opt_size = rec->class;
	r->ext_rcode = (uint8_t)(rec->ttl >> 24);
	r->opt_version = (uint8_t)(rec->ttl >> 16);
	r->opt_flags = (uint16_t)rec->ttl;
	r->opt_rdata = rec->rdata;
	r->opt_rdlen = rec->rdlen;
	r->rcode |= (unsigned)r->ext_rcode << 4;
	return take_options(r) ? NULL : "options of OPT";
}

static const char *take_record(struct reply *r, size_t *off, uint8_t section)
{
	struct record *rec = &r->records[r->n_records];
	const uint8_t *p;

	rec->section = section;
	if (!take_name(r, off, rec->owner, &rec->owner_len))
		return "owner name";
	if (*off + 10 > r->len)
		return "record cut";
	p = r->at + *off;
	rec->type = (uint16_t)u16_at(p);
	rec->class = (uint16_t)u16_at(p + 2);
	rec->ttl = (uint32_t)u16_at(p + 4) << 16 | u16_at(p + 6);
	rec->rdlen = u16_at(p + 8);
	rec->rdata = p + 10;
	*off += 10 + rec->rdlen;
	if (*off > r->len)
		return "RDATA cut";
	r->n_records++;
	return rec->type == 41 ? take_opt(r, rec) : NULL;
}

static const char *take_all(struct reply *r)
{
	size_t off = 12;

	for (unsigned i = 0; i < r->count[0]; i++) {
		uint8_t name[256];
		size_t len, start = off;

		if (!take_name(r, &off, name, &len) || (off += 4) > r->len)
			return "question";
		if (i == 0) {
			r->question = r->at + start;
			r->question_len = off - start;
		}
	}
	r->records =
	        calloc((size_t)r->count[1] + r->count[2] + r->count[3] + 1, sizeof(*r->records));
	for (uint8_t s = 1; s <= 3; s++)
		for (unsigned i = 0; i < r->count[s]; i++) {
			const char *why = take_record(r, &off, s);

			if (why != NULL)
				return why;
		}
	return off == r->len ? NULL : "octets behind the last record";
}

void reply_parse(struct reply *r, const uint8_t *at, size_t len)
{
	memset(r, 0, sizeof(*r));
	r->at = at;
	r->len = len;
	if (len < 12) {
		r->malformed = "shorter than a header";
		return;
	}
	r->id = (uint16_t)u16_at(at);
	r->flags = (uint16_t)u16_at(at + 2);
	r->rcode = r->flags & 15;
	for (int i = 0; i < 4; i++)
		r->count[i] = (uint16_t)u16_at(at + 4 + 2 * i);
	r->malformed = take_all(r);
}

void reply_free(struct reply *r)
{
	free(r->records);
	r->records = NULL;
}

const struct record *reply_find(const struct reply *r, int section, unsigned type, size_t nth)
{
	for (size_t i = 0; i < r->n_records; i++) {
		const struct record *rec = &r->records[i];

		if (rec->section == section && (type == 0 || rec->type == type) && nth-- == 0)
			return rec;
	}
	return NULL;
}

const uint8_t *reply_option(const struct reply *r, unsigned code, size_t *len)
{
	for (size_t at = 0; at + 4 <= r->opt_rdlen; at += 4 + u16_at(r->opt_rdata + at + 2)) {
		if (u16_at(r->opt_rdata + at) != code)
			continue;
		*len = u16_at(r->opt_rdata + at + 2);
		return r->opt_rdata + at + 4;
	}
	return NULL;
}
