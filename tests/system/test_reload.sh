#!/bin/bash
# Reloads of the whole configuration while questions come: none is lost, none fails; broken files
# change nothing; listeners come and go; a stop answers until its end.
. "$(dirname "$0")/lib.sh"

gen=$builddir/tests/bench/gen tcp_load=$builddir/tests/system/tcp_load
need dig "$seamark"
[ -x "$gen" ] && [ -x "$tcp_load" ] || skip_all "the load generators are not built"

port=$(free_port) health=$(free_port)
cp -r "$srcdir/zones/lab/manifests" "$workdir/manifests"
chmod -R u+w "$workdir/manifests"
"$srcdir/tests/bench/mklab.sh" "$workdir/manifests" "$workdir" # $workdir/lab: names and answers
name=web.shop.svc.cluster.local

# write_corefile ADDRESSES [LINE]: what the daemon reads next.
write_corefile() {
	cat >"$workdir/Corefile" <<-EOT
	cluster.local:$port {
	    bind $1
	    errors
	    health 127.0.0.1:$health {
	        lameduck 6s
	    }
	    kubernetes cluster.local {
	        manifests manifests
	    }
	    ${2:-}
	}
	EOT
}

log_count() { grep -c "$1" "$workdir/log"; }
has_count() { [ "$(log_count "$1")" -ge "$2" ]; }

# reload: SIGUSR1, and wait until the log tells the outcome.
reload() {
	local n
	n=$(($(log_count 'Reloading complete\|reload failed') + 1))
	kill -USR1 "$daemon"
	wait_for 200 has_count 'Reloading complete\|reload failed' "$n"
}

# start_load SECONDS [RATE]: over UDP and TCP, in the background.
start_load() {
	dropped=$(udp_dropped)
	"$gen" -f "$workdir/lab" -p "$port" -u 0 -t "$1" -r "${2:-2000}" -l 10 -e >"$workdir/udp" &
	udp=$!
	"$tcp_load" "$port" "$name." "$1" >"$workdir/tcp" &
	tcp=$!
}

# The outcome of the load: every question was answered, and well.
check_load() {
	wait "$udp" "$tcp"
	none_lost "$workdir/udp" "$dropped" "UDP: $1"
	like "$(cat "$workdir/tcp")" 'good=[1-9][0-9]* bad=0 lost=0$' "TCP: $1"
}

write_corefile 127.0.0.1
spawn "$workdir/log" "$seamark" -conf "$workdir/Corefile" -workers 2
daemon=$spawned
wait_answer "$port" "$name" A
ok "the daemon answers" || { diag "$(cat "$workdir/log")"; done_testing; }

# --- twenty reloads, while the cluster changes too

start_load 8
for i in $(seq 20); do
	printf -- '---\napiVersion: v1\nkind: Service\nmetadata: {name: new-%s, namespace: shop}\n%s\n' \
		"$i" "spec: {clusterIP: 10.96.77.$i, ports: [{port: 80}]}" >"$workdir/manifests/new-$i.yaml"
	reload
done
is "$(log_count 'Reloading complete')" 20 "twenty reloads under load"
is "$(log_count 'ERROR')" 0 "without an error" || diag "$(grep ERROR "$workdir/log")"
check_load "no question is lost or fails meanwhile"
has_new() { [ "$(ask "$port" new-20.shop.svc.cluster.local A)" = 10.96.77.20 ]; }
wait_for 100 has_new
ok "changes of the cluster have arrived"

# --- a broken file

start_load 2
write_corefile 127.0.0.1 "bogus thing"
reload
is "$(log_count 'reload failed')" 1 "a broken Corefile is refused"
like "$(grep 'reload failed' "$workdir/log")" "Corefile:10 - .*'bogus'" \
	"and the log has file, line and word"
printf 'cluster.local:%s {\n' "$port" >"$workdir/Corefile"
reload
is "$(log_count 'reload failed')" 2 "so is one that ends early"
rm "$workdir/Corefile"
reload
like "$(grep 'reload failed' "$workdir/log" | tail -n 1)" 'Corefile: No such file' "and a lost one"
check_load "the old configuration goes on"

# --- listeners

# listens_at ADDRESS [+tcp]
listens_at() {
	dig "@$1" -p "$port" +time=1 +tries=1 +noall +comments ${2:-} "$name" A | grep -q NOERROR
}
listens_not() { ! listens_at "$@"; }
start_load 3
write_corefile "127.0.0.1 127.0.0.2"
reload
wait_for 50 listens_at 127.0.0.2
ok "a reload adds a listener"
wait_for 50 listens_at 127.0.0.2 +tcp
ok "over TCP, too"
write_corefile 127.0.0.1
reload
wait_for 50 listens_not 127.0.0.2
ok "and removes it"
wait_for 50 listens_not 127.0.0.2 +tcp
ok "over both"
check_load "the other listener does not mind"

taken=$(free_port)
sed "s/:$port/:$taken/; /health/,/}/d" "$workdir/Corefile" >"$workdir/other.corefile"
spawn "$workdir/other.log" "$seamark" -conf "$workdir/other.corefile" -quiet
wait_answer "$taken" "$name" A
sed -i "s/:$port/:$taken/" "$workdir/Corefile"
reload
like "$(grep 'reload failed' "$workdir/log" | tail -n 1)" "127.0.0.1:$taken: .*in use" \
	"an address of another process is refused by name"
listens_at 127.0.0.1
ok "and the old ones go on"
stop_daemon "$spawned"

# --- the end

start_load 2.5
sleep 0.5 # both have begun, and end long before lameduck does
kill -TERM "$daemon"
check_load "after SIGTERM all are answered, for as long as lameduck says"
wait_gone "$daemon" 200
ok "then it ends"
wait "$daemon"
is "$?" 0 "with 0"
done_testing
