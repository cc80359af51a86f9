/*
 * header: sets or clears AA, RA and RD of questions and answers.
 */
#include "plugin.h"

#include <errno.h>
#include <strings.h>

#include "dns/wire.h"

/* What is done to the flags: later lines overrule earlier ones, so two masks say it all. */
struct change {
	uint16_t set, clear; /* FLAG_AA, FLAG_RA, FLAG_RD */
};

struct header {
	struct change question, answer;
};

static int read_flag(const struct directive *o, size_t i, uint16_t *flag, struct err *e)
{
	static const char *const names[] = {"aa", "ra", "rd"};
	static const uint16_t flags[] = {FLAG_AA, FLAG_RA, FLAG_RD};

	for (size_t n = 0; n < ARRAY_LEN(names); n++) {
		if (strcasecmp(o->args[i].text, names[n]) == 0) {
			*flag = flags[n];
			return 0;
		}
	}
	return args_error(o, e, "unknown flag '%s', expected aa, ra or rd", o->args[i].text);
}

/* FLAGS... from argument first on. */
static int read_flags(
        const struct directive *o, size_t first, bool is_set, struct change *c, struct err *e)
{
	int rc = o->arg_count > first ? 0 : args_error(o, e, "names no flag: aa, ra or rd");

	for (size_t i = first; i < o->arg_count && rc == 0; i++) {
		uint16_t flag = 0;

		rc = read_flag(o, i, &flag, e);
		c->set = (uint16_t)(is_set ? c->set | flag : c->set & ~flag);
		c->clear = (uint16_t)(is_set ? c->clear & ~flag : c->clear | flag);
	}
	return rc;
}

/* `set FLAGS...` or `clear FLAGS...`: word is the action, first the argument behind it. */
static int read_action(
        const struct directive *o, const char *word, size_t first, struct change *c, struct err *e)
{
	if (strcasecmp(word, "set") == 0)
		return read_flags(o, first, true, c, e);
	if (strcasecmp(word, "clear") == 0)
		return read_flags(o, first, false, c, e);
	return args_error(o, e, "unknown action '%s', expected set or clear", word);
}

static int read_line(struct header *h, const struct directive *o, struct err *e)
{
	bool is_query = strcasecmp(o->name, "query") == 0;
	const char *action;

	if (!is_query && strcasecmp(o->name, "response") != 0) /* as in old versions */
		return read_action(o, o->name, 0, &h->answer, e);
	action = directive_arg(o, 0);
	if (action == NULL)
		return args_error(o, e, "names no action: set or clear");
	return read_action(o, action, 1, is_query ? &h->question : &h->answer, e);
}

static int read_header(struct header *h, const struct directive *d, struct err *e)
{
	int rc = args_count(d, 0, 0, e);

	directive_for_each (d, o)
		if (rc == 0)
			rc = read_line(h, o, e);
	return rc;
}

static int setup(struct setup *s, struct err *e)
{
	struct header *h = mem_new(struct header);
	int rc = 0;

	for (const struct directive *d = s->first; d != NULL && rc == 0;
	        d = block_find(s->block, "header", d))
		rc = read_header(h, d, e);
	if (rc == 0 && (h->question.set | h->question.clear | h->answer.set | h->answer.clear) == 0)
		rc = args_error(s->first, e, "has no line such as `response set ra`");
	if (rc != 0)
		free(h);
	else
		s->instance = h;
	return rc;
}

/* The question as the plugins below see it, and as it is forwarded. */
static enum verdict query(struct query *q, void *instance)
{
	const struct change *c = &((const struct header *)instance)->question;

	if ((c->set | c->clear) == 0)
		return NEXT;
	q->msg.flags = (uint16_t)((q->msg.flags | c->set) & ~c->clear);
	put16(q->buf + 2, (uint16_t)((get16(q->buf + 2) | c->set) & ~c->clear));
	return NEXT;
}

static void change_flag(bool *flag, const struct change *c, uint16_t bit)
{
	*flag = (*flag || (c->set & bit) != 0) && (c->clear & bit) == 0;
}

static void reply(struct query *q, void *instance)
{
	const struct change *c = &((const struct header *)instance)->answer;
	uint16_t rd = FLAG_RD;

	change_flag(&q->answer.is_authoritative, c, FLAG_AA);
	change_flag(&q->answer.has_recursion, c, FLAG_RA);
	q->msg.flags = (uint16_t)((q->msg.flags | (c->set & rd)) & ~(c->clear & rd));
}

static void teardown(void *instance)
{
	free(instance);
}

const struct plugin header_plugin = {
        .name = "header",
        .takes_any_class = true,
        .setup = setup,
        .query = query,
        .reply = reply,
        .explain = &explain_passes,
        .teardown = teardown,
};
