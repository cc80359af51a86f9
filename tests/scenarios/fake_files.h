/*
 * Files of a script, in place of those of the machine: whatever the core looks for below /etc or
 * /tmp/hosts is looked for in a folder of the script's own, so that a Corefile with such paths is
 * played as it is. The linker has the calls of open() and others go through here (--wrap).
 */
#pragma once

#include "base/str.h"

/* The folder that relative names are in, made when it is needed. */
const char *fake_files_folder(void);
/* Write a file: below /etc or /tmp/hosts in the script's own tree, or else beside the Corefile. */
void fake_files_write(const char *name, struct str text);
/* Remove all of them. */
void fake_files_remove(void);
