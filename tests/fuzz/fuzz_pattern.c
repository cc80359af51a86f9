/*
 * A regular expression, a template and a text, a line each: every part of a match lies in the
 * text, and what is expanded fits.
 */
#include "fuzz.h"

#include <string.h>

#include "base/must.h"
#include "base/pattern.h"

static void check_match(const struct pattern *p, struct str text, const char *template)
{
	struct pattern_match m;
	char out[300];
	size_t n;

	if (!pattern_match(p, text, &m))
		return;
	must(m.n >= 1 && m.n <= PATTERN_GROUPS);
	for (unsigned i = 0; i < PATTERN_GROUPS; i++)
		must(m.at[i].len == 0 ||
		        (m.at[i].at >= text.at && m.at[i].at + m.at[i].len <= text.at + text.len));
	n = pattern_expand(out, sizeof(out), template, &m);
	must(n < sizeof(out) && (n == 0 || out[n] == '\0'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = {(const char *)data, size};
	struct str line = str_cut(&rest, '\n'), template_line = str_cut(&rest, '\n');
	struct buf text = {0}, template = {0};
	struct pattern *p;
	struct err e;

	buf_add(&text, line.at, line.len);
	buf_add(&template, template_line.at, template_line.len);
	p = pattern_new(buf_text(&text), &e);
	if (p != NULL) {
		must(pattern_group(p, rest) < (int)PATTERN_GROUPS);
		check_match(p, rest.len == 0 ? STR("") : rest, buf_text(&template));
	}
	pattern_free(p);
	buf_free(&text);
	buf_free(&template);
	return 0;
}
