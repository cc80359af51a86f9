#!/bin/bash
# The forward plugin over real sockets: relaying, faults of an upstream, and a resolver file that
# changes while the server runs.
. "$(dirname "$0")/lib.sh"

up=$builddir/tests/system/upstream
need "$up"

port=$(free_port)
a=$(free_port)
b=$(free_port)
spawn "$workdir/a.log" "$up" "$a" 192.0.2.1
spawn "$workdir/b.log" "$up" "$b" 192.0.2.2

# --- relaying

start_daemon relay <<END
.:$port {
    bind 127.0.0.1
    forward . 127.0.0.1:$a {
        except internal.example
    }
}
stub.example:$port {
    bind 127.0.0.1
    forward stub.example dns://127.0.0.1:$b
}
END
wait_answer "$port" first.example A
ok "the daemon forwards"

is "$(ask "$port" www.example A)" 192.0.2.1 "an outside name is answered by the upstream"
is "$(ask_flags "$port" www.example A)" "qr rd ra" "forwarded answers have RA and no AA"
is "$(ask "$port" www.example A +tcp)" 192.0.2.1 "a question over TCP is answered too"
is "$(ask "$port" www.stub.example A)" 192.0.2.2 "a stub domain goes to its own upstream"
is "$(ask_status "$port" www.internal.example A)" SERVFAIL "an excepted name is not forwarded"
is "$(ask_status "$port" www.example A +norec)" REFUSED "without RD nothing is forwarded"
is "$(ask_status "$port" nxdomain.example A)" NXDOMAIN "NXDOMAIN is passed on"
like "$(ask_authority "$port" nxdomain.example A)" "^example\. 30 IN SOA" "with its SOA"
is "$(ask_status "$port" servfail.example A)" SERVFAIL "SERVFAIL is passed on"
is "$(ask_status "$port" refused.example A)" REFUSED "REFUSED is passed on"
while read -r row fault; do
	is "$(ask "$port" "$fault.example" A)" 192.0.2.1 "$row: a forged reply ($fault) before the good one is ignored"
done <<END
U10 wrongid
U11 wrongq
U12 qr0
U13 malformed
U14 short
U14 empty
U17 notify
U18 loop
END
is "$(ask "$port" wrongport.example A)" 192.0.2.1 "U15: a reply from another port is ignored"
is "$(ask "$port" drop1.example A)" 192.0.2.1 "U2: a lost query is sent again"
is "$(ask "$port" slow.example A +time=8)" 192.0.2.1 "U3: a slow reply is waited for"
is "$(ask "$port" tc.example A)" 192.0.2.1 "U19: a truncated reply is asked for again by TCP"
is "$(grep -c '^tcp tc.example. 1$' "$workdir/a.log")" 1 "and TCP was used for it once"
is "$(ask "$port" extra.example A)" 192.0.2.1 "U23: records that nobody asked for are dropped"
is "$(ask_authority "$port" extra.example A)" "" "from the authority section too"
like "$(ask_answer "$port" ttl.example A)" "^ttl.example. 0 IN A" "U24: a TTL with the high bit is 0"
is "$(ask "$port" cname.example A | tr '\n' ' ')" "192.0.2.1 target.example. " "an alias comes whole"
like "$(ask_flags "$port" many.example A +noedns +ignore)" "tc" "U25: 60 addresses do not fit 512 octets"
is "$(ask "$port" many.example A | wc -l)" 60 "and come whole by TCP or EDNS"
is "$(ask_answer "$port" WwW.ExAmPlE A)" "WwW.ExAmPlE. 60 IN A 192.0.2.1" "letters keep their case"

# one query for many equal questions that come to one worker
before=$(grep -c 'slow.many' "$workdir/a.log")
for i in $(seq 10); do ask "$port" slow.many.example A +time=8 >/dev/null & jobs_pids[i]=$!; done
wait "${jobs_pids[@]}"
sent=$(($(grep -c 'slow.many' "$workdir/a.log") - before))
[ "$sent" -le $((2 * $(nproc))) ]
ok "ten equal questions are sent once a worker, and once again after 400 ms: $sent"
stop_daemon "$daemon"
is "$?" 0 "the daemon ends well"

# --- an attacker who knows port and question: 10^6 forged replies, where the machine is not busy

gen=$builddir/tests/bench/gen
if [ -x "$gen" ]; then
	metrics=$(free_port)
	start_daemon forged <<END
.:$port {
    bind 127.0.0.1
    prometheus 127.0.0.1:$metrics
    forward . 127.0.0.1:$a
}
END
	wait_answer "$port" first.example A
	for i in $(seq 20000); do echo "forge$i.example A NOERROR 1 192.0.2.1"; done >"$workdir/forge"
	figures=$("$gen" -f "$workdir/forge" -p "$port" -u 0 -w 2 -n 2 -t "${FORGED_SECONDS:-4}" -e)
	diag "$figures"
	like "$figures" ' bad=0 ' "U35: no answer is a forged one"
	like "$figures" 'answers=[1-9][0-9]' "U35: while the good ones arrive"
	curl -s -m 5 "http://127.0.0.1:$metrics/metrics" >"$workdir/forged.metrics"
	count=$(awk '/^seamark_forward_bad_replies_total/ { n += $2 } END { print n }' "$workdir/forged.metrics")
	[ "$count" -gt 1000 ]
	ok "U35: forged replies are counted: $count"
	stop_daemon "$daemon"
fi

# --- all upstreams dead

dead=$(free_port)
start_daemon dead <<END
.:$port {
    bind 127.0.0.1
    forward . 127.0.0.1:$dead
}
END
wait_for 100 grep -q Seamark "$workdir/dead.log"
is "$(ask_status "$port" www.example A +time=8)" SERVFAIL "U34: a dead upstream gives SERVFAIL"
# a busy machine may make one question late, not all of them
fails_at_once() {
	local start
	start=$(date +%s%N)
	[ "$(ask_status "$port" www.example A)" = SERVFAIL ] || return
	took=$((($(date +%s%N) - start) / 1000000))
	[ "$took" -lt 1500 ]
}
wait_for 10 fails_at_once
ok "at once, because the kernel says so: ${took:-} ms"
stop_daemon "$daemon"

# --- a resolver file that changes

cached=$(free_port)
conf=$workdir/etc/resolv.conf
mkdir -p "$workdir/etc" "$workdir/other"
echo "nameserver 127.0.0.1:$a" >"$conf"
start_daemon file <<END
.:$port {
    bind 127.0.0.1
    forward . $conf
}
.:$cached {
    bind 127.0.0.1
    cache
    forward . $conf
}
END
wait_answer "$port" first.example A
n=0 fastest_ms=999999
# the answer becomes $1; $fastest_ms is how long the quickest change took
becomes() {
	local start took
	n=$((n + 1)) start=$(date +%s%N)
	for _ in $(seq 100); do
		[ "$(ask "$port" "try$n-$RANDOM.example" A)" = "$1" ] && break
		sleep 0.1
	done
	took=$((($(date +%s%N) - start) / 1000000))
	[ "$took" -lt "$fastest_ms" ] && fastest_ms=$took
	[ "$(ask "$port" "try$n-last.example" A)" = "$1" ]
}
log_has() { grep -q -- "$1" "$workdir/file.log"; }
becomes 192.0.2.1
ok "the servers of a file are used"
fastest_ms=999999
is "$(ask "$cached" kept.example A)" 192.0.2.1 "and what they answer is kept"
echo "nameserver 127.0.0.1:$b" >"$conf.new"
mv "$conf.new" "$conf"
becomes 192.0.2.2
ok "U28: a file renamed over it is noticed"
is "$(ask "$cached" kept.example A)" 192.0.2.2 "and the cache gives up what other servers answered"
echo "nameserver 127.0.0.1:$a" >"$conf"
becomes 192.0.2.1
ok "U29: a file rewritten in place is noticed"
like "$(cat "$workdir/file.log")" "upstream servers of \. changed: 127.0.0.1:$a" "and logged"
echo "nameserver 127.0.0.1:$b" >"$workdir/other/list"
ln -sf "$workdir/other/list" "$conf.link"
mv -T "$conf.link" "$conf"
becomes 192.0.2.2
ok "a symbolic link in its place is noticed"
echo "nameserver 127.0.0.1:$a" >"$workdir/other/new"
mv "$workdir/other/new" "$workdir/other/list"
becomes 192.0.2.1
ok "a change behind the symbolic link is noticed"
# a busy machine may make one of four late, not all of them
[ "$fastest_ms" -le 1000 ]
ok "U28: within a second: $fastest_ms ms"
: >"$workdir/other/list"
wait_for 100 log_has "names no nameserver: keeping the last good list"
ok "U30: an empty file brings a warning"
is "$(ask "$port" empty.example A)" 192.0.2.1 "and keeps the last good list"
rm "$conf"
sleep 0.7
is "$(ask "$port" gone.example A)" 192.0.2.1 "U30: a removed file keeps the last good list"
echo "nameserver 127.0.0.1:$b" >"$conf"
becomes 192.0.2.2
ok "a file that comes back is used"
printf 'nameserver 127.0.0.1:%s\n' "$port" >"$conf"
wait_for 100 log_has "127.0.0.1:$port, which is this server itself"
ok "U31: our own address is never an upstream"
stop_daemon "$daemon"
is "$?" 0 "the daemon ends well"

rm -f "$conf"
start_daemon late <<END
.:$port {
    bind 127.0.0.1
    forward . $conf
}
.:$cached {
    bind 127.0.0.1
    cache
    forward . $conf
}
END
wait_for 100 grep -q Seamark "$workdir/late.log"
is "$(ask_status "$port" try.example A)" SERVFAIL "without its file it starts, and fails what is outside"
is "$(ask_status "$cached" try.example A)" SERVFAIL "as it does with a cache"
echo "nameserver 127.0.0.1:$a" >"$conf"
becomes 192.0.2.1
ok "until the file comes"
is "$(ask "$cached" try.example A)" 192.0.2.1 "and that there was no server is not remembered"
like "$(cat "$workdir/late.log")" "upstream servers of \. changed: 127.0.0.1:$a" "which is logged"
stop_daemon "$daemon"

# --- the stub of systemd-resolved, in a mount namespace with a /run of its own

if [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then
	cat >"$workdir/stub.corefile" <<END
.:$port {
    bind 127.0.0.1
    forward . $workdir/stub.conf
}
END
	echo "nameserver 127.0.0.53" >"$workdir/stub.conf"
	cat >"$workdir/stub.sh" <<END
mount -t tmpfs tmpfs /run || exit 1
mkdir -p /run/systemd/resolve
echo "nameserver 127.0.0.1:$b" >/run/systemd/resolve/resolv.conf
exec "$seamark" -conf "$workdir/stub.corefile"
END
	spawn "$workdir/stub.log" unshare -m bash "$workdir/stub.sh"
	wait_answer "$port" first.example A
	is "$(ask "$port" www.example A)" 192.0.2.2 "U31: the stub 127.0.0.53 is replaced by systemd-resolved's list"
	like "$(cat "$workdir/stub.log")" \
		"names only 127.0.0.53:53, which is the stub of systemd-resolved: using /run/systemd/resolve/resolv.conf" \
		"with a line in the log"
	is "$(grep -c 'stub of systemd' "$workdir/stub.log")" 1 "only one"
fi

done_testing
