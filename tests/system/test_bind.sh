#!/bin/bash
# Blocks with hundreds of addresses, as interfaces of nodes with IPVS have: each is answered, also
# when all have been asked before, and waiting costs nothing.
. "$(dirname "$0")/lib.sh"

need dig "$seamark"
port=$(free_port)
addresses=$(printf '127.0.1.%s ' $(seq 140))

start_daemon bind -workers 1 <<EOT
.:$port {
	bind $addresses
	hosts {
		192.0.2.7 here.example
	}
}
EOT
wait_for 100 dig +time=1 +tries=1 -p "$port" @127.0.1.140 here.example A
ok "the daemon answers" || diag "$(cat "$workdir/bind.log")"

# ask_all: which addresses do not answer.
ask_all() {
	local a
	for a in $addresses; do
		[ "$(dig +short +time=5 +tries=2 -p "$port" "@$a" here.example A)" = 192.0.2.7 ] || echo "$a"
	done
}
is "$(ask_all | head -n 3)" "" "all 140 addresses answer"
is "$(ask_all | head -n 3)" "" "and once more"

# CPU that the daemon has used, in ns.
cpu_ns() {
	awk '{ sum += $1 } END { print sum }' /proc/"$daemon"/task/*/schedstat
}
before=$(cpu_ns)
sleep 1
after=$(cpu_ns)
[ $((after - before)) -lt 500000000 ]
ok "an idle server rests" || diag "$((after - before)) ns of CPU in a second"
done_testing
