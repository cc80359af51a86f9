/*
 * What the setup code of plugins reads its directives with. Every reader checks, and on failure
 * returns -EINVAL with a finished sentence in the struct err:
 *
 *     FILE:LINE - plugin/NAME: wrong number of arguments for 'ttl': expected 1, got 2
 *
 * so setup code only passes codes on. Pure functions over the tree of conf/corefile.h; texts point
 * into that tree, or into the arena where one is given. A directive and an option line are the
 * same structure, and both are read by the same functions. Arguments are numbered from 0.
 *
 * A plugin with options describes them in a table:
 *
 *     static int set_ttl(void *conf, const struct directive *o, struct err *e)
 *     {
 *             struct hosts_conf *h = conf;
 *
 *             return args_u32(o, 0, ARGS_RANGE(1, 65535), &h->ttl, e);
 *     }
 *
 *     static const struct arg_option options[] = {
 *             {"ttl", 1, 1, set_ttl},
 *             {"no_reverse", 0, 0, set_no_reverse},
 *             {"fallthrough", 0, ARGS_ANY, set_fallthrough},
 *             {NULL},
 *     };
 *
 *     static int setup(const struct server_block *b, struct hosts_conf *h, struct err *e)
 *     {
 *             const struct directive *d = block_find(b, "hosts", NULL);
 *             int rc = args_once(b, "hosts", e);
 *
 *             if (rc == 0)
 *                     rc = args_count(d, 0, ARGS_ANY, e);
 *             return rc == 0 ? args_options(d, options, h, e) : rc;
 *     }
 *
 * A plugin that may be used more than once walks: for (d = block_find(b, "forward", NULL); d !=
 * NULL; d = block_find(b, "forward", d)). Lines that are data, such as those of hosts, are walked
 * with directive_for_each(d, o) and reported with args_unknown() or args_error().
 */
#pragma once

#include "conf/address.h"
#include "conf/cidr.h"
#include "conf/corefile.h"
#include "conf/zonekey.h"

#define ARGS_ANY SIZE_MAX

/* Inclusive limits of a number or of a duration in milliseconds. */
struct arg_range {
	uint64_t min, max;
};

#define ARGS_RANGE(lo, hi) ((struct arg_range){(lo), (hi)})

/* One option that a directive's braces may hold; a table of them ends with {NULL}. */
struct arg_option {
	const char *name;
	size_t min_args, max_args; /* ARGS_ANY: no upper limit */
	/* Take the option; 0, or a negative errno with e filled. NULL: accepted and ignored. */
	int (*set)(void *conf, const struct directive *option, struct err *e);
	bool takes_block; /* the option may have braces of its own */
};

/* Write `FILE:LINE - plugin/NAME: text` and return -EINVAL. */
int args_error(const struct directive *d, struct err *e, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));
/* The error for an option that does not exist: unknown property 'x'. Returns -EINVAL. */
int args_unknown(const struct directive *option, struct err *e);
/* Check that d has between min and max arguments (max may be ARGS_ANY). 0 or -EINVAL. */
int args_count(const struct directive *d, size_t min, size_t max, struct err *e);
/* Check that d has no braces. 0 or -EINVAL. */
int args_no_block(const struct directive *d, struct err *e);
/* Check that name is used at most once in b: `this plugin can only be used once per Server Block`.
 */
int args_once(const struct server_block *b, const char *name, struct err *e);
/*
 * Of the uses of name in b the one that counts, where CoreDNS starts with several: the first; a
 * warning for each other. NULL when there is none.
 */
const struct directive *args_first(const struct server_block *b, const char *name);
/* The same for names of which the last use counts. */
const struct directive *args_last(const struct server_block *b, const char *name);
/*
 * Call the table's setter for each line in the braces of d, in order; checks names and argument
 * counts before. Stops at the first error and returns its code.
 */
int args_options(
        const struct directive *d, const struct arg_option *table, void *conf, struct err *e);

/* Argument i as text; -EINVAL when it is missing. */
int args_text(const struct directive *d, size_t i, const char **out, struct err *e);
/* Argument i as a decimal number in range. 0 or -EINVAL. */
int args_u64(const struct directive *d, size_t i, struct arg_range r, uint64_t *out, struct err *e);
/* Argument i as a decimal number in range, 32 bits. 0 or -EINVAL. */
int args_u32(const struct directive *d, size_t i, struct arg_range r, uint32_t *out, struct err *e);
/* Argument i as a decimal number in range, 16 bits. 0 or -EINVAL. */
int args_u16(const struct directive *d, size_t i, struct arg_range r, uint16_t *out, struct err *e);
/* Argument i as a port, 1 to 65535. 0 or -EINVAL. */
int args_port(const struct directive *d, size_t i, uint16_t *out, struct err *e);
/*
 * Argument i as a duration ("5s", "1m30s", "250ms", "0"), in milliseconds; the range too is in
 * milliseconds. 0 or -EINVAL.
 */
int args_duration_ms(
        const struct directive *d, size_t i, struct arg_range r, uint64_t *out, struct err *e);
/* The same, but a bare number counts as seconds, as several CoreDNS options allow. 0 or -EINVAL. */
int args_seconds_ms(
        const struct directive *d, size_t i, struct arg_range r, uint64_t *out, struct err *e);
/* Argument i as on or off (also true, false). 0 or -EINVAL. */
int args_on_off(const struct directive *d, size_t i, bool *out, struct err *e);
/*
 * Argument i as one of words (NULL-ended); *out is its index. The error lists the words. 0 or
 * -EINVAL.
 */
int args_choice(
        const struct directive *d, size_t i, const char *const *words, size_t *out, struct err *e);
/*
 * Argument i as `[scheme://]host[:port]`; default_port is put in where none is written (0: a port
 * is required). 0 or -EINVAL.
 */
int args_address(const struct directive *d, size_t i, uint16_t default_port, struct address *out,
        struct err *e);
/* Argument i as an IP address or address block; an address gets a full mask. 0 or -EINVAL. */
int args_cidr(const struct directive *d, size_t i, struct cidr *out, struct err *e);
/*
 * Arguments from first on as zones, expanded by zone_expand() and appended to out. An argument that
 * is no zone is skipped with a warning in the log, as CoreDNS skips it. No argument: nothing is
 * appended. Always 0.
 */
int args_zones(const struct directive *d, size_t first, struct arena *a, struct zone_names *out);
/*
 * The same, but without arguments the zones of the server block's keys are taken: what
 * `kubernetes [ZONES...]`, `file DB [ZONES...]` and most others mean. 0 or -EINVAL.
 */
int args_zones_or_block(const struct directive *d, size_t first, struct arena *a,
        struct zone_names *out, struct err *e);
/*
 * Argument i as a path. A relative one starts at the argument of `root` in the same server block;
 * without root, at the file that d stands in, so that a configuration can be moved with its files,
 * unless there is nothing there but there is in the current directory. *out lives in a or in the
 * tree. 0 or -EINVAL.
 */
int args_path(
        const struct directive *d, size_t i, struct arena *a, const char **out, struct err *e);
