/*
 * All plugins of this build, in chain order.
 */
#pragma once

struct plugin;

/* The plugins of plugins.def, NULL at the end; static. */
const struct plugin *const *plugin_table(void);
