/*
 * seamark doctor [--root DIR]: what is wrong with the DNS of a host, and how it is put right.
 */
#pragma once

/* Run the subcommand with its own arguments; the exit status: 1 when something is broken. */
int cli_doctor(int argc, char **argv);
