/*
 * Numbers and mnemonics of types, classes, opcodes and response codes (IANA DNS parameters).
 */
#pragma once

#include <stdint.h>

#include "base/str.h"

enum rr_type {
	TYPE_A = 1,
	TYPE_NS = 2,
	TYPE_CNAME = 5,
	TYPE_SOA = 6,
	TYPE_NULL = 10,
	TYPE_PTR = 12,
	TYPE_HINFO = 13,
	TYPE_MX = 15,
	TYPE_TXT = 16,
	TYPE_RP = 17,
	TYPE_AFSDB = 18,
	TYPE_SIG = 24,
	TYPE_KEY = 25,
	TYPE_PX = 26,
	TYPE_AAAA = 28,
	TYPE_NXT = 30,
	TYPE_SRV = 33,
	TYPE_NAPTR = 35,
	TYPE_KX = 36,
	TYPE_DNAME = 39,
	TYPE_OPT = 41,
	TYPE_DS = 43,
	TYPE_RRSIG = 46,
	TYPE_NSEC = 47,
	TYPE_DNSKEY = 48,
	TYPE_NSEC3 = 50,
	TYPE_SVCB = 64,
	TYPE_HTTPS = 65,
	TYPE_TKEY = 249,
	TYPE_TSIG = 250,
	TYPE_IXFR = 251,
	TYPE_AXFR = 252,
	TYPE_MAILB = 253,
	TYPE_MAILA = 254,
	TYPE_ANY = 255,
};

enum rr_class { CLASS_IN = 1, CLASS_CH = 3, CLASS_HS = 4, CLASS_NONE = 254, CLASS_ANY = 255 };

enum opcode { OPCODE_QUERY = 0, OPCODE_STATUS = 2, OPCODE_NOTIFY = 4, OPCODE_UPDATE = 5 };

enum rcode {
	RCODE_NOERROR = 0,
	RCODE_FORMERR = 1,
	RCODE_SERVFAIL = 2,
	RCODE_NXDOMAIN = 3,
	RCODE_NOTIMP = 4,
	RCODE_REFUSED = 5,
	RCODE_YXDOMAIN = 6,
	RCODE_NOTAUTH = 9,
	RCODE_BADVERS = 16,
	RCODE_BADCOOKIE = 23,
};

/* Extended DNS errors (RFC 8914) that we send. */
enum ede {
	EDE_NONE = 0xffff,
	EDE_OTHER = 0,
	EDE_STALE = 3,
	EDE_NOT_READY = 14,
	EDE_BLOCKED = 15,
	EDE_FILTERED = 17,
	EDE_STALE_NXDOMAIN = 19,
	EDE_NO_REACHABLE = 22,
	EDE_NETWORK = 23
};

/* Mnemonic of a type such as "AAAA", or "TYPE65400" written to out (16 octets); returns it. */
const char *rr_type_text(uint16_t type, char out[16]);
/* Number of a mnemonic or TYPEnnn, any case; 0 when unknown. */
uint16_t rr_type_from_text(struct str text);
/* Mnemonic of a class, or "CLASSnnn" written to out; returns it. */
const char *rr_class_text(uint16_t rr_class, char out[16]);
/* Mnemonic of a response code, or "RCODEnnn" written to out; returns it. */
const char *rcode_text(uint16_t rcode, char out[16]);
/* Number of a response code's mnemonic, any case; -1 when unknown. */
int rcode_from_text(struct str text);
