/*
 * The body of fuzz_json and fuzz_pb: an API answer is decoded at once and again in pieces, and both
 * times has to say the same; what it delivers goes through a store.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The first octet picks list or watch, the kind and the size of the pieces. Returns 0. */
int decode_answer(const char *content_type, const uint8_t *data, size_t size);
