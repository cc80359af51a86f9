/*
 * What the subcommands have in common on standard output: their usage when it is asked for, and the
 * end, at which text may turn out not to have been written. Called by the files of this folder and
 * main.c; owns nothing.
 */
#pragma once

#include <stdbool.h>

/* True when one of the arguments behind the first is -h, -help or --help. */
bool output_is_help(int argc, char **argv);
/* Print text; the exit status, as output_end(0). */
int output_text(const char *text);
/* Flush standard output: status, or 1, with a line on standard error, when it was not all taken. */
int output_end(int status);
