#include "table.h"

#include <stddef.h>

#include "core/plugin.h"

#define PLUGIN(x) extern const struct plugin x##_plugin;
#include "plugins.def"
#undef PLUGIN

const struct plugin *const *plugin_table(void)
{
	static const struct plugin *const table[] = {
#define PLUGIN(x) &x##_plugin,
#include "plugins.def"
#undef PLUGIN
		NULL,
	};

	return table;
}
