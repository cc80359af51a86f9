/* What every fuzz target defines: libFuzzer, or replay.c, calls it with one input after another. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Take an input; 0. What is wrong aborts. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* What the leak sanitizer passes over; for targets that are linked with ldns_leaks.c. */
const char *__lsan_default_suppressions(void);
