#include "autopath/search.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "dns/name.h"
#include "net/resolvconf.h"

static struct search *make(const struct resolvconf *rc)
{
	size_t octets = 1;
	struct search *s;
	uint8_t *to;

	for (unsigned i = 0; i < rc->search_len; i++)
		octets += rc->search[i].len;
	s = mem_alloc(sizeof(*s) + octets);
	s->octets = octets;
	to = s->wire;
	for (unsigned i = 0; i < rc->search_len; i++) {
		const struct name *n = &rc->search[i];

		/* "search ." is no domain: the root comes last in any case */
		if (n->len == 1)
			continue;
		name_fold(to, n->wire, n->len);
		to += n->len;
		s->len++;
	}
	*to = 0;
	s->len++;
	return s;
}

struct search *search_empty(void)
{
	static const struct resolvconf nothing;

	return make(&nothing);
}

struct search *search_read(const char *path, struct err *e)
{
	struct buf text = {0};
	struct resolvconf rc;
	struct search *s = NULL;
	int code = buf_read_file(&text, path, RESOLVCONF_MAX_SIZE);

	if (code == 0)
		code = resolvconf_parse(&rc, (struct str){buf_text(&text), text.len});
	if (code == 0)
		s = make(&rc);
	else
		err_set(e, code, "cannot read %s: %s", path, strerror(-code));
	buf_free(&text);
	return s;
}
