/*
 * root: where relative paths of a server block begin. args_path() looks the directive up itself;
 * here it is only checked.
 */
#include "plugin.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static int setup(struct setup *s, struct err *e)
{
	const struct directive *d = s->first;
	struct stat st;
	int rc = args_once(s->block, "root", e);

	if (rc == 0)
		rc = args_count(d, 1, 1, e);
	if (rc == 0)
		rc = args_no_block(d, e);
	if (rc != 0)
		return rc;
	if (stat(d->args[0].text, &st) != 0)
		log_warning("plugin/root", "%s:%u: Root path does not exist: %s", d->file, d->line,
		        d->args[0].text);
	else if (!S_ISDIR(st.st_mode))
		rc = args_error(d, e, "'%s' is not a directory", d->args[0].text);
	return rc;
}

const struct plugin root_plugin = {.name = "root", .setup = setup};
