/* Label and field selectors: a=b, a!=b, a in (x,y), a notin (x,y), a, !a. */
#include "sim.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static void skip_blank(const char **p)
{
	while (**p == ' ')
		(*p)++;
}

/* A key or value; false when it is empty or too long. */
static bool take_word(const char **p, char *out, size_t size)
{
	size_t n;

	skip_blank(p);
	n = strcspn(*p, " ,=!()");
	if (n == 0 || n >= size)
		return false;
	memcpy(out, *p, n);
	out[n] = '\0';
	*p += n;
	skip_blank(p);
	return true;
}

static bool take_set(const char **p, struct requirement *r)
{
	char word[320];

	skip_blank(p);
	if (*(*p)++ != '(')
		return false;
	for (;;) {
		if (!take_word(p, word, sizeof(word)))
			return false;
		vec_push(&r->values, mem_str(word));
		if (**p == ')') {
			(*p)++;
			return true;
		}
		if (*(*p)++ != ',')
			return false;
	}
}

static bool take_value(const char **p, struct requirement *r)
{
	char word[320] = "";

	skip_blank(p);
	if (**p != ',' && **p != '\0' && !take_word(p, word, sizeof(word)))
		return false;
	vec_push(&r->values, mem_str(word));
	return true;
}

static bool take_requirement(const char **p, struct requirement *r)
{
	skip_blank(p);
	if (**p == '!') {
		(*p)++;
		r->op = '!';
		return take_word(p, r->key, sizeof(r->key));
	}
	if (!take_word(p, r->key, sizeof(r->key)))
		return false;
	r->op = 'e';
	if (strncmp(*p, "in", 2) == 0) {
		*p += 2;
		r->op = '=';
		return take_set(p, r);
	}
	if (strncmp(*p, "notin", 5) == 0) {
		*p += 5;
		r->op = '~';
		return take_set(p, r);
	}
	if (strncmp(*p, "!=", 2) == 0) {
		*p += 2;
		r->op = '~';
		return take_value(p, r);
	}
	if (**p == '=') {
		*p += (*p)[1] == '=' ? 2 : 1;
		r->op = '=';
		return take_value(p, r);
	}
	return true;
}

bool selector_parse(struct selector *s, const char *text)
{
	const char *p = text;

	while (*p != '\0') {
		struct requirement r = {0};
		bool ok = take_requirement(&p, &r);

		vec_push(&s->all, r);
		skip_blank(&p);
		if (!ok || (*p != ',' && *p != '\0'))
			return false;
		if (*p == ',' && *++p == '\0')
			return false;
	}
	return true;
}

void selector_free(struct selector *s)
{
	vec_for_each (&s->all, r) {
		vec_for_each (&r->values, v)
			free(*v);
		vec_free(&r->values);
	}
	vec_free(&s->all);
}

static bool requirement_holds(const struct requirement *r, const char *value)
{
	bool in = false;

	if (r->op == '!')
		return value == NULL;
	if (r->op == 'e')
		return value != NULL;
	vec_for_each (&r->values, v) {
		if (value != NULL && strcmp(*v, value) == 0)
			in = true;
	}
	return r->op == '=' ? in : !in;
}

bool selector_matches_labels(const struct selector *s, const json_t *labels)
{
	vec_for_each (&s->all, r) {
		if (!requirement_holds(r, json_string_value(json_object_get(labels, r->key))))
			return false;
	}
	return true;
}

bool selector_matches_fields(const struct selector *s, const struct object *o)
{
	vec_for_each (&s->all, r) {
		const char *value = NULL;

		if (strcmp(r->key, "metadata.name") == 0)
			value = o->name;
		else if (strcmp(r->key, "metadata.namespace") == 0)
			value = o->namespace;
		else if (strcmp(r->key, "status.phase") == 0)
			value = o->phase;
		if (!requirement_holds(r, value))
			return false;
	}
	return true;
}

bool ask_matches(const struct ask *a, const struct object *o)
{
	if (o == NULL || (a->namespace[0] && strcmp(a->namespace, o->namespace) != 0))
		return false;
	if (a->name[0] && strcmp(a->name, o->name) != 0)
		return false;
	return selector_matches_labels(&a->labels, o->labels) &&
	       selector_matches_fields(&a->fields, o);
}
