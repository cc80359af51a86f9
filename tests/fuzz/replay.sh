#!/bin/bash
# Each fuzz target takes its corpus and all past crashes (tests/corpus/NAME).
cd "$(dirname "$0")/../.." || exit 99
builddir=${abs_top_builddir:-$OLDPWD}
count=0 failed=0

for source in tests/fuzz/fuzz_*.c; do
	name=${source#tests/fuzz/fuzz_}
	name=${name%.c}
	log=$builddir/tests/fuzz/replay_$name.log
	count=$((count + 1))
	# libFuzzer would go on fuzzing a directory; files it takes once each
	if "$builddir/tests/fuzz/fuzz_$name" tests/corpus/"$name"/* >"$log" 2>&1; then
		echo "ok $count - $name takes its $(ls tests/corpus/"$name" | wc -l) inputs"
	else
		echo "not ok $count - $name"
		tail -n 30 "$log" | sed 's/^/# /'
		failed=1
	fi
done
echo "1..$count"
exit $failed
