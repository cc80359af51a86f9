#include <stdio.h>
#include <string.h>

#include "base/json_line.h"
#include "cli/doctor_private.h"

#define LINE_MAX_OCTETS 8192u

static const char *const verdicts[] = {"ok", "warning", "broken"};

void doctor_say(struct doctor *d, const char *check, enum doctor_verdict verdict,
        const char *remedy, const char *text)
{
	struct doctor_finding f = {.check = check, .verdict = verdict};

	f.text = arena_str(&d->arena, text);
	f.remedy = remedy == NULL ? NULL : arena_str(&d->arena, remedy);
	vec_push(&d->findings, f);
}

bool doctor_is_broken(const struct doctor *d)
{
	vec_for_each (&d->findings, f)
		if (f->verdict == DOCTOR_BROKEN)
			return true;
	return false;
}

/* What files say must not drive the terminal. */
static void print_text(const char *before, const char *text)
{
	struct buf b = {0};

	buf_escape(&b, str_from(text));
	printf("%s%s\n", before, buf_text(&b));
	buf_free(&b);
}

static void print_table(const struct doctor *d)
{
	char before[64];

	printf("%-16s %-8s %s\n", "CHECK", "VERDICT", "FINDING");
	vec_for_each (&d->findings, f) {
		snprintf(before, sizeof(before), "%-16s %-8s ", f->check, verdicts[f->verdict]);
		print_text(before, f->text);
		if (f->remedy != NULL)
			print_text("                          remedy: ", f->remedy);
	}
}

static void print_json(const struct doctor *d)
{
	char line[LINE_MAX_OCTETS];
	struct json_line l;
	const char *between = "[\n";

	vec_for_each (&d->findings, f) {
		json_line_begin(&l, line, sizeof(line));
		json_line_text(&l, "check", str_from(f->check), 64);
		json_line_text(&l, "verdict", str_from(verdicts[f->verdict]), 64);
		json_line_text(&l, "finding", str_from(f->text), LINE_MAX_OCTETS / 2);
		if (f->remedy != NULL)
			json_line_text(&l, "remedy", str_from(f->remedy), LINE_MAX_OCTETS / 2);
		printf("%s%.*s", between, (int)json_line_end(&l) - 1, line);
		between = ",\n";
	}
	printf("%s]\n", d->findings.len == 0 ? "[" : "\n");
}

void doctor_print(const struct doctor *d)
{
	if (d->is_json)
		print_json(d);
	else
		print_table(d);
}
