/*
 * Inside of the hosts plugin: setup.c reads its directive, hosts.c answers.
 *
 * Lifetime: made in setup, freed in teardown; only the table changes meanwhile, under RCU.
 */
#pragma once

#include "core/zone_list.h"
#include "hosts/table.h"
#include "plugin.h"

#define HOSTS_WHO "plugin/hosts"

struct file_watch;

struct hosts {
	struct hosts_table *table; /* published; never NULL after setup */
	char *path;
	struct buf inline_text; /* lines of the Corefile */
	struct zone_list zones;
	struct hosts_rules rules;
	struct fall fall;
	bool passes_unsupported; /* fallthrough_unsupported: fall is for known names, too */
	uint64_t reload_ms; /* 0: never */
	struct uv_loop_s *loop;
	struct file_watch *watch;
	_Atomic uint64_t records, loaded_s; /* for metrics, which any thread asks */
};

/* Read the file and publish a new table; a file that cannot be read changes nothing. */
void hosts_load(struct hosts *h);
/* The setup hook. */
int hosts_setup(struct setup *s, struct err *e);
/* Free it; no watch runs. */
void hosts_free(struct hosts *h);
