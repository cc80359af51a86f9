#include "packet.h"

#include <ctype.h>
#include <ldns/ldns.h>
#include <stdlib.h>

#include "base/must.h"
#include "base/vec.h"

/* The SOA record that an IXFR client has (RFC 1995 3). */
static void add_serial(ldns_pkt *p, const struct step *s)
{
	const char *serial = step_value(s, "serial");
	struct buf text = {0};
	ldns_rr *rr;

	if (serial == NULL)
		return;
	buf_printf(&text, "%s 5 IN SOA . . %s 0 0 0 0", step_word(s, 1), serial);
	must(ldns_rr_new_frm_str(&rr, buf_text(&text), 0, NULL, NULL) == LDNS_STATUS_OK);
	ldns_pkt_push_rr(p, LDNS_SECTION_AUTHORITY, rr);
	buf_free(&text);
}

size_t packet_ask(const struct step *s, uint16_t id, uint8_t *out)
{
	ldns_rdf *name = ldns_dname_new_frm_str(step_word(s, 1));
	ldns_rr_type type = ldns_get_rr_type_by_name(step_word(s, 2));
	const char *edns = step_value(s, "edns");
	ldns_pkt *p;
	uint8_t *wire;
	size_t n;

	must(name != NULL && type != 0);
	p = ldns_pkt_query_new(name, type,
		step_has(s, 3, "ch") ? LDNS_RR_CLASS_CH : LDNS_RR_CLASS_IN,
		step_has(s, 3, "nord") ? 0 : LDNS_RD);
	ldns_pkt_set_id(p, id);
	add_serial(p, s);
	if (edns != NULL)
		ldns_pkt_set_edns_udp_size(p, (uint16_t)atoi(edns));
	if (step_has(s, 3, "do")) {
		ldns_pkt_set_edns_udp_size(p, 1232);
		ldns_pkt_set_edns_do(p, true);
	}
	must(ldns_pkt2wire(&wire, p, &n) == LDNS_STATUS_OK);
	memcpy(out, wire, n);
	free(wire);
	ldns_pkt_free(p);
	return n;
}

/* Serial numbers are times; they are compared as 1. */
static void hide_serial(ldns_rr *rr)
{
	if (ldns_rr_get_type(rr) == LDNS_RR_TYPE_SOA)
		ldns_rdf_deep_free(ldns_rr_set_rdf(
			rr, ldns_native2rdf_int32(LDNS_RDF_TYPE_INT32, 1), 2));
}

/* "answer web. 5 in a 10.0.0.1" of every record of a section; as it is when case counts. */
static void list_section(
	struct buf *out, const char *section, const ldns_rr_list *list, bool has_case)
{
	for (size_t i = 0; i < ldns_rr_list_rr_count(list); i++) {
		char *text;

		hide_serial(ldns_rr_list_rr(list, i));
		text = ldns_rr2str(ldns_rr_list_rr(list, i));
		for (char *p = text; *p != '\0'; p++)
			*p = *p == '\t' ? ' '
				: has_case  ? *p
					    : (char)tolower((unsigned char)*p);
		buf_printf(out, "%s %s", section, text);
		free(text);
	}
}

/* The section and record of a line of the script; the caller frees both. */
static ldns_rr *read_record(const char *line, char **section)
{
	struct str rest = str_from(line), word = str_word(&rest);
	char *text;
	ldns_rr *rr;

	rest = str_trim(rest);
	text = mem_dup(rest.at, rest.len);
	*section = mem_dup(word.at, word.len);
	if (ldns_rr_new_frm_str(&rr, text, 0, NULL, NULL) != LDNS_STATUS_OK) {
		fprintf(stderr, "bad record: %s\n", line);
		abort();
	}
	free(text);
	return rr;
}

static void list_record(struct buf *out, const char *line, bool has_case)
{
	ldns_rr_list *one = ldns_rr_list_new();
	char *section;

	ldns_rr_list_push_rr(one, read_record(line, &section));
	list_section(out, section, one, has_case);
	ldns_rr_list_deep_free(one);
	free(section);
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_lines(struct buf *text)
{
	VEC(char *) lines = {NULL, 0, 0};
	struct str rest = {text->at, text->len};
	struct buf sorted = {0};

	while (rest.len > 0) {
		struct str line = str_cut(&rest, '\n');

		vec_push(&lines, mem_dup(line.at, line.len));
	}
	if (lines.len > 0)
		qsort(lines.at, lines.len, sizeof(*lines.at), compare_lines);
	vec_for_each(&lines, l) {
		buf_printf(&sorted, "      %s\n", *l);
		free(*l);
	}
	vec_free(&lines);
	buf_free(text);
	*text = sorted;
}

/* True when the step counts the records of a section instead of naming them. */
static bool check_count(const struct step *s, const char *section, size_t n, struct buf *why)
{
	bool is_counted = false;

	vec_for_each(&s->records, r) {
		char name[16];
		size_t want;

		if (sscanf(*r, "count %15s %zu", name, &want) != 2 || strcmp(name, section) != 0)
			continue;
		is_counted = true;
		if (want != n)
			buf_printf(why, "    %s has %zu records, not %zu\n", section, n, want);
	}
	return is_counted;
}

static void check_records(const struct step *s, const ldns_pkt *p, struct buf *why)
{
	static const char *const names[] = {"answer", "authority", "additional"};
	const ldns_rr_list *lists[] = {
		ldns_pkt_answer(p), ldns_pkt_authority(p), ldns_pkt_additional(p)};
	struct buf got = {0}, want = {0};
	bool has_case = step_has(s, 2, "case");

	for (int i = 0; i < 3; i++)
		if (!check_count(s, names[i], ldns_rr_list_rr_count(lists[i]), why))
			list_section(&got, names[i], lists[i], has_case);
	vec_for_each(&s->records, r)
		if (strncmp(*r, "count ", 6) != 0)
			list_record(&want, *r, has_case);
	sort_lines(&got);
	sort_lines(&want);
	if (strcmp(buf_text(&got), buf_text(&want)) != 0)
		buf_printf(why, "    expected:\n%s    got:\n%s", buf_text(&want), buf_text(&got));
	buf_free(&got);
	buf_free(&want);
}

static const struct {
	const char *name;
	bool (*get)(const ldns_pkt *);
	void (*set)(ldns_pkt *, bool);
} flags[] = {
	{"aa", ldns_pkt_aa, ldns_pkt_set_aa},
	{"tc", ldns_pkt_tc, ldns_pkt_set_tc},
	{"rd", ldns_pkt_rd, ldns_pkt_set_rd},
	{"ra", ldns_pkt_ra, ldns_pkt_set_ra},
	{"ad", ldns_pkt_ad, ldns_pkt_set_ad},
	{"cd", ldns_pkt_cd, ldns_pkt_set_cd},
};

static void check_header(const struct step *s, const ldns_pkt *p, struct buf *why)
{
	char *rcode = ldns_pkt_rcode2str(ldns_pkt_get_rcode(p));

	if (strcmp(rcode, step_word(s, 1)) != 0)
		buf_printf(why, "    rcode is %s, not %s\n", rcode, step_word(s, 1));
	free(rcode);
	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		if (flags[i].get(p) != step_has(s, 2, flags[i].name))
			buf_printf(why, "    flag %s is %sset\n", flags[i].name,
				flags[i].get(p) ? "" : "not ");
}

bool packet_expect(const struct step *s, const uint8_t *wire, size_t len, struct buf *why)
{
	ldns_pkt *p;
	size_t before = why->len;

	if (ldns_wire2pkt(&p, wire, len) != LDNS_STATUS_OK) {
		buf_printf(why, "    the reply is malformed\n");
		return false;
	}
	check_header(s, p, why);
	check_records(s, p, why);
	ldns_pkt_free(p);
	return why->len == before;
}

static ldns_pkt_section section_of(const char *name)
{
	if (strcmp(name, "answer") == 0)
		return LDNS_SECTION_ANSWER;
	return strcmp(name, "authority") == 0 ? LDNS_SECTION_AUTHORITY : LDNS_SECTION_ADDITIONAL;
}

static void push_record(ldns_pkt *p, const char *line)
{
	char *section;
	ldns_rr *rr = read_record(line, &section);

	ldns_pkt_push_rr(p, section_of(section), rr);
	free(section);
}

size_t packet_reply(const struct step *s, const uint8_t *query, size_t len, uint8_t *out)
{
	ldns_lookup_table *rcode = ldns_lookup_by_name(ldns_rcodes, step_word(s, 1));
	ldns_pkt *p;
	uint8_t *wire;
	size_t n;

	must(ldns_wire2pkt(&p, query, len) == LDNS_STATUS_OK && rcode != NULL);
	ldns_pkt_set_qr(p, true);
	ldns_pkt_set_ra(p, true);
	ldns_pkt_set_rcode(p, (uint8_t)rcode->id);
	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		if (step_has(s, 2, flags[i].name))
			flags[i].set(p, true);
	vec_for_each(&s->records, r)
		push_record(p, *r);
	must(ldns_pkt2wire(&wire, p, &n) == LDNS_STATUS_OK);
	memcpy(out, wire, n);
	free(wire);
	ldns_pkt_free(p);
	return n;
}

uint32_t packet_serial(const uint8_t *wire, size_t len)
{
	uint32_t serial = 0;
	ldns_pkt *p;

	if (ldns_wire2pkt(&p, wire, len) != LDNS_STATUS_OK)
		return 0;
	for (size_t i = 0; i < ldns_rr_list_rr_count(ldns_pkt_answer(p)); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(ldns_pkt_answer(p), i);

		if (ldns_rr_get_type(rr) == LDNS_RR_TYPE_SOA)
			serial = ldns_rdf2native_int32(ldns_rr_rdf(rr, 2));
	}
	ldns_pkt_free(p);
	return serial;
}

void packet_question(const uint8_t *wire, size_t len, struct buf *out)
{
	ldns_pkt *p;
	ldns_rr *rr;
	char *name, *type;

	must(ldns_wire2pkt(&p, wire, len) == LDNS_STATUS_OK);
	rr = ldns_rr_list_rr(ldns_pkt_question(p), 0);
	name = ldns_rdf2str(ldns_rr_owner(rr));
	type = ldns_rr_type2str(ldns_rr_get_type(rr));
	buf_printf(out, "%s %s", name, type);
	free(name);
	free(type);
	ldns_pkt_free(p);
}
