#!/bin/bash
# Health, readiness and metrics of the running daemon: what they say, and that reloads - good ones
# and failed ones - and a shutdown with lameduck leave them as an operator expects.
. "$(dirname "$0")/lib.sh"

need dig
port=$(free_port)
health=$(free_port)
health2=$(free_port)
ready=$(free_port)
metrics=$(free_port)

# get PORT PATH: status line and body, "none" when nobody listens.
get() {
	local line
	{ exec 3<>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null || { echo none; return; }
	printf 'GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' "$2" >&3
	timeout 5 cat <&3 | tr -d '\r' | awk 'NR == 1 || body { print } /^$/ { body = 1 }'
	exec 3>&-
}

# flat PORT PATH: the same on one line.
flat() { get "$1" "$2" | tr '\n' ' '; }

corefile() {
	cat <<EOT
.:$port {
	bind 127.0.0.1
	errors
	log . "{name} {type} {rcode} {>rflags}"
	health 127.0.0.1:$1 {
		lameduck 3s
	}
	ready 127.0.0.1:$ready
	prometheus localhost:$metrics
	loadbalance
	any
	chaos v1
	$2
}
EOT
}

# total NAME: the sum of a counter over all its labels.
total() { get "$metrics" /metrics | awk -v n="$1" 'index($1, n "{") == 1 { s += $2 } END { print s + 0 }'; }

# total_is NAME N: it has come to N; a worker counts an answer soon after the client has it.
total_is() { [ "$(total "$1")" = "$2" ]; }

# settled: that counter, when it has stood still for a moment.
settled() {
	local last='' now
	for _ in $(seq 50); do
		now=$(total "$1")
		[ "$now" = "$last" ] && break
		last=$now
		sleep 0.3
	done
	echo "$now"
}

reload() {
	local before
	before=$(grep -cE 'Reloading complete|reload failed' "$workdir/admin.log")
	kill -HUP "$daemon"
	wait_for 50 eval '[ "$(grep -cE "Reloading complete|reload failed" "$workdir/admin.log")" -gt '"$before"' ]'
}

start_daemon admin <<<"$(corefile "$health" whoami)"
wait_answer "$port" example.org A
ok "the daemon answers"

is "$(flat "$health" /health)" "HTTP/1.1 200 OK OK " "/health says OK"
is "$(flat "$ready" /ready)" "HTTP/1.1 200 OK OK " "/ready says OK"
like "$(flat "$health" /)" "HTTP/1.1 404 " "other paths are not found"
like "$(get "$metrics" /metrics)" '^coredns_build_info\{.*version="' "metrics have the build"
like "$(get "$metrics" /metrics)" '^process_resident_memory_bytes [1-9]' "and the process"

before=$(settled coredns_dns_requests_total)
for _ in 1 2 3 4 5; do ask "$port" Www.Example.ORG A >/dev/null; done
wait_for 50 total_is coredns_dns_requests_total $((before + 5))
ok "five questions are counted"
is "$(dig @127.0.0.1 -p "$port" +time=2 +tries=1 +short version.bind CH TXT)" '"v1"' "chaos answers"
is "$(dig @127.0.0.1 -p "$port" +time=2 +tries=1 version.bind CH A | grep -o REFUSED)" REFUSED \
	"and nothing else is answered in class CH"
has_logged() { [ "$(grep -c '^\[INFO\] www.example.org. A NOERROR' "$workdir/admin.log")" -ge 5 ]; }
wait_for 50 has_logged
like "$(grep -c '^\[INFO\] www.example.org. A NOERROR qr,aa,rd$' "$workdir/admin.log")" '^5$' \
	"and logged"
asks_itself() { get "$metrics" /metrics | grep -q '^coredns_health_request_duration_seconds_count [1-9]'; }
wait_for 100 asks_itself
ok "the server asks itself for its health"

before=$(settled coredns_dns_requests_total)
corefile "$health" whoami >"$workdir/admin.corefile"
reload
is "$(total coredns_dns_requests_total)" "$before" "a reload without a change resets no counter"

corefile "$health2" whoami >"$workdir/admin.corefile"
reload
is "$(flat "$health2" /health)" "HTTP/1.1 200 OK OK " "a reload moves health to another port"
wait_for 100 eval '[ "$(flat '"$health"' /health)" = "none " ]'
ok "and closes the old one"

corefile "$metrics" whoami | sed 's/prometheus.*//; s/ready .*/ready 192.0.2.77:1/' >"$workdir/admin.corefile"
reload
like "$(grep 'reload failed' "$workdir/admin.log" | tail -n 1)" "reload failed: .*:8 - plugin/ready: cannot listen on 192.0.2.77:1: " \
	"an address that is not ours fails a reload"
is "$(flat "$health2" /health)" "HTTP/1.1 200 OK OK " "health is served as before"
is "$(flat "$ready" /ready)" "HTTP/1.1 200 OK OK " "so is readiness"
like "$(flat "$metrics" /metrics)" "HTTP/1.1 200 OK # HELP" "so are metrics"
is "$(ask_status "$port" example.org A)" NOERROR "so is DNS"

corefile "$health2" "" | sed 's/loadbalance/loadbalance backwards/' >"$workdir/admin.corefile"
reload
like "$(grep 'reload failed' "$workdir/admin.log" | tail -n 1)" "reload failed: .*admin.corefile:[0-9]+ - plugin/loadbalance: " \
	"a mistake is named with its line"

corefile "$health2" "" >"$workdir/admin.corefile"
reload
is "$(ask_status "$port" example.org A)" SERVFAIL "a chain that ends without an answer fails"
wait_for 50 grep -q 'ERROR.*no next plugin' "$workdir/admin.log"
like "$(cat "$workdir/admin.log")" 'plugin/errors: 2 example.org. A: no next plugin found' "with a reason"
is "$(ask_answer "$port" example.org ANY +notcp)" 'example.org. 8482 IN HINFO "ANY obsoleted" "See RFC 8482"' \
	"any answers what is left"

kill -TERM "$daemon"
is_leaving() { [ "$(flat "$ready" /ready)" != "HTTP/1.1 200 OK OK " ]; }
wait_for 20 is_leaving
is "$(flat "$ready" /ready)" "HTTP/1.1 503 Service Unavailable Shutting down " \
	"a stopping server is not ready"
is "$(flat "$health2" /health)" "HTTP/1.1 200 OK OK " "but alive"
is "$(ask_answer "$port" example.org ANY +notcp)" 'example.org. 8482 IN HINFO "ANY obsoleted" "See RFC 8482"' \
	"and answers"
wait_gone "$daemon" 100
ok "until the lameduck is over"
is "$(flat "$health2" /health)" "none " "then everything is closed"
done_testing
