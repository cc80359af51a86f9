#!/bin/bash
# tests/bench/cluster.sh with a small cluster: every figure is there and could be right.
. "$(dirname "$0")/lib.sh"

need "$seamark" curl
for t in apisim/apisim bench/probe bench/gen; do
	[ -x "$builddir/tests/$t" ] || skip_all "tests/$t is not built"
done

SEAMARK=$seamark BUILDDIR=$builddir TMPDIR=$workdir SERVICES=200 ENDPOINTS=5 PODS=500 CHANGES=100 \
	MARKS=20 SECONDS_EACH=2 ROUNDS=1 RATE=500 timeout 900 "$srcdir/tests/bench/cluster.sh" \
	>"$workdir/out" 2>"$workdir/err"
is "$?" 0 "the bench ends well"
is "$(cat "$workdir/err")" "" "it has nothing to complain about"
is "$(grep ' again$' "$workdir/out")" "" "both times, all was listed and watched again"

# between NAME LOW HIGH: the last figure of that name
between() {
	local v
	v=$(sed -n "s|^$1  *\([0-9.]*\) .*|\1|p" "$workdir/out" | tail -n 1)
	awk -v v="$v" -v low="$2" -v high="$3" 'BEGIN { exit !(v ~ /^[0-9.]+$/ && v >= low && v <= high) }'
	ok "$1: $v is between $2 and $3"
}

between "lists in protobuf" 0.1 10
between "start until ready, 100 MB/s of each list" 1 60000
between "start until ready, bytes at hand" 1 60000
between "CPU of ingest" 0.1 1000
between "resident memory when settled" 1 2000
between "  more when all is listed again" 0 500
between "changes followed" 10 100
between "from change to answer, half" 0.01 2000
between "control thread" 0 100
between "queries under changes: half" 5 1000000
[ "$tap_failed" = 0 ] || diag "$(cat "$workdir/out")"
done_testing
