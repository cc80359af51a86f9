/*
 * The Corefile: text or file -> tree of server blocks, directives and option lines, each with the
 * file and line it stands at. Snippets, imports and environment variables are already replaced.
 * Called by the control thread at start and reload, by `check`, and by tests. The whole tree is
 * immutable and lives in one arena, freed by corefile_free(); nothing else owns parts of it.
 *
 *     struct corefile *c;
 *     struct err e;
 *
 *     if (corefile_read(path, NULL, &c, &e) != 0)
 *             die(e.text);
 *     corefile_for_each_block(c, b)
 *             block_for_each(b, d)
 *                     setup(d);    (d->name, d->args; options: directive_for_each(d, o))
 *     corefile_free(c);
 *
 * A directive and an option line inside its braces are the same structure, so that the readers of
 * conf/args.h serve both. Reading the keys (zones, ports) is the work of conf/zonekey.h.
 *
 * Errors read `FILE:LINE - Error during parsing: what`. One deviation from CoreDNS: a quoted "{" or
 * "}" is text and no brace.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

/* Limits; a Corefile that needs more is refused with an error that names the limit. */
#define COREFILE_MAX_SIZE (1u << 20) /* bytes of one file */
#define COREFILE_MAX_TOKENS (1u << 18) /* tokens after expansion */
#define COREFILE_MAX_EXPANDED (16u << 20) /* bytes of text that environment variables make */
#define COREFILE_MAX_SNIPPET_IMPORTS 10000 /* times that snippets are imported */
#define COREFILE_MAX_FILE_IMPORTS 100000 /* files imported, each time counted */
#define COREFILE_MAX_IMPORT_DEPTH 32 /* import inside import */
#define COREFILE_MAX_NESTING 16 /* braces inside braces */

/* What is served when there is no Corefile; no port is written, so that -dns.port counts. */
#define COREFILE_DEFAULT_TEXT ". {\n    whoami\n    log\n}\n"

/* A word and its place. */
struct token {
	const char *text; /* environment variables replaced; may be "" */
	const char *file;
	uint32_t line;
};

/* One line of a server block (`cache 30 {`) or of a directive's braces (`success 9984 30`). */
struct directive {
	const char *name; /* first word: directive, option, or data such as an address */
	const struct token *args; /* the words after it */
	size_t arg_count;
	const struct directive *lines; /* lines in its own braces */
	size_t line_count;
	bool has_block; /* braces were written, perhaps with nothing inside */
	const char *file;
	uint32_t line;
	const struct directive *parent; /* NULL for a directive; else the line it stands in */
	const struct server_block *block; /* the server block around it */
};

struct server_block {
	const struct token *keys; /* as written, without commas; at least one */
	size_t key_count;
	const struct directive *directives; /* in file order; several may have one name */
	size_t directive_count;
	const char *file;
	uint32_t line;
};

struct corefile {
	struct arena arena;
	const struct server_block *blocks;
	size_t block_count;
	const char *const *files; /* every file that was read, in order, each once */
	size_t file_count;
	const char *const
	        *globs; /* glob patterns of imports: files that appear later match these */
	size_t glob_count;
	uint8_t sha512[64]; /* of all keys and tokens with file and line */
};

struct corefile_options {
	/* Refuse `import` of files (fuzzing, text from a web page). Snippets still work. */
	bool no_files;
	/* NULL-ended list of the directives that exist; NULL accepts every name. */
	const char *const *known;
	/* Value of an environment variable or NULL; a NULL function means getenv(). */
	const char *(*env)(void *arg, const char *name);
	void *env_arg;
};

/*
 * Read and parse the Corefile at path. options may be NULL. 0 and *out, to be freed with
 * corefile_free(); or a negative errno with e filled (-ENOENT: no such file).
 */
int corefile_read(const char *path, const struct corefile_options *options, struct corefile **out,
        struct err *e);
/*
 * Parse text; name stands for the file in errors, and relative imports start in its directory.
 * name is not put in the list of files. Errors and ownership as corefile_read().
 */
int corefile_parse(const char *name, struct str text, const struct corefile_options *options,
        struct corefile **out, struct err *e);
/* Free the tree and everything that points into it. NULL is allowed. */
void corefile_free(struct corefile *c);

/* The hash as 128 hexadecimal digits and a NUL. */
void corefile_hash_text(const struct corefile *c, char out[129]);
/* Argument i (from 0) of a directive or option line as text, or NULL when it is not there. */
const char *directive_arg(const struct directive *d, size_t i);
/* The directive of the server block that d stands in; d itself when it is one. */
const struct directive *directive_top(const struct directive *d);
/*
 * The next directive called name in b after `after` (NULL: the first), or NULL: all uses of one
 * directive in a block belong together.
 */
const struct directive *block_find(
        const struct server_block *b, const char *name, const struct directive *after);

/* Walks; what is empty has no array, and NULL + 0 is undefined in C. */
#define corefile_for_each_block(c, b)                    \
	for (const struct server_block *b = (c)->blocks; \
	        b != NULL && b < (c)->blocks + (c)->block_count; b++)
#define block_for_each(b, d)                              \
	for (const struct directive *d = (b)->directives; \
	        d != NULL && d < (b)->directives + (b)->directive_count; d++)
#define directive_for_each(d, o)                     \
	for (const struct directive *o = (d)->lines; \
	        o != NULL && o < (d)->lines + (d)->line_count; o++)
