#!/bin/bash
# What the running daemon logs: addresses and metadata in formats, consolidated errors when their
# time has come, and everything as JSON when it is told to.
. "$(dirname "$0")/lib.sh"

need dig "$seamark"

# logged REGEXP: a line of the log fits
log=$workdir/text.log
logged() { wait_for 150 grep -Eq -- "$1" "$log"; }

mkdir "$workdir/lab"
cat >"$workdir/lab/objects.yaml" <<EOT
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: 10.96.0.1, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: me, namespace: shop, labels: {app: probe}}
status: {phase: Running, podIP: 127.0.0.1}
EOT
corefile() {
	cat <<EOT
cluster.local:$port {
    bind 127.0.0.1
    metadata
    log . "{local} {name} by {/kubernetes/client-namespace}/{/kubernetes/client-pod-name} {/kubernetes/client-label/app} {/kubernetes/service}"
    autopath @kubernetes
    kubernetes {
        manifests lab
        pods verified
    }
}
nothing.test:$port {
    bind 127.0.0.1
    errors {
        consolidate $period "no next plugin" warning
    }
    nsid
}
EOT
}

port=$(free_port) period=5s # three questions take less, also on a slow machine
start_daemon text < <(corefile)
wait_answer "$port" web.shop.svc.cluster.local A
ok "the server runs" || diag "$(cat "$log")"
logged '^\[INFO\] 127\.0\.0\.1 web\.shop\.svc\.cluster\.local\. by shop/me probe web$'
ok "1.12: a line has the address of a bound UDP socket, and metadata" || diag "$(cat "$log")"
is "$(ask "$port" web.shop.shop.svc.cluster.local A)" "$(printf '10.96.0.1\nweb.shop.svc.cluster.local.')" \
	"1.12: autopath knows the pod that asks by its address"

for i in 1 2 3; do ask_status "$port" "a$i.nothing.test" A >/dev/null; done
unlike "$(cat "$log")" 'plugin/errors' "errors that are consolidated are not written at once"
logged "^\[WARNING\] plugin/errors: 3 errors like 'no next plugin' occurred in last 5s\$"
ok "they are told when the period is over, though nobody asks any more" || diag "$(cat "$log")"
stop_daemon "$daemon"

port=$(free_port) period=1s
log=$workdir/json.log
start_daemon json -log-format=json < <(corefile)
wait_answer "$port" web.shop.svc.cluster.local A
logged '"qname":"web\.shop\.svc\.cluster\.local\."'
ok "the query log has a field for each figure" || diag "$(cat "$log")"
logged '"client_ip":"127\.0\.0\.1".*"local_ip":"127\.0\.0\.1".*"rcode":"NOERROR".*"metadata":\{"kubernetes/client-namespace":"shop"'
ok "and metadata" || diag "$(cat "$log")"
ask_status "$port" a.nothing.test A >/dev/null
logged '"level":"WARN","msg":"1 errors like .no next plugin. occurred in last 1s","plugin":"errors"'
ok "other lines have level, message and plugin" || diag "$(cat "$log")"
kill -USR1 "$daemon"
logged '"msg":"Reloading complete"'
ok "reloads, too" || diag "$(cat "$log")"
stop_daemon "$daemon"
is "$(grep -vcE '^\{"time":"20[0-9-]+T[0-9:]+\.[0-9]{3}Z","level":"[A-Z]+","msg":".*\}$' "$log")" 0 \
	"there is no line that is no JSON object" || diag "$(cat "$log")"

"$seamark" -conf /nowhere/Corefile -log-format json >"$workdir/out" 2>&1
like "$(cat "$workdir/out")" '^\{"time":"[^"]*","level":"FATAL","msg":".*/nowhere/Corefile' \
	"so is the reason why it does not start"
like "$("$seamark" -log-format=xml 2>&1)" 'invalid value "xml" for flag -log-format: write text or json' \
	"another format is refused"
done_testing
