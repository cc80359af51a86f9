/*
 * chaos: answers version.bind and its relatives in class CH. All sets are made at setup.
 */
#include "plugin.h"

#include <errno.h>
#include <unistd.h>


#define TEXT_MAX 255
#define AUTHORS_MAX 64

enum text { TEXT_VERSION, TEXT_HOST, TEXT_AUTHORS, TEXTS };

struct chaos {
	struct rrset *sets[TEXTS];
};

/* The names that are answered, and with what. */
static const struct {
	const char *wire; /* folded */
	size_t len;
	enum text text;
} names[] = {
#define ROW(w, t) {w, sizeof(w), t}
	ROW("\7version\4bind", TEXT_VERSION),
	ROW("\7version\6server", TEXT_VERSION),
	ROW("\7authors\4bind", TEXT_AUTHORS),
	ROW("\10hostname\4bind", TEXT_HOST),
	ROW("\2id\6server", TEXT_HOST),
#undef ROW
};

static void add_text(struct rrset_builder *b, struct str text)
{
	uint8_t rdata[2 * TEXT_MAX];

	if (text.len > TEXT_MAX)
		text.len = TEXT_MAX;
	must(rrset_add(b, rdata, rrset_txt_rdata(rdata, text)) == 0);
}

static struct rrset *one_text(const char *text)
{
	struct rrset_builder b = {.type = TYPE_TXT, .rr_class = CLASS_CH};

	add_text(&b, str_from(text));
	return rrset_build(&b);
}

static struct rrset *host_text(void)
{
	char host[TEXT_MAX + 1] = "";

	if (gethostname(host, TEXT_MAX) != 0 || host[0] == '\0')
		return one_text("localhost");
	return one_text(host);
}

static struct rrset *authors_text(const struct directive *d)
{
	struct rrset_builder b = {.type = TYPE_TXT, .rr_class = CLASS_CH};

	if (d->arg_count < 2)
		return one_text("The Seamark authors");
	for (size_t i = 1; i < d->arg_count; i++)
		add_text(&b, str_from(d->args[i].text));
	return rrset_build(&b);
}

static int check(struct setup *s, struct err *e)
{
	int rc;

	s->first = args_first(s->block, "chaos");
	rc = args_no_block(s->first, e);
	if (rc == 0)
		rc = args_count(s->first, 0, 1 + AUTHORS_MAX, e);
	for (size_t i = 0; rc == 0 && i < s->first->arg_count; i++)
		if (strlen(s->first->args[i].text) > TEXT_MAX)
			rc = args_error(s->first, e, "a text is longer than %d octets", TEXT_MAX);
	return rc;
}

static int setup(struct setup *s, struct err *e)
{
	const char *version = directive_arg(s->first, 0);
	struct chaos *c;
	int rc = check(s, e);

	if (rc != 0)
		return rc;
	c = mem_new(struct chaos);
	c->sets[TEXT_VERSION] = one_text(version != NULL ? version : "Seamark-" PACKAGE_VERSION);
	c->sets[TEXT_HOST] = host_text();
	c->sets[TEXT_AUTHORS] = authors_text(s->first);
	s->chain->takes_any_class = true;
	s->instance = c;
	return 0;
}

static enum verdict query(struct query *q, void *instance)
{
	const struct chaos *c = instance;

	if (q->msg.qclass != CLASS_CH || q->msg.qtype != TYPE_TXT)
		return NEXT;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (names[i].len != q->msg.qname_len ||
			memcmp(names[i].wire, q->folded, names[i].len) != 0)
			continue;
		answer_add(&q->answer, SECTION_ANSWER, c->sets[names[i].text]);
		return DONE;
	}
	return NEXT;
}

static void teardown(void *instance)
{
	struct chaos *c = instance;

	for (size_t i = 0; i < TEXTS; i++)
		free(c->sets[i]);
	free(c);
}

const struct plugin chaos_plugin = {
	.name = "chaos",
	.takes_any_class = true,
	.setup = setup,
	.query = query,
	.explain = &explain_passes, /* it answers in class CH */
	.teardown = teardown,
};
