/*
 * Texts with holes, in the syntax of Go's text/template as far as records need it: compiled when
 * the configuration is read, so that a mistake has its file and line, and expanded for each
 * question.
 *
 *     {{ .Name }} {{ .Zone }} {{ .Class }} {{ .Type }} {{ .Remote }}
 *     {{ .Group.name }} {{ index .Match 1 }} {{ index .Group "name" }} {{ .Meta "kubernetes/kind"
 * }}
 *     {{ .Question.Name }} {{ .Question.Qtype }} {{ .Question.Qclass }} {{ .Message.Id }}
 *     {{ parseInt .Group.hex 16 8 }}     a number in another base, that must fit into so many bits
 *
 * "{{-" and "-}}" take blanks away, as in Go. Anything else is refused.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/pattern.h"
#include "base/str.h"
#include "base/vec.h"

enum hole_kind {
	HOLE_TEXT, /* no hole: text */
	HOLE_NAME,
	HOLE_ZONE,
	HOLE_CLASS,
	HOLE_TYPE,
	HOLE_REMOTE,
	HOLE_QTYPE,
	HOLE_QCLASS,
	HOLE_ID,
	HOLE_MATCH, /* group number */
	HOLE_GROUP, /* group name */
	HOLE_META,
};

struct hole {
	enum hole_kind kind;
	struct str text; /* text, name of a group, key */
	uint32_t number; /* of a group */
	uint8_t base, bits; /* parseInt; base 0: none */
};

struct program {
	VEC(struct hole) holes;
};

/* What holes are filled with. */
struct filling {
	struct str name, zone, class_text, type_text, remote;
	uint32_t qtype, qclass, id;
	const struct pattern *pattern;
	const struct pattern_match *match;
	/* The value of a metadata key; false when there is none. */
	bool (*meta)(void *arg, struct str key, struct str *out);
	void *arg;
};

/* Compile text (copied into a). 0, or -EINVAL with a sentence in e; program_fini() in either case.
 */
int program_init(struct program *p, struct arena *a, const char *text, struct err *e);
/* Free it. */
void program_fini(struct program *p);
/* Write the text to out; its length without the NUL, or -1 when it does not fit or a number is
 * none. */
int program_expand(const struct program *p, const struct filling *f, char *out, size_t size);
