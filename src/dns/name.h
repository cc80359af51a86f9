/*
 * Domain names in uncompressed wire form (RFC 1035 3.1): labels and the root octet, at most 255
 * octets. Case is kept; comparing and hashing work on folded copies (RFC 4343).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define NAME_MAX_OCTETS 255
#define NAME_MAX_LABEL 63
/* Presentation form: every octet as \DDD, dots, a NUL. */
#define NAME_TEXT_MAX 1025

/* A name with its own memory; len counts the root octet. */
struct name {
	uint8_t len;
	uint8_t wire[NAME_MAX_OCTETS];
};

/*
 * Read presentation form ("www.example.org", a dot at the end is optional, "." is the root,
 * \. and \DDD escapes). 0, or -EINVAL with the reason in e (NULL is allowed).
 */
int name_from_text(struct name *n, struct str text, struct err *e);
/*
 * Write presentation form with a dot at the end into out (NAME_TEXT_MAX octets); returns its
 * length. wire must be a valid name.
 */
size_t name_to_text(char *out, const uint8_t *wire);
/* Octets of a valid name, root octet included. */
size_t name_len(const uint8_t *wire);
/* Labels of a valid name, root not counted. */
unsigned name_labels(const uint8_t *wire);
/*
 * Length of the uncompressed name at wire when it is well formed and ends within max octets; 0
 * otherwise (compression pointers are not well formed here).
 */
size_t name_check(const uint8_t *wire, size_t max);
/* Copy len octets of names and fold A-Z to a-z; label lengths are below 'A' and stay. */
void name_fold(uint8_t *dst, const uint8_t *src, size_t len);
/* Equal names, ASCII case ignored. */
bool name_equal(const uint8_t *a, const uint8_t *b);
/* True when name equals zone or lies below it, ASCII case ignored. */
bool name_is_under(const uint8_t *name, const uint8_t *zone);
/* The suffix of a valid name without its first skip labels; the root when there are fewer. */
const uint8_t *name_skip(const uint8_t *wire, unsigned skip);
/* Append wire name b to the label sequence of a (a.wire up to its root). 0 or -ENAMETOOLONG. */
int name_append(struct name *a, const uint8_t *b);
/* Copy a valid wire name. */
void name_set(struct name *n, const uint8_t *wire);
/* Put one label of 1..63 octets in front of n. 0 or -ENAMETOOLONG. */
int name_prepend(struct name *n, struct str label);
/*
 * Reverse name (in-addr.arpa, ip6.arpa) of an address: family AF_INET (4 octets) or AF_INET6 (16).
 */
void name_from_addr(struct name *n, int family, const uint8_t *addr);
/*
 * The address that a whole reverse name stands for: 4 or 16 octets into addr and the number of
 * them as result; 0 when the name is not a complete reverse name of an address.
 */
int name_to_addr(const uint8_t *wire, uint8_t addr[16]);
/*
 * The same for a reverse name that may be partial: the bits it stands for, from the first one on,
 * into addr (the rest is zero) and *bits, 8 to 32 or 4 to 128. Returns 4, 16, or 0 for no reverse
 * name.
 */
int name_to_prefix(const uint8_t *wire, uint8_t addr[16], unsigned *bits);
