/*
 * $GENERATE of zone files: a line that stands for many, with a number in place of `$`, or of
 * `${OFFSET,WIDTH,BASE}`. Pure; used by zonefile.c.
 */
#pragma once

#include <stdint.h>

#include "base/str.h"

#define GENERATE_LINES_MAX 65536u

struct generate {
	uint32_t start, stop, step;
};

/* Read START-STOP or START-STOP/STEP; at most GENERATE_LINES_MAX numbers. 0, or -EINVAL. */
int generate_range(struct str word, struct generate *g);
/* Append the line with value in place of each `$`. NULL, or what is wrong with the line. */
const char *generate_line(struct buf *out, struct str line, uint32_t value);
