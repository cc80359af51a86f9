#!/bin/bash
# Clients of an API server that moves: to a replica that lags behind, which tells them again what they
# know, and away from all of them at once. The clients are watch_dump, which prints each change.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/cluster.sh"

dump=$builddir/tests/system/watch_dump
clients=12
need "$dump"

state() { curl -s -m 20 "http://127.0.0.1:$control/apisim/state"; }
rv_now() { state | sed 's/.*"rv":\([0-9]*\).*/\1/'; }

# of KIND FIGURE: from the state of the server.
of() { state | sed "s/.*\"$1\":{[^}]*\"$2\":\([0-9]*\).*/\1/"; }

# start_client NAME: its output is $workdir/NAME; $spawned is its process id.
start_client() {
	spawn "$workdir/$1" "$dump" --endpoint "http://127.0.0.1:$api" --no-endpoints --stats "$workdir/$1.stats"
}

said() { grep -q -- "$2" "$workdir/$1"; } # NAME PATTERN

# All watches of so many clients are open, and none is left of those before close().
close_all() {
	before=$(of services watches) before_too=$(of namespaces watches)
	ctl POST "close?reset=1"
}
are_back() { # CLIENTS
	[ "$(of services watches)" -ge $((before + $1)) ] &&
		[ "$(of namespaces watches)" -ge $((before_too + $1)) ] &&
		[ "$(state | sed 's/.*"watches":\([0-9]*\),"requests".*/\1/')" = $((2 * $1)) ]
}

{
	printf 'apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n'
	service web 10.96.0.1
} >"$workdir/world.yaml"
start_api --rv 1000 --bookmark-ms 60000 "$workdir/world.yaml"

# The connection moves to a replica whose cache is older, and which then catches up.
start_client one
wait_for 300 said one '^synced'
ok "a client is synchronised"
behind=$(rv_now)
{ service gone 10.96.0.100; service web 10.96.0.2; } | apply
wait_for 300 said one '^service shop/web 10.96.0.2'
service web 10.96.0.3 | apply
remove gone
wait_for 300 said one '^-service shop/gone'
ok "and follows the changes"
cp "$workdir/one" "$workdir/before"
ctl POST "lag?rv=$behind"
close_all
wait_for 600 are_back 1
ok "it goes on with a replica that lags behind"
ctl POST lag # the replica learns of the same changes, and tells of them
service web 10.96.0.4 | apply
wait_for 600 said one '^service shop/web 10.96.0.4'
ok "K33: what is new comes"
is "$(tail -n "+$(($(wc -l <"$workdir/before") + 1))" "$workdir/one" |
	sed -n '/^-*service/s/ endpoints.*//p')" \
	"service shop/web 10.96.0.4" "K33: what was known already is not believed again: nothing comes back, nothing goes back"
streams=$(of services streams)
[ "$streams" -ge 2 ]
ok "K33: and all is listed again, without a version" || diag "$(state)"

# A list at a version that the replica has not reached.
behind=$(rv_now)
service later 10.96.0.5 | apply
wait_for 300 said one '^service shop/later'
ctl POST "lag?rv=$behind"
ctl POST "fault?status=410&resource=services&verb=watch"
ctl POST "close?resource=services&reset=1"
listed_more() { [ "$(of services streams)" -gt "$streams" ]; }
wait_for 600 listed_more
ok "K33: a version that the replica has not reached leads to a list without one"
ctl POST lag
service later 10.96.0.6 | apply
wait_for 600 said one '^service shop/later 10.96.0.6'
ok "K33: and to the truth"
! said one '^-service shop/later'
ok "K33: without a name that goes"
kill "$spawned"
wait_gone "$spawned" 100
ok "the client ends"

# Many clients: all lose their connections, then their server.
for i in $(seq "$clients"); do start_client "many-$i"; done
all_said() {
	local i
	for i in $(seq "$clients"); do said "many-$i" "$1" || return 1; done
}
wait_for 600 all_said '^synced'
ok "$clients clients are synchronised"
streams=$(of services streams)
close_all
wait_for 600 are_back $clients
ok "K43: $clients clients that lose their connections come back"
service web 10.96.0.7 | apply
wait_for 600 all_said '^service shop/web 10.96.0.7'
ok "K43: to where they were"
is "$(of services streams)" "$streams" "K43: none of them lists"

kill -9 "$api_pid"
wait_gone "$api_pid" 50
start_api --rv 1000000 --bookmark-ms 60000 "$workdir/world.yaml"
listed() { [ "$(of services streams) $(of namespaces streams)" = "$clients $clients" ]; }
wait_for 900 listed
service web 10.96.0.8 | apply
wait_for 900 all_said '^service shop/web 10.96.0.8'
ok "K43: clients whose server comes back with another history follow it"
is "$(of services streams) $(of namespaces streams)" "$clients $clients" \
	"K43: each lists once"
diag "the lists of services came in $(of services streams_ms) ms"
[ "$(of services streams_ms)" -ge 2000 ]
ok "K43: and not all at the same time"
done_testing
