/* LIST: selectors, pages with continue tokens, resourceVersion rules. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "base/num.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* base64url without padding, as Go's RawURLEncoding. */
static void encode64(struct buf *b, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i += 3) {
		size_t left = n - i;
		unsigned v = (unsigned)(uint8_t)s[i] << 16;

		v |= left > 1 ? (unsigned)(uint8_t)s[i + 1] << 8 : 0;
		v |= left > 2 ? (unsigned)(uint8_t)s[i + 2] : 0;
		for (unsigned k = 0; k < (left > 2 ? 4 : left + 1); k++)
			buf_char(b, alphabet[v >> (18 - 6 * k) & 63]);
	}
}

static bool decode64(struct buf *b, const char *s)
{
	unsigned v = 0, bits = 0;

	for (; *s != '\0'; s++) {
		const char *at = strchr(alphabet, *s);

		if (at == NULL)
			return false;
		v = v << 6 | (unsigned)(at - alphabet);
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			buf_char(b, (char)(v >> bits));
			v &= (1u << bits) - 1;
		}
	}
	return true;
}

static void make_token(struct buf *out, long long rv, const char *start)
{
	struct buf b = {0};

	buf_printf(&b, "{\"v\":\"meta.k8s.io/v1\",\"rv\":%lld,\"start\":\"%s\\u0000\"}", rv, start);
	encode64(out, b.at, b.len);
	buf_free(&b);
}

/* Where a list goes on. */
struct place {
	long long rv; /* -1: the present, which is inconsistent */
	char after[400];
};

static bool read_token(const char *token, struct place *p)
{
	struct buf b = {0};
	json_t *o = NULL;
	const char *start = NULL;
	bool ok = false;

	if (decode64(&b, token))
		o = json_loadb(b.at, b.len, JSON_ALLOW_NUL, NULL);
	start = json_string_value(json_object_get(o, "start"));
	if (start != NULL && json_is_integer(json_object_get(o, "rv"))) {
		p->rv = json_integer_value(json_object_get(o, "rv"));
		/* keys of cluster-wide objects are "/name", of others "namespace/name" */
		if (strchr(start + (*start == '/'), '/') != NULL && *start == '/')
			start++;
		snprintf(p->after, sizeof(p->after), "%s", start);
		ok = true;
	}
	json_decref(o);
	buf_free(&b);
	return ok;
}

static enum MHD_Result reply_expired(struct ask *a, const struct place *p)
{
	struct buf b = {0};

	buf_str(&b, "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{\"continue\":\"");
	make_token(&b, -1, p->after);
	buf_str(&b,
	        "\"},\"status\":\"Failure\",\"message\":\"The provided continue parameter is too "
	        "old to display a consistent list result. You can start a new list without the "
	        "continue parameter, or use the continue token in this response to retrieve the "
	        "remainder of the results. Continuing with the provided token results in an "
	        "inconsistent list - objects that were created, modified, or deleted between the "
	        "time the first chunk was returned and now may show up in the list.\","
	        "\"reason\":\"Expired\",\"code\":410}\n");
	return reply_json(a->connection, 410, &b);
}

/* A page of a list. */
struct page {
	const struct ask *ask;
	struct buf items; /* with commas between them, or each a field of the list */
	uint64_t shown, left;
	char meta[1500]; /* in JSON */
};

static void add_item(struct page *g, const struct object *o)
{
	if (g->ask->protobuf) {
		encode_bytes(&g->items, 2, o->protobuf.at, o->protobuf.len);
		return;
	}
	if (g->shown > 0)
		buf_char(&g->items, ',');
	buf_add(&g->items, o->json, o->len);
}

static void write_meta(struct page *g, const struct place *p, const struct object *last)
{
	long long rv = p->rv < 0 ? (long long)world.rv : p->rv;
	struct buf b = {0};
	char start[400];

	buf_printf(&b, "{\"resourceVersion\":\"%lld\"", rv);
	if (g->left > 0) {
		buf_str(&b, ",\"continue\":\"");
		snprintf(start, sizeof(start), "%s%s", last->key[0] == '/' ? "" : "/", last->key);
		make_token(&b, rv, start);
		buf_char(&b, '"');
		/* a server that filters cannot know how many are left */
		if (g->ask->labels.all.len == 0 && g->ask->fields.all.len == 0)
			buf_printf(&b, ",\"remainingItemCount\":%llu", (unsigned long long)g->left);
	}
	buf_char(&b, '}');
	must(b.len < sizeof(g->meta));
	memcpy(g->meta, buf_text(&b), b.len + 1);
	buf_free(&b);
}

/* The items after p, at most limit (0: all); says in metadata when some are left. */
static void make_page(
        struct page *g, const struct object_list *l, const struct place *p, uint64_t limit)
{
	const struct object *last = NULL;

	vec_for_each (&l->all, o) {
		if ((p->after[0] && strcmp((*o)->key, p->after) <= 0) || !ask_matches(g->ask, *o))
			continue;
		if (limit > 0 && g->shown == limit) {
			g->left++;
			continue;
		}
		add_item(g, *o);
		g->shown++;
		last = *o;
	}
	write_meta(g, p, last);
}

static void write_protobuf(const struct page *g, struct buf *out)
{
	json_t *meta = json_loads(g->meta, 0, NULL);
	struct buf m = {0}, raw = {0};
	char name[80];

	snprintf(name, sizeof(name), "%sList", g->ask->kind->name);
	encode_message(&m, message_find("ListMeta"), meta);
	encode_bytes(&raw, 1, m.at, m.len);
	if (g->items.len > 0)
		buf_add(&raw, g->items.at, g->items.len);
	encode_unknown(out, g->ask->kind->list_api, name, (struct str){raw.at, raw.len});
	buf_free(&m);
	buf_free(&raw);
	json_decref(meta);
}

static void write_page(const struct page *g, struct buf *out)
{
	if (g->ask->protobuf) {
		write_protobuf(g, out);
		return;
	}
	buf_printf(out, "{\"kind\":\"%sList\",\"apiVersion\":\"%s\",\"metadata\":%s,\"items\":[",
	        g->ask->kind->name, g->ask->kind->list_api, g->meta);
	if (g->items.len > 0)
		buf_add(out, g->items.at, g->items.len);
	buf_str(out, "]}\n");
}

enum MHD_Result list_serve(struct ask *a)
{
	const char *rv = query(a->connection, "resourceVersion");
	const char *token = query(a->connection, "continue");
	struct place p = {.rv = (long long)world.rv};
	struct page page = {.ask = a};
	struct buf out = {0};
	struct object_list l;
	struct body *kept;
	bool is_whole;
	uint64_t limit = 0, n = 0;

	if (num_u64(str_from(query(a->connection, "limit")), 1000000, &limit) < 0 || *rv == '0')
		limit = 0;
	if (*token && !read_token(token, &p))
		return reply_status(a->connection, 400, "BadRequest", "",
		        "continue key is not valid: invalid token");
	if (*rv && num_u64(str_from(rv), UINT64_MAX, &n) < 0)
		return reply_status(
		        a->connection, 400, "BadRequest", "", "invalid resource version");
	if (n > world.rv)
		return reply_too_large(a, n);
	if (strcmp(query(a->connection, "resourceVersionMatch"), "Exact") == 0)
		p.rv = (long long)n;
	is_whole = limit == 0 && *token == '\0' && p.rv == (long long)world.rv;
	kept = is_whole ? body_find(a, false) : NULL;
	if (kept != NULL)
		return reply_body(kept);
	if (!world_snapshot(a->kind, p.rv < 0 ? world.rv : (uint64_t)p.rv, &l))
		return reply_expired(a, &p);
	make_page(&page, &l, &p, limit);
	object_list_free(&l);
	write_page(&page, &out);
	buf_free(&page.items);
	kept = body_new(a, &out);
	if (is_whole)
		body_keep(a, false, kept);
	return reply_body(kept);
}
