#!/bin/bash
# 1.7: a start without the API server: what the log says and when, /ready, and what is answered.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/cluster.sh"


start_daemon startup -workers 1 <<END
.:$port {
	bind 127.0.0.1
	ready 127.0.0.1:$http
	hosts {
		192.0.2.7 www.outside.example
		fallthrough
	}
	kubernetes cluster.local in-addr.arpa {
		endpoint http://127.0.0.1:$api
		startup_timeout 1200ms
		fallthrough in-addr.arpa
	}
}
END
log=$workdir/startup.log
wait_for 50 grep -q Seamark "$log"
is "$(ask "$port" www.outside.example A)" 192.0.2.7 "other names are answered at once"
is "$(ask_status "$port" web.shop.svc.cluster.local A)" SERVFAIL "names of the cluster are not denied"
is "$(ask_status "$port" 1.0.96.10.in-addr.arpa PTR)" SERVFAIL "nor passed on"
like "$(_dig "$port" web.shop.svc.cluster.local A)" 'EDE: 14' "the reason is Not Ready"
is "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$http/ready")" 503 "not ready"
wait_for 50 grep -q '^\[WARNING\] plugin/kubernetes: starting server with unsynced Kubernetes API$' "$log"
ok "a warning when the time is over"
like "$(grep -c '^\[INFO\] plugin/kubernetes: waiting for Kubernetes API before starting server$' "$log")" '^[12]$' \
	"a line each half second before"
is "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$http/ready")" 503 "still not ready"

printf 'apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\nspec: {clusterIP: 10.96.0.7, ports: [{port: 80}]}\n' \
	>"$workdir/world.yaml"
start_api "$workdir/world.yaml"
wait_for 300 curl -sf -o /dev/null "http://127.0.0.1:$http/ready"
ok "ready when the API server is there"
is "$(ask "$port" web.shop.svc.cluster.local A)" 10.96.0.7 "names of the cluster are answered"
is "$(ask_status "$port" nope.shop.svc.cluster.local A)" NXDOMAIN "or denied"
stop_daemon "$api_pid"
is "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$http/ready")" 200 \
	"ready, too, when it is lost again"
is "$(ask "$port" web.shop.svc.cluster.local A)" 10.96.0.7 "with the last known answers"
done_testing
