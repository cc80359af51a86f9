/*
 * seamark explain NAME [TYPE] [--from IP]: how a name is answered, and why.
 */
#pragma once

/* Run the subcommand with its own arguments; the exit status. */
int cli_explain(int argc, char **argv);
