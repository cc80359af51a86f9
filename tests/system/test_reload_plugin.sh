#!/bin/bash
# The plugin reload, 2.7 and 6.35: changed files are read by themselves, bad ones change nothing; and
# a hundred reloads under load lose no question, no cached answer and no watch.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/cluster.sh"

gen=$builddir/tests/bench/gen up=$builddir/tests/system/upstream
need "$gen" "$up"
upstream=$(free_port)

spawn "$workdir/upstream.log" "$up" "$upstream" 192.0.2.1
start_api
printf 'apiVersion: v1\nkind: %s\nmetadata: {name: %s%s}\n%s\n---\n' \
	Namespace shop '' '' Service web ', namespace: shop' 'spec: {clusterIP: 10.96.0.7}' |
	apply

# A volume of Kubernetes: the file is a link through ..data, which is swapped.
publish() { # the Corefile on standard input
	n=$((${n:-0} + 1))
	mkdir -p "$workdir/etc/..$n"
	cat >"$workdir/etc/..$n/Corefile"
	ln -sfn "..$n" "$workdir/etc/..tmp" && mv -T "$workdir/etc/..tmp" "$workdir/etc/..data"
	ln -sfn ..data/Corefile "$workdir/etc/Corefile"
}
corefile() { # [LINE]
	cat <<-EOT
	.:$port {
	    bind 127.0.0.1
	    errors
	    reload 2s 0
	    prometheus 127.0.0.1:$http
	    kubernetes cluster.local {
	        endpoint http://127.0.0.1:$api
	    }
	    cache 3600
	    forward . 127.0.0.1:$upstream
	    import $workdir/more
	    ${1:-}
	}
	EOT
}
log_has() { grep -q "$1" "$workdir/log"; }
count() { grep -c "$1" "$workdir/log"; }
has_count() { [ "$(count "$1")" -ge "$2" ]; }
metric() { curl -s -m 5 "http://127.0.0.1:$http/metrics" | grep "^$1" | head -n 1; }

echo "nsid one" >"$workdir/more"
corefile | publish
spawn "$workdir/log" "$seamark" -conf "$workdir/etc/Corefile" -workers 2
daemon=$spawned
wait_answer "$port" web.shop.svc.cluster.local A
ok "the daemon answers" || { diag "$(cat "$workdir/log")"; done_testing; }
log_has 'plugin/reload: Running configuration SHA512 = [0-9a-f]\{128\}$'
ok "2.7: the log has the hash of the configuration"
hash=$(sed -n 's/.*SHA512 = //p' "$workdir/log" | tail -n 1)
like "$(metric coredns_reload_version_info)" "hash=\"sha512\",value=\"$hash\"} 1" "and so have the metrics"
is "$(ask "$port" www.example A)" 192.0.2.1 "an outside name is answered"

corefile "nsid two" | sed "/import/d" | publish
wait_for 200 has_count 'Reloading complete' 1
ok "2.7: a swapped volume is seen"
corefile | publish
wait_for 200 has_count 'Reloading complete' 2
echo "nsid three" >"$workdir/more.new" && mv "$workdir/more.new" "$workdir/more"
wait_for 200 has_count 'Reloading complete' 3
ok "2.7: so is a changed import"
like "$(dig @127.0.0.1 -p "$port" +nsid www.example A)" '"three"' "and takes effect"

corefile "bogus" | publish
wait_for 200 has_count 'Corefile changed but reload failed: .*Corefile:[0-9]* - .*bogus' 1
ok "6.35: a bad file is refused with file, line and word" || diag "$(cat "$workdir/log")"
is "$(ask "$port" www.example A)" 192.0.2.1 "and the old one goes on"
sleep 2.5
is "$(count 'reload failed')" 1 "it is tried once"
like "$(metric coredns_reload_failed_total)" ' 1$' "and counted"
printf '.:%s {\n' "$port" | publish
wait_for 200 has_count 'Corefile parse failed' 1
ok "6.35: a file that ends early is refused"
corefile | publish
sleep 2.5
is "$(count 'Reloading complete')" 3 "the old content again is nothing new"

# --- a hundred reloads under load

printf 'www.example. A\nweb.shop.svc.cluster.local. A\n' >"$workdir/names"
watches() { curl -s -m 5 "http://127.0.0.1:$http/metrics" |
	awk '/^coredns_kubernetes_rest_client_requests_total/ {n += $2} END {print n + 0}'; }
asked=$(grep -c www.example "$workdir/upstream.log") before=$(watches)
dropped=$(udp_dropped) rate=${SEEN_MS:+200} # a second; a sanitizer is slow by design
"$gen" -f "$workdir/names" -p "$port" -u 0 -t 12 -r "${rate:-2000}" -l 10 -e >"$workdir/udp" &
load=$!
for i in $(seq 100); do
	corefile "# $i" | publish
	kill -USR1 "$daemon"
	wait_for 200 has_count 'Reloading complete' $((3 + i))
done
wait "$load"
ok "6.35: a hundred reloads end well" || diag "$(tail -n 3 "$workdir/log")"
is "$(count 'Reloading complete')" 103 "each of them"
none_lost "$workdir/udp" "$dropped" "no question is lost or fails"
is "$(grep -c www.example "$workdir/upstream.log")" "$asked" "the cache is kept: nobody asked the upstream again"
# comparisons with the API server go on meanwhile, one a kind
[ $(($(watches) - before)) -lt 10 ]
ok "the watches go on: reloads ask nothing of the API server"

# --- a stop under way

leaving() { # [LINE]
	cat >"$workdir/leaving.corefile" <<-EOT
	.:$port {
	    bind 127.0.0.1
	    reload 2s 0
	    health 127.0.0.1:$http {
	        lameduck 3s
	    }
	    whoami
	    ${1:-}
	}
	EOT
}
stop_daemon "$daemon"
leaving
spawn "$workdir/leaving.log" "$seamark" -conf "$workdir/leaving.corefile"
daemon=$spawned
wait_answer "$port" a.example A
kill "$daemon"
wait_for 100 grep -q lameduck "$workdir/leaving.log"
leaving "nsid new"
stop_daemon "$daemon" 30
is "$?" 0 "a server that stops in a lameduck ends well"
is "$(grep -c Reloading "$workdir/leaving.log")" 0 "and begins nothing anew, which would start the lameduck again" ||
	diag "$(cat "$workdir/leaving.log")"
done_testing
