#!/bin/bash
# run.sh SECONDS [NAME...]: fuzz each target (or those named) for SECONDS, from its corpus. Needs a
# build with CC=clang --enable-fuzz; run it in the build directory. What it finds on its way is
# kept in fuzz-found/NAME and used again; a crash goes to fuzz-found/crash-NAME-* and its input
# belongs into tests/corpus/NAME once it is understood.
set -u
seconds=${1:?usage: run.sh SECONDS [NAME...]}
shift
top=$(cd "$(dirname "$0")/../.." && pwd)
[ $# -gt 0 ] || set -- $(cd "$top/tests/fuzz" && ls fuzz_*.c | sed 's/^fuzz_\(.*\)\.c$/\1/')
failed=0

for name; do
	target=tests/fuzz/fuzz_$name
	[ -x "$target" ] || { echo "run.sh: $target is not built; make fuzz" >&2; exit 2; }
	mkdir -p "fuzz-found/$name"
	echo "== $name"
	"$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -max_len=8192 \
		-artifact_prefix="fuzz-found/crash-$name-" -print_final_stats=1 \
		"fuzz-found/$name" "$top/tests/corpus/$name" >"fuzz-found/$name.log" 2>&1 || {
		echo "$name: stopped, see fuzz-found/$name.log"
		failed=1
	}
	grep -E '^stat::(number_of_executed|new_units)|SUMMARY' "fuzz-found/$name.log"
done
exit $failed
