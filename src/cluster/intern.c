#include "cluster/intern.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/must.h"

struct shared_text {
	uint32_t users, len;
	char text[];
};

void intern_init(struct intern *t)
{
	map_init(&t->texts);
}

void intern_fini(struct intern *t)
{
	must(t->texts.len == 0);
	map_fini(&t->texts);
}

const char *intern_take(struct intern *t, const char *text)
{
	struct str key = str_from(text);
	struct shared_text *s;

	if (text == NULL)
		return NULL;
	s = map_get(&t->texts, key);
	if (s == NULL) {
		s = mem_alloc(sizeof(*s) + key.len + 1);
		memcpy(s->text, text, key.len + 1);
		s->len = (uint32_t)key.len;
		map_put(&t->texts, (struct str){s->text, key.len}, s);
	}
	s->users++;
	return s->text;
}

void intern_drop(struct intern *t, const char *text)
{
	struct shared_text *s;

	if (text == NULL)
		return;
	s = (struct shared_text *)(uintptr_t)(text - offsetof(struct shared_text, text));
	must(s->users > 0);
	if (--s->users > 0)
		return;
	map_del(&t->texts, (struct str){s->text, s->len});
	free(s);
}
