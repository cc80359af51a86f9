/*
 * The names of a hosts file: text -> hash of lower-case names with precompiled record sets. Built
 * on the control thread, looked up by workers.
 *
 * Lifetime: immutable once built; swapped whole under RCU; hosts_table_free() after a grace period.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "core/zone_list.h"
#include "dns/rrset.h"

#define HOSTS_FILE_MAX (16u << 20) /* octets of a hosts file */
#define HOSTS_LINE_MAX (64u << 10) /* octets of a line; the rest is not looked at */
#define HOSTS_ADDRESSES_MAX 1024u /* of one name and family */
#define HOSTS_NAMES_MAX 64u /* PTR records of one address */

/* What a name has; sets that it does not have are NULL. */
struct hosts_entry {
	const uint8_t *name; /* wire, lower case */
	size_t len; /* of name */
	const struct rrset *a, *aaaa, *ptr;
};

struct hosts_table;

/* How to read the lines. */
struct hosts_rules {
	const struct zone_list *zones; /* names outside of them are left out */
	uint32_t ttl;
	bool no_reverse; /* make no PTR records */
};

/* What a text has that cannot be used. */
struct hosts_odd {
	unsigned lines; /* how many */
	unsigned first_line; /* from 1 */
	const char *why; /* of the first */
};

/*
 * Read `ADDRESS NAME...` lines; those of inline_text come behind those of text. Bad lines are
 * skipped and counted in odd (may be NULL), those of text only.
 */
struct hosts_table *hosts_table_new(const struct hosts_rules *rules, struct str inline_text,
        struct str text, struct hosts_odd *odd);
/* Free a table; NULL is fine. */
void hosts_table_free(struct hosts_table *t);
/* Records in it, PTR not counted. */
size_t hosts_table_records(const struct hosts_table *t);
/* The entry of exactly that lower-case wire name, or NULL. */
const struct hosts_entry *hosts_table_find(const struct hosts_table *t, const uint8_t *folded);
/* The same, or that which has `*` in place of its first label. */
const struct hosts_entry *hosts_table_match(const struct hosts_table *t, const uint8_t *folded);
