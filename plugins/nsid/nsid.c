/*
 * nsid: names the server in answers to clients that ask for it (RFC 5001).
 */
#include "plugin.h"

#include <errno.h>
#include <unistd.h>

#define NSID_MAX 255

struct nsid {
	size_t len;
	char text[NSID_MAX + 1];
};

static int take_words(struct nsid *n, const struct directive *d, struct err *e)
{
	for (size_t i = 0; i < d->arg_count; i++) {
		struct str word = str_from(d->args[i].text);
		size_t gap = i > 0 ? 1 : 0;

		if (n->len + gap + word.len > NSID_MAX)
			return args_error(d, e, "the identity is longer than %d octets", NSID_MAX);
		if (gap > 0)
			n->text[n->len++] = ' ';
		memcpy(n->text + n->len, word.at, word.len);
		n->len += word.len;
	}
	return 0;
}

static void take_host_name(struct nsid *n)
{
	if (gethostname(n->text, NSID_MAX) != 0 || n->text[0] == '\0')
		strcpy(n->text, "localhost");
	n->len = strlen(n->text);
}

static int setup(struct setup *s, struct err *e)
{
	struct nsid conf = {0}, *n;
	int rc = args_once(s->block, "nsid", e);

	if (rc == 0)
		rc = args_no_block(s->first, e);
	if (rc == 0)
		rc = take_words(&conf, s->first, e);
	if (rc != 0)
		return rc;
	if (conf.len == 0)
		take_host_name(&conf);
	n = mem_new(struct nsid);
	*n = conf;
	s->instance = n;
	return 0;
}

static enum verdict query(struct query *q, void *instance)
{
	const struct nsid *n = instance;

	q->nsid = n->text;
	q->nsid_len = n->len;
	return NEXT;
}

static void teardown(void *instance)
{
	free(instance);
}

const struct plugin nsid_plugin = {
	.name = "nsid",
	.takes_any_class = true,
	.setup = setup,
	.query = query,
	.explain = &explain_passes,
	.teardown = teardown,
};
