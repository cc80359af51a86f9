#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#include "core/metadata.h"
#include "rewrite/rewrite.h"

/* The words of a rule, of its line and of the lines in its braces, in a row. */
struct words {
	const struct directive *d;
	VEC(const char *) list;
	size_t at;
	struct rewrite *instance;
	struct chain *chain;
};

static const char *next(struct words *w)
{
	return w->at < w->list.len ? w->list.at[w->at++] : NULL;
}

static size_t left(const struct words *w)
{
	return w->list.len - w->at;
}

static bool take(struct words *w, const char *word)
{
	if (left(w) == 0 || strcasecmp(w->list.at[w->at], word) != 0)
		return false;
	w->at++;
	return true;
}

static int wants(const struct words *w, const char *what, struct err *e)
{
	return args_error(w->d, e, "%s", what);
}

/* --- matching --- */

/* `exact`, `prefix` ... when it stands there and n more words behind it. */
static bool take_kind(struct words *w, size_t n, enum match_kind *kind)
{
	static const char *const kinds[] = {"exact", "prefix", "suffix", "substring", "regex"};

	*kind = MATCH_EXACT;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (left(w) > n && take(w, kinds[i])) {
			*kind = (enum match_kind)i;
			return true;
		}
	}
	return false;
}

/* A word as names are compared: lower case; whole names and ends of names with the last dot. */
static void normalise(char *out, size_t size, const char *word, bool has_end)
{
	size_t n = strlen(word);

	n = n < size - 2 ? n : size - 2;
	for (size_t i = 0; i < n; i++)
		out[i] = word[i] >= 'A' && word[i] <= 'Z' ? (char)(word[i] + 32) : word[i];
	if (has_end && (n == 0 || out[n - 1] != '.'))
		out[n++] = '.';
	out[n] = '\0';
}

static int read_matcher(
        struct words *w, enum match_kind kind, bool is_changing, struct matcher *m, struct err *e)
{
	bool has_end = kind == MATCH_EXACT || kind == MATCH_SUFFIX;
	char from[REWRITE_TEXT_MAX], to[REWRITE_TEXT_MAX];
	const char *first = next(w), *second = is_changing ? next(w) : NULL;
	struct err why = {{0}};

	if (first == NULL || (is_changing && second == NULL))
		return wants(w, "too few words for a rule: expected FROM and TO", e);
	if (strlen(first) >= REWRITE_TEXT_MAX - 2 ||
	        (second != NULL && strlen(second) >= REWRITE_TEXT_MAX - 2))
		return wants(w, "a word is longer than any name", e);
	normalise(from, sizeof(from), first, has_end);
	if (second != NULL)
		normalise(to, sizeof(to), second, has_end);
	m->kind = kind;
	if (matcher_init(m, &w->instance->arena, kind == MATCH_REGEX ? first : from,
	            second != NULL ? to : NULL, &why) != 0)
		return args_error(w->d, e, "%s", why.text);
	return 0;
}

/* --- rules --- */

static void add_answer(struct rule *r, enum answer_part part, struct matcher m)
{
	struct answer_rule a = {.part = part, .matcher = m};

	vec_push(&r->answers, a);
}

/* `answer auto`, `answer name FROM TO`, `answer value FROM TO` */
static int read_answer(struct words *w, struct rule *r, struct err *e)
{
	struct matcher m = {0};
	enum answer_part part;
	int rc;

	if (take(w, "auto")) {
		r->is_undone = r->matcher.kind != MATCH_SUFFIX;
		if (r->is_undone)
			return 0;
		/* better than the name alone: all names with that end */
		add_answer(r, ANSWER_NAME, matcher_reverse(&r->matcher));
		add_answer(r, ANSWER_VALUE, matcher_reverse(&r->matcher));
		return 0;
	}
	if (take(w, "name"))
		part = ANSWER_NAME;
	else if (take(w, "value"))
		part = ANSWER_VALUE;
	else
		return wants(w, "`answer` needs auto, name FROM TO, or value FROM TO", e);
	rc = read_matcher(w, MATCH_REGEX, true, &m, e);
	if (rc == 0)
		add_answer(r, part, m);
	return rc;
}

static int read_name(struct words *w, struct rule *r, struct err *e)
{
	enum match_kind kind;
	int rc;

	take_kind(w, 2, &kind);
	rc = read_matcher(w, kind, true, &r->matcher, e);
	r->is_undone = kind == MATCH_EXACT;
	while (rc == 0 && left(w) > 0) {
		if (!take(w, "answer"))
			return args_error(
			        w->d, e, "unexpected '%s', expected answer", w->list.at[w->at]);
		rc = read_answer(w, r, e);
	}
	return rc;
}

static int read_type(struct words *w, struct rule *r, struct err *e)
{
	const char *from = next(w), *to = next(w);

	if (to == NULL)
		return wants(w, "a type rule needs FROM and TO", e);
	r->from = rr_type_from_text(str_from(from));
	r->to = rr_type_from_text(str_from(to));
	if (r->from == 0 || r->to == 0)
		return args_error(w->d, e, "unknown record type '%s'", r->from == 0 ? from : to);
	return 0;
}

static int read_class_word(struct words *w, const char *word, uint16_t *out, struct err *e)
{
	static const struct {
		const char *name;
		uint16_t v;
	} classes[] = {{"IN", CLASS_IN}, {"CH", CLASS_CH}, {"HS", CLASS_HS}};

	for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
		if (strcasecmp(word, classes[i].name) == 0) {
			*out = classes[i].v;
			return 0;
		}
	}
	return args_error(w->d, e, "unknown class '%s', expected IN, CH or HS", word);
}

static int read_class(struct words *w, struct rule *r, struct err *e)
{
	const char *from = next(w), *to = next(w);
	int rc;

	if (to == NULL)
		return wants(w, "a class rule needs FROM and TO", e);
	rc = read_class_word(w, from, &r->from, e);
	return rc == 0 ? read_class_word(w, to, &r->to, e) : rc;
}

/* SECONDS, MIN-MAX, -MAX or MIN- */
static int read_ttl_range(struct words *w, struct rule *r, struct err *e)
{
	const char *text = next(w), *dash = text == NULL ? NULL : strchr(text, '-');
	struct str min, max;

	if (text == NULL)
		return wants(w, "a ttl rule needs a name and seconds", e);
	min = dash == NULL ? str_from(text) : (struct str){text, (size_t)(dash - text)};
	max = dash == NULL ? min : str_from(dash + 1);
	r->ttl_max = INT32_MAX;
	if ((min.len == 0 && max.len == 0) ||
	        (min.len > 0 && num_u32(min, INT32_MAX, &r->ttl_min) != 0) ||
	        (max.len > 0 && num_u32(max, INT32_MAX, &r->ttl_max) != 0) ||
	        r->ttl_min > r->ttl_max)
		return args_error(
		        w->d, e, "'%s' is no TTL, expected SECONDS, MIN-MAX, -MAX or MIN-", text);
	return 0;
}

static int read_ttl(struct words *w, struct rule *r, struct err *e)
{
	enum match_kind kind;
	int rc;

	take_kind(w, 2, &kind);
	rc = read_matcher(w, kind, false, &r->matcher, e);
	return rc == 0 ? read_ttl_range(w, r, e) : rc;
}

static int read_rcode_word(struct words *w, uint16_t *out, struct err *e)
{
	const char *word = next(w);
	char text[16];

	if (word == NULL)
		return wants(w, "an rcode rule needs a name, FROM and TO", e);
	for (uint16_t v = 0; v < 24; v++) {
		char number[8];

		snprintf(number, sizeof(number), "%u", v);
		if (strcasecmp(rcode_text(v, text), word) == 0 || strcmp(number, word) == 0) {
			*out = v;
			return 0;
		}
	}
	return args_error(w->d, e, "unknown response code '%s'", word);
}

static int read_rcode(struct words *w, struct rule *r, struct err *e)
{
	enum match_kind kind;
	int rc;

	take_kind(w, 3, &kind);
	rc = read_matcher(w, kind, false, &r->matcher, e);
	if (rc == 0)
		rc = read_rcode_word(w, &r->from, e);
	return rc == 0 ? read_rcode_word(w, &r->to, e) : rc;
}

static int read_cname(struct words *w, struct rule *r, struct err *e)
{
	enum match_kind kind;

	take_kind(w, 2, &kind);
	return read_matcher(w, kind, true, &r->matcher, e);
}

/* --- edns0 --- */

/* What stands in braces: a variable, or the label of a value that a plugin has. */
static int read_variable(struct words *w, struct edns_rule *x, struct str name, struct err *e)
{
	static const char *const variables[] = {"qname", "qtype", "client_ip", "client_port",
	        "protocol", "server_ip", "server_port"};

	for (size_t i = 0; i < ARRAY_LEN(variables); i++)
		if (str_is(name, variables[i]))
			x->variable = variables[i];
	if (x->variable != NULL)
		return 0;
	if (str_has_prefix(name, "/")) /* as in formats of log */
		name = (struct str){name.at + 1, name.len - 1};
	if (!metadata_is_key(name))
		return args_error(w->d, e, "unknown variable '{%.*s}'", (int)name.len, name.at);
	x->label = name; /* in the tree, which lives as long */
	metadata_want(w->chain, name);
	return 0;
}

static int read_data(struct words *w, struct edns_rule *x, const char *word, struct err *e)
{
	size_t n = strlen(word);

	if (n > 2 && word[0] == '{' && word[n - 1] == '}')
		return read_variable(w, x, (struct str){word + 1, n - 2}, e);
	if (strncmp(word, "0x", 2) != 0) {
		if (n > sizeof(x->data))
			return wants(w, "the data of an option is too long", e);
		memcpy(x->data, word, n);
		x->len = (uint16_t)n;
		return 0;
	}
	for (const char *p = word + 2; *p != '\0'; p += 2) {
		char digits[3] = {p[0], p[1], '\0'}, *end;

		x->data[x->len++] = (uint8_t)strtoul(digits, &end, 16);
		if (!isxdigit((unsigned char)p[0]) || end != digits + 2 ||
		        x->len == sizeof(x->data))
			return args_error(w->d, e, "'%s' is no hexadecimal data", word);
	}
	return 0;
}

static int read_local(struct words *w, struct edns_rule *x, struct err *e)
{
	const char *code = next(w), *data = x->action == EDNS_UNSET ? "" : next(w);
	char *end;
	unsigned long v = code == NULL ? 0 : strtoul(code, &end, 0);

	if (code == NULL || data == NULL)
		return wants(w, "an edns0 local rule needs CODE and DATA", e);
	if (*code == '\0' || *end != '\0' || v > UINT16_MAX)
		return args_error(w->d, e, "'%s' is no code of an option", code);
	x->code = (uint16_t)v;
	return read_data(w, x, data, e);
}

static int read_subnet(struct words *w, struct edns_rule *x, struct err *e)
{
	const char *bits4 = next(w), *bits6 = next(w);
	uint32_t v4, v6;

	if (x->action == EDNS_UNSET)
		return 0;
	if (bits6 == NULL || num_u32(str_from(bits4), 32, &v4) != 0 ||
	        num_u32(str_from(bits6), 128, &v6) != 0)
		return wants(w,
		        "an edns0 subnet rule needs the bits of IPv4 (0-32) and IPv6 (0-128)", e);
	x->bits4 = (uint8_t)v4;
	x->bits6 = (uint8_t)v6;
	return 0;
}

static int read_edns_action(struct words *w, struct edns_rule *x, struct err *e)
{
	static const char *const actions[] = {"set", "append", "replace", "unset"};

	for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
		if (take(w, actions[i])) {
			x->action = (enum edns_action)i;
			return 0;
		}
	}
	return wants(w, "an edns0 rule needs set, append, replace or unset", e);
}

static int read_edns(struct words *w, struct rule *r, struct err *e)
{
	static const char *const kinds[] = {"local", "nsid", "subnet"};
	struct edns_rule *x = r->edns = arena_new(&w->instance->arena, struct edns_rule);
	const char *kind = next(w);
	size_t i = 0;
	int rc;

	while (i < ARRAY_LEN(kinds) && (kind == NULL || strcasecmp(kind, kinds[i]) != 0))
		i++;
	if (i == ARRAY_LEN(kinds))
		return wants(w, "an edns0 rule is about local, nsid or subnet", e);
	x->kind = (enum edns_kind)i;
	rc = read_edns_action(w, x, e);
	if (rc == 0 && x->kind == EDNS_LOCAL)
		rc = read_local(w, x, e);
	else if (rc == 0 && x->kind == EDNS_SUBNET)
		rc = read_subnet(w, x, e);
	if (rc == 0)
		take(w, "revert"); /* options of the answer are our own in any case */
	return rc;
}

/* --- the directive --- */

static const struct {
	const char *name;
	enum rule_kind kind;
	int (*read)(struct words *w, struct rule *r, struct err *e);
} fields[] = {
        {"name", RULE_NAME, read_name},
        {"type", RULE_TYPE, read_type},
        {"class", RULE_CLASS, read_class},
        {"ttl", RULE_TTL, read_ttl},
        {"rcode", RULE_RCODE, read_rcode},
        {"cname", RULE_CNAME, read_cname},
        {"edns0", RULE_EDNS, read_edns},
};

static int read_field(struct words *w, struct rule *r, struct err *e)
{
	const char *name = next(w);
	int rc;

	for (size_t i = 0; name != NULL && i < ARRAY_LEN(fields); i++) {
		if (strcasecmp(name, fields[i].name) != 0)
			continue;
		r->kind = fields[i].kind;
		rc = fields[i].read(w, r, e);
		if (rc == 0 && left(w) > 0)
			rc = args_error(w->d, e, "unexpected '%s'", w->list.at[w->at]);
		return rc;
	}
	return args_error(w->d, e,
	        "unknown rule '%s', expected name, type, class, ttl, rcode, cname or edns0",
	        name == NULL ? "" : name);
}

static void collect(struct words *w, const struct directive *d)
{
	for (size_t i = 0; i < d->arg_count; i++)
		vec_push(&w->list, d->args[i].text);
	directive_for_each (d, o) {
		vec_push(&w->list, o->name);
		collect(w, o);
	}
}

static int read_rule(
        struct rewrite *instance, struct chain *chain, const struct directive *d, struct err *e)
{
	struct words w = {.d = d, .instance = instance, .chain = chain};
	struct rule *r = mem_new(struct rule);
	int rc;

	vec_push(&instance->rules, r);
	collect(&w, d);
	r->goes_on = take(&w, "continue");
	if (!r->goes_on)
		take(&w, "stop");
	rc = read_field(&w, r, e);
	vec_free(&w.list);
	return rc;
}

void rewrite_free(struct rewrite *r)
{
	vec_for_each (&r->rules, at) {
		struct rule *rule = *at;

		/* what undoes a rule borrows from it */
		vec_for_each (&rule->answers, a)
			matcher_fini(&a->matcher);
		vec_free(&rule->answers);
		matcher_fini(&rule->matcher);
		free(rule);
	}
	vec_free(&r->rules);
	arena_reset(&r->arena);
	free(r);
}

int rewrite_setup(struct setup *s, struct err *e)
{
	struct rewrite *r = mem_new(struct rewrite);
	int rc = 0;

	arena_init(&r->arena);
	for (const struct directive *d = s->first; d != NULL && rc == 0;
	        d = block_find(s->block, "rewrite", d))
		rc = read_rule(r, s->chain, d, e);
	if (rc != 0) {
		rewrite_free(r);
		return rc;
	}
	vec_for_each (&r->rules, rule)
		if ((*rule)->kind == RULE_CLASS)
			s->chain->takes_any_class = true;
	s->instance = r;
	return 0;
}
