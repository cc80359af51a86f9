/*
 * What every unit test includes: cmocka with the headers it wants, in the order it wants.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"

/* A test named by a sentence: those of the rows of a table begin with the row, "K12: ...". */
#define NAMED_TEST(name, function) {name, function, NULL, NULL, NULL}
