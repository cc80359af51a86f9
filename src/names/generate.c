#include "names/generate.h"

#include <errno.h>
#include <stdio.h>

#include "base/num.h"

#define NUMBER_MAX INT32_MAX
#define WIDTH_MAX 255u

/* How a number is written. */
struct form {
	int64_t offset;
	uint16_t width; /* filled up with zeros */
	char base; /* d o x X */
};

int generate_range(struct str word, struct generate *g)
{
	struct str start = str_cut(&word, '-'), stop = str_cut(&word, '/');

	g->step = 1;
	if (num_u32(start, NUMBER_MAX, &g->start) != 0 ||
	        num_u32(stop, NUMBER_MAX, &g->stop) != 0 ||
	        (word.at != NULL && num_u32(word, NUMBER_MAX, &g->step) != 0))
		return -EINVAL;
	if (g->step == 0 || g->stop < g->start ||
	        (g->stop - g->start) / g->step >= GENERATE_LINES_MAX)
		return -EINVAL;
	return 0;
}

/* OFFSET[,WIDTH[,BASE]] */
static int read_form(struct str text, struct form *f)
{
	struct str offset = str_cut(&text, ','), width = str_cut(&text, ',');
	bool is_negative = offset.len > 0 && offset.at[0] == '-';
	uint32_t n;

	*f = (struct form){0, 0, 'd'};
	if (is_negative || (offset.len > 0 && offset.at[0] == '+'))
		offset = (struct str){offset.at + 1, offset.len - 1};
	if (num_u32(offset, NUMBER_MAX, &n) != 0)
		return -EINVAL;
	f->offset = is_negative ? -(int64_t)n : (int64_t)n;
	if (width.at != NULL && num_u16(width, WIDTH_MAX, &f->width) != 0)
		return -EINVAL;
	if (text.at == NULL)
		return 0;
	if (text.len != 1 || strchr("doxX", text.at[0]) == NULL)
		return -EINVAL;
	f->base = text.at[0];
	return 0;
}

static void add_number(struct buf *out, uint32_t v, const struct form *f)
{
	switch (f->base) {
	case 'o': buf_printf(out, "%0*o", f->width, v); break;
	case 'x': buf_printf(out, "%0*x", f->width, v); break;
	case 'X': buf_printf(out, "%0*X", f->width, v); break;
	default: buf_printf(out, "%0*u", f->width, v); break;
	}
}

/* What stands behind a `$`, from *rest on. */
static const char *add_hole(struct buf *out, struct str *rest, uint32_t value)
{
	struct form f = {0, 0, 'd'};
	int64_t v;

	if (str_has_prefix(*rest, "$")) {
		buf_char(out, '$');
		*rest = (struct str){rest->at + 1, rest->len - 1};
		return NULL;
	}
	if (str_has_prefix(*rest, "{")) {
		struct str inside = {rest->at + 1, rest->len - 1}, text = str_cut(&inside, '}');

		if (inside.at == NULL || read_form(text, &f) != 0)
			return "$GENERATE takes ${OFFSET,WIDTH,BASE} with a base of d, o, x or X";
		*rest = inside;
	}
	v = (int64_t)value + f.offset;
	if (v < 0 || v > NUMBER_MAX)
		return "an offset of $GENERATE leads out of the numbers that there are";
	add_number(out, (uint32_t)v, &f);
	return NULL;
}

const char *generate_line(struct buf *out, struct str line, uint32_t value)
{
	const char *why = NULL;

	while (line.len > 0 && why == NULL) {
		char c = line.at[0];

		line = (struct str){line.at + 1, line.len - 1};
		if (c == '$') {
			why = add_hole(out, &line, value);
			continue;
		}
		if (c == '\\' && line.len > 0) { /* \$ is a dollar, other escapes stay */
			if (line.at[0] != '$')
				buf_char(out, c);
			c = line.at[0];
			line = (struct str){line.at + 1, line.len - 1};
		}
		buf_char(out, c);
	}
	return why;
}
