/*
 * Wire conformance probe: asks a running server every row of the tables in wire_*.c over UDP and
 * TCP, IPv4 and IPv6, and judges the octets that come back. It has its own message builder and
 * parser on purpose: it must not share a mistake with the server that it judges.
 *
 * wire_msg.c    builds queries, takes replies apart
 * wire_rules.c  what every reply must satisfy, and what a row says about it
 * wire_io.c     sockets: many rows in flight at once
 * wire_genreport.c wire_header.c wire_edns.c wire_names.c   the tables
 * wire_tcp.c    rows that are about connections, each a small program
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MSG_MAX = 65535 };

/* A message or a part of it under construction. */
struct pkt {
	uint8_t at[MSG_MAX + 2];
	size_t len;
};

/* Transports, as a set in rows. */
enum { UDP4 = 1, UDP6 = 2, TCP4 = 4, TCP6 = 8, UDP = UDP4 | UDP6, TCP = TCP4 | TCP6 };

/* Header flags in their place in the 16 bits. */
enum {
	QR = 0x8000,
	AA = 0x0400,
	TC = 0x0200,
	RD = 0x0100,
	RA = 0x0080,
	Z = 0x0040,
	AD = 0x0020,
	CD = 0x0010
};
#define OPCODE(n) ((unsigned)(n) << 11)

/* EDNS: .opt = SIZE(n) adds an OPT with that UDP size; DO is a flag of .eflags. */
#define SIZE(n) (0x10000u | (n))
#define E0 SIZE(4096)
enum { DO = 0x8000 };

/* Answer counts: exactly n, or at least n. No .an means any. */
#define EXACTLY(n) (0x10000u | (n))
#define ATLEAST(n) (0x20000u | (n))
#define NONE EXACTLY(0u)

/* Bits of .is: how a row departs from the common rules. */
enum {
	SILENT = 1, /* no reply at all within a second (TCP: or the connection closes) */
	TC_SET = 2, /* TC must be set over UDP, and clear over TCP */
	TC_ANY = 4, /* TC may be set */
	NO_AA = 8, /* AA must be clear */
	ANY_OPT = 16, /* the query's OPT is broken: a reply with or without OPT will do */
	NO_SOA = 32, /* negative without SOA is allowed */
	HEADER_ONLY = 64, /* the reply is 12 octets */
	ANY_QUESTION = 128, /* question section may be left out */
	COOKIE = 256, /* reply carries COOKIE: client part as sent, 8 to 32 octets behind it */
	NO_COOKIE = 512, /* reply carries none */
	SIGNED_QUERY = 1024, /* TSIG in the query: its error may come back in a TSIG */
	ANY_AA = 2048, /* no rule for AA */
	NEEDS_COOKIES = 4096, /* left out when the server does no cookies */
	PTR_ZONE = 8192, /* negative TTL is that of the reverse zones */
	DIFFERS_BY_TRANSPORT = 16384, /* size or transport rules make the answers differ */
};

struct reply;
struct exchange;

struct row {
	const char *id, *what;
	const char *differs; /* N NSD, K Knot answer otherwise; n, k: over TCP */
	unsigned on; /* transports; 0: all */

	/* the query */
	const char *q; /* "NAME TYPE [CLASS]", more behind ';'; NAME with \DDD and \c */
	unsigned flags;
	unsigned opt, version, eflags;
	const char *options; /* RDATA of the OPT in hex */
	const char *records; /* further records: "SECTION NAME TYPE CLASS TTL HEX;..." */
	const char *tail; /* hex behind everything */
	const char *counts; /* four counts that replace the true ones */
	const char *raw; /* the whole message behind the ID, in hex */
	void (*build)(struct pkt *query);

	/* the reply */
	unsigned is;
	const char *rcode; /* one or more, separated by '|'; NULL: NOERROR */
	unsigned an;
	size_t max; /* octets; 0: by transport and EDNS size */
	const char *(*check)(const struct exchange *x, const struct reply *r);
};

/* A record of a reply. The owner is expanded and in the case it came in. */
struct record {
	uint8_t section; /* 1 answer, 2 authority, 3 additional */
	uint8_t owner[256];
	size_t owner_len;
	uint16_t type, class;
	uint32_t ttl;
	const uint8_t *rdata;
	size_t rdlen;
};

/* A reply taken apart. Borrowed pointers into the exchange's octets. */
struct reply {
	const uint8_t *at;
	size_t len;
	const char *malformed; /* NULL: well-formed to the last octet */
	uint16_t id, flags, count[4];
	const uint8_t *question;
	size_t question_len;
	struct record *records; /* owned */
	size_t n_records;
	int opts; /* OPT records seen */
	uint16_t opt_size;
	uint8_t opt_version, ext_rcode;
	uint16_t opt_flags;
	const uint8_t *opt_rdata;
	size_t opt_rdlen;
	unsigned rcode; /* with the extended bits */
};

/* One row on one transport. */
struct exchange {
	const struct row *row;
	unsigned transport;
	struct pkt query;
	int fd;
	uint8_t *rx; /* owned */
	size_t rx_len, tx_off;
	bool answered, closed, failed;
	const char *why; /* NULL: passed */
	const char *skipped; /* reason, or NULL */
};

/* What to ask and how; filled from the command line. */
struct target {
	const char *v4, *v6;
	uint16_t port, wild_port, upstream_port;
	unsigned transports;
	bool cookies;
	char peer; /* 'N', 'K' or 0: the rows' own expectations */
	bool verbose;
};

extern struct target target;

/* The tables, each ended by a row without id. */
extern const struct row genreport_rows[], header_rows[], edns_rows[], names_rows[];

/* A row of wire_tcp.c: returns NULL or what is wrong. Run concurrently in processes of their own.
 */
struct program {
	const char *id, *what, *differs;
	const char *(*run)(unsigned transport);
	unsigned on;
};
extern const struct program programs[];

/* --- wire_msg.c */

/* Append octets, a 16-bit number, hex text. */
void put_bytes(struct pkt *p, const void *from, size_t n);
void put_u16(struct pkt *p, unsigned v);
void put_hex(struct pkt *p, const char *hex);
/* Append a name from presentation format; exits on a bad one. */
void put_name(struct pkt *p, const char *text);
/* Append "NAME TYPE [CLASS]". */
void put_question(struct pkt *p, const char *text);
/* Type by mnemonic or TYPEn. */
unsigned type_of(const char *text);
/* Name of a response code. */
const char *rcode_name(unsigned rcode);
/* The query of a row with this ID. */
void build_query(struct pkt *p, const struct row *row, uint16_t id);
/* Take a reply apart; reply_free() it even when it is malformed. */
void reply_parse(struct reply *r, const uint8_t *at, size_t len);
/* Free what reply_parse() made. */
void reply_free(struct reply *r);
/* The nth record of that type (0: any) in a section, or NULL. */
const struct record *reply_find(const struct reply *r, int section, unsigned type, size_t nth);
/* RDATA of an EDNS option of the reply, or NULL. */
const uint8_t *reply_option(const struct reply *r, unsigned code, size_t *len);
/* Octets of a name at *off of the message, without following pointers; false when cut. */
bool skip_name(const uint8_t *at, size_t len, size_t *off);

/* --- wire_rules.c */

/* NULL, or what is wrong with the reply (static or leaked text). */
const char *judge(const struct exchange *x);
/* Text that lives as long as the process. */
const char *text(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* --- wire_io.c */

/* Run rows over one transport, many at once; fills why of each. */
void run_exchanges(struct exchange *x, size_t n);
/* A socket to the target over that transport: TCP connected, UDP unconnected. -1 on failure. */
int open_transport(unsigned transport);
/* Milliseconds of a clock that only goes forward. */
int64_t now_ms(void);
/* Write all to a connected socket, waiting at most timeout_ms; false on error. */
bool write_all(int fd, const void *p, size_t n, int timeout_ms);
/*
 * Read one length-prefixed message: its length, 0 at end of stream or reset, -1 on timeout.
 */
long read_message(int fd, uint8_t *into, int timeout_ms);
/* Name of a transport. */
const char *transport_name(unsigned transport);
/* The target's address for a transport. */
size_t transport_address(unsigned transport, void *sockaddr_storage);
