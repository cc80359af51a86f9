/*
 * The control port: plain HTTP on loopback, paths under /apisim/, parameters in the query.
 *
 *   GET    state                                    figures as JSON
 *   POST   apply            body YAML or JSON       create or update
 *   DELETE objects?resource=&namespace=&name=
 *   POST   compact                                  forget all events
 *   POST   rewind?rv=                               go back, as a restored backup; ends watches
 *   POST   close[?resource=][&reset=1]              end watches
 *   POST   stall?on=1|0                             accept, but send nothing
 *   POST   fault?status=[&resource=][&verb=][&count=][&retry-after=][&html=1]
 *   DELETE fault                                    clear all of these
 *   POST   cut?after=BYTES[&resource=]              reset the next watch after so many bytes
 *   POST   watchlist?mode=serve|refuse|ignore       streaming lists
 *   POST   tokens           body: one token a line  replace the accepted tokens
 *   POST   hide?count=                              watches miss the next changes
 *   POST   lag[?rv=]                                watches stand still at that version, forget what
 *                                                   later ones their clients know, and know no
 *                                                   list of them; without rv: no longer
 *   POST   raw[?resource=]  body                    bytes into the open watches
 *   POST   set?resource=[&absent=0|1][&forbidden=0|1]
 *   POST   bookmarks?ms=                            interval of bookmarks
 *   POST   pace?mb=                                 MB/s of each large list; 0: no limit
 *   POST   generate?services=&endpoints=&pods=[&markers=]    fill the world
 *   POST   churn?rate=&seconds=[&marks=&markers=]   flip endpoints, rate a second, and change the
 *                                                   addresses of markers in turn, marks a second
 *   POST   storm?count=[&prefix=]                flip so many endpoints at once
 */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"

static uint64_t number(struct MHD_Connection *c, const char *name, uint64_t fallback)
{
	uint64_t n = fallback;

	num_u64(str_from(query(c, name)), UINT32_MAX, &n);
	return n;
}

static enum MHD_Result done(struct MHD_Connection *c)
{
	return reply_text(c, 200, "text/plain; charset=utf-8", "ok\n");
}

static enum MHD_Result wrong(struct MHD_Connection *c, const char *why)
{
	return reply_text(c, 400, "text/plain; charset=utf-8", why);
}

static enum MHD_Result on_state(struct MHD_Connection *c, struct buf *body)
{
	struct buf b = {0};

	(void)body;
	buf_printf(&b,
	        "{\"rv\":%llu,\"compacted\":%llu,\"watches\":%u,\"requests\":%llu,"
	        "\"protobuf\":%llu",
	        (unsigned long long)world.rv, (unsigned long long)world.compacted,
	        world.watch_count, (unsigned long long)world.requests,
	        (unsigned long long)world.protobuf_answers);
	vec_for_each (&world.kinds, k) {
		buf_printf(&b, ",\"%s\":{\"objects\":%zu,\"lists\":%llu,\"watches\":%llu,"
		        "\"streams\":%llu,\"streams_ms\":%llu}",
		        (*k)->plural, (*k)->objects.all.len, (unsigned long long)(*k)->lists,
		        (unsigned long long)(*k)->watches,
		        (unsigned long long)(*k)->streams,
		        (unsigned long long)((*k)->last_stream_ms - (*k)->first_stream_ms));
	}
	buf_str(&b, "}\n");
	return reply_json(c, 200, &b);
}

static enum MHD_Result on_apply(struct MHD_Connection *c, struct buf *body)
{
	char why[200] = "";

	if (manifest_apply(buf_text(body), body->len, why) < 0)
		return wrong(c, why);
	return done(c);
}

static enum MHD_Result on_delete(struct MHD_Connection *c, struct buf *body)
{
	struct kind *k = kind_find(NULL, query(c, "resource"));

	(void)body;
	if (k == NULL || !world_delete(k, query(c, "namespace"), query(c, "name")))
		return reply_text(c, 404, "text/plain; charset=utf-8", "no such object\n");
	return done(c);
}

static enum MHD_Result on_compact(struct MHD_Connection *c, struct buf *body)
{
	(void)body;
	world_compact();
	return done(c);
}

static enum MHD_Result on_rewind(struct MHD_Connection *c, struct buf *body)
{
	(void)body;
	if (!world_rewind(number(c, "rv", UINT64_MAX)))
		return wrong(c, "no such version\n");
	watch_close(NULL, true);
	return done(c);
}

static enum MHD_Result on_close(struct MHD_Connection *c, struct buf *body)
{
	const char *resource = query(c, "resource");

	(void)body;
	watch_close(*resource ? resource : NULL, number(c, "reset", 0) == 1);
	return done(c);
}

static enum MHD_Result on_stall(struct MHD_Connection *c, struct buf *body)
{
	(void)body;
	world.stalled = number(c, "on", 1) == 1;
	pthread_cond_broadcast(&world.changed);
	return done(c);
}

static enum MHD_Result on_fault(struct MHD_Connection *c, struct buf *body)
{
	struct fault f = {
	        .status = (int)number(c, "status", 500),
	        .count = (int)number(c, "count", 1),
	        .retry_after = (int)number(c, "retry-after", 1000000),
	        .html = number(c, "html", 0) == 1,
	};

	(void)body;
	if (strcmp(query(c, "count"), "-1") == 0)
		f.count = -1;
	if (f.retry_after == 1000000)
		f.retry_after = -1;
	snprintf(f.resource, sizeof(f.resource), "%s", query(c, "resource"));
	snprintf(f.verb, sizeof(f.verb), "%s", query(c, "verb"));
	vec_push(&world.faults, f);
	return done(c);
}

static enum MHD_Result on_clear(struct MHD_Connection *c, struct buf *body)
{
	(void)body;
	world.faults.len = 0;
	return done(c);
}

static enum MHD_Result on_cut(struct MHD_Connection *c, struct buf *body)
{
	(void)body;
	world.cut_after = (long)number(c, "after", 0);
	snprintf(world.cut_resource, sizeof(world.cut_resource), "%s", query(c, "resource"));
	return done(c);
}

static enum MHD_Result on_watchlist(struct MHD_Connection *c, struct buf *body)
{
	const char *mode = query(c, "mode");

	(void)body;
	if (strcmp(mode, "serve") == 0)
		world.watchlist = WATCHLIST_SERVE;
	else if (strcmp(mode, "refuse") == 0)
		world.watchlist = WATCHLIST_REFUSE;
	else if (strcmp(mode, "ignore") == 0)
		world.watchlist = WATCHLIST_IGNORE;
	else
		return wrong(c, "mode is serve, refuse or ignore\n");
	return done(c);
}

static enum MHD_Result on_tokens(struct MHD_Connection *c, struct buf *body)
{
	struct str rest = {buf_text(body), body->len};

	vec_for_each (&world.tokens, t)
		free(*t);
	world.tokens.len = 0;
	while (rest.len > 0) {
		struct str line = str_trim(str_cut(&rest, '\n'));

		if (line.len > 0)
			vec_push(&world.tokens, mem_dup(line.at, line.len));
	}
	return done(c);
}

static enum MHD_Result on_hide(struct MHD_Connection *c, struct buf *body)
{
	(void)body;
	world.hide = (unsigned)number(c, "count", 1);
	return done(c);
}

static enum MHD_Result on_lag(struct MHD_Connection *c, struct buf *body)
{
	(void)body;
	world.lag_rv = number(c, "rv", 0);
	vec_for_each (&world.kinds, k)
		pthread_cond_broadcast(&(*k)->changed);
	return done(c);
}

static enum MHD_Result on_raw(struct MHD_Connection *c, struct buf *body)
{
	watch_inject(query(c, "resource"), buf_text(body), body->len);
	return done(c);
}

static enum MHD_Result on_set(struct MHD_Connection *c, struct buf *body)
{
	struct kind *k = kind_find(NULL, query(c, "resource"));

	(void)body;
	if (k == NULL)
		return wrong(c, "no such resource\n");
	k->absent = number(c, "absent", k->absent) == 1;
	k->forbidden = number(c, "forbidden", k->forbidden) == 1;
	return done(c);
}

static enum MHD_Result on_bookmarks(struct MHD_Connection *c, struct buf *body)
{
	(void)body;
	world.bookmark_ms = number(c, "ms", 60000);
	return done(c);
}

static enum MHD_Result on_pace(struct MHD_Connection *c, struct buf *body)
{
	(void)body;
	world.pace = number(c, "mb", 0) * 1000;
	return done(c);
}

static enum MHD_Result on_generate(struct MHD_Connection *c, struct buf *body)
{
	(void)body;
	generate_cluster((unsigned)number(c, "services", 0), (unsigned)number(c, "endpoints", 1),
	        (unsigned)number(c, "pods", 0));
	generate_markers((unsigned)number(c, "markers", 0));
	return done(c);
}

static enum MHD_Result on_churn(struct MHD_Connection *c, struct buf *body)
{
	struct churn want = {
	        .rate = (unsigned)number(c, "rate", 10),
	        .marks = (unsigned)number(c, "marks", 0),
	        .markers = (unsigned)number(c, "markers", 0),
	        .seconds = (unsigned)number(c, "seconds", 10),
	};

	(void)body;
	snprintf(want.prefix, sizeof(want.prefix), "%s", query(c, "prefix"));
	churn_start(&want);
	return done(c);
}

static enum MHD_Result on_storm(struct MHD_Connection *c, struct buf *body)
{
	(void)body;
	storm((unsigned)number(c, "count", 1000), query(c, "prefix"));
	return done(c);
}

enum MHD_Result control_serve(
        struct MHD_Connection *c, const char *method, const char *path, struct buf *body)
{
	static const struct {
		const char *method, *path;
		enum MHD_Result (*serve)(struct MHD_Connection *c, struct buf *body);
	} table[] = {
	        {"GET", "state", on_state},
	        {"POST", "apply", on_apply},
	        {"DELETE", "objects", on_delete},
	        {"POST", "compact", on_compact},
	        {"POST", "rewind", on_rewind},
	        {"POST", "close", on_close},
	        {"POST", "stall", on_stall},
	        {"POST", "fault", on_fault},
	        {"DELETE", "fault", on_clear},
	        {"POST", "cut", on_cut},
	        {"POST", "watchlist", on_watchlist},
	        {"POST", "tokens", on_tokens},
	        {"POST", "hide", on_hide},
	        {"POST", "lag", on_lag},
	        {"POST", "raw", on_raw},
	        {"POST", "set", on_set},
	        {"POST", "bookmarks", on_bookmarks},
	        {"POST", "pace", on_pace},
	        {"POST", "generate", on_generate},
	        {"POST", "churn", on_churn},
	        {"POST", "storm", on_storm},
	};
	enum MHD_Result rc = MHD_NO;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (strcmp(table[i].method, method) != 0 || strcmp(table[i].path, path) != 0)
			continue;
		pthread_mutex_lock(&world.lock);
		rc = table[i].serve(c, body);
		pthread_mutex_unlock(&world.lock);
		return rc;
	}
	return reply_text(c, 404, "text/plain; charset=utf-8", "404 page not found\n");
}
