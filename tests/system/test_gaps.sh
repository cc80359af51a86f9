#!/bin/bash
# An API server whose watches leave changes out: the comparison beside the watch finds them, and the
# answers are right again within a minute.
. "$(dirname "$0")/lib.sh"

command -v dig >/dev/null || skip_all "dig is not installed"
command -v curl >/dev/null || skip_all "curl is not installed"
[ -x "$seamark" ] || skip_all "$seamark is not built"
apisim=$(realpath "$builddir/tests/apisim/apisim")
await=$(realpath "$builddir/tests/system/await")
api=$(free_port) control=$(free_port) port=$(free_port) http=$(free_port)

service() { # NAME IP
	printf -- '---\napiVersion: v1\nkind: Service\nmetadata: {name: %s, namespace: shop}\nspec: {clusterIP: %s, clusterIPs: [%s], ports: [{name: http, port: 80}]}\n' \
		"$1" "$2" "$2"
}

{
	printf 'apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n'
	service web 10.96.0.7
	service old 10.96.0.6
} >"$workdir/world.yaml"
spawn "$workdir/apisim.log" "$apisim" --port "$api" --control "$control" \
	--ports "$workdir/ports" --bookmark-ms 1000 "$workdir/world.yaml"
wait_for 50 test -s "$workdir/ports"
start_daemon gaps -workers 1 <<END
.:$port {
	bind 127.0.0.1
	prometheus 127.0.0.1:$http
	kubernetes cluster.local {
		endpoint http://127.0.0.1:$api
	}
}
END
"$await" "$port" web.shop.svc.cluster.local A 10.96.0.7 10 >/dev/null
ok "a Service is answered"

ctl() {
	curl -s -o "$workdir/answer" -X "$@"
}

healed() {
	curl -s "http://127.0.0.1:$http/metrics" |
		grep -q '^seamark_kubernetes_gaps_healed_total{resource="services"} 1$'
}

begin=$(date +%s%N)
ctl POST "http://127.0.0.1:$control/apisim/hide?count=3"
{ service web 10.96.0.8; service new 10.96.0.9; } |
	ctl POST --data-binary @- "http://127.0.0.1:$control/apisim/apply"
ctl DELETE "http://127.0.0.1:$control/apisim/objects?resource=services&namespace=shop&name=old"
sleep 1
is "$(ask "$port" web.shop.svc.cluster.local A)" 10.96.0.7 "the watch has not told of a change"
"$await" "$port" web.shop.svc.cluster.local A 10.96.0.8 95 >"$workdir/when"
end=$(cat "$workdir/when")
ms=$(((${end:-0} - begin) / 1000000))
diag "three hidden changes were found after $ms ms"
[ -n "$end" ] && [ "$ms" -le 60000 ]
ok "K36: a change is found within 60 s"
is "$(ask "$port" new.shop.svc.cluster.local A)" 10.96.0.9 "a new Service too"
"$await" "$port" old.shop.svc.cluster.local A NXDOMAIN 5 >/dev/null
ok "and one that was deleted"
wait_for 20 healed
ok "P7: it is counted"
is "$(grep -c 'the watch of services has missed changes' "$workdir/gaps.log")" 1 "and said once"
# A server that refuses protobuf is read as JSON, and a metric tells.
fallback() {
	curl -s "http://127.0.0.1:$http/metrics" | sed -n "s/^seamark_kubernetes_json_fallback{resource=\"$1\"} //p"
}
is "$(fallback services)" 0 "protobuf is read"
ctl POST "http://127.0.0.1:$control/apisim/fault?status=406&resource=services"
ctl POST "http://127.0.0.1:$control/apisim/close?resource=services"
service web 10.96.0.11 | ctl POST --data-binary @- "http://127.0.0.1:$control/apisim/apply"
"$await" "$port" web.shop.svc.cluster.local A 10.96.0.11 20 >/dev/null
ok "who refuses it is asked for JSON"
is "$(fallback services) $(fallback namespaces)" "1 0" "and a metric tells"

stop_daemon "$daemon"
ok "it stops cleanly"
done_testing
