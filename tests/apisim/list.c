/* LIST: selectors, pages with continue tokens, resourceVersion rules. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* The items after p, at most limit (0: all); next is set when some are left. */
static void write_list(struct ask *a, const struct object_list *l, const struct place *p,
        uint64_t limit, struct buf *out)
{
	struct buf items = {0};
	const struct object *last = NULL;
	uint64_t shown = 0, left = 0;
	char start[400];

	vec_for_each (&l->all, o) {
		if ((p->after[0] && strcmp((*o)->key, p->after) <= 0) || !ask_matches(a, *o))
			continue;
		if (limit > 0 && shown == limit) {
			left++;
			continue;
		}
		if (shown++ > 0)
			buf_char(&items, ',');
		buf_add(&items, (*o)->json, (*o)->len);
		last = *o;
	}
	buf_printf(out,
	        "{\"kind\":\"%sList\",\"apiVersion\":\"%s\",\"metadata\":"
	        "{\"resourceVersion\":\"%llu\"",
	        a->kind->name, a->kind->list_api,
	        p->rv < 0 ? (unsigned long long)world.rv : (unsigned long long)p->rv);
	if (left > 0) {
		buf_str(out, ",\"continue\":\"");
		snprintf(start, sizeof(start), "%s%s", last->key[0] == '/' ? "" : "/", last->key);
		make_token(out, p->rv < 0 ? (long long)world.rv : p->rv, start);
		buf_char(out, '"');
		/* a server that filters cannot know how many are left */
		if (a->labels.all.len == 0 && a->fields.all.len == 0)
			buf_printf(out, ",\"remainingItemCount\":%llu", (unsigned long long)left);
	}
	buf_str(out, "},\"items\":[");
	if (items.len > 0)
		buf_add(out, items.at, items.len);
	buf_str(out, "]}\n");
	buf_free(&items);
}

enum MHD_Result list_serve(struct ask *a)
{
	const char *rv = query(a->connection, "resourceVersion");
	const char *token = query(a->connection, "continue");
	struct place p = {.rv = (long long)world.rv};
	struct object_list l;
	struct buf out = {0};
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
	if (!world_snapshot(a->kind, p.rv < 0 ? world.rv : (uint64_t)p.rv, &l))
		return reply_expired(a, &p);
	write_list(a, &l, &p, limit, &out);
	object_list_free(&l);
	return reply_json(a->connection, 200, &out);
}
