/*
 * The requests of an audit (audit.h): one at a time, of meta data, beside the watch of the same
 * kind. Part of source_api, on its loop.
 */
#pragma once

#include "cluster/access.h"
#include "cluster/audit.h"
#include "cluster/rest_stats.h"
#include "net/http_client.h"

struct source_audit;

/* What it works with; everything must outlive it. */
struct source_audit_options {
	struct http_client *http;
	struct access *access;
	const char *const *path; /* where "/api/v1/services" stands; may change between requests */
	struct reflector *reflector;
	struct rest_stats *requests; /* counted here */
	void (*on_event)(void *arg); /* something happened: deadlines may be others */
	void *arg;
};

/* Begin. */
struct source_audit *source_audit_new(const struct source_audit_options *o);
/* End the request in flight and free it. NULL is ignored. */
void source_audit_free(struct source_audit *s);
/* Time passed. NULL is ignored. */
void source_audit_on_time(struct source_audit *s, uint64_t now_ms);
/* When source_audit_on_time() has something to do; UINT64_MAX for NULL. */
uint64_t source_audit_deadline_ms(const struct source_audit *s);
