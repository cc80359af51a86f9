/*
 * Numbers and durations from text. Whole-string: trailing garbage is an error.
 */
#pragma once

#include <stdint.h>

#include "base/str.h"

/* Decimal digits up to max into *out. 0, -EINVAL (not a number) or -ERANGE. */
int num_u64(struct str s, uint64_t max, uint64_t *out);
/* The same for 32 bits. */
int num_u32(struct str s, uint32_t max, uint32_t *out);
/* The same for 16 bits, such as a port. */
int num_u16(struct str s, uint16_t max, uint16_t *out);
/*
 * A duration as Go's time.ParseDuration reads it ("5s", "1m30s", "1.5h", "250ms", "0"), in
 * milliseconds, not negative. 0 or -EINVAL.
 */
int num_duration_ms(struct str s, uint64_t *out_ms);
