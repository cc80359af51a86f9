#!/bin/sh
# Every row of what a server in CoreDNS's place has to do has a test whose name begins with the row:
# "1.9: ..." in a string of a test program or script, in the title of a part of a scenario, or at the
# head of a test script. tests/lint/compat_rows is the list.
. "${srcdir:-.}/tests/lint/lib.sh"
bad=0
row='1\.[0-9]+(\.[0-9]+)?'
names=$(grep -rhoE --include='*.c' --include='*.sh' "\"$row: [^\"]*" "$root"/tests | cut -c2-
	grep -rhoE --include='*.scn' "^title $row: .*" "$root"/tests | cut -c7-
	grep -rhoE --include='*.sh' "^# $row: .*" "$root"/tests/system | cut -c3-)
pattern() { # a row, as grep reads it
	echo "$1" | sed 's/\./\\./g'
}
while read -r row what; do
	case $row in '#'*|'') continue ;; esac
	echo "$names" | grep -q "^$(pattern "$row"): " || {
		echo "no test is named after $row ($what)"
		bad=1
	}
done <"$lint/compat_rows"
for row in $(echo "$names" | sed 's/:.*//' | sort -u); do
	grep -q "^$(pattern "$row") " "$lint/compat_rows" || {
		echo "a test is named after $row, which is no row of tests/lint/compat_rows"
		bad=1
	}
done
[ "${LIST:-0}" = 0 ] || echo "$names" | sort -t. -k1,1n -k2,2n -k3,3n
verdict $bad "compat_rows: name the test that proves it \"ROW: ...\""
