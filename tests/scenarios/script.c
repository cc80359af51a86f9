#include "script.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"

static struct step *add_step(struct script *s, struct str line, unsigned number)
{
	struct step *step = arena_new(&s->arena, struct step);
	struct str word;

	step->line = number;
	while ((word = str_word(&line)).len > 0)
		vec_push(&step->words, arena_dup(&s->arena, word.at, word.len));
	vec_push(&s->steps, step);
	return step;
}

/* Lines up to "end" as they stand. */
static void take_text(struct step *step, struct str *rest, unsigned *number)
{
	while (rest->at != NULL) {
		struct str line = str_cut(rest, '\n');

		(*number)++;
		if (str_is(str_trim(line), "end"))
			return;
		buf_add(&step->text, line.at, line.len);
		buf_char(&step->text, '\n');
	}
}

struct script *script_read(const char *path)
{
	struct script *s = mem_new(struct script);
	struct buf text = {0};
	struct str rest;
	struct step *step = NULL;

	arena_init(&s->arena);
	s->path = path;
	must(buf_read_file(&text, path, 1 << 20) == 0);
	rest = (struct str){text.at, text.len};
	for (unsigned number = 1; rest.at != NULL; number++) {
		struct str line = str_cut(&rest, '\n'), trimmed = str_trim(line);

		if (trimmed.len == 0 || trimmed.at[0] == '#')
			continue;
		if (line.at[0] == ' ' || line.at[0] == '\t') {
			must(step != NULL);
			vec_push(&step->records, arena_dup(&s->arena, trimmed.at, trimmed.len));
			continue;
		}
		step = add_step(s, trimmed, number);
		if (step_has(step, 1, "<<"))
			take_text(step, &rest, &number);
	}
	buf_free(&text);
	return s;
}

void script_free(struct script *s)
{
	vec_for_each(&s->steps, at) {
		vec_free(&(*at)->words);
		vec_free(&(*at)->records);
		buf_free(&(*at)->text);
	}
	vec_free(&s->steps);
	arena_reset(&s->arena);
	free(s);
}

const char *step_word(const struct step *s, size_t i)
{
	return i < s->words.len ? s->words.at[i] : "";
}

bool step_has(const struct step *s, size_t i, const char *word)
{
	for (; i < s->words.len; i++)
		if (strcmp(s->words.at[i], word) == 0)
			return true;
	return false;
}

const char *step_value(const struct step *s, const char *word)
{
	for (size_t i = 1; i + 1 < s->words.len; i++)
		if (strcmp(s->words.at[i], word) == 0)
			return s->words.at[i + 1];
	return NULL;
}
