/* YAML and JSON text to JSON trees. */
#include "sim.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

static json_t *convert(yaml_document_t *doc, yaml_node_t *node, unsigned depth);

/* Plain scalars by the core schema; quoted ones are strings. */
static json_t *convert_scalar(const yaml_node_t *node)
{
	const char *s = (const char *)node->data.scalar.value;
	char *end;
	long long i;
	double d;

	if (node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return json_stringn(s, node->data.scalar.length);
	if (*s == '\0' || strcmp(s, "~") == 0 || strcmp(s, "null") == 0)
		return json_null();
	if (strcmp(s, "true") == 0 || strcmp(s, "false") == 0)
		return json_boolean(*s == 't');
	errno = 0;
	i = strtoll(s, &end, 10);
	if (*end == '\0' && errno == 0)
		return json_integer(i);
	if (strspn(s, "0123456789+-.eE") == strlen(s)) {
		d = strtod(s, &end);
		if (*end == '\0')
			return json_real(d);
	}
	return json_stringn(s, node->data.scalar.length);
}

static json_t *convert_mapping(yaml_document_t *doc, yaml_node_t *node, unsigned depth)
{
	json_t *o = json_object();

	for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top;
	        p++) {
		yaml_node_t *key = yaml_document_get_node(doc, p->key);
		json_t *v = convert(doc, yaml_document_get_node(doc, p->value), depth + 1);

		if (v == NULL || key->type != YAML_SCALAR_NODE) {
			json_decref(v);
			json_decref(o);
			return NULL;
		}
		json_object_set_new(o, (const char *)key->data.scalar.value, v);
	}
	return o;
}

static json_t *convert(yaml_document_t *doc, yaml_node_t *node, unsigned depth)
{
	json_t *a;

	if (node == NULL || depth > 64)
		return NULL;
	if (node->type == YAML_SCALAR_NODE)
		return convert_scalar(node);
	if (node->type == YAML_MAPPING_NODE)
		return convert_mapping(doc, node, depth);
	a = json_array();
	for (yaml_node_item_t *i = node->data.sequence.items.start;
	        i < node->data.sequence.items.top; i++) {
		json_t *v = convert(doc, yaml_document_get_node(doc, *i), depth + 1);

		if (v == NULL) {
			json_decref(a);
			return NULL;
		}
		json_array_append_new(a, v);
	}
	return a;
}

/* Append a document, or the items of a List whose kind they may leave out. */
static void take_apart(json_t *out, json_t *doc)
{
	const char *kind = json_string_value(json_object_get(doc, "kind"));
	size_t len = kind == NULL ? 0 : strlen(kind), i;
	json_t *items = json_object_get(doc, "items"), *item;

	if (len < 4 || strcmp(kind + len - 4, "List") != 0 || !json_is_array(items)) {
		json_array_append(out, doc);
		return;
	}
	json_array_foreach (items, i, item) {
		if (len > 4 && json_object_get(item, "kind") == NULL) {
			json_object_set_new(item, "kind", json_stringn(kind, len - 4));
			json_object_set(item, "apiVersion", json_object_get(doc, "apiVersion"));
		}
		json_array_append(out, item);
	}
}

json_t *manifest_parse(const char *text, size_t len, char *why)
{
	json_t *out = json_array(), *doc;
	yaml_parser_t parser;
	yaml_document_t document;
	bool more = true;

	yaml_parser_initialize(&parser);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	while (more) {
		if (!yaml_parser_load(&parser, &document)) {
			snprintf(why, 200, "line %zu: %s", parser.problem_mark.line + 1,
			        parser.problem ? parser.problem : "not YAML");
			json_decref(out);
			out = NULL;
			break;
		}
		more = yaml_document_get_root_node(&document) != NULL;
		doc = more ? convert(&document, yaml_document_get_root_node(&document), 0) : NULL;
		if (json_is_object(doc))
			take_apart(out, doc);
		json_decref(doc);
		yaml_document_delete(&document);
	}
	yaml_parser_delete(&parser);
	return out;
}

static bool apply_one(json_t *doc, char *why)
{
	const char *kind = json_string_value(json_object_get(doc, "kind"));
	const char *reason = "no kind";
	struct kind *k;
	struct object *o;

	k = kind == NULL
	            ? NULL
	            : kind_find_api(json_string_value(json_object_get(doc, "apiVersion")), kind);
	if (k == NULL) {
		snprintf(why, 200, "no matches for kind \"%s\"", kind ? kind : "");
		return false;
	}
	o = object_build(k, doc, &reason);
	if (o == NULL) {
		snprintf(why, 200, "%s: %s", kind, reason);
		return false;
	}
	world_put(k, o);
	return true;
}

int manifest_apply(const char *text, size_t len, char *why)
{
	json_t *docs = manifest_parse(text, len, why), *doc;
	size_t i;
	int n = 0;

	if (docs == NULL)
		return -1;
	pthread_mutex_lock(&world.lock);
	json_array_foreach (docs, i, doc) {
		if (!apply_one(doc, why)) {
			n = -1;
			break;
		}
		n++;
	}
	pthread_mutex_unlock(&world.lock);
	json_decref(docs);
	return n;
}
