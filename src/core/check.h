/*
 * Reading a configuration without serving it: what `seamark check` and sm_check() do.
 */
#pragma once

#include "core/control.h"

/*
 * Parse the Corefile of config and set up every plugin; no socket is opened and no thread
 * started. 0, or a negative errno with the first fault in e (the others are logged).
 */
int check_config(const struct control_config *config, struct err *e);
