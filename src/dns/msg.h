/*
 * A query as it came from a client: header, the one question, EDNS. Parsing decides what can be
 * decided without zone data: what is dropped, and FORMERR, NOTIMP and BADVERS. It never
 * allocates, logs or looks at a byte twice more than needed; work is linear and bounded.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MSG_HEADER 12

/* Header flags (RFC 1035 4.1.1, RFC 4035). */
enum {
	FLAG_QR = 0x8000,
	FLAG_OPCODE = 0x7800,
	FLAG_AA = 0x0400,
	FLAG_TC = 0x0200,
	FLAG_RD = 0x0100,
	FLAG_RA = 0x0080,
	FLAG_Z = 0x0040,
	FLAG_AD = 0x0020,
	FLAG_CD = 0x0010,
	FLAG_RCODE = 0x000f,
};

enum transport { TRANSPORT_UDP, TRANSPORT_TCP, TRANSPORT_TLS };

/* What a query says in its OPT record (RFC 6891). */
struct edns {
	bool is_present;
	bool wants_dnssec;    /* DO */
	bool wants_nsid;      /* RFC 5001 */
	bool wants_keepalive; /* RFC 7828 */
	bool wants_padding;   /* it is padded itself: RFC 7830 4 */
	uint8_t version;
	uint8_t cookie_len; /* 0: none; else 8, or 16 to 40 */
	uint16_t udp_size;  /* as sent */
	uint16_t offset;    /* of the OPT record in the message */
	uint16_t end;       /* behind the OPT record */
	uint8_t cookie[40];
};

struct msg {
	uint16_t id, flags;
	uint16_t qtype, qclass;
	uint16_t question_end; /* offset behind the question; 12 when there is none to echo */
	uint16_t len;          /* octets received */
	uint8_t opcode;
	uint8_t qname_len; /* at offset 12; 0 when the question is unusable */
	uint8_t qname_labels;
	uint8_t rcode; /* with MSG_REFUSE: what to answer */
	bool has_serial; /* IXFR: the client said what it has (RFC 1995 3) */
	uint32_t serial; /* ... which is this */
	struct edns edns;
};

enum msg_verdict {
	MSG_ANSWER, /* a good question: ask the plugins */
	MSG_REFUSE, /* answer at once with m->rcode and no records */
	MSG_DROP,   /* no answer at all: too short, or a response (QR=1) */
};

/*
 * Parse len octets at wire into m. With MSG_REFUSE the question is echoed only when qname_len is
 * not 0. A cookie alone (QDCOUNT 0, RFC 7873 5.4) is MSG_REFUSE with NOERROR.
 */
enum msg_verdict msg_parse(struct msg *m, const uint8_t *wire, size_t len);
/* True for options between one hop and the next (NSID, cookie, keepalive, padding, errors). */
bool edns_is_hop_by_hop(uint16_t code);
/*
 * True when the query at wire has an option for the server behind us, such as a client subnet: it
 * is passed on, and the answer may be for this client alone (RFC 7871 7.3).
 */
bool edns_reaches_far(const uint8_t *wire, const struct edns *edns);
/*
 * Octets that an answer may have: 65535 on streams; on UDP what the client offers, at least 512
 * (RFC 6891 6.2.3), at most cap.
 */
size_t msg_reply_limit(const struct msg *m, enum transport transport, size_t cap);
