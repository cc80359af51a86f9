#!/bin/bash
# run.sh SECONDS [NAME...]: fuzz each target (or those named) for SECONDS, from its corpus. Needs a
# build with CC=clang --enable-fuzz; run it in the build directory. What it finds on its way is
# kept in fuzz-found/NAME and used again; a crash goes to fuzz-found/crash-NAME-* and its input
# belongs into tests/corpus/NAME once it is understood.
#
# run.sh merge [NAME...]: of what was found, add to tests/corpus/NAME the few smallest inputs that
# reach code which those there do not.
set -u
seconds=${1:?usage: run.sh SECONDS [NAME...], or run.sh merge [NAME...]}
shift
top=$(cd "$(dirname "$0")/../.." && pwd)
[ $# -gt 0 ] || set -- $(cd "$top/tests/fuzz" && ls fuzz_*.c | sed 's/^fuzz_\(.*\)\.c$/\1/')
failed=0

# merge NAME: edges only, without how often they are taken: else it would be thousands
merge() {
	"tests/fuzz/fuzz_$1" -merge=1 -use_counters=0 -timeout=10 -max_len=8192 \
		"$top/tests/corpus/$1" "fuzz-found/$1" 2>&1 | grep -E '^MERGE-OUTER: [0-9]+ new'
}

for name; do
	target=tests/fuzz/fuzz_$name
	[ -x "$target" ] || { echo "run.sh: $target is not built; make fuzz" >&2; exit 2; }
	mkdir -p "fuzz-found/$name"
	if [ "$seconds" = merge ]; then
		echo "== $name"
		merge "$name"
		continue
	fi
	echo "== $name"
	leaks=1
	[ "$name" != relayed ] || leaks=0 # what its caches keep looks like one with each input
	"$target" -detect_leaks="$leaks" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -max_len=8192 \
		-artifact_prefix="fuzz-found/crash-$name-" -print_final_stats=1 \
		"fuzz-found/$name" "$top/tests/corpus/$name" >"fuzz-found/$name.log" 2>&1 || {
		echo "$name: stopped, see fuzz-found/$name.log"
		failed=1
	}
	grep -E '^stat::(number_of_executed|new_units)|SUMMARY' "fuzz-found/$name.log"
done
exit $failed
