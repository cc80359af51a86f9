#include "names/zonefile.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ldns/ldns.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/must.h"
#include "base/num.h"
#include "dns/rr.h"
#include "dns/wire.h"
#include "names/generate.h"
#include "names/zonetext.h"

#define GENERATED_MAX (1u << 20) /* octets that $GENERATE may add to a text that is no file */

/* What all files of one zone share. */
struct reader_state {
	struct tree_builder *builder;
	struct buf *warnings;
	struct err *e;
	size_t size_left;
	bool is_file; /* $INCLUDE may be used */
	bool has_ttl; /* $TTL, or the SOA's MINIMUM in its place */
	bool has_last_ttl; /* a record said its own */
	bool warned_ttl;
	uint32_t ttl, last_ttl;
	ldns_buffer *wire;
};

/* One file: $ORIGIN and the last owner are its own (RFC 1035 5.1). */
struct source {
	struct reader_state *z;
	const char *name;
	struct zonetext text;
	unsigned depth;
	struct name origin, owner;
	bool has_owner;
	struct buf line; /* the logical line */
};

/* Owner, TTL and type of a record, read so far. */
struct header {
	uint32_t ttl;
	bool has_ttl, has_class;
	uint16_t type;
};

static int read_source(struct source *s);
static int take_line(struct source *s);

static int fail(const struct source *s, const char *what, struct str token)
{
	struct buf shown = {0};

	if (token.len > 80)
		token.len = 80;
	buf_escape(&shown, token);
	err_set(s->z->e, -EINVAL, "%s:%u: %s%s%s%s", s->name, s->text.line, what,
	        token.len ? " '" : "", buf_text(&shown), token.len ? "'" : "");
	buf_free(&shown);
	return -EINVAL;
}

static int fail_with(const struct source *s, int rc)
{
	return err_prefix(s->z->e, rc, "%s:%u", s->name, s->text.line);
}

static void warn(const struct source *s, const char *what)
{
	if (s->z->warnings != NULL)
		buf_printf(s->z->warnings, "%s%s:%u: %s", s->z->warnings->len ? "; " : "", s->name,
		        s->text.line, what);
}

static bool is_absolute(struct str token)
{
	size_t escapes = 0;

	if (token.len == 0 || token.at[token.len - 1] != '.')
		return false;
	while (escapes < token.len - 1 && token.at[token.len - 2 - escapes] == '\\')
		escapes++;
	return escapes % 2 == 0;
}

/* A name as written: "@", relative to the origin, or with a dot at its end. */
static int take_name(const struct source *s, struct str token, struct name *out)
{
	struct name n = s->origin;
	int rc = 0;

	if (!str_is(token, "@"))
		rc = name_from_text(&n, token, s->z->e);
	if (rc == 0 && !str_is(token, "@") && !is_absolute(token) &&
	        name_append(&n, s->origin.wire) != 0)
		rc = err_set(s->z->e, -EINVAL, "domain name is longer than 255 octets");
	*out = n; /* which may be the origin itself */
	return rc == 0 ? 0 : fail_with(s, rc);
}

static int take_ttl_directive(struct source *s, struct str rest)
{
	struct str token = zonetext_word(&rest);

	if (zonetext_ttl(token, &s->z->ttl) != 0)
		return fail(s, "bad TTL", token);
	s->z->has_ttl = true;
	return 0;
}

static int open_include(struct source *from, const char *path, struct source *in)
{
	struct reader_state *z = from->z;
	struct buf text = {0};
	int rc = buf_read_file(&text, path, z->size_left);

	if (rc == 0) {
		z->size_left -= text.len;
		in->z = z;
		in->name = path;
		in->depth = from->depth + 1;
		zonetext_init(&in->text, (struct str){text.at, text.len});
		rc = read_source(in);
	} else {
		err_set(z->e, rc, "%s:%u: cannot read %.300s: %s", from->name, from->text.line,
		        path, rc == -EFBIG ? "the zone is too large" : strerror(-rc));
	}
	buf_free(&text);
	return rc;
}

static int take_include(struct source *s, struct str rest)
{
	struct str file = zonetext_unquote(zonetext_word(&rest)), token = zonetext_word(&rest);
	const char *slash = strrchr(s->name, '/');
	struct source in = {.origin = s->origin};
	struct buf path = {0};
	int rc = 0;

	if (!s->z->is_file)
		return fail(s, "$INCLUDE is not allowed here", file);
	if (s->depth >= ZONEFILE_DEPTH)
		return fail(s, "$INCLUDE nested too deeply", file);
	if (file.len == 0 || memchr(file.at, 0, file.len) != NULL)
		return fail(s, "$INCLUDE needs a file name", file);
	if (token.len > 0)
		rc = take_name(s, token, &in.origin);
	if (file.at[0] != '/' && slash != NULL)
		buf_add(&path, s->name, (size_t)(slash - s->name) + 1);
	buf_add(&path, file.at, file.len);
	if (rc == 0)
		rc = open_include(s, buf_text(&path), &in);
	buf_free(&path);
	return rc;
}

/* The lines that a line stands for, one after the other in place of it. */
static int generate(struct source *s, const struct generate *g, struct str line)
{
	int rc = 0;

	for (uint64_t v = g->start; v <= g->stop && rc == 0; v += g->step) {
		const char *why;

		buf_clear(&s->line);
		why = generate_line(&s->line, line, (uint32_t)v);
		if (why == NULL && s->line.len > s->z->size_left)
			why = "$GENERATE makes the zone too large";
		if (why != NULL)
			return fail(s, why, line);
		s->z->size_left -= s->line.len;
		rc = take_line(s);
	}
	return rc;
}

static int take_generate(struct source *s, struct str rest)
{
	struct str range = zonetext_word(&rest), line = str_trim(rest);
	struct generate g;
	char *copy;
	int rc;

	if (generate_range(range, &g) != 0)
		return fail(s, "$GENERATE takes START-STOP or START-STOP/STEP, not", range);
	if (line.len == 0 || line.at[0] == ' ')
		return fail(s, "$GENERATE needs a name, a type and data", line);
	copy = mem_dup(line.at, line.len); /* the lines come where this one is now */
	rc = generate(s, &g, (struct str){copy, line.len});
	free(copy);
	return rc;
}

static int take_directive(struct source *s, struct str rest)
{
	struct str word = zonetext_word(&rest);

	if (str_eq_nocase(word, STR("$ORIGIN")))
		return take_name(s, zonetext_word(&rest), &s->origin);
	if (str_eq_nocase(word, STR("$TTL")))
		return take_ttl_directive(s, rest);
	if (str_eq_nocase(word, STR("$INCLUDE")))
		return take_include(s, rest);
	if (str_eq_nocase(word, STR("$GENERATE")))
		return take_generate(s, rest);
	return fail(s, "unknown directive", word);
}

/* [TTL] [class] type in any order of the first two (RFC 1035 5.1). */
static int take_header(const struct source *s, struct str *rest, struct header *h)
{
	for (;;) {
		struct str token = zonetext_word(rest);
		char text[32];

		if (token.len == 0 || token.len >= sizeof(text))
			return fail(s, "record without a type", token);
		if (!h->has_class && zonetext_is_class(token)) {
			if (!str_eq_nocase(token, STR("IN")) &&
			        !str_eq_nocase(token, STR("CLASS1")))
				return fail(s, "only class IN can be served, not", token);
			h->has_class = true;
			continue;
		}
		if (!h->has_ttl && zonetext_ttl(token, &h->ttl) == 0) {
			h->has_ttl = true;
			continue;
		}
		memcpy(text, token.at, token.len);
		text[token.len] = '\0';
		h->type = (uint16_t)ldns_get_rr_type_by_name(text);
		return h->type != 0 ? 0 : fail(s, "unknown record type", token);
	}
}

/* A TTL that is not written: $TTL, else the last one written, else the SOA's MINIMUM. */
static void complete_ttl(struct source *s, struct header *h, struct str rdata)
{
	struct reader_state *z = s->z;

	if (h->has_ttl) {
		z->last_ttl = h->ttl;
		z->has_last_ttl = true;
		return;
	}
	if (!z->has_ttl && !z->has_last_ttl) {
		z->ttl = 3600;
		if (h->type == TYPE_SOA && rdata.len >= 4)
			z->ttl = get32((const uint8_t *)rdata.at + rdata.len - 4);
		z->has_ttl = true;
		warn(s, "no TTL and no $TTL: taking the SOA's minimum");
	}
	h->ttl = z->has_ttl ? z->ttl : z->last_ttl;
}

/*
 * Of octets written as \# LENGTH HEX (RFC 3597 5) for a type that it knows, ldns drops those that
 * are too many without a word: then the length is not the one that was written.
 */
static ldns_status check_opaque(const struct source *s, struct str rdata)
{
	uint32_t n;

	zonetext_word(&rdata);
	if (num_u32(zonetext_word(&rdata), UINT16_MAX, &n) != 0)
		return LDNS_STATUS_SYNTAX_INTEGER_OVERFLOW;
	return n == ldns_buffer_position(s->z->wire) ? LDNS_STATUS_OK
	                                             : LDNS_STATUS_SYNTAX_RDATA_ERR;
}

/* An address, without the way through ldns: most of a large zone are addresses. */
static bool convert_address(const struct source *s, uint16_t type, struct str rdata)
{
	char text[INET6_ADDRSTRLEN];
	uint8_t octets[16];

	if ((type != TYPE_A && type != TYPE_AAAA) || rdata.len >= sizeof(text))
		return false;
	memcpy(text, rdata.at, rdata.len);
	text[rdata.len] = '\0';
	if (inet_pton(type == TYPE_A ? AF_INET : AF_INET6, text, octets) != 1)
		return false;
	ldns_buffer_clear(s->z->wire);
	ldns_buffer_write(s->z->wire, octets, type == TYPE_A ? 4 : 16);
	return true;
}

/* RDATA of one line as ldns reads it, into z->wire. */
static int convert(const struct source *s, const struct header *h, struct str rdata)
{
	ldns_rdf *origin = ldns_dname_new_frm_data(s->origin.len, s->origin.wire);
	struct buf text = {0};
	ldns_rr *rr = NULL;
	ldns_status status;
	char type[16];

	must(origin != NULL);
	buf_printf(&text, ". 0 IN %s ", rr_type_text(h->type, type));
	buf_add(&text, rdata.at, rdata.len);
	status = ldns_rr_new_frm_str(&rr, buf_text(&text), 0, origin, NULL);
	ldns_buffer_clear(s->z->wire);
	if (status == LDNS_STATUS_OK)
		status = ldns_rr_rdata2buffer_wire(s->z->wire, rr);
	if (status == LDNS_STATUS_OK && str_has_prefix(rdata, "\\#"))
		status = check_opaque(s, rdata);
	ldns_rr_free(rr);
	ldns_rdf_deep_free(origin);
	buf_free(&text);
	if (status == LDNS_STATUS_OK)
		return 0;
	return fail(s, ldns_get_errorstr_by_id(status), rdata);
}

/* RFC 3597 5: "\# 0" is what it says, for a type whose fields nobody knows. */
static bool may_be_empty(uint16_t type, struct str rdata)
{
	return str_has_prefix(rdata, "\\#") && ldns_rr_descript(type)->_type != type;
}

static int add_record(struct source *s, struct header *h, struct str rdata)
{
	struct tree_record r = {.owner = s->owner.wire, .type = h->type};
	int rc = 0;
	size_t n;

	if (!convert_address(s, h->type, str_trim(rdata)))
		rc = convert(s, h, str_trim(rdata));
	if (rc != 0)
		return rc;
	n = ldns_buffer_position(s->z->wire);
	if ((n == 0 && !may_be_empty(h->type, str_trim(rdata))) || n > UINT16_MAX)
		return fail(s, "record data of a wrong length", str_trim(rdata));
	r.rdata = ldns_buffer_begin(s->z->wire);
	r.rdlength = (uint16_t)n;
	complete_ttl(s, h, (struct str){(const char *)r.rdata, n});
	r.ttl = h->ttl;
	rc = tree_add(s->z->builder, &r, s->z->e);
	return rc == 0 ? 0 : fail_with(s, rc);
}

static int take_line(struct source *s)
{
	struct str rest = {s->line.at, s->line.len};
	struct header h = {0};
	int rc = 0;

	if (rest.at[0] == '$')
		return take_directive(s, rest);
	if (rest.at[0] != ' ') {
		rc = take_name(s, zonetext_word(&rest), &s->owner);
		s->has_owner = true;
	}
	if (rc != 0)
		return rc;
	if (!s->has_owner)
		return fail(s, "the first record has no owner name", rest);
	rc = take_header(s, &rest, &h);
	return rc == 0 ? add_record(s, &h, rest) : rc;
}

static int read_source(struct source *s)
{
	int rc = 0;

	while (rc == 0) {
		const char *why = zonetext_next(&s->text, &s->line, ZONEFILE_RECORD_MAX);

		if (why != NULL)
			rc = fail(s, why, (struct str){0});
		else if (s->line.len == 0)
			break;
		else
			rc = take_line(s);
	}
	buf_free(&s->line);
	return rc;
}

static struct tree *read_zone(
        struct reader_state *z, const char *name, struct str text, const uint8_t *origin)
{
	struct source s = {.z = z, .name = name};
	unsigned odd = 0;
	struct tree *t;
	int rc;

	name_set(&s.origin, origin);
	zonetext_init(&s.text, text);
	z->builder = tree_builder_new(origin);
	z->wire = ldns_buffer_new(LDNS_MAX_PACKETLEN + 1);
	must(z->wire != NULL);
	rc = read_source(&s);
	ldns_buffer_free(z->wire);
	if (rc != 0) {
		tree_builder_free(z->builder);
		return NULL;
	}
	t = tree_build(z->builder, &odd, z->e);
	if (t == NULL)
		err_prefix(z->e, -EINVAL, "%s", name);
	else if (odd > 0 && z->warnings != NULL)
		buf_printf(z->warnings, "%s%s: %u sets with unequal TTLs or below a DNAME",
		        z->warnings->len ? "; " : "", name, odd);
	return t;
}

struct tree *zonefile_read(
        const char *path, const uint8_t *origin, struct buf *warnings, struct err *e)
{
	struct reader_state z = {.warnings = warnings, .e = e, .is_file = true};
	struct buf text = {0};
	struct tree *t = NULL;
	int rc = buf_read_file(&text, path, ZONEFILE_SIZE_MAX);

	z.size_left = ZONEFILE_SIZE_MAX - text.len;
	if (rc == 0)
		t = read_zone(&z, path, (struct str){buf_text(&text), text.len}, origin);
	else
		err_set(e, rc, "%s: %s", path, rc == -EFBIG ? "larger than 64 MiB" : strerror(-rc));
	buf_free(&text);
	return t;
}

struct tree *zonefile_parse(const char *name, struct str text, const uint8_t *origin,
        struct buf *warnings, struct err *e)
{
	struct reader_state z = {.warnings = warnings, .e = e};

	z.size_left = GENERATED_MAX;
	if (text.len > ZONEFILE_SIZE_MAX) {
		err_set(e, -EFBIG, "%s: larger than 64 MiB", name);
		return NULL;
	}
	return read_zone(&z, name, text, origin);
}
