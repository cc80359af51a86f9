#!/bin/sh
# Functions of at most 80 lines, files of 800, 5 parameters, nesting of 4, 100 columns; what is
# excused stands with its reason in tests/lint/exceptions.
. "${srcdir:-.}/tests/lint/lib.sh"
sources src plugins include | xargs awk -v root="$root" -v exceptions="$lint/exceptions" -f "$lint/limits.awk"
verdict $? "limits: split it up, or excuse it with a reason in tests/lint/exceptions"
