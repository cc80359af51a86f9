/*
 * The HTTP endpoints of a script, in place of src/admin/http.c: routes that plugins add are called
 * directly, and no port is opened. They learn from here what the control thread would tell them.
 */
#pragma once

#include "admin/http.h"

struct generation;

/* The configuration that is served from now on, or NULL. */
void fake_admin_serve(struct generation *g);
/* Ask the endpoint at address, as it is written in the Corefile; false when there is none. */
bool fake_admin_get(const char *address, const char *path, struct admin_reply *reply);
