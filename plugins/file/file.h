/*
 * Inside of the file plugin: its zones. setup.c builds them, file.c answers from them, reload.c
 * keeps them current.
 *
 * Lifetime: made in setup, freed in teardown; only the trees change meanwhile, under RCU.
 */
#pragma once

#include "base/arena.h"
#include "core/zone_history.h"
#include "core/zone_list.h"
#include "names/tree.h"
#include "plugin.h"

#define FILE_WHO "plugin/file"

struct file_watch;

/* One zone of one `file` directive. */
struct file_zone {
	struct tree *tree; /* published; NULL until the first load succeeded */
	const char *path, *text; /* file, and origin in presentation form */
	struct name origin;
	struct file_watch *watch; /* NULL when it is not reloaded */
	uint64_t reload_ms; /* 0: never */
	bool by_mtime; /* reload although the serial is the same */
	const struct fall *fall;
	struct zone_history history; /* what reloads changed, for IXFR; control thread */
};

struct file_instance {
	struct arena arena; /* texts, zones and falls */
	struct uv_loop_s *loop;
	VEC(struct file_zone *) zones;
	struct zone_list origins; /* same order */
	VEC(struct fall *) falls;
};

/* Read the zone again and publish it when it is good and new; else keep the old one and log. */
void file_zone_reload(struct file_zone *z);
/* First load: 0; -ENOENT when the file is not there and may come later; else a reason in e. */
int file_zone_load(struct file_zone *z, struct err *e);
/* What a person can ask about the zones (explain.c). */
extern const struct plugin_explain file_explain_hooks;
/* Before a tree (or none) is replaced: keep what changes, when a transfer may ask (transfer.c). */
void file_zone_note(struct file_zone *z, const struct tree *old, const struct tree *new);
/* What the plugin transfer hands zones out with (transfer.c). */
extern const struct plugin_transfer file_transfer_hooks;
/* The setup hook. */
int file_setup(struct setup *s, struct err *e);
/* Free the instance with its zones; no watch runs. */
void file_instance_free(struct file_instance *f);
