/*
 * Weights of the addresses of names, as the policy *weighted* reads them from a file:
 *
 *     www.example.org
 *     192.0.2.1 3
 *     192.0.2.2 1
 *
 * Lifetime: immutable once read; published by loadbalance.c and freed behind a grace period.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct weights;

/* Read the text of a file. NULL with the line and what is wrong in e. */
struct weights *weights_new(struct str text, struct err *e);
/* Free them; NULL is ignored. */
void weights_free(struct weights *w);
/*
 * The weight, from 1 to 255, of an address of n octets (4 or 16) of the lower-case wire name; 1
 * when the file does not say.
 */
unsigned weights_of(const struct weights *w, const uint8_t *name, const uint8_t *ip, size_t n);
