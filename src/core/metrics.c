#include "core/metrics.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"

struct sample {
	struct list node;
	const char *labels;
	double value;
	const double *bounds; /* histogram: of the caller, constant */
	size_t n;
	uint64_t *counts; /* n + 1 */
};

struct family {
	struct list node;
	const struct metric_family *f;
	struct list samples;
	struct map by_labels;
};

struct metrics {
	struct arena arena;
	struct list families; /* in the order of their first sample */
	struct map by_name;
};

struct metrics *metrics_new(void)
{
	struct metrics *m = mem_new(struct metrics);

	arena_init(&m->arena);
	list_init(&m->families);
	map_init(&m->by_name);
	return m;
}

static struct family *family_of(struct metrics *m, const struct metric_family *f)
{
	struct family *family = map_get(&m->by_name, str_from(f->name));

	if (family != NULL)
		return family;
	family = arena_new(&m->arena, struct family);
	family->f = f;
	list_init(&family->samples);
	map_init(&family->by_labels);
	list_push(&m->families, &family->node);
	map_put(&m->by_name, str_from(f->name), family);
	return family;
}

/* The sample with these labels, made when it is new: no two lines may have the same labels. */
static struct sample *sample_of(
	struct metrics *m, const struct metric_family *f, const char *labels)
{
	struct family *family = family_of(m, f);
	struct sample *s = map_get(&family->by_labels, str_from(labels));

	if (s != NULL)
		return s;
	s = arena_new(&m->arena, struct sample);
	s->labels = arena_str(&m->arena, labels);
	list_push(&family->samples, &s->node);
	map_put(&family->by_labels, str_from(s->labels), s);
	return s;
}

void metrics_sample(
	struct metrics *m, const struct metric_family *f, const char *labels, double value)
{
	struct sample *s = sample_of(m, f, labels);

	s->value = f->type == METRIC_COUNTER ? s->value + value : value;
}

void metrics_histogram(struct metrics *m, const struct metric_family *f, const char *labels,
	const struct metric_histogram *h)
{
	struct sample *s = sample_of(m, f, labels);

	if (s->counts == NULL) {
		s->bounds = h->bounds;
		s->n = h->n;
		s->counts = arena_alloc(&m->arena, (h->n + 1) * sizeof(*s->counts));
	}
	for (size_t i = 0; i <= h->n && i <= s->n; i++)
		s->counts[i] += h->counts[i];
	s->value += h->sum;
}

/* The shortest decimal text that reads back as the same number. */
static const char *number_text(char out[32], double v)
{
	if (isnan(v))
		return "NaN";
	if (isinf(v))
		return v > 0 ? "+Inf" : "-Inf";
	if (v == floor(v) && fabs(v) < 1e15) {
		snprintf(out, 32, "%.0f", v);
		return out;
	}
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(out, 32, "%.*g", digits, v);
		if (strtod(out, NULL) == v)
			break;
	}
	return out;
}

/* HELP text: backslash and newline are escaped, quotes are not. */
static void write_help(struct buf *out, const char *help)
{
	for (; *help != '\0'; help++) {
		if (*help == '\n')
			buf_str(out, "\\n");
		else if (*help == '\\')
			buf_str(out, "\\\\");
		else
			buf_char(out, *help);
	}
}

static void write_sample(struct buf *out, const char *name, const struct sample *s)
{
	char number[32];

	buf_str(out, name);
	if (s->labels[0] != '\0')
		buf_printf(out, "{%s}", s->labels);
	buf_printf(out, " %s\n", number_text(number, s->value));
}

static void write_histogram(struct buf *out, const char *name, const struct sample *s)
{
	const char *comma = s->labels[0] == '\0' ? "" : ",";
	const char *open = s->labels[0] == '\0' ? "" : "{", *close = *open == '\0' ? "" : "}";
	uint64_t total = 0;
	char number[32];

	for (size_t i = 0; i <= s->n; i++) {
		total += s->counts[i];
		buf_printf(out, "%s_bucket{%s%sle=\"%s\"} %llu\n", name, s->labels, comma,
			i == s->n ? "+Inf" : number_text(number, s->bounds[i]),
			(unsigned long long)total);
	}
	buf_printf(out, "%s_sum%s%s%s %s\n", name, open, s->labels, close,
		number_text(number, s->value));
	buf_printf(out, "%s_count%s%s%s %llu\n", name, open, s->labels, close,
		(unsigned long long)total);
}

static void write_family(struct buf *out, struct family *family)
{
	static const char *const types[] = {"counter", "gauge", "histogram"};
	const struct metric_family *f = family->f;

	buf_printf(out, "# HELP %s ", f->name);
	write_help(out, f->help);
	buf_printf(out, "\n# TYPE %s %s\n", f->name, types[f->type]);
	list_for_each(&family->samples, node) {
		const struct sample *s = container_of(node, struct sample, node);

		if (f->type == METRIC_HISTOGRAM)
			write_histogram(out, f->name, s);
		else
			write_sample(out, f->name, s);
	}
}

void metrics_finish(struct metrics *m, struct buf *out)
{
	list_for_each(&m->families, node) {
		struct family *family = container_of(node, struct family, node);

		write_family(out, family);
		map_fini(&family->by_labels);
	}
	map_fini(&m->by_name);
	arena_reset(&m->arena);
	free(m);
}

void metrics_label(struct buf *b, const char *name, const char *value)
{
	struct str rest = str_from(value);

	if (b->len > 0)
		buf_char(b, ',');
	buf_printf(b, "%s=\"", name);
	while (rest.len > 0) {
		size_t n = str_utf8_len(rest);

		if (*rest.at == '\n')
			buf_str(b, "\\n");
		else if (*rest.at == '\\' || *rest.at == '"')
			buf_printf(b, "\\%c", *rest.at);
		else if (n > 0)
			buf_add(b, rest.at, n);
		else
			buf_str(b, "\xef\xbf\xbd"); /* U+FFFD: readers refuse the whole page */
		n = n > 0 ? n : 1;
		rest = (struct str){rest.at + n, rest.len - n};
	}
	buf_char(b, '"');
}
