/*
 * A Corefile tree as one line of text, for comparing: `keys{directive args{options};...}`.
 */
#pragma once

#include "base/str.h"
#include "conf/corefile.h"

static inline void tree_write_lines(struct buf *out, const struct directive *lines, size_t n)
{
	for (size_t k = 0; k < n; k++) {
		const struct directive *d = &lines[k];

		buf_printf(out, "%s%s", k == 0 ? "" : ";", d->name);
		for (size_t i = 0; i < d->arg_count; i++)
			buf_printf(out, " %s", d->args[i].text);
		if (!d->has_block)
			continue;
		buf_str(out, "{");
		tree_write_lines(out, d->lines, d->line_count);
		buf_str(out, "}");
	}
}

static inline void tree_write(struct buf *out, const struct corefile *c)
{
	corefile_for_each_block (c, b) {
		for (size_t i = 0; i < b->key_count; i++)
			buf_printf(out, "%s%s", i == 0 ? "" : " ", b->keys[i].text);
		buf_str(out, "{");
		tree_write_lines(out, b->directives, b->directive_count);
		buf_str(out, "}");
	}
}
