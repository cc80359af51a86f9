/*
 * How the API server is asked: a GET with the present credentials. Part of source_api and
 * source_audit, on their loop; the request is theirs.
 */
#pragma once

#include "cluster/access.h"
#include "net/http_client.h"

struct rest_question {
	const char *path; /* of the resource: "/api/v1/services" */
	const char *query; /* what stands behind "?" */
	const char *accept; /* value of Accept */
};

/* Ask with what access has now. Callbacks, result and errors as http_get(). */
struct http_request *rest_get(struct http_client *http, const struct access *access,
        const struct rest_question *q, const struct http_handler *handler, struct err *e);
