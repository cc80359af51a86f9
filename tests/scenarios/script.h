/*
 * Reading scenario files: a list of steps, each with its words and the lines that belong to it.
 */
#pragma once

#include "base/arena.h"
#include "base/str.h"
#include "base/vec.h"

struct step {
	unsigned line;
	VEC(const char *) words;
	VEC(const char *) records; /* indented lines of expect and reply */
	struct buf text;           /* lines up to "end" of corefile, objects, delete */
};

struct script {
	const char *path;
	struct arena arena;
	VEC(struct step *) steps;
};

/* Read a file; aborts when it cannot be read. Free with script_free(). */
struct script *script_read(const char *path);
/* Free it. */
void script_free(struct script *s);
/* Word i of a step, "" when there is none. */
const char *step_word(const struct step *s, size_t i);
/* True when word is among the words from i on. */
bool step_has(const struct step *s, size_t i, const char *word);
/* The word behind word, or NULL. */
const char *step_value(const struct step *s, const char *word);
