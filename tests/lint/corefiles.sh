#!/bin/sh
# Each Corefile of tests/data/corefiles is played by a scenario, and starts the daemon in
# tests/system/test_corefiles.sh.
. "${srcdir:-.}/tests/lint/lib.sh"
bad=0
for file in "$root"/tests/data/corefiles/*; do
	name=${file##*/}
	grep -qE "^corefile_from $name( |\$)" "$root"/tests/scenarios/*.scn || {
		echo "$name: no scenario has it"
		bad=1
	}
	grep -qE "(install|for name in( [a-z-]+)*) $name\\>" "$root/tests/system/test_corefiles.sh" || {
		echo "$name: the daemon is not started with it"
		bad=1
	}
done
verdict $bad "Corefiles of distributions without a test"
