#!/bin/bash
# cluster.sh: how fast and how small the way from a Kubernetes API server to answers is, against a
# simulated one (tests/apisim) with a large cluster. Prints each figure beside its goal; never
# fails a build. Run it as ./bootstrap.sh bench cluster.
#
# In one run:
#   start     from the start of the daemon until names that do not exist are NXDOMAIN (everything is
#             known), beside curl reading the same lists in protobuf, all at once, to /dev/null: from
#             a server that has the bytes ready, and from ones that send PACE MB/s of each list, as
#             those do that have to encode it (a Kubernetes 1.36 on two CPUs: 37)
#   memory    resident when settled, at the peak of the start, and at the peak of listing all again;
#             with and without `pods verified`
#   ingest    CPU time of the control thread until ready, for each MB of the lists
#   changes   endpoints change at random and markers in turn, CHANGES a second in all; the address of
#             a marker is the time of its change, and a probe asks until it is answered
#   control   CPU time of the control thread meanwhile
#   queries   99th percentile at a fixed, low rate (no core is full), quiet and meanwhile, in turns
#
# All processes share the CPUs as the kernel sees fit; the daemon has one worker.
#
# Environment:
#   SERVICES=10000 ENDPOINTS=25 PODS=150000   size; ENDPOINTS are those of one Service
#   CHANGES=1000 MARKS=100                    changes a second; MARKS of them are markers
#   SECONDS_EACH=6 RATE=2000                  length of a measurement, questions a second
#   PACE="37 100" ROUNDS=5                    measurements of each sort, of which the median counts
#   SEAMARK, BUILDDIR                         the daemon; where it and the tools were built
set -u
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
services=${SERVICES:-10000} endpoints=${ENDPOINTS:-25} pods=${PODS:-150000}
changes=${CHANGES:-1000} marks=${MARKS:-100} markers=64
each=${SECONDS_EACH:-6} rate=${RATE:-2000} rounds=${ROUNDS:-5} paces=${PACE:-37 100}
builddir=${BUILDDIR:-$top/build}
seamark=${SEAMARK:-$builddir/seamark}
apisim=$builddir/tests/apisim/apisim probe=$builddir/tests/bench/probe gen=$builddir/tests/bench/gen
dir=$(mktemp -d "${TMPDIR:-/tmp}/seamark-cluster.XXXXXX")
workdir=$dir daemon= sim=
. "$top/tests/lib/port.sh"

finish() {
	local p
	for p in $daemon $sim; do
		kill "$p" 2>/dev/null
		wait "$p" 2>/dev/null
	done
	rm -rf "$dir"
}
trap finish EXIT
trap 'exit 1' INT TERM

note() { printf '# %s\n' "$*"; }
give_up() { note "$*: nothing more measured"; exit 0; }
calc() { awk "BEGIN { printf \"%.${2:-2}f\", $1 }"; }
median() { sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
field() { sed -n "s/.*\b$1=\([0-9.]*\).*/\1/p" "$2"; }

# figure NAME VALUE UNIT [GOAL]: a line of the report; the goal is the highest that is met.
figure() {
	local goal='' verdict=''
	if [ -n "${4:-}" ]; then
		goal="goal <= $4" verdict=missed
		awk "BEGIN { exit !($2 <= $4) }" && verdict=met
	fi
	printf '%-44s %10s %-6s %-14s %s\n' "$1" "$2" "$3" "$goal" "$verdict"
}

# --- the simulated API server

start_sim() {
	local n
	"$apisim" --ports "$dir/ports" --ring 20000 >"$dir/apisim.log" 2>&1 &
	sim=$!
	for n in $(seq 100); do
		[ -s "$dir/ports" ] && break
		sleep 0.1
	done
	read -r api control <"$dir/ports" || give_up "the simulated API server does not start"
	control "generate?services=$services&endpoints=$endpoints&pods=$pods&markers=$markers" ||
		give_up "no cluster was generated"
	control compact
}

# control PATH: of apisim's control port; there is no more to say than whether it worked
control() {
	timeout 600 curl -sf -o "$dir/answer" -X POST "http://127.0.0.1:$control/apisim/$1"
}

# read_lists RESOURCE...: the lists in protobuf, all at once; sets took_ms and bytes
read_lists() {
	local r pids=() from to
	from=$EPOCHREALTIME
	for r in "$@"; do
		timeout 60 curl -s -o /dev/null -w '%{size_download}\n' \
			-H 'Accept: application/vnd.kubernetes.protobuf' "http://127.0.0.1:$api$r" \
			>"$dir/size.${r##*/}" &
		pids+=($!)
	done
	wait "${pids[@]}"
	to=$EPOCHREALTIME
	took_ms=$(calc "(${to/,/.} - ${from/,/.}) * 1000" 1)
	bytes=$(cat "$dir"/size.* | awk '{ n += $1 } END { print n }')
	rm -f "$dir"/size.*
}

# --- the daemon

# CPU time of its control thread, in ns.
control_cpu() {
	local t
	for t in /proc/"$daemon"/task/*; do
		[ "$(cat "$t/comm")" = control ] && cut -d ' ' -f 1 "$t/schedstat"
	done
}
status_mb() { awk -v f="$1:" '$1 == f { printf "%.1f", $2 / 1024 }' "/proc/$daemon/status"; }

# start_daemon PODS-MODE: sets started_ms, the time until it is ready, and cpu_ms
start_daemon() {
	local from to
	port=$(free_port)
	cat >"$dir/Corefile" <<-EOT
	cluster.local:$port in-addr.arpa:$port {
		bind 127.0.0.1
		kubernetes cluster.local in-addr.arpa {
			endpoint http://127.0.0.1:$api
			pods $1
		}
	}
	EOT
	from=$EPOCHREALTIME
	"$seamark" -conf "$dir/Corefile" -workers 1 >"$dir/seamark.log" 2>&1 &
	daemon=$!
	to=$("$probe" wait -p "$port" -n nothing.ns-0.svc.cluster.local -r 3 -t 60 2>>"$dir/probe.log") ||
		give_up "the daemon is not ready: $(tail -n 3 "$dir/seamark.log" | tr '\n' ' ')"
	cpu_ms=$(calc "$(control_cpu) / 1e6" 1)
	started_ms=$(calc "($to - ${from/[.,]/}) / 1000" 1)
}

stop_daemon() {
	kill "$daemon" 2>/dev/null
	wait "$daemon" 2>/dev/null
	daemon=
}

# Until its memory has not changed for a second (figures of the same objects arrive later).
settle() {
	local last=0 now
	for _ in $(seq 10); do
		sleep 1
		now=$(status_mb VmRSS)
		[ "$now" = "$last" ] && return
		last=$now
	done
}

lists_of() { # PODS-MODE
	lists=(/api/v1/namespaces /api/v1/services /apis/discovery.k8s.io/v1/endpointslices)
	[ "$1" = verified ] && lists+=(/api/v1/pods)
}

# Median of several starts beside as many readings by curl, in turns; sets curl, start and cpu.
compare_starts() { # PODS-MODE
	local n
	rm -f "$dir/curl" "$dir/start" "$dir/cpu"
	for n in $(seq "$rounds"); do
		[ -z "$daemon" ] || stop_daemon
		read_lists "${lists[@]}"
		echo "$took_ms" >>"$dir/curl"
		start_daemon "$1"
		echo "$started_ms" >>"$dir/start"
		echo "$cpu_ms" >>"$dir/cpu"
	done
	curl=$(median "$dir/curl") start=$(median "$dir/start") cpu=$(median "$dir/cpu")
}

measure_start() { # PODS-MODE
	local curl start cpu mb pace
	lists_of "$1"
	read_lists "${lists[@]}" # the server has them ready from then on
	mb=$(calc "$bytes / 1e6" 1)
	figure "lists in protobuf" "$mb" MB
	for pace in $paces; do
		control "pace?mb=$pace"
		compare_starts "$1"
		figure "start until ready, $pace MB/s of each list" "$start" ms
		figure "  beside curl's $curl ms" "$(calc "$start / $curl")" x 1.3
	done
	control "pace?mb=0"
	compare_starts "$1"
	figure "start until ready, bytes at hand" "$start" ms
	figure "  beside curl's $curl ms" "$(calc "$start / $curl")" x
	figure "CPU of ingest" "$(calc "$cpu / $mb")" ms/MB
}

lists_streamed() { # RESOURCE
	curl -s "http://127.0.0.1:$control/apisim/state" |
		sed -n "s/.*\"$1\":{[^}]*\"streams\":\([0-9]*\)[,}].*/\1/p"
}
watches_open() { # of all resources
	curl -s "http://127.0.0.1:$control/apisim/state" | sed -n 's/^{[^{]*"watches":\([0-9]*\),.*/\1/p'
}

# all_watch COUNT: so many watches have been open for a second; one that broke may wait before it
# tries again.
all_watch() {
	local n since=0
	for n in $(seq 600); do
		[ "$(watches_open)" -ge "$1" ] && since=$((since + 1)) || since=0
		[ "$since" = 10 ] && return
		sleep 0.1
	done
	note "some resource is not watched again"
}

# A change that no watch sees, then all watches end and their versions are forgotten: everything is
# listed again.
list_again() { # RESOURCE that takes longest
	local before n open
	before=$(lists_streamed "$1") open=$(watches_open)
	control "hide?count=1"
	curl -s -o "$dir/answer" -X POST "http://127.0.0.1:$control/apisim/apply" --data-binary \
		'{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"hidden"}}'
	control compact
	control "close?reset=1"
	for n in $(seq 600); do
		[ "$(lists_streamed "$1")" -gt "$before" ] && all_watch "$open" && return
		sleep 0.1
	done
	note "the lists were not asked for again"
}

measure_memory() { # PODS-MODE GOAL
	local steady again longest=endpointslices
	[ "$1" = verified ] && longest=pods
	figure "resident memory at the peak of the start" "$(status_mb VmHWM)" MB
	settle
	steady=$(status_mb VmRSS)
	figure "resident memory when settled" "$steady" MB "$2"
	echo 5 >"/proc/$daemon/clear_refs" 2>/dev/null || return
	list_again "$longest"
	settle
	again=$(awk -v a="$(status_mb VmHWM)" -v b="$steady" 'BEGIN { printf "%.1f", (a > b ? a - b : 0) }')
	figure "  more when all is listed again" "$again" MB
}

# --- changes and questions

write_names() {
	awk -v n="$services" 'BEGIN { for (i = 0; i < n; i++)
		printf "svc-%d.ns-%d.svc.cluster.local A NOERROR 1\n", i, int(i / 100) }' >"$dir/names"
}

ask_for() { # SECONDS FILE
	"$gen" -f "$dir/names" -p "$port" -r "$rate" -z -e -n 16 -t "$1" >"$2"
}

# Changes for a while, and meanwhile the probe and questions
follow() {
	local before after from to lag wrong
	"$probe" lag -p "$port" -m "$markers" -r "$marks" -t "$((each + 2))" >"$dir/lag" 2>&1 &
	lag=$!
	for _ in $(seq 50); do
		grep -q ready "$dir/lag" && break
		sleep 0.1
	done
	control "churn?prefix=ns-&rate=$((changes - marks))&marks=$marks&markers=$markers&seconds=$((each + 3))"
	before=$(control_cpu) from=$EPOCHREALTIME
	ask_for "$each" "$dir/busy"
	after=$(control_cpu) to=$EPOCHREALTIME
	wait "$lag"
	grep -q changes= "$dir/lag" || give_up "no change was followed: $(cat "$dir/lag")"
	calc "($after - $before) / 1e7 / (${to/,/.} - ${from/,/.})" 1 >>"$dir/control"
	echo >>"$dir/control"
	wrong=$(field bad "$dir/busy")
	[ "$wrong" = 0 ] || note "$wrong wrong answers"
	sleep 2 # until the last change is through
}

# keep FIELD FILE: one more value of a figure
keep() { field "$1" "$dir/$2" >>"$dir/$2.$1"; }
middle() { median "$dir/$2.$1"; } # FIELD FILE

measure_changes() {
	local n changes_seen=0
	write_names
	for n in $(seq "$rounds"); do
		ask_for "$each" "$dir/quiet"
		follow
		keep p50_us quiet && keep p99_us quiet && keep p50_us busy && keep p99_us busy
		keep p50_ms lag && keep p99_ms lag && keep max_ms lag
		calc "$(field p99_us "$dir/busy") / $(field p99_us "$dir/quiet")" >>"$dir/ratio"
		echo >>"$dir/ratio"
		changes_seen=$((changes_seen + $(field changes "$dir/lag")))
	done
	figure "changes followed" "$changes_seen" ""
	figure "from change to answer, half" "$(middle p50_ms lag)" ms
	figure "  99 of 100" "$(middle p99_ms lag)" ms 10
	figure "  all" "$(middle max_ms lag)" ms
	figure "control thread" "$(median "$dir/control")" "%" 15
	figure "queries at $rate/s, quiet: half" "$(middle p50_us quiet)" us
	figure "  99 of 100" "$(middle p99_us quiet)" us
	figure "queries under changes: half" "$(middle p50_us busy)" us
	figure "  99 of 100" "$(middle p99_us busy)" us
	figure "  99 of 100, beside quiet" "$(median "$dir/ratio")" x 1.3
}

for p in "$seamark" "$apisim" "$probe" "$gen"; do
	[ -x "$p" ] || give_up "$p is not built"
done
command -v curl >/dev/null || give_up "curl is not installed"
note "$services Services with $endpoints endpoints each, $pods pods; $changes changes/s;" \
	"$(nproc) CPUs, load $(cut -d ' ' -f 1 /proc/loadavg)"
awk -v n="$(nproc)" '{ exit !($1 > n / 2) }' /proc/loadavg &&
	note "the CPUs have other work: times are longer than they have to be"
start_sim
note "pods insecure: no pods are watched"
measure_start insecure
measure_memory insecure 60
stop_daemon
note "pods verified"
measure_start verified
measure_memory verified 90
measure_changes
exit 0
