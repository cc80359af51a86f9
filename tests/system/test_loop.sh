#!/bin/bash
# The plugin loop, 3.2 and 6.30: servers that forward to each other find it out, say so, do without the
# other, keep answering, and take it back when the loop is gone.
. "$(dirname "$0")/lib.sh"

up=$builddir/tests/system/upstream
need dig
[ -x "$seamark" ] && [ -x "$up" ] || skip_all "the daemon or the upstream is not built"
a=$(free_port) b=$(free_port) good=$(free_port) metrics=$(free_port)

spawn "$workdir/good.log" "$up" "$good" 192.0.2.1
mkdir "$workdir/a" "$workdir/b"
cat >"$workdir/hosts" <<-EOT
	192.0.2.7 here.example
EOT
# a asks b, and another server for one branch
cat >"$workdir/a/Corefile" <<-EOT
	.:$a {
	    bind 127.0.0.1
	    errors
	    loop
	    prometheus 127.0.0.1:$metrics
	    hosts $workdir/hosts {
	        fallthrough
	    }
	    forward good.example 127.0.0.1:$good
	    forward . 127.0.0.1:$b
	}
EOT
write_b() { # UPSTREAM-PORT
	cat >"$workdir/b/Corefile" <<-EOT
		.:$b {
		    bind 127.0.0.1
		    forward . 127.0.0.1:$1
		}
	EOT
}
write_b "$a"
spawn "$workdir/b.log" "$seamark" -conf "$workdir/b/Corefile" -workers 1
b_pid=$spawned
wait_for 100 grep -q Seamark "$workdir/b.log" # each server is looked at once
spawn "$workdir/a.log" "$seamark" -conf "$workdir/a/Corefile" -workers 1
a_pid=$spawned
wait_answer "$a" here.example A
ok "a server in a loop starts" || { diag "$(cat "$workdir/a.log")"; done_testing; }
log_has() { grep -q "$1" "$workdir/a.log"; }
wait_for 100 log_has "plugin/loop: Loop (127.0.0.1:$b -> :$a) detected for zone \"\\.\": the upstream server 127.0.0.1:$b"
ok "6.30: the loop is reported, with the server that it goes through" || diag "$(cat "$workdir/a.log")"
unlike "$(cat "$workdir/a.log")" "127.0.0.1:$good" "the other server is not accused"
is "$(ask "$a" www.good.example A)" 192.0.2.1 "and is still asked"
is "$(ask "$a" here.example A)" 192.0.2.7 "names that are served here are answered"
is "$(ask_status "$a" www.example A)" SERVFAIL "U33: names behind the loop fail"
# a busy machine may make one question late, not all of them
fails_at_once() {
	local begin
	begin=$(date +%s%N)
	[ "$(ask_status "$a" www.example A)" = SERVFAIL ] &&
		[ $((($(date +%s%N) - begin) / 1000000)) -lt 1000 ]
}
wait_for 10 fails_at_once
ok "at once"
kill -0 "$a_pid"
ok "3.2: the process goes on"
figures() { curl -s -m 5 "http://127.0.0.1:$metrics/metrics" | grep '^seamark_loop'; }
like "$(figures)" 'seamark_loop_detected_total\{zone="\."\} 1' "it is counted"
like "$(figures)" 'seamark_loop_upstreams_left_out\{zone="\."\} 1' "and the server that is left out"

# the loop ends: the next look, after a minute, sees it
if [ -n "${LOOP_PATIENCE:-}" ]; then
	write_b "$good"
	kill -USR1 "$b_pid"
	wait_for 900 log_has 'does not send questions back any more'
	ok "a server that mended is taken back"
	is "$(ask "$a" www.example A)" 192.0.2.1 "and asked"
fi

kill "$a_pid"
wait_gone "$a_pid" 50
ok "it stops when it is asked to"
done_testing
