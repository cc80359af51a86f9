#!/bin/sh
# Every fault of the API that the watch client has to survive, every policy that it follows, and every
# fault of upstream servers has a test whose name begins with the row: "K12: ..." in a string of a
# test program or script, or in the title or a comment of a scenario. tests/lint/fault_rows is the list.
. "${srcdir:-.}/tests/lint/lib.sh"
bad=0
names=$(grep -rhoE --include='*.c' --include='*.sh' "[\"'][KPU][0-9]{1,2}: [^\"']*" "$root"/tests |
	cut -c2-
	grep -rhoE --include='*.scn' '^(#|title) [KPU][0-9]{1,2}: .*' "$root"/tests/scenarios |
		sed 's/^[^ ]* //')
while read -r row what; do
	case $row in '#'*|'') continue ;; esac
	echo "$names" | grep -q "^$row: " || {
		echo "no test is named after $row ($what)"
		bad=1
	}
done <"$lint/fault_rows"
for row in $(echo "$names" | sed 's/:.*//' | sort -u); do
	grep -q "^$row " "$lint/fault_rows" || {
		echo "a test is named after $row, which is no row of tests/lint/fault_rows"
		bad=1
	}
done
[ "${LIST:-0}" = 0 ] || echo "$names" | sort -u
verdict $bad "fault_rows: name the test that proves it \"$row: ...\""
