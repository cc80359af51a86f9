/*
 * seamark names [PATTERN]: what is served.
 */
#pragma once

/* Run the subcommand with its own arguments; the exit status. */
int cli_names(int argc, char **argv);
