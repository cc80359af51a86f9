#!/bin/sh
# Every C file of ours and every header stands in a list of sources: what is in none is missing in
# the archive of `make dist`.
. "${srcdir:-.}/tests/lint/lib.sh"
lists="$root/Makefile.am $(find "$root/src" "$root/plugins" "$root/tests" -name '*.inc')"
# shellcheck disable=SC2086
missing=$({
	sources src plugins include
	sources tests | grep '\.h$'
} | sed "s|^$root/||" | awk 'FILENAME != "-" { for (i = 1; i <= NF; i++) listed[$i] = 1; next }
	!($0 in listed)' $lists -)
[ -z "$missing" ] || echo "$missing"
[ -z "$missing" ]
verdict $? "lists: name it beside its .c file in a Makefile.inc"
