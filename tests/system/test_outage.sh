#!/bin/bash
# The API server away, restarted with a later history, compacted, restored from a backup, listed again
# and again, in a storm of events, and leaving changes out, all under a continuous load of questions
# whose answers are compared with what they may be: the state before or after, never another, never
# none. OUTAGE_SECONDS=600 makes the outage ten minutes long, QPS the load.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/cluster.sh"

oracle=$builddir/tests/system/oracle
outage_s=${OUTAGE_SECONDS:-12} qps=${QPS:-500} ready=$(free_port)

headless() { # NAME NUMBER
	printf -- '---\napiVersion: v1\nkind: Service\nmetadata: {name: %s, namespace: shop}\nspec: {clusterIP: None, clusterIPs: [None], ports: [{name: pg, port: 5432}]}\n' "$1"
	printf -- '---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: %s-1, namespace: shop, labels: {kubernetes.io/service-name: %s}}\naddressType: IPv4\nendpoints:\n- {addresses: [10.244.%s.1], hostname: %s-0, conditions: {ready: true}}\n- {addresses: [10.244.%s.2], conditions: {ready: true}}\nports: [{name: pg, port: 5432, protocol: TCP}]\n' \
		"$1" "$1" "$2" "$1" "$2"
}

# What stays the same through all of this: 150 services, 20 headless ones.
fixed_world() {
	local i
	printf 'apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n'
	for i in $(seq 150); do service "fixed-$i" "10.97.0.$i"; done
	for i in $(seq 20); do headless "db-$i" "$i"; done
}

fixed_questions() {
	local i
	for i in $(seq 150); do
		echo "fixed-$i.shop.svc.cluster.local A 10.97.0.$i"
		echo "$i.0.97.10.in-addr.arpa PTR fixed-$i.shop.svc.cluster.local."
		echo "absent-$i.shop.svc.cluster.local A NXDOMAIN"
	done
	for i in $(seq 20); do
		echo "db-$i.shop.svc.cluster.local A 10.244.$i.1,10.244.$i.2"
		echo "db-$i-0.db-$i.shop.svc.cluster.local A 10.244.$i.1"
		echo "_pg._tcp.db-$i.shop.svc.cluster.local SRV"
		echo "db-$i.shop.svc.cluster.local AAAA NODATA"
	done
}

rv_now() {
	curl -s "http://127.0.0.1:$control/apisim/state" | sed 's/.*"rv":\([0-9]*\).*/\1/'
}

metric() { # NAME[{LABELS}]
	curl -s -m 20 "http://127.0.0.1:$http/metrics" | awk -v name="seamark_kubernetes_$1" '$1 == name { print $2 }'
}

now_ms() {
	echo $(($(date +%s%N) / 1000000))
}

# begin NAME: the load starts; what may change is on standard input.
begin() {
	phase=$workdir/$1
	{ fixed_questions; cat; } >"$phase"
	"$oracle" "$port" "$phase" "$qps" >"$phase.out" 2>"$phase.err" &
	oracle_pid=$!
	began=$(now_ms)
}

# until_answer NAME TYPE WANT SECONDS DESCRIPTION: it comes within that time from $since
until_answer() {
	local came took
	came=$("$await" "$port" "$1" "$2" "$3" $(($4 + 30)))
	took=$(($(now_ms) - since))
	diag "$5: $took ms"
	[ -n "$came" ] && [ "$took" -le $(($4 * 1000)) ]
	ok "$5"
}

# finish DESCRIPTION: no answer was wrong, none missing, and all names came to their last state.
finish() {
	sleep 3 # a round of all questions takes more than a second
	stop_oracle
	diag "$1, $((($(now_ms) - began) / 1000)) s: $(cat "$phase.out")"
	[ "$oracle_rc" = 0 ] && grep -Eq ' last ([0-9]+) of \1 ' "$phase.out"
	ok "$1" || diag "$(cat "$phase.err")"
}

# stop_oracle: it says what it has seen in $phase.out.
stop_oracle() {
	touch "$phase.stop"
	[ -z "$oracle_pid" ] || { wait "$oracle_pid"; oracle_rc=$?; }
	oracle_pid=
}

# The start.
{ fixed_world; service web 10.96.0.1; service old 10.96.0.100; } >"$workdir/first.yaml"
{ fixed_world; service web 10.96.0.2; service new 10.96.0.101; } >"$workdir/second.yaml"
start_api --rv 1000 "$workdir/first.yaml"
start_daemon outage -workers 2 <<END
.:$port {
	bind 127.0.0.1
	errors
	ready 127.0.0.1:$ready
	prometheus 127.0.0.1:$http
	kubernetes cluster.local in-addr.arpa {
		endpoint http://127.0.0.1:$api
	}
}
END
"$await" "$port" web.shop.svc.cluster.local A 10.96.0.1 20 >/dev/null
ok "the cluster is known"
is "$(ask "$port" _pg._tcp.db-7.shop.svc.cluster.local SRV | wc -l)" 2 "the state that the oracle learns is the right one"

begin calm </dev/null
sleep 3
finish "no fault: the oracle is content"
calm_us=$(sed 's/.*p99_us \([0-9]*\).*/\1/' "$phase.out")

# The API server dies, stays away, and comes back with a later history.
begin outage <<'END'
web.shop.svc.cluster.local A 10.96.0.1;10.96.0.2
old.shop.svc.cluster.local A 10.96.0.100;NXDOMAIN
new.shop.svc.cluster.local A NXDOMAIN;10.96.0.101
1.0.96.10.in-addr.arpa PTR web.shop.svc.cluster.local.;NXDOMAIN
END
kill -9 "$api_pid"
wait_gone "$api_pid" 50
sleep "$outage_s"
is "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$ready/ready")" 200 "P2: ready without the API server"
is "$(metric 'connected{resource="services"}')" 0 "P2: a metric tells that it is away"
start_api --rv 1000000 "$workdir/second.yaml"
since=$(now_ms)
until_answer web.shop.svc.cluster.local A 10.96.0.2 30 "K05: what changed meanwhile is answered within 30 s of its return"
"$await" "$port" old.shop.svc.cluster.local A NXDOMAIN 60 >/dev/null
finish "P2: $outage_s s without the API server and a restart with a later history: no answer missing, none wrong"

# The watches end and everything is compacted before they go on.
begin expired <<'END'
web.shop.svc.cluster.local A 10.96.0.2;10.96.0.3
new.shop.svc.cluster.local A 10.96.0.101;NXDOMAIN
again.shop.svc.cluster.local A NXDOMAIN;10.96.0.102
END
sleep 3 # the watches have lasted
ctl POST "stall?on=1"
ctl POST close
{ service web 10.96.0.3; service again 10.96.0.102; } | apply
remove new
ctl POST compact
ctl POST "stall?on=0"
since=$(now_ms)
until_answer web.shop.svc.cluster.local A 10.96.0.3 20 "K35: a compacted history is listed again within 20 s"
"$await" "$port" again.shop.svc.cluster.local A 10.96.0.102 30 >/dev/null
finish "K35: 410: no answer missing, none wrong"

# etcd goes back to a backup.
begin rewound <<'END'
web.shop.svc.cluster.local A 10.96.0.3;10.96.0.4;10.96.0.3
again.shop.svc.cluster.local A 10.96.0.102;NXDOMAIN;10.96.0.102
later.shop.svc.cluster.local A NXDOMAIN;10.96.0.103;NXDOMAIN
END
sleep 1
backup=$(rv_now)
{ service web 10.96.0.4; service later 10.96.0.103; } | apply
remove again
"$await" "$port" again.shop.svc.cluster.local A NXDOMAIN 10 >/dev/null
sleep 2 # the oracle sees it, too
ctl POST "rewind?rv=$backup"
since=$(now_ms)
until_answer later.shop.svc.cluster.local A NXDOMAIN 60 "K34: a restored backup is believed within 60 s"
"$await" "$port" again.shop.svc.cluster.local A 10.96.0.102 20 >/dev/null
finish "K34: etcd rewind: no answer missing, none wrong"

# Lists again and again, while all is asked and endpoints change.
ctl POST "generate?services=100&endpoints=25"
knows_more() { [ "$(ask_status "$port" _http._tcp.svc-99.ns-0.svc.cluster.local SRV)" = NOERROR ]; }
wait_for 700 knows_more
ok "more services, which the oracle is to know"
# after all these faults it may wait for up to a minute before it tries again
watches_endpoints() { [ "$(metric 'connected{resource="endpointslices"}')" = 1 ]; }
lists_of_endpoints() { metric 'relists_total{resource="endpointslices"}'; }
wait_for 700 watches_endpoints
ok "the endpoints are watched again" || diag "$(grep endpointslices "$workdir/outage.log")"

# A watch that missed changes while they were compacted away has to list.
relist_under_load() {
	local before
	wait_for 700 watches_endpoints || return
	before=$(lists_of_endpoints)
	ctl POST "churn?rate=300&seconds=4&prefix=ns-"
	sleep 0.5
	ctl POST "stall?on=1"
	sleep 1
	ctl POST compact
	ctl POST "stall?on=0"
	listed() { [ "$(lists_of_endpoints)" -gt "$before" ]; }
	wait_for 700 listed
}

begin relists <<'END'
web.shop.svc.cluster.local A 10.96.0.3
svc-50.ns-0.svc.cluster.local A
END
for i in 1 2 3; do
	relist_under_load
	ok "P3: the endpoints are listed again under load, $i of 3" ||
		diag "$(grep endpointslices "$workdir/outage.log")"
done
finish "P3: relists under load: no answer missing, none wrong"

# 10,000 events at once.
rss() { awk '/^VmRSS/ { print $2 }' "/proc/$daemon/status"; }
stormed() { events=$(($(metric 'events_total{resource="endpointslices"}') - before)); [ "$events" -ge 10000 ]; }
# a busy machine makes some 10 ms on its own; a worker that waits for the storm would make more
limit_us=$((calm_us * 2 > 50000 ? calm_us * 2 : 50000))
storm() { # NAME
	wait_for 700 watches_endpoints
	before=$(metric 'events_total{resource="endpointslices"}')
	rss_before=$(rss)
	begin "$1" <<-'END'
		web.shop.svc.cluster.local A 10.96.0.3
	END
	ctl POST "storm?count=10000&prefix=ns-"
	sleep 5
	wait_for 300 stormed # both sides are slow with a sanitizer
	grown=$(($(rss) - rss_before))
	stop_oracle
	storm_us=$(sed 's/.*p99_us \([0-9]*\).*/\1/' "$phase.out")
	diag "$events events, $grown KiB more memory, p99 $storm_us us (calm: $calm_us us)"
	# a sanitizer keeps freed memory for a while, and is slow
	grep -qE 'lib(a|t)san' "/proc/$daemon/maps" && grown=0 limit_us=1000000
	[ "$events" -ge 10000 ] && [ "$grown" -lt 32768 ]
	ok "K24: 10,000 events at once take no more than 32 MiB"
	finish "K24: a storm of events: no answer missing, none wrong"
	[ "$storm_us" -le "$limit_us" ]
}
# other work on the machine may spoil one of three, not all of them
storm storm-1 || storm storm-2 || storm storm-3
ok "K24: and the p99 of the answers stays below twice the calm one, or 50 ms"

# A watch that leaves changes out.
before=$(metric 'gaps_healed_total{resource="services"}')
begin gap <<'END'
web.shop.svc.cluster.local A 10.96.0.3;10.96.0.5
again.shop.svc.cluster.local A 10.96.0.102;NXDOMAIN
hidden.shop.svc.cluster.local A NXDOMAIN;10.96.0.104
END
# stalled, so that no comparison sees some of them only
ctl POST "stall?on=1"
ctl POST "hide?count=3"
{ service web 10.96.0.5; service hidden 10.96.0.104; } | apply
remove again
ctl POST "stall?on=0"
since=$(now_ms)
until_answer web.shop.svc.cluster.local A 10.96.0.5 60 "K36: a silent gap is healed within 60 s"
finish "K36: a silent gap: no answer missing, none wrong"
is "$(($(metric 'gaps_healed_total{resource="services"}') - before))" 1 "K36: and counted"

stop_daemon "$daemon"
ok "it stops cleanly" || diag "$(cat "$workdir/outage.log")"
done_testing
