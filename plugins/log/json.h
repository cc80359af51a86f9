/*
 * Query log lines as JSON objects, for -log-format=json: the line of the format as msg, and every
 * figure of the question and its answer in a field of its own. Pure.
 */
#pragma once

#include "log/format.h"

/* Write the line of an answered query, took_ns after it came. Returns its length. */
size_t json_write(
	const struct format *f, struct query *q, uint64_t took_ns, char out[FORMAT_LINE_MAX]);
