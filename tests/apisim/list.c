/* LIST: selectors, pages with continue tokens, resourceVersion rules. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "base/num.h"
#include "cluster/pb.h"

enum { LIST_METADATA = 1, LIST_ITEMS = 2, OBJECT_METADATA = 1 };

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

/* The JSON object that begins at p. */
static struct str inner_object(const char *p)
{
	const char *at = p;
	unsigned depth = 0;
	bool quoted = false;

	do {
		if (quoted && *at == '\\')
			at++;
		else if (*at == '"')
			quoted = !quoted;
		else if (!quoted)
			depth += (unsigned)(*at == '{') - (unsigned)(*at == '}');
		at++;
	} while (depth > 0);
	return (struct str){p, (size_t)(at - p)};
}

/* Objects begin with their metadata, in both encodings. */
static void add_metadata(struct page *g, const struct object *o)
{
	static const char start[] = "{\"metadata\":";
	struct buf item = {0};
	struct str m;
	struct pb p;

	if (g->ask->protobuf) {
		pb_init(&p, (struct str){o->protobuf.at, o->protobuf.len});
		must(pb_next(&p) && pb_is_bytes(&p, OBJECT_METADATA));
		encode_bytes(&item, OBJECT_METADATA, p.bytes.at, p.bytes.len);
		encode_bytes(&g->items, LIST_ITEMS, item.at, item.len);
		buf_free(&item);
		return;
	}
	must(strncmp(o->json, start, sizeof(start) - 1) == 0);
	m = inner_object(o->json + sizeof(start) - 1);
	buf_str(&g->items, "{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":"
	                   "\"meta.k8s.io/v1\",\"metadata\":");
	buf_add(&g->items, m.at, m.len);
	buf_char(&g->items, '}');
}

static void add_item(struct page *g, const struct object *o)
{
	if (!g->ask->protobuf && g->shown > 0)
		buf_char(&g->items, ',');
	if (g->ask->metadata_only)
		add_metadata(g, o);
	else if (g->ask->protobuf)
		encode_bytes(&g->items, LIST_ITEMS, o->protobuf.at, o->protobuf.len);
	else
		buf_add(&g->items, o->json, o->len);
}

static bool is_filtered(const struct ask *a)
{
	return a->namespace[0] || a->labels.all.len > 0 || a->fields.all.len > 0;
}

static void write_meta(struct page *g, const struct place *p, const struct object *last)
{
	struct buf b = {0};
	char start[400];

	buf_printf(&b, "{\"resourceVersion\":\"%lld\"", p->rv);
	if (g->left > 0) {
		buf_str(&b, ",\"continue\":\"");
		snprintf(start, sizeof(start), "%s%s", last->key[0] == '/' ? "" : "/", last->key);
		make_token(&b, p->rv, start);
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
	struct object *const *all = l->all.at;
	size_t n = l->all.len, i = p->after[0] ? object_lower_bound(all, n, p->after) : 0;
	const struct object *last = NULL;

	if (i < n && strcmp(all[i]->key, p->after) == 0)
		i++;
	for (; i < n && (limit == 0 || g->shown < limit); i++) {
		if (!ask_matches(g->ask, all[i]))
			continue;
		add_item(g, all[i]);
		g->shown++;
		last = all[i];
	}
	if (!is_filtered(g->ask))
		g->left = n - i;
	else
		for (; i < n; i++)
			g->left += ask_matches(g->ask, all[i]);
	write_meta(g, p, last);
}

static void write_protobuf(const struct page *g, const char *api, const char *kind, struct buf *out)
{
	json_t *meta = json_loads(g->meta, 0, NULL);
	struct buf m = {0}, raw = {0};
	encode_message(&m, message_find("ListMeta"), meta);
	encode_bytes(&raw, LIST_METADATA, m.at, m.len);
	if (g->items.len > 0)
		buf_add(&raw, g->items.at, g->items.len);
	encode_unknown(out, api, kind, (struct str){raw.at, raw.len});
	buf_free(&m);
	buf_free(&raw);
	json_decref(meta);
}

static void write_page(const struct page *g, struct buf *out)
{
	const struct kind *k = g->ask->kind;
	const char *api = g->ask->metadata_only ? "meta.k8s.io/v1" : k->list_api;
	char kind[80];

	snprintf(kind, sizeof(kind), "%sList",
	        g->ask->metadata_only ? "PartialObjectMetadata" : k->name);
	if (g->ask->protobuf) {
		write_protobuf(g, api, kind, out);
		return;
	}
	buf_printf(out, "{\"kind\":\"%s\",\"apiVersion\":\"%s\",\"metadata\":%s,\"items\":[", kind,
	        api, g->meta);
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
	if (n > world_seen())
		return reply_too_large(a, n);
	if (strcmp(query(a->connection, "resourceVersionMatch"), "Exact") == 0)
		p.rv = (long long)n;
	is_whole = limit == 0 && *token == '\0' && p.rv == (long long)world.rv && !a->metadata_only;
	kept = is_whole ? body_find(a, false) : NULL;
	if (kept != NULL)
		return reply_body(kept);
	if (!world_snapshot(a->kind, p.rv < 0 ? world.rv : (uint64_t)p.rv, &l))
		return reply_expired(a, &p);
	p.rv = p.rv < 0 ? (long long)world.rv : p.rv;
	pthread_mutex_unlock(&world.lock); /* watches go on meanwhile */
	make_page(&page, &l, &p, limit);
	write_page(&page, &out);
	buf_free(&page.items);
	pthread_mutex_lock(&world.lock);
	object_list_free(&l);
	kept = body_new(a, &out);
	if (is_whole && p.rv == (long long)world.rv)
		body_keep(a, false, kept);
	return reply_body(kept);
}
