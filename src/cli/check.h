/*
 * seamark check FILE: reads and sets up a Corefile without serving it.
 */
#pragma once

/* Run the subcommand with its own arguments; the exit status. */
int cli_check(int argc, char **argv);
