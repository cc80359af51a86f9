#include "test.h"

#include <stdio.h>

#include "base/must.h"
#include "cluster/yaml.h"

/* One line an object: "LINE KIND NS/NAME[ problem]", then what was ignored; or the error. */
static void check(const char *text, const char *expected)
{
	struct yaml_objects objects = {.n_ignored = 0};
	struct buf out = {0};
	struct err e = {""};

	if (yaml_objects_read(&objects, str_from(text), &e) != 0)
		buf_str(&out, e.text);
	vec_for_each (&objects.list, y) {
		buf_printf(&out, "%u %s %s/%s", y->line, object_kind_name(y->object->kind),
		        y->object->ns, y->object->name);
		if (y->problem != NULL)
			buf_printf(&out, " %s", y->problem);
		buf_char(&out, '\n');
	}
	if (objects.n_ignored > 0)
		buf_printf(&out, "ignored %u, %s at %u\n", objects.n_ignored, objects.ignored_kind,
		        objects.ignored_line);
	assert_string_equal(buf_text(&out), expected);
	yaml_objects_fini(&objects);
	buf_free(&out);
}

static void objects_are_found(void **state)
{
	static const char *const rows[][2] = {
	        {"", ""},
	        {"---\n# nothing\n---\n", ""},
	        {"apiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: n}\n",
	                "1 Service n/a\n"},
	        {"{\"apiVersion\": \"v1\", \"kind\": \"Pod\", \"metadata\": {\"name\": \"p\"}}",
	                "1 Pod default/p\n"},
	        {"kind: Namespace\nmetadata: {name: n, namespace: x}\n---\nkind: Service\n"
	         "metadata: {name: s}\n",
	                "1 Namespace /n\n4 Service default/s\n"},
	        {"apiVersion: v1\nkind: List\nitems:\n- {kind: Pod, metadata: {name: a}}\n"
	         "- {kind: Secret, metadata: {name: b}}\n- kind: Service\n  metadata: {name: c}\n",
	                "4 Pod default/a\n6 Service default/c\nignored 1, Secret at 5\n"},
	        {"apiVersion: v1\nkind: ServiceList\nitems:\n- metadata: {name: a}\n"
	         "- metadata: {name: b}\n",
	                "4 Service default/a\n5 Service default/b\n"},
	        {"kind: List\nitems: [{kind: List, items: [{kind: Pod, metadata: {name: a}}]}]\n",
	                "2 Pod default/a\n"},
	        {"kind: List\n", ""},
	        {"kind: List\nitems: null\n", ""},
	        {"kind: SecretList\nitems: [{metadata: {name: a}}]\n",
	                "ignored 1, SecretList at 1\n"},
	        {"apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: a}\n",
	                "ignored 1, Service at 1\n"},
	        {"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: Not A Name}\n",
	                "ignored 1, Deployment at 1\n"},
	        {"kind: Pod\nmetadata: {name: p}\nstatus: {podIP: 1.2.3}\n",
	                "1 Pod default/p podIP \"1.2.3\"\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check(rows[i][0], rows[i][1]);
}

static void errors_name_the_line(void **state)
{
	static const char *const rows[][2] = {
	        {"hello\n",
	                "line 1: not a Kubernetes object: it needs apiVersion, kind and metadata"},
	        {"kind: Pod\nmetadata: {name: a}\n---\nmetadata: {name: b}\n",
	                "line 4: not a Kubernetes object: it needs apiVersion, kind and metadata"},
	        {"kind: List\nitems:\n- metadata: {name: b}\n",
	                "line 3: not a Kubernetes object: it needs apiVersion, kind and metadata"},
	        {"kind: [Pod]\n",
	                "line 1: not a Kubernetes object: it needs apiVersion, kind and metadata"},
	        {"kind: Pod\nmetadata: {}\n",
	                "line 1: a Pod that cannot be used: no metadata.name \"\""},
	        {"\n\nkind: Service\nmetadata: {name: A_b}\n",
	                "line 3: a Service that cannot be used: name \"A_b\""},
	        {"kind: Service\nmetadata: {name: a.b}\n", "line 1: a Service that cannot be used: "
	                                                   "name that is no DNS label: \"a.b\""},
	        {"kind: Service\nmetadata: {name: a, namespace: x.y}\n",
	                "line 1: a Service that cannot be used: namespace \"x.y\""},
	        {"kind: List\nitems: [{kind: List, items: [{kind: List, items: [{kind: List, "
	         "items: [{kind: List, items: []}]}]}]}]\n",
	                "line 2: lists in lists, more than 4 deep"},
	        {"kind: Pod\nkind: Pod\n",
	                "line 2: key \"kind\" was given at line 1 already; keep one"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check(rows[i][0], rows[i][1]);
}

static void fields_are_those_of_the_api_decoder(void **state)
{
	static const char text[] = "apiVersion: v1\nkind: Service\n"
	                           "metadata:\n  name: web\n  labels: {b: '2', a: 1}\n"
	                           "  resourceVersion: '77'\n  uid: x\n"
	                           "spec:\n  type: NodePort\n  clusterIP: 10.0.0.1\n"
	                           "  publishNotReadyAddresses: true\n"
	                           "  selector: {app: web}\n"
	                           "  ports: [{name: http, port: 80, targetPort: web},\n"
	                           "    {port: 53, protocol: UDP}]\n";
	struct yaml_objects objects = {.n_ignored = 0};
	const struct service_data *s;
	const struct object *o;
	struct err e = {""};

	(void)state;
	assert_int_equal(yaml_objects_read(&objects, str_from(text), &e), 0);
	assert_int_equal(objects.list.len, 1);
	o = objects.list.at[0].object;
	s = &o->service;
	assert_string_equal(labels_get(&o->labels, "a"), "1");
	assert_string_equal(o->labels.at[1].key, "b");
	assert_int_equal(o->rv, 0);
	assert_int_equal(o->uid[0], 0);
	assert_int_equal(s->type, SERVICE_NODE_PORT);
	assert_true(s->publish_not_ready);
	assert_int_equal(s->cluster_ips.len, 1);
	assert_int_equal(s->ports.len, 2);
	assert_int_equal(s->ports.at[0].port, 80);
	assert_string_equal(s->ports.at[0].target_name, "web");
	assert_int_equal(s->ports.at[1].target_port, 53);
	assert_int_equal(s->ports.at[1].protocol, PROTOCOL_UDP);
	assert_string_equal(labels_get(&s->selector, "app"), "web");
	yaml_objects_fini(&objects);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(objects_are_found),
	        cmocka_unit_test(errors_name_the_line),
	        cmocka_unit_test(fields_are_those_of_the_api_decoder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
