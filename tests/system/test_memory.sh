#!/bin/bash
# Memory of the daemon with the lab cluster and two workers: little when idle, and no more after many
# questions of every kind, connections and reloads.
. "$(dirname "$0")/lib.sh"

idle_limit_kb=16384 # of the figure that README.md gives
growth_limit_kb=1024 # pools grow with what waits at once; a leak of 10 octets a question is more

gen=$builddir/tests/bench/gen tcp_load=$builddir/tests/system/tcp_load
need "$seamark"
[ -x "$gen" ] && [ -x "$tcp_load" ] || skip_all "the load generators are not built"
need dig

copy_lab "s/forward.*/forward . 127.0.0.1:$(free_port)/"

# every kind of answer: NAME TYPE RCODE ANCOUNT
cat >"$workdir/names" <<'EOT'
web.shop.svc.cluster.local A NOERROR 1
api.shop.svc.cluster.local AAAA NOERROR 1
web.shop.svc.cluster.local TXT NOERROR 0
_grpc._tcp.cart.shop.svc.cluster.local SRV NOERROR 1
db.data.svc.cluster.local A NOERROR 3
db.data.svc.cluster.local SRV NOERROR 3
db-1.db.data.svc.cluster.local A NOERROR 1
payments.shop.svc.cluster.local CNAME NOERROR 1
10-244-1-11.shop.pod.cluster.local A NOERROR 1
cluster.local SOA NOERROR 1
cluster.local NS NOERROR
dns-version.cluster.local TXT NOERROR 1
10.0.96.10.in-addr.arpa PTR NOERROR 1
3.2.1.10.in-addr.arpa PTR NXDOMAIN 0
nothing.shop.svc.cluster.local A NXDOMAIN 0
web.shop.svc.cluster.local.shop.svc.cluster.local A NXDOMAIN 0
x.localhost A NOERROR 1
EOT
# those that wait for the forwarder, which fails
cat >"$workdir/forwarded" <<'EOT'
payments.shop.svc.cluster.local A SERVFAIL 1
www.example.org A SERVFAIL 0
EOT

rss_kb() { awk '/^VmRSS/ { print $2 }' "/proc/$daemon/status"; }

# limit GOT MAX DESCRIPTION
limit() {
	[ "$1" -le "$2" ]
	ok "$3: $1 kB, at most $2 kB"
}

questions() {
	"$gen" -f "$workdir/names" -p "$port" -u 0 -l 10 -t "$1" -w 200 -e >"$workdir/udp"
	"$gen" -f "$workdir/forwarded" -p "$port" -u 0 -l 10 -t "$2" -w 100 -e >"$workdir/waited"
	"$tcp_load" "$port" web.shop.svc.cluster.local. "$2" >"$workdir/tcp"
}

reloads() {
	local i n
	for i in $(seq "$1"); do
		n=$(($(grep -c 'Reloading complete' "$workdir/log") + 1))
		kill -USR1 "$daemon"
		wait_for 200 reloaded "$n"
	done
}
reloaded() { [ "$(grep -c 'Reloading complete' "$workdir/log")" -ge "$1" ]; }

spawn "$workdir/log" "$seamark" -conf "$corefile" -workers 2
daemon=$spawned
wait_answer "$port" kubernetes.default.svc.cluster.local A
ok "the lab starts" || { diag "$(cat "$workdir/log")"; done_testing; }
sanitized=$(grep -cE 'lib(a|t)san' "/proc/$daemon/maps")
[ "$sanitized" = 0 ] || { diag "built with a sanitizer: figures mean nothing"; idle_limit_kb=999999999 growth_limit_kb=999999999; }

limit "$(rss_kb)" "$idle_limit_kb" "resident memory when idle"
# first use touches pools and caches
questions 1 4
reloads 10
before=$(rss_kb)
asked=0
while [ "$asked" -lt 100000 ]; do
	questions 2 1.5
	asked=$((asked + $(sed -n 's/.*answers=\([0-9]*\).*/\1/p' "$workdir/udp")))
	like "$(cat "$workdir/udp")" ' bad=0 ' "the answers are those expected"
	like "$(cat "$workdir/waited")" 'answers=[1-9].* bad=0 ' "those of the forwarder, too"
	like "$(cat "$workdir/tcp")" 'good=[1-9][0-9]* bad=0 lost=0' "and those over TCP"
done
diag "$asked questions over UDP"
limit "$(($(rss_kb) - before))" "$growth_limit_kb" "growth after 100000 questions of all kinds"
before=$(rss_kb)
reloads 50
limit "$(($(rss_kb) - before))" "$growth_limit_kb" "growth after 50 reloads"
limit "$(rss_kb)" "$idle_limit_kb" "resident memory in the end"
stop_daemon "$daemon"
is "$?" 0 "the daemon ends well"
done_testing
