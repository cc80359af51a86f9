#!/bin/bash
# Out of file descriptors the daemon neither spins nor dies: UDP goes on, and TCP is back as soon
# as connections close.
. "$(dirname "$0")/lib.sh"

need curl "$seamark"
cp "$srcdir"/tests/data/wire/cluster.test.zone "$workdir"
port=$(free_port)
http=$(free_port)

printf '#!/bin/bash\nulimit -n 60\nexec "%s" "$@"\n' "$seamark" >"$workdir/limited"
chmod +x "$workdir/limited"
full=$seamark seamark=$workdir/limited
start_daemon limit <<EOT
cluster.test:$port {
	bind 127.0.0.1
	file $workdir/cluster.test.zone
	health 127.0.0.1:$http
}
EOT
ulimit -Sn "$(ulimit -Hn)"
seamark=$full
wait_answer "$port" cluster.test SOA
ok "the daemon answers with 60 descriptors"

# CPU that the daemon has used, in ns.
cpu_ns() {
	awk '{ sum += $1 } END { print sum }' /proc/"$daemon"/task/*/schedstat
}

held=()
for _ in $(seq 150); do
	exec {fd}<>"/dev/tcp/127.0.0.1/$port" || break
	held+=("$fd")
done
[ "${#held[@]}" -ge 100 ]
ok "${#held[@]} connections are open or wait to be accepted"

is "$(ask_status "$port" web.prod.cluster.test A)" NOERROR "UDP is answered meanwhile"
is "$(curl -s -m 5 "http://127.0.0.1:$http/health")" OK "so is the question for its health"
for _ in $(seq 20); do
	exec {fd}<>"/dev/tcp/127.0.0.1/$http" || break
	held+=("$fd")
done
before=$(cpu_ns)
sleep 1
after=$(cpu_ns)
[ $((after - before)) -lt 300000000 ]
ok "no spinning: $(((after - before) / 1000000)) ms of CPU in a second"

for fd in "${held[@]}"; do
	exec {fd}>&-
done
tcp_works() { [ "$(ask_status "$port" web.prod.cluster.test A +tcp)" = NOERROR ]; }
wait_for 100 tcp_works
ok "TCP is answered again when they have closed"
stop_daemon "$daemon"
is $? 0 "the daemon ends on SIGTERM"

ulimit -Sn 100
start_daemon soft <<EOT
cluster.test:$port {
	bind 127.0.0.1
	file $workdir/cluster.test.zone
}
EOT
wait_answer "$port" cluster.test SOA
hard=$(ulimit -Hn)
[ "$hard" = unlimited ] || [ "$hard" -gt 1048576 ] && hard=1048576
like "$(grep 'open files' "/proc/$daemon/limits")" "files +$hard " "the soft limit is raised to the hard one"
stop_daemon "$daemon"
done_testing
