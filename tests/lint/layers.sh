#!/bin/sh
# A file includes only its own or lower layers, plugins never include each other, and a library is
# used only where the design says.
. "${srcdir:-.}/tests/lint/lib.sh"
sources src plugins | xargs awk -v root="$root" -v exceptions="$lint/exceptions" -f "$lint/layers.awk"
verdict $? "layers: see the table in tests/lint/layers.awk"
