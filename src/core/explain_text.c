/*
 * The texts of explanations: sentences, values, lines of names.
 */
#include "core/explain.h"

#include <arpa/inet.h>
#include <fnmatch.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "dns/rr.h"
#include "dns/rrset.h"

/* Octets of a value: the longest is a name in presentation form with numbers before it. */
#define VALUE_MAX (NAME_TEXT_MAX + 64)

const struct plugin_explain explain_passes = {.needs_start = false};

void explain_say(struct explanation *x, enum explain_outcome outcome, const char *fmt, ...)
{
	char text[VALUE_MAX * 2];
	va_list ap;

	x->outcome = outcome;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	buf_printf(&x->why, "%s%s", x->why.len > 0 ? "; " : "", text);
}

void explain_add_value(struct explanation *x, const char *fmt, ...)
{
	char text[VALUE_MAX];
	va_list ap;

	if (x->n_values++ >= EXPLAIN_VALUES)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	buf_printf(&x->values, "%s%s", x->values.len > 0 ? ", " : "", text);
}

void explanation_fini(struct explanation *x)
{
	buf_free(&x->zone);
	buf_free(&x->values);
	buf_free(&x->object);
	buf_free(&x->field);
	buf_free(&x->why);
}

/* --- RDATA ------------------------------------------------------------------------------- */

static void add_name_text(struct buf *out, const uint8_t *wire, size_t room)
{
	char text[NAME_TEXT_MAX];

	if (name_check(wire, room) == 0)
		return;
	name_to_text(text, wire);
	buf_str(out, text);
}

static unsigned get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

/* The character strings of a TXT record, each in quotes. */
static void add_strings(struct buf *out, const uint8_t *p, size_t n)
{
	for (size_t at = 0; at < n && at + 1 + p[at] <= n; at += 1 + (size_t)p[at]) {
		buf_str(out, at > 0 ? " \"" : "\"");
		buf_escape(out, (struct str){(const char *)p + at + 1, p[at]});
		buf_char(out, '"');
	}
}

/* Both names of an SOA record and its serial. */
static void add_soa(struct buf *out, const uint8_t *p, size_t n)
{
	size_t first = name_check(p, n), second = first == 0 ? 0 : name_check(p + first, n - first);

	if (second == 0 || first + second + 20 > n)
		return;
	add_name_text(out, p, n);
	buf_char(out, ' ');
	add_name_text(out, p + first, n - first);
	p += first + second;
	buf_printf(out, " %u", get16(p) << 16 | get16(p + 2));
}

static void add_hex(struct buf *out, const uint8_t *p, size_t n)
{
	buf_printf(out, "\\# %zu ", n);
	for (size_t i = 0; i < n; i++)
		buf_printf(out, "%02x", p[i]);
}

/* Numbers of 16 bits in so many octets, and a name. */
static void add_numbered(struct buf *out, const uint8_t *p, size_t n, size_t octets)
{
	for (size_t i = 0; i < octets; i += 2)
		buf_printf(out, "%u ", get16(p + i));
	add_name_text(out, p + octets, n - octets);
}

void explain_rdata_text(struct buf *out, uint16_t type, const uint8_t *rdata, size_t n)
{
	char ip[INET6_ADDRSTRLEN];

	if (type == TYPE_A && n == 4)
		buf_str(out, inet_ntop(AF_INET, rdata, ip, sizeof(ip)));
	else if (type == TYPE_AAAA && n == 16)
		buf_str(out, inet_ntop(AF_INET6, rdata, ip, sizeof(ip)));
	else if (type == TYPE_NS || type == TYPE_CNAME || type == TYPE_PTR || type == TYPE_DNAME)
		add_name_text(out, rdata, n);
	else if (type == TYPE_TXT)
		add_strings(out, rdata, n);
	else if (type == TYPE_SOA)
		add_soa(out, rdata, n);
	else if (type == TYPE_SRV && n > 6)
		add_numbered(out, rdata, n, 6);
	else if (type == TYPE_MX && n > 2)
		add_numbered(out, rdata, n, 2);
	else
		add_hex(out, rdata, n);
}

void explain_add_set(struct explanation *x, const struct rrset *set)
{
	struct buf text = {0};
	uint16_t n;

	for (unsigned i = 0; set != NULL && i < set->count; i++) {
		const uint8_t *rdata = rrset_rdata(set, i, &n);

		buf_clear(&text);
		if (x->n_values < EXPLAIN_VALUES)
			explain_rdata_text(&text, set->type, rdata, n);
		explain_add_value(x, "%s", buf_text(&text));
	}
	buf_free(&text);
}

/* --- lists of names ---------------------------------------------------------------------- */

bool explain_wants_name(const struct explain_names *l, const uint8_t *name)
{
	char text[NAME_TEXT_MAX];
	size_t n;

	if (l->pattern == NULL)
		return true;
	n = name_to_text(text, name);
	if (n > 1 && text[n - 1] == '.')
		text[n - 1] = '\0';
	return fnmatch(l->pattern, text, FNM_CASEFOLD) == 0;
}

void explain_add_name(
	struct explain_names *l, const uint8_t *name, uint16_t type, const char *values)
{
	char text[NAME_TEXT_MAX], type_text[16];
	struct buf line = {0};

	if (!explain_wants_name(l, name))
		return;
	if (l->lines.len >= EXPLAIN_NAMES_MAX) {
		l->left_out++;
		return;
	}
	name_to_text(text, name);
	buf_printf(&line, "%s %s %s\n", text, rr_type_text(type, type_text), values);
	vec_push(&l->lines, line.at);
}

void explain_add_records(struct explain_names *l, const uint8_t *name, const struct rrset *set)
{
	struct buf values = {0};
	uint16_t n;

	if (set == NULL || !explain_wants_name(l, name))
		return;
	for (unsigned i = 0; i < set->count; i++) {
		const uint8_t *rdata = rrset_rdata(set, i, &n);

		if (i > 0)
			buf_char(&values, ' ');
		if (i == EXPLAIN_VALUES) {
			buf_printf(&values, "and %u more", set->count - i);
			break;
		}
		explain_rdata_text(&values, set->type, rdata, n);
	}
	explain_add_name(l, name, set->type, buf_text(&values));
	buf_free(&values);
}
