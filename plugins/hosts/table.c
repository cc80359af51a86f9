#include "hosts/table.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/rand.h"
#include "dns/name.h"
#include "dns/rr.h"

struct slot {
	uint64_t hash; /* 0: empty */
	const struct hosts_entry *entry;
};

struct hosts_table {
	struct arena arena;
	struct slot *slots;
	size_t mask;
	uint64_t seed;
	size_t records;
	bool has_wildcards;
};

/* RDATA of one type, in order of the lines. */
struct values {
	struct rrset_builder set;
};

struct pending {
	struct name name; /* lower case */
	struct values a, aaaa, ptr;
};

struct reader {
	const struct hosts_rules *rules;
	struct map names; /* -> struct pending */
	VEC(struct pending *) list;
	struct hosts_odd *odd;
	unsigned line;
	bool is_inline;
};

/* An address of a line: IPv4, also when written as ::ffff:192.0.2.1, or IPv6 without its scope. */
struct address {
	int family;
	size_t len;
	uint8_t octets[16];
};

static void note(struct reader *r, const char *why)
{
	if (r->odd == NULL || r->is_inline)
		return;
	if (r->odd->lines++ == 0) {
		r->odd->first_line = r->line;
		r->odd->why = why;
	}
}

static bool read_address(struct str word, struct address *out)
{
	static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
	char text[INET6_ADDRSTRLEN];
	const char *scope = memchr(word.at, '%', word.len);

	if (scope != NULL)
		word.len = (size_t)(scope - word.at);
	if (word.len >= sizeof(text))
		return false;
	memcpy(text, word.at, word.len);
	text[word.len] = '\0';
	*out = (struct address){AF_INET, 4, {0}};
	if (scope == NULL && inet_pton(AF_INET, text, out->octets) == 1)
		return true;
	*out = (struct address){AF_INET6, 16, {0}};
	if (inet_pton(AF_INET6, text, out->octets) != 1)
		return false;
	if (memcmp(out->octets, mapped, sizeof(mapped)) == 0) {
		out->family = AF_INET;
		out->len = 4;
		memmove(out->octets, out->octets + 12, 4);
	}
	return true;
}

static struct pending *pending_at(struct reader *r, const struct name *name)
{
	struct pending *p = map_get(&r->names, (struct str){(const char *)name->wire, name->len});

	if (p != NULL)
		return p;
	p = mem_new(struct pending);
	p->name = *name;
	map_put(&r->names, (struct str){(const char *)p->name.wire, p->name.len}, p);
	vec_push(&r->list, p);
	return p;
}

static bool has_value(const struct values *v, const uint8_t *rdata, size_t n)
{
	const uint8_t *p = (const uint8_t *)v->set.wire.at;

	for (unsigned i = 0; i < v->set.count; i++) {
		size_t len = (size_t)p[10] << 8 | p[11];

		if (len == n && memcmp(p + RR_FIXED, rdata, n) == 0)
			return true;
		p += RR_FIXED + len;
	}
	return false;
}

static void add_value(
        struct reader *r, struct values *v, uint16_t type, const uint8_t *rdata, size_t n)
{
	unsigned max = type == TYPE_PTR ? HOSTS_NAMES_MAX : HOSTS_ADDRESSES_MAX;

	if (v->set.count >= max || has_value(v, rdata, n))
		return;
	v->set.type = type;
	v->set.ttl = r->rules->ttl;
	rrset_add(&v->set, rdata, n);
}

static void add_name(struct reader *r, const struct address *address, const struct name *name)
{
	struct pending *p = pending_at(r, name);
	struct name reverse;

	if (address->family == AF_INET)
		add_value(r, &p->a, TYPE_A, address->octets, address->len);
	else
		add_value(r, &p->aaaa, TYPE_AAAA, address->octets, address->len);
	if (r->rules->no_reverse || (name->wire[0] == 1 && name->wire[1] == '*'))
		return;
	name_from_addr(&reverse, address->family, address->octets);
	p = pending_at(r, &reverse);
	add_value(r, &p->ptr, TYPE_PTR, name->wire, name->len);
}

static void read_line(struct reader *r, struct str line)
{
	struct address address;
	struct str word;
	const char *hash = memchr(line.at, '#', line.len);

	if (hash != NULL)
		line.len = (size_t)(hash - line.at);
	word = str_word(&line);
	if (word.len == 0)
		return;
	if (!read_address(word, &address)) {
		note(r, "not an IP address");
		return;
	}
	word = str_word(&line);
	if (word.len == 0)
		note(r, "an address without a name");
	for (; word.len > 0; word = str_word(&line)) {
		struct name name;

		if (name_from_text(&name, word, NULL) != 0) {
			note(r, "not a domain name");
			continue;
		}
		name_fold(name.wire, name.wire, name.len);
		if (zone_list_match(r->rules->zones, name.wire) >= 0)
			add_name(r, &address, &name);
	}
}

static void read_text(struct reader *r, struct str text, bool is_inline)
{
	r->is_inline = is_inline;
	for (r->line = 1; text.len > 0; r->line++) {
		struct str line = str_cut(&text, '\n');

		if (line.len > HOSTS_LINE_MAX) {
			note(r, "a line is too long");
			line.len = HOSTS_LINE_MAX;
		}
		if (line.len > 0)
			read_line(r, line);
	}
}

static uint64_t name_hash(const struct hosts_table *t, const uint8_t *folded)
{
	return hash_bytes(t->seed, folded, name_len(folded)) | 1;
}

static void add_entry(struct hosts_table *t, struct pending *p)
{
	struct hosts_entry *e = arena_new(&t->arena, struct hosts_entry);
	uint64_t hash = name_hash(t, p->name.wire);
	size_t at = hash >> 8 & t->mask;

	t->records += p->a.set.count + p->aaaa.set.count;
	t->has_wildcards |= p->name.wire[0] == 1 && p->name.wire[1] == '*';
	e->name = (const uint8_t *)arena_dup(&t->arena, p->name.wire, p->name.len);
	e->len = p->name.len;
	e->a = rrset_build_in(&p->a.set, &t->arena);
	e->aaaa = rrset_build_in(&p->aaaa.set, &t->arena);
	e->ptr = rrset_build_in(&p->ptr.set, &t->arena);
	while (t->slots[at].hash != 0)
		at = (at + 1) & t->mask;
	t->slots[at] = (struct slot){hash, e};
}

static struct hosts_table *compile(struct reader *r)
{
	struct hosts_table *t = mem_new(struct hosts_table);
	size_t size = 4;

	while (size < r->list.len * 2)
		size *= 2;
	arena_init(&t->arena);
	t->slots = mem_array(size, sizeof(*t->slots));
	t->mask = size - 1;
	t->seed = rand_u64();
	vec_for_each (&r->list, p) {
		add_entry(t, *p);
		free(*p);
	}
	return t;
}

struct hosts_table *hosts_table_new(const struct hosts_rules *rules, struct str inline_text,
        struct str text, struct hosts_odd *odd)
{
	struct reader r = {.rules = rules, .odd = odd};
	struct hosts_table *t;

	if (odd != NULL)
		*odd = (struct hosts_odd){0, 0, NULL};
	map_init(&r.names);
	read_text(&r, text, false);
	read_text(&r, inline_text, true);
	t = compile(&r);
	map_fini(&r.names);
	vec_free(&r.list);
	return t;
}

void hosts_table_free(struct hosts_table *t)
{
	if (t == NULL)
		return;
	arena_reset(&t->arena);
	free(t->slots);
	free(t);
}

size_t hosts_table_records(const struct hosts_table *t)
{
	return t->records;
}

const struct hosts_entry *hosts_table_find(const struct hosts_table *t, const uint8_t *folded)
{
	uint64_t hash = name_hash(t, folded);
	size_t len = name_len(folded);

	for (size_t at = hash >> 8 & t->mask; t->slots[at].hash != 0; at = (at + 1) & t->mask) {
		const struct slot *s = &t->slots[at];

		if (s->hash == hash && s->entry->len == len &&
		        memcmp(s->entry->name, folded, len) == 0)
			return s->entry;
	}
	return NULL;
}

const struct hosts_entry *hosts_table_match(const struct hosts_table *t, const uint8_t *folded)
{
	const struct hosts_entry *e = hosts_table_find(t, folded);
	uint8_t wildcard[NAME_MAX_OCTETS + 2] = {1, '*'};

	if (!t->has_wildcards || e != NULL || *folded == 0)
		return e;
	folded += *folded + 1;
	memcpy(wildcard + 2, folded, name_len(folded));
	return hosts_table_find(t, wildcard);
}
