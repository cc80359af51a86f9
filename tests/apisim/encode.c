/* Kubernetes protobuf from the JSON tree of an object, by tables of the fields that are sent. */
#include "sim.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum type { TEXT, NUMBER, BOOL, MESSAGE, MAP, TIME, NUMBER_OR_TEXT, JSON_TEXT };

struct field {
	const char *key; /* in JSON; an array there is repeated here */
	uint32_t number;
	enum type type;
	const struct message *message;
};

struct message {
	struct field fields[15]; /* by number, up to one without a key */
};

/* ---- core/v1, discovery/v1 and meta/v1; numbers as in generated.proto ---- */

static const struct message owner = {{{"kind", 1, TEXT, NULL}, {"name", 3, TEXT, NULL},
        {"uid", 4, TEXT, NULL}, {"apiVersion", 5, TEXT, NULL}, {"controller", 6, BOOL, NULL},
        {"blockOwnerDeletion", 7, BOOL, NULL}}};
static const struct message managed = {{{"manager", 1, TEXT, NULL}, {"operation", 2, TEXT, NULL},
        {"apiVersion", 3, TEXT, NULL}, {"time", 4, TIME, NULL}, {"fieldsType", 6, TEXT, NULL},
        {"fieldsV1", 7, JSON_TEXT, NULL}, {"subresource", 8, TEXT, NULL}}};
static const struct message metadata = {{{"name", 1, TEXT, NULL}, {"generateName", 2, TEXT, NULL},
        {"namespace", 3, TEXT, NULL}, {"uid", 5, TEXT, NULL}, {"resourceVersion", 6, TEXT, NULL},
        {"generation", 7, NUMBER, NULL}, {"creationTimestamp", 8, TIME, NULL},
        {"deletionTimestamp", 9, TIME, NULL}, {"deletionGracePeriodSeconds", 10, NUMBER, NULL},
        {"labels", 11, MAP, NULL}, {"annotations", 12, MAP, NULL},
        {"ownerReferences", 13, MESSAGE, &owner}, {"finalizers", 14, TEXT, NULL},
        {"managedFields", 17, MESSAGE, &managed}}};
static const struct message namespace_status = {{{"phase", 1, TEXT, NULL}}};
static const struct message namespace_spec = {{{"finalizers", 1, TEXT, NULL}}};
static const struct message namespace = {{{"metadata", 1, MESSAGE, &metadata},
        {"spec", 2, MESSAGE, &namespace_spec}, {"status", 3, MESSAGE, &namespace_status}}};

static const struct message service_port = {{{"name", 1, TEXT, NULL}, {"protocol", 2, TEXT, NULL},
        {"port", 3, NUMBER, NULL}, {"targetPort", 4, NUMBER_OR_TEXT, NULL},
        {"nodePort", 5, NUMBER, NULL}, {"appProtocol", 6, TEXT, NULL}}};
static const struct message service_spec = {{{"ports", 1, MESSAGE, &service_port},
        {"selector", 2, MAP, NULL}, {"clusterIP", 3, TEXT, NULL}, {"type", 4, TEXT, NULL},
        {"externalIPs", 5, TEXT, NULL}, {"sessionAffinity", 7, TEXT, NULL},
        {"externalName", 10, TEXT, NULL}, {"publishNotReadyAddresses", 13, BOOL, NULL},
        {"ipFamilyPolicy", 17, TEXT, NULL}, {"clusterIPs", 18, TEXT, NULL},
        {"ipFamilies", 19, TEXT, NULL}, {"internalTrafficPolicy", 22, TEXT, NULL}}};
static const struct message ingress = {{{"ip", 1, TEXT, NULL}, {"hostname", 2, TEXT, NULL}}};
static const struct message load_balancer = {{{"ingress", 1, MESSAGE, &ingress}}};
static const struct message service_status = {{{"loadBalancer", 1, MESSAGE, &load_balancer}}};
static const struct message service = {{{"metadata", 1, MESSAGE, &metadata},
        {"spec", 2, MESSAGE, &service_spec}, {"status", 3, MESSAGE, &service_status}}};

static const struct message conditions = {
        {{"ready", 1, BOOL, NULL}, {"serving", 2, BOOL, NULL}, {"terminating", 3, BOOL, NULL}}};
static const struct message reference = {{{"kind", 1, TEXT, NULL}, {"namespace", 2, TEXT, NULL},
        {"name", 3, TEXT, NULL}, {"uid", 4, TEXT, NULL}}};
static const struct message endpoint = {
        {{"addresses", 1, TEXT, NULL}, {"conditions", 2, MESSAGE, &conditions},
                {"hostname", 3, TEXT, NULL}, {"targetRef", 4, MESSAGE, &reference},
                {"nodeName", 6, TEXT, NULL}, {"zone", 7, TEXT, NULL}}};
static const struct message slice_port = {{{"name", 1, TEXT, NULL}, {"protocol", 2, TEXT, NULL},
        {"port", 3, NUMBER, NULL}, {"appProtocol", 4, TEXT, NULL}}};
static const struct message slice = {
        {{"metadata", 1, MESSAGE, &metadata}, {"endpoints", 2, MESSAGE, &endpoint},
                {"ports", 3, MESSAGE, &slice_port}, {"addressType", 4, TEXT, NULL}}};

static const struct message container_port = {
        {{"name", 1, TEXT, NULL}, {"hostPort", 2, NUMBER, NULL}, {"containerPort", 3, NUMBER, NULL},
                {"protocol", 4, TEXT, NULL}}};
static const struct message container = {{{"name", 1, TEXT, NULL}, {"image", 2, TEXT, NULL},
        {"ports", 6, MESSAGE, &container_port}}};
static const struct message pod_spec = {
        {{"containers", 2, MESSAGE, &container}, {"restartPolicy", 3, TEXT, NULL},
                {"nodeName", 10, TEXT, NULL}, {"hostNetwork", 11, BOOL, NULL},
                {"hostname", 16, TEXT, NULL}, {"subdomain", 17, TEXT, NULL}}};
static const struct message pod_condition = {{{"type", 1, TEXT, NULL}, {"status", 2, TEXT, NULL}}};
static const struct message pod_ip = {{{"ip", 1, TEXT, NULL}}};
static const struct message pod_status = {{{"phase", 1, TEXT, NULL},
        {"conditions", 2, MESSAGE, &pod_condition}, {"hostIP", 5, TEXT, NULL},
        {"podIP", 6, TEXT, NULL}, {"podIPs", 12, MESSAGE, &pod_ip}}};
static const struct message pod = {{{"metadata", 1, MESSAGE, &metadata},
        {"spec", 2, MESSAGE, &pod_spec}, {"status", 3, MESSAGE, &pod_status}}};

static const struct message list_metadata = {{{"resourceVersion", 2, TEXT, NULL},
        {"continue", 3, TEXT, NULL}, {"remainingItemCount", 4, NUMBER, NULL}}};
static const struct message details = {{{"name", 1, TEXT, NULL}, {"group", 2, TEXT, NULL},
        {"kind", 3, TEXT, NULL}, {"retryAfterSeconds", 5, NUMBER, NULL}}};
static const struct message status = {{{"metadata", 1, MESSAGE, &list_metadata},
        {"status", 2, TEXT, NULL}, {"message", 3, TEXT, NULL}, {"reason", 4, TEXT, NULL},
        {"details", 5, MESSAGE, &details}, {"code", 6, NUMBER, NULL}}};

const struct message *message_find(const char *kind)
{
	static const struct {
		const char *kind;
		const struct message *message;
	} all[] = {{"Namespace", &namespace}, {"Service", &service}, {"EndpointSlice", &slice},
	        {"Pod", &pod}, {"Status", &status}, {"ListMeta", &list_metadata}};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (strcmp(all[i].kind, kind) == 0)
			return all[i].message;
	return NULL;
}

/* ---- octets ---- */

static void put_varint(struct buf *b, uint64_t v)
{
	for (; v > 0x7f; v >>= 7)
		buf_char(b, (char)(v | 0x80));
	buf_char(b, (char)v);
}

static void put_number(struct buf *b, uint32_t number, int64_t v)
{
	put_varint(b, number << 3);
	put_varint(b, (uint64_t)v);
}

void encode_bytes(struct buf *b, uint32_t number, const void *p, size_t n)
{
	put_varint(b, number << 3 | 2);
	put_varint(b, n);
	if (n > 0)
		buf_add(b, p, n);
}

static void put_text(struct buf *b, uint32_t number, const char *text)
{
	if (text != NULL)
		encode_bytes(b, number, text, strlen(text));
}

/* Append m as a field and empty it. */
static void put_message(struct buf *b, uint32_t number, struct buf *m)
{
	encode_bytes(b, number, m->at, m->len);
	buf_free(m);
}

static void put_map(struct buf *b, uint32_t number, json_t *map)
{
	const char *key;
	json_t *v;

	json_object_foreach (map, key, v) {
		struct buf pair = {0};

		put_text(&pair, 1, key);
		put_text(&pair, 2, json_string_value(v));
		put_message(b, number, &pair);
	}
}

static void put_time(struct buf *b, uint32_t number, const char *text)
{
	struct buf m = {0};
	struct tm tm = {0};

	if (text == NULL || strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) == NULL)
		return;
	put_number(&m, 1, timegm(&tm));
	put_number(&m, 2, 0);
	put_message(b, number, &m);
}

static void put_number_or_text(struct buf *b, uint32_t number, const json_t *v)
{
	struct buf m = {0};

	put_number(&m, 1, json_is_string(v));
	put_number(&m, 2, json_integer_value(v));
	put_text(&m, 3, json_is_string(v) ? json_string_value(v) : "");
	put_message(b, number, &m);
}

/* A message with the value as JSON in it. */
static void put_json(struct buf *b, uint32_t number, const json_t *v)
{
	char *text = json_dumps(v, JSON_COMPACT);
	struct buf m = {0};

	put_text(&m, 1, text);
	put_message(b, number, &m);
	free(text);
}

static void put_value(struct buf *b, const struct field *f, json_t *v)
{
	struct buf m = {0};

	switch (f->type) {
	case TEXT: put_text(b, f->number, json_string_value(v)); break;
	case NUMBER: put_number(b, f->number, json_integer_value(v)); break;
	case BOOL: put_number(b, f->number, json_is_true(v)); break;
	case MAP: put_map(b, f->number, v); break;
	case TIME: put_time(b, f->number, json_string_value(v)); break;
	case JSON_TEXT: put_json(b, f->number, v); break;
	case NUMBER_OR_TEXT: put_number_or_text(b, f->number, v); break;
	case MESSAGE:
		encode_message(&m, f->message, v);
		put_message(b, f->number, &m);
		break;
	}
}

void encode_message(struct buf *b, const struct message *m, const json_t *o)
{
	for (const struct field *f = m->fields; f->key != NULL; f++) {
		json_t *v = json_object_get(o, f->key), *element;
		size_t i;

		if (json_is_array(v)) {
			json_array_foreach (v, i, element)
				put_value(b, f, element);
		} else if (v != NULL && !json_is_null(v)) {
			put_value(b, f, v);
		}
	}
}

void encode_unknown(struct buf *b, const char *api, const char *kind, struct str raw)
{
	struct buf type = {0};

	put_text(&type, 1, api);
	put_text(&type, 2, kind);
	buf_add(b, "k8s", 4);
	put_message(b, 1, &type);
	encode_bytes(b, 2, raw.at, raw.len);
	put_text(b, 3, "");
	put_text(b, 4, "");
}

void encode_event(struct buf *b, const char *type, const struct buf *object)
{
	struct buf event = {0}, extension = {0};

	encode_bytes(&extension, 1, object->at, object->len);
	put_text(&event, 1, type);
	put_message(&event, 2, &extension);
	for (int shift = 24; shift >= 0; shift -= 8)
		buf_char(b, (char)(event.len >> shift));
	buf_add(b, event.at, event.len);
	buf_free(&event);
}

bool encode_json_event(struct buf *b, const char *text, size_t len)
{
	json_t *event = json_loadb(text, len, JSON_DISABLE_EOF_CHECK, NULL);
	json_t *o = json_object_get(event, "object");
	const char *kind = json_string_value(json_object_get(o, "kind"));
	const struct message *m = kind ? message_find(kind) : NULL;
	struct buf raw = {0}, object = {0};

	if (m != NULL) {
		encode_message(&raw, m, o);
		encode_unknown(&object, json_string_value(json_object_get(o, "apiVersion")), kind,
		        (struct str){raw.at, raw.len});
		encode_event(b, json_string_value(json_object_get(event, "type")), &object);
	}
	buf_free(&raw);
	buf_free(&object);
	json_decref(event);
	return m != NULL;
}
