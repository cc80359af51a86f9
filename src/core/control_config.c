#include "conf/corefile.h"
#include "core/control.h"

int control_config_read(const struct control_config *config, struct corefile **out, struct err *e)
{
	const char *name = config->name == NULL ? "Corefile" : config->name;

	if (config->path != NULL)
		return corefile_read(config->path, NULL, out, e);
	return corefile_parse(name, str_from(config->text), NULL, out, e);
}
