/*
 * template: answers made of the question. program.h expands texts, setup.c reads the directives,
 * template.c answers.
 *
 * Lifetime: built in setup, read-only afterwards but for the counters; freed in teardown.
 */
#pragma once

#include "base/pattern.h"
#include "core/metadata.h"
#include "core/zone_list.h"
#include "plugin.h"
#include "template/program.h"

#define TEMPLATE_SECTIONS 3u

/* Counters of a record. */
enum template_counter { TEMPLATE_FAILURES, TEMPLATE_RR_FAILURES, TEMPLATE_COUNTERS };

/* A record of a rule. */
struct template_record {
	struct program program;
	const char *text; /* as the Corefile has it: a label of metrics */
	size_t first_counter;
};

struct template_rule {
	uint16_t rr_class, type; /* 0: any */
	char class_text[16], type_text[16]; /* labels of metrics */
	struct zone_list zones;
	VEC(struct pattern *) patterns; /* none: every name */
	VEC(struct template_record) records[TEMPLATE_SECTIONS];
	uint16_t rcode;
	uint16_t ede; /* or EDE_NONE */
	const char *ede_text; /* or NULL */
	struct fall fall;
	size_t matches; /* counter */
};

struct template_instance {
	struct arena arena; /* texts */
	VEC(struct template_rule *) rules;
	struct counters *counters;
	size_t counters_len;
	char *server;
	char *view; /* label of metrics */
};

/* Read all directives of a block (setup.c). */
int template_setup(struct setup *s, struct err *e);
/* Free an instance (setup.c). */
void template_free(struct template_instance *t);
