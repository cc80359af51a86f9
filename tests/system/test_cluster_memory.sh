#!/bin/bash
# Memory of the daemon with a tenth of the largest cluster: 1000 Services with 25 endpoints each and
# 15,000 pods. The goals are those of README.md in proportion: 60 MB with 250,000 endpoints, 90 MB
# with 150,000 verified pods on top, of which the idle daemon has 12; reading takes little more.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/cluster.sh"

endpoints_limit_kb=4800 pods_limit_kb=7800 # more than an empty cluster takes
slack_kb=700 # arenas of the allocator; a tenth of a large cluster would not notice

field_kb() { awk -v name="$1:" '$1 == name { print $2 }' "/proc/$daemon/status"; }

# A cluster, and a daemon that has read it: NAME SERVICES ENDPOINTS PODS PODS_MODE
settle() {
	new_ports
	start_api
	ctl POST "generate?services=$2&endpoints=$3&pods=$4"
	start_daemon "$1" -workers 2 <<END
.:$port {
	bind 127.0.0.1
	kubernetes cluster.local in-addr.arpa {
		endpoint http://127.0.0.1:$api
		pods $5
	}
}
END
	wait_for 300 log_has "$1" 'cluster state is complete'
	ok "$1: the cluster is known" || diag "$(cat "$workdir/$1.log")"
	is_steady() {
		resident=$(field_kb VmRSS)
		sleep 0.5 # what was replaced is freed
		[ "$(field_kb VmRSS)" = "$resident" ]
	}
	wait_for 10 is_steady
	resident=$(field_kb VmRSS) peak=$(field_kb VmHWM)
}
log_has() { grep -q -- "$2" "$workdir/$1.log"; }

leave() {
	stop_daemon "$daemon"
	kill "$api_pid"
	wait_gone "$api_pid" 50
}

# limit GOT MAX DESCRIPTION
limit() {
	[ "$1" -le "$2" ]
	ok "$3: $1 kB, at most $2 kB"
}

settle empty 0 0 0 verified
sanitized=$(grep -cE 'lib(a|t)san' "/proc/$daemon/maps")
empty=$resident
leave
[ "$sanitized" = 0 ] || { diag "built with a sanitizer: figures mean nothing"; slack_kb=999999999; }

settle endpoints 1000 25 0 disabled
limit "$((resident - empty))" $((endpoints_limit_kb + slack_kb)) "25000 endpoints"
limit "$peak" $((resident * 120 / 100 + slack_kb)) "at the peak of the start"
is "$(ask "$port" svc-777.ns-7.svc.cluster.local A | wc -l)" 1 "a Service is answered"
is "$(ask "$port" 1.0.128.10.in-addr.arpa PTR)" 10-128-0-1.svc-0.ns-0.svc.cluster.local. \
	"and so is an address"
leave

settle pods 1000 25 15000 verified
limit "$((resident - empty))" $((pods_limit_kb + slack_kb)) "15000 pods more"
limit "$peak" $((resident * 120 / 100 + slack_kb)) "at the peak of the start"
# All watches end, and what happens before they can go on is forgotten: while the server stalls no
# bookmark tells a watch a newer version.
ctl POST "stall?on=1"
ctl POST "close?reset=1"
ctl POST apply \
	--data-binary '{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"unseen"}}'
ctl POST compact
ctl POST "stall?on=0"
relisted() {
	curl -s "http://127.0.0.1:$control/apisim/state" |
		grep -Eq '"endpointslices":\{[^}]*"streams":([2-9]|[1-9][0-9])'
}
wait_for 600 relisted
ok "everything is listed again"
is_small() { [ "$(($(field_kb VmRSS) - empty))" -le $((pods_limit_kb + slack_kb)) ]; }
sleep 1
wait_for 50 is_small
limit "$(field_kb VmHWM)" $((resident * 120 / 100 + slack_kb)) "at the peak of listing it again"
limit "$(($(field_kb VmRSS) - empty))" $((pods_limit_kb + slack_kb)) "and after it"
leave
done_testing
