#!/bin/bash
# forward.sh: CPU time per answer of forwarding: questions that go to an upstream server (miss) and
# questions that the cache answers (hit), of seamark beside Debian's dnsdist, Unbound and dnsmasq,
# against a bare echo loop. Prints figures, ratios and goals; never fails a build. Run it as
# ./bootstrap.sh bench forward.
#
# The upstream server is an echo loop, too. It shares CPU 0 with the generator; the server that is
# measured has CPU 1 and one worker. In a miss every name is a new one, and caches are off where
# they can be; in a hit there are 1000 names with a TTL of an hour. Rounds, windows and
# the fixed rate of the latency figures are those of run.sh.
#
# Environment:
#   SEAMARK        the daemon                    (./seamark, or beside this tree)
#   ROUNDS=5 SECONDS_EACH=3 RATE=10000 WINDOW=256
#   SERVERS        "echo seamark dnsdist unbound dnsmasq"
#   MIXES          "miss hit"
set -u
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
rounds=${ROUNDS:-5} each=${SECONDS_EACH:-3} rate=${RATE:-10000} window=${WINDOW:-256}
wanted=${SERVERS:-echo seamark dnsdist unbound dnsmasq}
builddir=${BUILDDIR:-.}
dir=$(mktemp -d "${TMPDIR:-/tmp}/seamark-bench.XXXXXX")
upstream=
. "$here/lib.sh"

# A name of a miss comes again after more answers than the measurement has. Names have many lengths, as
# they have in life, because seamark sends queries of equal length together.
write_names() {
	awk -v n="$1" 'BEGIN {
		srand(1)
		for (i = 0; i < n; i++)
			printf "%sn%d.bench.example A NOERROR 1 10.0.0.1\n",
				substr("abcdefghijklmnopqr", 1, int(rand() * 18)), i
	}'
}

write_seamark_conf() {
	cat >"$dir/Corefile" <<-EOT
	.:$port {
		bind 127.0.0.1
		$([ "$mix" = miss ] || echo 'cache 3600')
		forward . 127.0.0.1:$up_port
	}
	EOT
}

write_dnsdist_conf() {
	cat >"$dir/dnsdist.conf" <<-EOT
	setLocal("127.0.0.1:$port")
	setSecurityPollSuffix("")
	newServer({address="127.0.0.1:$up_port", sockets=8, maxCheckFailures=100})
	EOT
	[ "$mix" = miss ] || cat >>"$dir/dnsdist.conf" <<-EOT
	getPool(""):setCache(newPacketCache(100000, {maxTTL=3600}))
	EOT
}

write_unbound_conf() {
	cat >"$dir/unbound.conf" <<-EOT
	server:
	  interface: 127.0.0.1
	  port: $port
	  num-threads: 1
	  do-daemonize: no
	  username: ""
	  chroot: ""
	  directory: "$dir"
	  pidfile: "$dir/unbound.pid"
	  use-syslog: no
	  module-config: "iterator"
	  do-not-query-localhost: no
	  outgoing-range: 4096
	  num-queries-per-thread: 2048
	  minimal-responses: yes
	remote-control:
	  control-enable: no
	forward-zone:
	  name: "."
	  forward-addr: 127.0.0.1@$up_port
	  forward-no-cache: $([ "$mix" = miss ] && echo yes || echo no)
	EOT
}

start_server() {
	local size=10000
	port=$(free_port)
	[ "$mix" = miss ] && size=0
	case $1 in
	echo) launch "$dir/echo" "$port" 3600 ;;
	seamark) write_seamark_conf && launch "$SEAMARK" -conf "$dir/Corefile" ;;
	dnsdist) write_dnsdist_conf && launch dnsdist --supervised --disable-syslog -C "$dir/dnsdist.conf" ;;
	unbound) write_unbound_conf && launch unbound -d -c "$dir/unbound.conf" ;;
	dnsmasq)
		launch dnsmasq -k -C /dev/null -p "$port" -a 127.0.0.1 -z -R -h -u root -x "$dir/pid" \
			-S "127.0.0.1#$up_port" -c "$size" -0 4096
		;;
	esac
	await_server "$1"
}

start_upstream() {
	up_port=$(free_port)
	taskset -c 0 "$dir/echo" "$up_port" 3600 >/dev/null 2>&1 &
	upstream=$!
}

run_mix() {
	local s goal
	mix=$1 results=$dir/$mix names=$dir/$mix.names
	mkdir -p "$results"
	for round in $(seq "$rounds"); do
		for s in $servers; do
			measure "$s"
		done
	done
	[ "$mix" = miss ] && goal=2.4 || goal=1.25
	note "$mix: goal for seamark: at most $goal x echo"
	ls "$results"/results.* >/dev/null 2>&1 && summary
}

note "forwarding, $rounds rounds of $each s, window $window, latency at $rate/s, server on CPU 1"
build_tools || { note "no compiler for the tools: nothing measured"; exit 0; }
[ "$(nproc)" -ge 2 ] || { note "needs two CPUs: nothing measured"; exit 0; }
servers=
for s in $wanted; do
	case $s in
	seamark) find_seamark || { note "seamark is not built: left out"; continue; } ;;
	dnsdist | unbound) have_peer "$s" "$s" || { note "$s not to be had: left out"; continue; } ;;
	dnsmasq) have_peer dnsmasq dnsmasq-base || { note "dnsmasq not to be had: left out"; continue; } ;;
	esac
	servers="$servers $s"
done
write_names 1000000 >"$dir/miss.names"
write_names 1000 >"$dir/hit.names"
echo "ready.bench.example A" >"$dir/one"
start_upstream
for m in ${MIXES:-miss hit}; do
	run_mix "$m"
done
exit 0
