#!/bin/bash
# run.sh [queries|miss|mix|srv|headless|lab]: CPU time per answer of seamark against a bare echo
# loop, NSD and Knot DNS, on the same names in one run. Prints figures and ratios; never fails a
# build.
#
# The server is pinned to CPU 1 and has one worker, the generator to CPU 0. In each round every
# server is loaded once at its highest rate (a window of questions in flight) and once at a fixed
# rate (for the latency figures). Ratios are to the echo loop of the same round.
#
# Environment:
#   SEAMARK        the daemon                    (./seamark, or beside this tree)
#   SEAMARK_CMD    how to start it; $SEAMARK, $port and $dir are set; must stay in the foreground
#   ROUNDS=5 SECONDS_EACH=3 RATE=30000 SERVICES=10000 WINDOW=256
#   SERVERS        "echo seamark nsd knot"
#   NAMES          a names file of your own, with PEER_ZONE (zone file) and ZONE (its origin)
set -u
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
mix=${1:-queries}
rounds=${ROUNDS:-5} each=${SECONDS_EACH:-3} rate=${RATE:-30000} services=${SERVICES:-10000}
window=${WINDOW:-256}
wanted=${SERVERS:-echo seamark nsd knot}
builddir=${BUILDDIR:-.}
dir=$(mktemp -d "${TMPDIR:-/tmp}/seamark-bench.XXXXXX")
results=$dir
. "$here/lib.sh"

write_seamark_conf() {
	if [ -z "${NAMES:-}" ]; then
		cat >"$dir/Corefile" <<-EOT
		cluster.local:$port {
			bind 127.0.0.1
			kubernetes cluster.local {
				manifests $manifests
			}
		}
		EOT
	else
		cat >"$dir/Corefile" <<-EOT
		$zone:$port {
			bind 127.0.0.1
			file $zonefile
		}
		EOT
	fi
}

write_nsd_conf() {
	cat >"$dir/nsd.conf" <<-EOT
	server:
	  server-count: 1
	  ip-address: 127.0.0.1@$port
	  username: ""
	  database: ""
	  pidfile: "$dir/nsd.pid"
	  zonelistfile: "$dir/nsd.list"
	  xfrdfile: "$dir/nsd.xfrd"
	  xfrdir: "$dir"
	  zonesdir: "$dir"
	  round-robin: no
	  minimal-responses: yes
	  rrl-ratelimit: 0
	  tcp-count: 10
	remote-control:
	  control-enable: no
	zone:
	  name: $zone
	  zonefile: $zonefile
	EOT
}

write_knot_conf() {
	mkdir -p "$dir/knot"
	cat >"$dir/knot.conf" <<-EOT
	server:
	  listen: 127.0.0.1@$port
	  rundir: $dir/knot
	  udp-workers: 1
	  tcp-workers: 1
	  background-workers: 1
	  answer-rotation: off
	database:
	  storage: $dir/knot
	log:
	  - target: stderr
	    any: error
	template:
	  - id: default
	    zonefile-load: whole
	    journal-content: none
	    zonefile-sync: -1
	zone:
	  - domain: $zone
	    file: $zonefile
	EOT
}

start_server() {
	port=$(free_port)
	case $1 in
	echo) launch "$dir/echo" "$port" ;;
	nsd) write_nsd_conf && launch nsd -d -c "$dir/nsd.conf" ;;
	knot) write_knot_conf && launch knotd -c "$dir/knot.conf" ;;
	seamark)
		write_seamark_conf
		export SEAMARK port dir
		if [ -n "${SEAMARK_CMD:-}" ]; then
			launch bash -c "exec $SEAMARK_CMD"
		else
			launch "$SEAMARK" -conf "$dir/Corefile"
		fi
		;;
	esac
	await_server "$1"
}

choose_names() {
	zone=${ZONE:-cluster.local}
	manifests=$dir/manifests zonefile=$dir/cluster.zone names=${NAMES:-$dir/$mix}
	if [ -n "${NAMES:-}" ]; then
		zonefile=${PEER_ZONE:?NAMES needs PEER_ZONE}
	elif [ "$mix" = lab ]; then
		manifests=$top/zones/lab/manifests
		"$here/mklab.sh" "$manifests" "$dir"
	else
		"$here/mkcluster.sh" "$services" "$dir"
	fi
	[ -r "$names" ] || { echo "run.sh: unknown mix $mix" >&2; exit 2; }
	head -n 1 "$names" >"$dir/one"
}

note "mix $mix, $rounds rounds of $each s, window $window, latency at $rate/s, server on CPU 1"
build_tools || { note "no compiler for the tools: nothing measured"; exit 0; }
[ "$(nproc)" -ge 2 ] || { note "needs two CPUs: nothing measured"; exit 0; }
choose_names
servers=
for s in $wanted; do
	case $s in
	seamark) find_seamark || { note "seamark is not built: left out"; continue; } ;;
	nsd) have_peer nsd nsd || { note "nsd not to be had: left out"; continue; }
		nsd -v 2>&1 | grep -q -- --disable-recvmmsg && note "this NSD is built without recvmmsg" ;;
	knot) have_peer knotd knot || { note "knot not to be had: left out"; continue; } ;;
	esac
	servers="$servers $s"
done
for round in $(seq "$rounds"); do
	for s in $servers; do
		measure "$s"
	done
done
ls "$results"/results.* >/dev/null 2>&1 && summary
exit 0
