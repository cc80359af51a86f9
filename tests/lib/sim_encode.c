/* The world's objects as JSON and as Kubernetes protobuf. */
#include "sim_world.h"

#include <stdio.h>

const char world_json[] = "application/json";
const char world_protobuf[] = "application/vnd.kubernetes.protobuf;stream=watch";

struct texts {
	char uid[40], rv[24], address[3][20];
	bool is_ready[2];
	unsigned n_addresses;
};

static void put_ip(char *out, uint32_t ip)
{
	snprintf(out, 20, "%u.%u.%u.%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255);
}

static void make_texts(struct texts *t, const struct world *w, const struct world_item *item)
{
	const struct world_object *o = world_object(w, item->object);
	uint32_t ready[SLICE_ADDRESSES];

	memset(t, 0, sizeof(*t));
	snprintf(t->uid, sizeof(t->uid), "%08x-0000-4000-8000-%012x", item->object + 1,
	        item->state.life);
	snprintf(t->rv, sizeof(t->rv), "%llu", (unsigned long long)item->state.rv);
	if (o->kind == OBJECT_SERVICE) {
		if (world_is_headless(w, item->object, &item->state))
			strcpy(t->address[0], "None");
		else
			put_ip(t->address[0], world_service_address(item->state.content));
	} else if (o->kind == OBJECT_SLICE) {
		/* one that is not ready, too */
		t->n_addresses = world_slice_addresses(w, item->object, &item->state, ready);
		for (unsigned i = 0; i < t->n_addresses; i++)
			put_ip(t->address[i], ready[i]);
		put_ip(t->address[t->n_addresses], 10u << 24 | 99u << 16 | item->object);
	}
}

/* ---- JSON ---- */

static const char *kind_name(enum object_kind kind)
{
	return object_kind_name(kind);
}

static void put_json_metadata(struct buf *b, const struct world_object *o, const struct texts *t)
{
	buf_printf(b, "\"metadata\":{\"name\":\"%s\",", o->name);
	if (*o->ns)
		buf_printf(b, "\"namespace\":\"%s\",", o->ns);
	buf_printf(b, "\"uid\":\"%s\",\"resourceVersion\":\"%s\"", t->uid, t->rv);
}

static void put_json(const struct world *w, struct buf *b, const struct world_item *item)
{
	const struct world_object *o = world_object(w, item->object);
	struct texts t;

	make_texts(&t, w, item);
	buf_printf(b, "{\"kind\":\"%s\",\"apiVersion\":\"%s\",", kind_name(o->kind),
	        o->kind == OBJECT_SLICE ? "discovery.k8s.io/v1" : "v1");
	put_json_metadata(b, o, &t);
	if (o->kind == OBJECT_SLICE) {
		buf_printf(b,
		        ",\"labels\":{\"kubernetes.io/service-name\":\"%s\"}},\"endpoints\":[",
		        world_object(w, o->service)->name);
		for (unsigned i = 0; i <= t.n_addresses; i++)
			buf_printf(b, "%s{\"addresses\":[\"%s\"],\"conditions\":{\"ready\":%s}}",
			        i ? "," : "", t.address[i], i < t.n_addresses ? "true" : "false");
		buf_str(b, "],\"addressType\":\"IPv4\",\"ports\":[{\"name\":\"p\",\"protocol\":"
		           "\"TCP\",\"port\":8080}]}");
	} else if (o->kind == OBJECT_SERVICE) {
		buf_printf(b,
		        "},\"spec\":{\"ports\":[{\"name\":\"p\",\"protocol\":\"TCP\",\"port\":80}],"
		        "\"clusterIP\":\"%s\",\"type\":\"ClusterIP\"}}",
		        t.address[0]);
	} else {
		buf_str(b, "}}");
	}
}

/* ---- protobuf ---- */

static void put_varint(struct buf *b, uint64_t n)
{
	for (; n > 127; n >>= 7)
		buf_char(b, (char)(uint8_t)(n | 128));
	buf_char(b, (char)n);
}

static void put_bytes(struct buf *b, unsigned field, const void *p, size_t n)
{
	put_varint(b, field << 3 | 2);
	put_varint(b, n);
	buf_add(b, p, n);
}

static void put_text(struct buf *b, unsigned field, const char *text)
{
	put_bytes(b, field, text, strlen(text));
}

static void put_number(struct buf *b, unsigned field, uint64_t n)
{
	put_varint(b, field << 3);
	put_varint(b, n);
}

/* The finished message becomes a field of b. */
static void put_message(struct buf *b, unsigned field, struct buf *message)
{
	put_bytes(b, field, buf_text(message), message->len);
	buf_free(message);
}

static void put_pair(struct buf *b, unsigned field, const char *key, const char *value)
{
	struct buf pair = {0};

	put_text(&pair, 1, key);
	put_text(&pair, 2, value);
	put_message(b, field, &pair);
}

static void put_pb_metadata(
        const struct world *w, struct buf *b, const struct world_object *o, const struct texts *t)
{
	struct buf meta = {0};

	put_text(&meta, 1, o->name);
	put_text(&meta, 3, o->ns);
	put_text(&meta, 5, t->uid);
	put_text(&meta, 6, t->rv);
	if (o->kind == OBJECT_SLICE)
		put_pair(
		        &meta, 11, "kubernetes.io/service-name", world_object(w, o->service)->name);
	put_message(b, 1, &meta);
}

static void put_pb_port(struct buf *b, unsigned field, unsigned number)
{
	struct buf port = {0};

	put_text(&port, 1, "p");
	put_text(&port, 2, "TCP");
	put_number(&port, 3, number);
	put_message(b, field, &port);
}

static void put_pb_endpoint(struct buf *b, const char *address, bool is_ready)
{
	struct buf endpoint = {0}, conditions = {0};

	put_text(&endpoint, 1, address);
	put_number(&conditions, 1, is_ready);
	put_message(&endpoint, 2, &conditions);
	put_message(b, 2, &endpoint);
}

static void put_pb(const struct world *w, struct buf *b, const struct world_item *item)
{
	const struct world_object *o = world_object(w, item->object);
	struct buf spec = {0};
	struct texts t;

	make_texts(&t, w, item);
	put_pb_metadata(w, b, o, &t);
	if (o->kind == OBJECT_SLICE) {
		for (unsigned i = 0; i <= t.n_addresses; i++)
			put_pb_endpoint(b, t.address[i], i < t.n_addresses);
		put_pb_port(b, 3, 8080);
		put_text(b, 4, "IPv4");
	} else if (o->kind == OBJECT_SERVICE) {
		put_pb_port(&spec, 1, 80);
		put_text(&spec, 3, t.address[0]);
		put_text(&spec, 4, "ClusterIP");
		put_message(b, 2, &spec);
	}
}

/* "k8s\0" and an Unknown of that type around the message. */
static void put_unknown(struct buf *b, const char *version, const char *kind, struct buf *raw)
{
	struct buf type = {0};

	buf_add(b, "k8s", 4);
	put_text(&type, 1, version);
	put_text(&type, 2, kind);
	put_message(b, 1, &type);
	put_message(b, 2, raw);
}

/* A frame of a watch. */
static void put_frame(struct buf *b, const char *type, struct buf *object)
{
	struct buf event = {0}, extension = {0};
	uint8_t len[4];

	put_message(&extension, 1, object);
	put_text(&event, 1, type);
	put_message(&event, 2, &extension);
	len[0] = 0;
	len[1] = (uint8_t)(event.len >> 16);
	len[2] = (uint8_t)(event.len >> 8);
	len[3] = (uint8_t)event.len;
	buf_add(b, len, 4);
	buf_add(b, buf_text(&event), event.len);
	buf_free(&event);
}

/* ---- both ---- */

static bool is_json(const struct world *w)
{
	return w->form == world_json;
}

static const char *group_of(enum object_kind kind)
{
	return kind == OBJECT_SLICE ? "discovery.k8s.io/v1" : "v1";
}

void world_put_event(
        const struct world *w, struct buf *b, const char *type, const struct world_item *item)
{
	enum object_kind kind = world_object(w, item->object)->kind;
	struct buf raw = {0}, object = {0};

	if (is_json(w)) {
		buf_printf(b, "{\"type\":\"%s\",\"object\":", type);
		put_json(w, b, item);
		buf_str(b, "}\n");
		return;
	}
	put_pb(w, &raw, item);
	put_unknown(&object, group_of(kind), kind_name(kind), &raw);
	put_frame(b, type, &object);
}

#define INITIAL_END "k8s.io/initial-events-end"

void world_put_bookmark(
        const struct world *w, struct buf *b, enum object_kind kind, uint64_t rv, bool is_end)
{
	struct buf meta = {0}, raw = {0}, object = {0};
	char version[24];

	snprintf(version, sizeof(version), "%llu", (unsigned long long)rv);
	if (is_json(w)) {
		buf_printf(b,
		        "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"%s\",\"apiVersion\":\"%s\","
		        "\"metadata\":{\"resourceVersion\":\"%s\"%s}}}\n",
		        kind_name(kind), group_of(kind), version,
		        is_end ? ",\"annotations\":{\"" INITIAL_END "\":\"true\"}" : "");
		return;
	}
	put_text(&meta, 6, version);
	if (is_end)
		put_pair(&meta, 12, INITIAL_END, "true");
	put_message(&raw, 1, &meta);
	put_unknown(&object, group_of(kind), kind_name(kind), &raw);
	put_frame(b, "BOOKMARK", &object);
}

void world_put_error(const struct world *w, struct buf *b, int code, const char *message)
{
	struct buf raw = {0}, object = {0};

	if (is_json(w)) {
		buf_printf(b,
		        "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"apiVersion\":\"v1\","
		        "\"status\":\"Failure\",\"message\":\"%s\",\"code\":%d}}\n",
		        message, code);
		return;
	}
	put_text(&raw, 3, message);
	put_number(&raw, 6, (unsigned)code);
	put_unknown(&object, "v1", "Status", &raw);
	put_frame(b, "ERROR", &object);
}

static void put_json_list_head(struct buf *b, const char *kind, const struct world_list *list)
{
	buf_printf(b, "{\"kind\":\"%sList\",\"metadata\":{\"resourceVersion\":\"%llu\"", kind,
	        (unsigned long long)list->rv);
	if (list->token != NULL)
		buf_printf(b, ",\"continue\":\"%s\",\"remainingItemCount\":%llu", list->token,
		        (unsigned long long)list->remaining);
	buf_str(b, "},\"items\":[");
}

static void put_pb_list(const struct world *w, struct buf *b, const struct world_list *list)
{
	struct buf raw = {0}, meta = {0};
	char version[24], kind[40];

	snprintf(version, sizeof(version), "%llu", (unsigned long long)list->rv);
	snprintf(kind, sizeof(kind), "%sList", kind_name(list->kind));
	put_text(&meta, 2, version);
	if (list->token != NULL) {
		put_text(&meta, 3, list->token);
		put_number(&meta, 4, list->remaining);
	}
	put_message(&raw, 1, &meta);
	for (size_t i = 0; i < list->len; i++) {
		struct buf item = {0};

		put_pb(w, &item, &list->items[i]);
		put_message(&raw, 2, &item);
	}
	put_unknown(b, group_of(list->kind), kind, &raw);
}

void world_put_list(const struct world *w, struct buf *b, const struct world_list *list)
{
	if (!is_json(w)) {
		put_pb_list(w, b, list);
		return;
	}
	put_json_list_head(b, kind_name(list->kind), list);
	for (size_t i = 0; i < list->len; i++) {
		buf_str(b, i ? "," : "");
		put_json(w, b, &list->items[i]);
	}
	buf_str(b, "]}");
}

void world_put_metadata(const struct world *w, struct buf *b, const struct world_list *list)
{
	put_json_list_head(b, "PartialObjectMetadata", list);
	for (size_t i = 0; i < list->len; i++) {
		struct texts t;

		make_texts(&t, w, &list->items[i]);
		buf_str(b, i ? ",{" : "{");
		put_json_metadata(b, world_object(w, list->items[i].object), &t);
		buf_str(b, "}}");
	}
	buf_str(b, "]}");
}
