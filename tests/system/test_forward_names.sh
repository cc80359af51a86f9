#!/bin/bash
# Upstream servers given by name: looked up from the servers of `resolver`, again when their TTL
# ends, kept while that fails.
. "$(dirname "$0")/lib.sh"

up=$builddir/tests/system/upstream
need "$up"

port=$(free_port) names=$(free_port) a=$(free_port)
spawn "$workdir/a.log" "$up" "127.0.0.1:$a" 192.0.2.1
spawn "$workdir/b.log" "$up" "127.0.0.2:$a" 192.0.2.2

# a server that knows the address of the upstream
echo "127.0.0.1 dns.test" >"$workdir/hosts"
start_daemon names <<END
.:$names {
    bind 127.0.0.1
    hosts $workdir/hosts {
        ttl 1
        reload 200ms
    }
}
END
wait_answer "$names" dns.test A
names_pid=$daemon

start_daemon forward <<END
.:$port {
    bind 127.0.0.1
    forward . dns.test:$a {
        resolver 127.0.0.1:$names
    }
}
END
wait_answer "$port" first.example A
ok "an upstream given by name is looked up and asked"
is "$(ask "$port" www.example A)" 192.0.2.1 "at its address"
like "$(cat "$workdir/forward.log")" "upstream servers of \. changed: 127.0.0.1:$a" "which is logged"

echo "127.0.0.2 dns.test" >"$workdir/hosts.new"
mv "$workdir/hosts.new" "$workdir/hosts"
for i in $(seq 200); do
	[ "$(ask "$port" "t$i.example" A)" = 192.0.2.2 ] && break
	sleep 0.1
done
is "$(ask "$port" www2.example A)" 192.0.2.2 "when its TTL has ended it is looked up again"

stop_daemon "$names_pid"
wait_for 300 grep -q "cannot look up the upstream server dns.test" "$workdir/forward.log"
ok "a failing look-up is logged"
is "$(ask "$port" www3.example A)" 192.0.2.2 "and the last address stays in use"
kill -USR1 "$daemon"
wait_for 100 grep -q 'Reloading complete' "$workdir/forward.log"
is "$(ask "$port" www4.example A)" 192.0.2.2 "over a reload, too"
is "$(grep -c 'cannot look up' "$workdir/forward.log" | awk '{ print ($1 <= 2) }')" 1 "it is logged once"
stop_daemon "$daemon"
is "$?" 0 "the daemon ends well"

# a name that nobody knows yet
start_daemon nobody <<END
.:$port {
    bind 127.0.0.1
    cache
    forward . dns.test:$a {
        resolver 127.0.0.1:$names
    }
}
END
wait_for 300 grep -q "cannot look up the upstream server dns.test: .*it is not used until that works" "$workdir/nobody.log"
ok "the server starts without its upstream"
is "$(ask_status "$port" www.example A)" SERVFAIL "and answers SERVFAIL"
last=0
is "$(ask_status "$port" before0.example A)" SERVFAIL "to each name"
forward_pid=$daemon
start_daemon names-again <<END
.:$names {
    bind 127.0.0.1
    hosts $workdir/hosts {
        ttl 1
    }
}
END
for i in $(seq 300); do
	[ "$(ask "$port" "before$i.example" A)" = 192.0.2.2 ] && break
	last=$i
	sleep 0.1
done
is "$(ask "$port" "before$last.example" A)" 192.0.2.2 "until it is known; what failed for want of it is not remembered"
stop_daemon "$daemon"
stop_daemon "$forward_pid"

done_testing
