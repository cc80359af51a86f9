/*
 * Inside of the Corefile parser: the stream of tokens with imports replaced, shared by
 * corefile.c (entry), blocks.c and lines.c (grammar), import.c (files and snippets) and env.c
 * (variables). Nobody else includes it. A parser lives for one corefile_parse() or corefile_read();
 * what the tree keeps is in the arena of the corefile.
 */
#pragma once

#include "base/map.h"
#include "base/vec.h"
#include "conf/corefile.h"
#include "conf/lexer.h"

/* Where tokens come from: the file, and what imported it; a chain up to the main file. */
struct origin {
	const char *file;
	const char *snippet; /* NULL: the tokens of a file */
	const struct origin *parent;
	unsigned depth;
	uint32_t unclosed_quote_line; /* of the file; 0: none */
};

struct token_list {
	const struct raw_token *at;
	size_t len;
};

struct frame {
	struct token_list tokens;
	size_t next;
	const struct origin *origin;
};

/* An import statement. */
struct importer {
	const char *what; /* snippet, file or pattern as written */
	const struct origin *origin;
	uint32_t line;
};

struct snippet {
	const char *name;
	struct token_list tokens;
	const struct origin *origin;
	uint32_t line;
};

struct directive_list {
	VEC(struct directive) list;
};

/* Where a brace or a server block opens. */
struct opening {
	const struct origin *origin;
	uint32_t line;
	unsigned nesting; /* 0: a server block */
	bool has_no_brace; /* a server block that lasts to the end of the file */
};

struct parser {
	struct corefile *tree;
	struct arena *arena; /* of the tree */
	const struct corefile_options *options;
	VEC(struct frame) stack; /* innermost import last */
	struct map snippets; /* name -> struct snippet */
	VEC(const char *) files;
	VEC(const char *) globs;
	size_t read_count; /* tokens cut from all files */
	size_t token_count; /* tokens taken, those of repeated snippets counted again */
	size_t expanded_bytes, snippet_imports, file_imports;
	struct err *e;
};

/* The next token and its origin, or NULL at the end. It is not taken. */
const struct raw_token *parser_peek(struct parser *p, const struct origin **origin);
/* Take the token that parser_peek() gave. 0, or -E2BIG when there are too many. */
int parser_take(struct parser *p);
/* Write `FILE:LINE - Error during parsing: ...` and return -EINVAL. */
int parser_fail(struct parser *p, const struct origin *o, uint32_t line, const char *fmt, ...)
        __attribute__((format(printf, 4, 5)));
/* True when t is the brace (and not quoted). */
bool is_brace(const struct raw_token *t, char brace);
/* True when t is an import directive. */
bool is_import(const struct raw_token *t);

/* Put the tokens of text in front of the stream, under the name file. 0 or -EINVAL. */
int parser_push_text(
        struct parser *p, const char *file, struct str text, const struct origin *parent);
/*
 * Read a file (at most COREFILE_MAX_SIZE) and push its tokens. by is the import statement, NULL
 * for the main file. 0 or a negative errno.
 */
int parser_push_file(struct parser *p, const char *path, const struct importer *by);
/* Take `import WHAT` from the stream and push what it names. 0 or a negative errno. */
int parser_import(struct parser *p);
/* Replace {$VAR} and {%VAR%} in a token. 0 and *out in the arena, or -E2BIG. */
int parser_expand(
        struct parser *p, const struct raw_token *t, const struct origin *o, const char **out);

/* Parse the whole stream into the server blocks of the tree. 0 or a negative errno. */
int parser_blocks(struct parser *p);
/*
 * Parse the lines behind an opening up to its `}`, which is left, or, without a brace, to the end
 * of the file. They are appended to out. 0 or a negative errno.
 */
int parser_lines(struct parser *p, const struct opening *open, struct directive_list *out);
/* Expand and take the next token t of origin o. 0, or -E2BIG. */
int parser_take_token(
        struct parser *p, const struct raw_token *t, const struct origin *o, struct token *out);
/* The error for an end of file before the `}` of open; a quote without end is named first. */
int parser_fail_unclosed(struct parser *p, const struct opening *open);
/* The error for a `}` too many. */
int parser_fail_closing(struct parser *p, const struct origin *o, const struct raw_token *t);
/* Copy an array of so many bytes into the arena of the tree; NULL when it is empty. */
void *parser_keep(struct parser *p, const void *at, size_t bytes);
