#!/bin/bash
# An API server whose watches leave changes out: the comparison beside the watch finds them, and the
# answers are right again within a minute.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/cluster.sh"

{
	printf 'apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n'
	service web 10.96.0.7
	service old 10.96.0.6
} >"$workdir/world.yaml"
start_api "$workdir/world.yaml"
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

healed() {
	curl -s "http://127.0.0.1:$http/metrics" |
		grep -q '^seamark_kubernetes_gaps_healed_total{resource="services"} 1$'
}

begin=$(date +%s%N)
# stalled, so that no comparison sees some of them only
ctl POST "stall?on=1"
ctl POST "hide?count=3"
{ service web 10.96.0.8; service new 10.96.0.9; } |
	apply
remove old
ctl POST "stall?on=0"
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
wait_for 100 healed
ok "P7: it is counted"
is "$(grep -c 'the watch of services has missed changes' "$workdir/gaps.log")" 1 "and said once"
# A server that refuses protobuf is read as JSON, and a metric tells.
fallback() {
	curl -s "http://127.0.0.1:$http/metrics" | sed -n "s/^seamark_kubernetes_json_fallback{resource=\"$1\"} //p"
}
is "$(fallback services)" 0 "protobuf is read"
ctl POST "fault?status=406&resource=services"
ctl POST "close?resource=services"
service web 10.96.0.11 | apply
"$await" "$port" web.shop.svc.cluster.local A 10.96.0.11 20 >/dev/null
ok "who refuses it is asked for JSON"
is "$(fallback services) $(fallback namespaces)" "1 0" "and a metric tells"

stop_daemon "$daemon"
ok "it stops cleanly"
done_testing
