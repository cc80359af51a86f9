/*
 * Zone files (RFC 1035 5): text -> tree. Control thread only; the file plugin calls it at start
 * and when a file has changed. Directives and owner, TTL, class and type of each record are read
 * here, so that every error has its file and line; ldns turns RDATA into wire form.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"
#include "names/tree.h"

#define ZONEFILE_SIZE_MAX (64u << 20) /* octets, included files counted */
#define ZONEFILE_RECORD_MAX (64u << 10) /* octets of one record's text */
#define ZONEFILE_DEPTH 4u /* $INCLUDE in $INCLUDE */

/*
 * Read the zone at a wire name from a file. NULL with "FILE:LINE: reason" in e. warnings (may be
 * NULL) takes one line of text for what was odd but harmless. $INCLUDE takes files relative to the
 * one that names them.
 */
struct tree *zonefile_read(
        const char *path, const uint8_t *origin, struct buf *warnings, struct err *e);
/* The same from text; name stands for the file in errors, and $INCLUDE is refused. */
struct tree *zonefile_parse(const char *name, struct str text, const uint8_t *origin,
        struct buf *warnings, struct err *e);
