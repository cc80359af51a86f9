#include "cluster/reflector_private.h"

#include <string.h>

#include "base/num.h"
#include "base/rand.h"

void query_add(struct buf *b, const char *text)
{
	static const char safe[] = "-._~";

	for (const char *p = text; *p != '\0'; p++) {
		bool plain = (*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') ||
		             (*p >= 'A' && *p <= 'Z') || strchr(safe, *p) != NULL;

		if (plain)
			buf_char(b, *p);
		else
			buf_printf(b, "%%%02X", (unsigned char)*p);
	}
}

static uint64_t number_of(const char *version)
{
	uint64_t n = 0;

	return num_u64(str_from(version), UINT64_MAX, &n) == 0 ? n : 0;
}

/* Versions that are too long or empty are not kept: the old one still is right. */
void reflector_set_version(struct reflector *r, const char *version)
{
	uint64_t n = number_of(version);

	if (*version == '\0' || strlen(version) >= VERSION_BYTES)
		return;
	strcpy(r->version, version);
	if (n > r->seen)
		r->seen = n;
}

bool reflector_is_older(const struct reflector *r, const char *version)
{
	uint64_t n = number_of(version);

	return n != 0 && (n < r->seen || n < r->listed);
}

void query_watch(const struct reflector *r, struct buf *q, bool initial)
{
	buf_printf(q, "watch=1&allowWatchBookmarks=true&timeoutSeconds=%u",
	        WATCH_MIN_S + rand_below(WATCH_SPREAD_S));
	if (initial)
		buf_str(q, "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan");
	if (r->version[0] && !(initial && r->is_quorum)) {
		buf_str(q, "&resourceVersion=");
		query_add(q, r->version);
	}
}

void query_list(const struct reflector *r, struct buf *q)
{
	if (r->expired_pages < 2) /* pages that expire twice: all at once */
		buf_printf(q, "limit=%u", REFLECTOR_PAGE);
	else
		buf_str(q, "limit=0");
	if (r->token != NULL) {
		buf_str(q, "&continue=");
		query_add(q, r->token);
	} else if (r->version[0] && !r->is_quorum) {
		buf_str(q, "&resourceVersionMatch=NotOlderThan&resourceVersion=");
		query_add(q, r->version);
	}
}

void query_probe(struct buf *q)
{
	buf_str(q, "limit=1");
}
