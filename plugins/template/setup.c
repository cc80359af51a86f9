#include <errno.h>
#include <strings.h>

#include "template/template.h"

#define TEXT_MAX 255u /* octets of the text of an extended error */

/* What the setters get. */
struct conf {
	struct template_instance *instance;
	struct template_rule *rule;
};

static int set_match(void *arg, const struct directive *o, struct err *e)
{
	struct conf *c = arg;

	for (size_t i = 0; i < o->arg_count; i++) {
		struct err why = {{0}};
		struct pattern *p = pattern_new(o->args[i].text, &why);

		if (p == NULL)
			return args_error(o, e, "%s", why.text);
		vec_push(&c->rule->patterns, p);
	}
	return 0;
}

/* Tell the metadata mechanism which values will be asked for. */
static void want_metadata(struct chain *chain, const struct program *p)
{
	vec_for_each (&p->holes, h)
		if (h->kind == HOLE_META)
			metadata_want(chain, h->text);
}

static int add_records(struct conf *c, unsigned section, const struct directive *o, struct err *e)
{
	struct template_instance *t = c->instance;

	for (size_t i = 0; i < o->arg_count; i++) {
		struct template_record r = {.first_counter = t->counters_len};
		struct err why = {{0}};

		if (program_init(&r.program, &t->arena, o->args[i].text, &why) != 0) {
			program_fini(&r.program);
			return args_error(o, e, "%s", why.text);
		}
		r.text = arena_str(&t->arena, o->args[i].text);
		t->counters_len += TEMPLATE_COUNTERS;
		vec_push(&c->rule->records[section], r);
	}
	return 0;
}

static int set_answer(void *arg, const struct directive *o, struct err *e)
{
	return add_records(arg, SECTION_ANSWER, o, e);
}

static int set_authority(void *arg, const struct directive *o, struct err *e)
{
	return add_records(arg, SECTION_AUTHORITY, o, e);
}

static int set_additional(void *arg, const struct directive *o, struct err *e)
{
	return add_records(arg, SECTION_ADDITIONAL, o, e);
}

static int set_rcode(void *arg, const struct directive *o, struct err *e)
{
	struct conf *c = arg;
	char text[16];

	for (uint16_t v = 0; v < 24; v++) {
		if (strcasecmp(rcode_text(v, text), o->args[0].text) == 0) {
			c->rule->rcode = v;
			return 0;
		}
	}
	return args_error(o, e, "unknown response code '%s'", o->args[0].text);
}

/* ederror CODE [TEXT] */
static int set_ederror(void *arg, const struct directive *o, struct err *e)
{
	const char *text = directive_arg(o, 1);
	struct conf *c = arg;

	if (text != NULL && strlen(text) > TEXT_MAX)
		return args_error(o, e, "the text is longer than %u octets", TEXT_MAX);
	c->rule->ede_text = text == NULL ? NULL : arena_str(&c->instance->arena, text);
	return args_u16(o, 0, ARGS_RANGE(0, UINT16_MAX - 1), &c->rule->ede, e);
}

static int set_fallthrough(void *arg, const struct directive *o, struct err *e)
{
	return fall_from_args(&((struct conf *)arg)->rule->fall, o, e);
}

static int set_upstream(void *arg, const struct directive *o, struct err *e)
{
	(void)arg;
	(void)e;
	log_warning("plugin/template", "%s:%u: the option 'upstream' is no longer needed: ignored",
	        o->file, o->line);
	return 0;
}

static const struct arg_option options[] = {
        {.name = "match", .min_args = 1, .max_args = ARGS_ANY, .set = set_match},
        {.name = "answer", .min_args = 1, .max_args = ARGS_ANY, .set = set_answer},
        {.name = "authority", .min_args = 1, .max_args = ARGS_ANY, .set = set_authority},
        {.name = "additional", .min_args = 1, .max_args = ARGS_ANY, .set = set_additional},
        {.name = "rcode", .min_args = 1, .max_args = 1, .set = set_rcode},
        {.name = "ederror", .min_args = 1, .max_args = 2, .set = set_ederror},
        {.name = "fallthrough", .min_args = 0, .max_args = ARGS_ANY, .set = set_fallthrough},
        {.name = "upstream", .min_args = 0, .max_args = ARGS_ANY, .set = set_upstream},
        {.name = NULL},
};

static int read_class(struct template_rule *r, const struct directive *d, struct err *e)
{
	static const struct {
		const char *name;
		uint16_t v;
	} classes[] = {{"IN", CLASS_IN}, {"CH", CLASS_CH}, {"HS", CLASS_HS}, {"ANY", 0}};

	for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
		if (strcasecmp(d->args[0].text, classes[i].name) == 0) {
			r->rr_class = classes[i].v;
			snprintf(r->class_text, sizeof(r->class_text), "%s", classes[i].name);
			return 0;
		}
	}
	return args_error(d, e, "invalid class '%s', expected IN, CH, HS or ANY", d->args[0].text);
}

static int read_type(struct template_rule *r, const struct directive *d, struct err *e)
{
	uint16_t type = rr_type_from_text(str_from(d->args[1].text));

	if (type == 0)
		return args_error(d, e, "invalid type '%s'", d->args[1].text);
	snprintf(r->type_text, sizeof(r->type_text), "%s", rr_type_text(type, (char[16]){0}));
	r->type = type == TYPE_ANY ? 0 : type;
	return 0;
}

static int read_rule(struct conf *c, const struct directive *d, struct err *e)
{
	int rc = args_count(d, 2, ARGS_ANY, e);

	if (rc == 0)
		rc = read_class(c->rule, d, e);
	if (rc == 0)
		rc = read_type(c->rule, d, e);
	if (rc == 0)
		rc = zone_list_from_args(&c->rule->zones, d, 2, e);
	return rc == 0 ? args_options(d, options, c, e) : rc;
}

static struct template_rule *rule_new(struct template_instance *t)
{
	struct template_rule *r = mem_new(struct template_rule);

	r->rcode = RCODE_NOERROR;
	r->ede = EDE_NONE;
	r->matches = t->counters_len++;
	vec_push(&t->rules, r);
	return r;
}

static void rule_free(struct template_rule *r)
{
	vec_for_each (&r->patterns, p)
		pattern_free(*p);
	vec_free(&r->patterns);
	for (unsigned i = 0; i < TEMPLATE_SECTIONS; i++) {
		vec_for_each (&r->records[i], record)
			program_fini(&record->program);
		vec_free(&r->records[i]);
	}
	zone_list_free(&r->zones);
	fall_free(&r->fall);
	free(r);
}

void template_free(struct template_instance *t)
{
	vec_for_each (&t->rules, r)
		rule_free(*r);
	vec_free(&t->rules);
	counters_free(t->counters);
	free(t->server);
	free(t->view);
	arena_reset(&t->arena);
	free(t);
}

/* Classes other than IN, and metadata: what the chain has to know of a rule. */
static void tell_chain(struct conf *c, struct setup *s)
{
	if (c->rule->rr_class != CLASS_IN)
		s->chain->takes_any_class = true;
	for (unsigned i = 0; i < TEMPLATE_SECTIONS; i++)
		vec_for_each (&c->rule->records[i], record)
			want_metadata(s->chain, &record->program);
}

int template_setup(struct setup *s, struct err *e)
{
	struct template_instance *t = mem_new(struct template_instance);
	int rc = 0;

	arena_init(&t->arena);
	for (const struct directive *d = s->first; d != NULL && rc == 0;
	        d = block_find(s->block, "template", d)) {
		struct conf c = {.instance = t, .rule = rule_new(t)};

		rc = read_rule(&c, d, e);
		if (rc == 0)
			tell_chain(&c, s);
	}
	if (rc != 0) {
		template_free(t);
		return rc;
	}
	t->counters = counters_new(s->workers, t->counters_len);
	t->server = mem_str(s->server_label);
	t->view = mem_str(setup_view_name(s));
	s->instance = t;
	return 0;
}
