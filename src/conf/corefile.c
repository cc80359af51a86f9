#include "conf/corefile.h"

#include <errno.h>
#include <stdio.h>

#include "base/mem.h"
#include "conf/parser.h"
#include "conf/sha512.h"

static void hash_word(struct sha512 *h, const char *text, const char *file, uint32_t line)
{
	char place[16];
	int n = snprintf(place, sizeof(place), "%u", line);

	sha512_add(h, text, strlen(text) + 1);
	sha512_add(h, file, strlen(file) + 1);
	sha512_add(h, place, (size_t)n + 1);
}

static void hash_lines(struct sha512 *h, const struct directive *lines, size_t n)
{
	sha512_add(h, "{", 1);
	for (size_t k = 0; k < n; k++) {
		const struct directive *d = &lines[k];

		hash_word(h, d->name, d->file, d->line);
		for (size_t i = 0; i < d->arg_count; i++)
			hash_word(h, d->args[i].text, d->args[i].file, d->args[i].line);
		sha512_add(h, "\n", 1);
		if (d->has_block)
			hash_lines(h, d->lines, d->line_count);
	}
	sha512_add(h, "}", 1);
}

static void hash_tree(struct corefile *c)
{
	struct sha512 h;

	sha512_init(&h);
	corefile_for_each_block (c, b) {
		for (size_t i = 0; i < b->key_count; i++)
			hash_word(&h, b->keys[i].text, b->keys[i].file, b->keys[i].line);
		hash_lines(&h, b->directives, b->directive_count);
	}
	sha512_end(&h, c->sha512);
}

static void parser_init(struct parser *p, const struct corefile_options *options, struct err *e)
{
	static const struct corefile_options none = {0};

	*p = (struct parser){.options = options == NULL ? &none : options, .e = e};
	p->tree = mem_new(struct corefile);
	p->arena = &p->tree->arena;
	arena_init(p->arena);
	map_init(&p->snippets);
}

/* Move the lists into the tree, free the rest, and hand out the tree when rc is 0. */
static int parser_finish(struct parser *p, int rc, struct corefile **out)
{
	struct corefile *c = p->tree;

	c->files = parser_keep(p, p->files.at, p->files.len * sizeof(*p->files.at));
	c->file_count = p->files.len;
	c->globs = parser_keep(p, p->globs.at, p->globs.len * sizeof(*p->globs.at));
	c->glob_count = p->globs.len;
	vec_free(&p->files);
	vec_free(&p->globs);
	vec_free(&p->stack);
	map_fini(&p->snippets);
	if (rc != 0) {
		corefile_free(c);
		return rc;
	}
	hash_tree(c);
	*out = c;
	return 0;
}

int corefile_read(const char *path, const struct corefile_options *options, struct corefile **out,
        struct err *e)
{
	struct parser p;
	struct err unused;
	int rc;

	parser_init(&p, options, e == NULL ? &unused : e);
	rc = parser_push_file(&p, path, NULL);
	if (rc == 0)
		rc = parser_blocks(&p);
	return parser_finish(&p, rc, out);
}

int corefile_parse(const char *name, struct str text, const struct corefile_options *options,
        struct corefile **out, struct err *e)
{
	struct parser p;
	struct err unused;
	int rc;

	parser_init(&p, options, e == NULL ? &unused : e);
	if (text.len > COREFILE_MAX_SIZE)
		rc = err_set(p.e, -EFBIG, "%s is larger than %u bytes", name, COREFILE_MAX_SIZE);
	else
		rc = parser_push_text(&p, name, text, NULL);
	if (rc == 0)
		rc = parser_blocks(&p);
	return parser_finish(&p, rc, out);
}
