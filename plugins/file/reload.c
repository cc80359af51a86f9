#include <errno.h>

#include "base/rcu.h"
#include "file/file.h"
#include "names/zonefile.h"

static struct tree *read_zone(const struct file_zone *z, struct err *e)
{
	struct buf warnings = {0};
	struct tree *t = zonefile_read(z->path, z->origin.wire, &warnings, e);

	if (t != NULL && warnings.len > 0)
		log_warning(FILE_WHO, "zone %s: %s", z->text, buf_text(&warnings));
	buf_free(&warnings);
	return t;
}

static void free_tree(void *tree)
{
	tree_free(tree);
}

/* CoreDNS too takes a new file only with another serial, unless reload_by_mtime is set. */
static bool is_new(const struct file_zone *z, const struct tree *t)
{
	return z->tree == NULL || z->by_mtime || t->serial != z->tree->serial;
}

void file_zone_reload(struct file_zone *z)
{
	struct err e = {""};
	struct tree *t = read_zone(z, &e), *old = z->tree;

	if (t == NULL) {
		log_error(FILE_WHO, "zone %s is not reloaded, %s: %s", z->text,
		        old == NULL ? "it has no data yet" : "the old data stays", e.text);
		return;
	}
	if (!is_new(z, t)) {
		log_info(FILE_WHO, "zone %s in %s changed without a new serial: not reloaded",
		        z->text, z->path);
		tree_free(t);
		return;
	}
	file_zone_note(z, old, t);
	rcu_publish(z->tree, t);
	rcu_retire(old, free_tree);
	log_info(FILE_WHO, "Successfully reloaded zone %s in %s with %u SOA serial", z->text,
	        z->path, t->serial);
}

int file_zone_load(struct file_zone *z, struct err *e)
{
	struct buf none = {0};
	int rc = buf_read_file(&none, z->path, 0);

	buf_free(&none);
	if (rc != -ENOENT || z->reload_ms == 0) {
		z->tree = read_zone(z, e);
		return z->tree == NULL ? -EINVAL : 0;
	}
	log_error(FILE_WHO, "zone %s: there is no file %s: answering SERVFAIL until it comes",
	        z->text, z->path);
	return rc;
}
