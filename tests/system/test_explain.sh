#!/bin/bash
# seamark explain and seamark names, asked of a running server, of a Corefile and of manifests.
. "$(dirname "$0")/lib.sh"

need dig "$seamark"

copy_lab d
manifests=$workdir/zones/lab/manifests
socket=$workdir/run/control.sock
spawn "$workdir/lab.log" "$seamark" -conf "$corefile" -control "$socket"
lab=$spawned
wait_answer "$port" kubernetes.default.svc.cluster.local A
ok "the lab answers" || diag "$(cat "$workdir/lab.log")"

explain() { "$seamark" explain "$@" --control "$socket" 2>&1; }
names() { "$seamark" names "$@" --control "$socket" 2>&1; }

is "$(stat -c %a "$socket")" 600 "only the server's own user may ask"
is "$(explain web.shop.svc.cluster.local)" "web.shop.svc.cluster.local. A: NOERROR, 10.96.10.1
    block    .:$port ($corefile:5)
    plugin   kubernetes, zone cluster.local.
    object   Service shop/web
    field    spec.clusterIPs" "block, plugin, object and field of an answer"
like "$(explain web.shopp.svc.cluster.local)" 'no namespace "shopp"; did you mean "shop"' \
	"a namespace that is missing"
like "$(explain jobs.shop.svc.cluster.local)" 'no ready endpoint \(1 not ready\)' \
	"a Service without ready endpoints"
like "$(explain _htp._tcp.web.shop.svc.cluster.local)" 'SRV: NXDOMAIN' "a port has records SRV"
like "$(explain _htp._tcp.web.shop.svc.cluster.local)" 'ports are: _http._tcp \(80\), _metrics' \
	"a port that has another name"
like "$(explain 10.96.10.1)" 'PTR: NOERROR, web.shop.svc.cluster.local' "an address"
like "$(explain db-0.db --from 10.244.1.51)" '^  1. db-0.db.data.svc.cluster.local. A: NOERROR' \
	"the names that a pod tries"
like "$(explain cache.data --from 10.244.1.11)" \
	'^  1. cache.data.shop.svc.cluster.local. A: NXDOMAIN \(there is no Service' \
	"the first of them does not exist"
like "$(explain cache.data --from 10.244.1.11)" '^  2. cache.data.svc.cluster.local. A: NOERROR' \
	"the second does"
like "$(explain example.com)" 'no plugin of the server block takes it' "a name that nobody has"
unlike "$(explain host.example.com)" 'hint' "and that is no short one"
like "$(explain web.shop)" 'hint .*SERVICE.NAMESPACE.svc.ZONE, or add --from' "a name that is whole for pods only"
unlike "$(explain web.shop.)$(explain 10.1.2.3)$(explain localhost)" 'hint' "unless a dot says that it is whole, or it exists"
like "$(explain 10.1.2.3)" 'file, zone 10.in-addr.arpa' "another plugin of the block"
like "$(explain 10.1.2.3)" 'before   kubernetes no Service and no endpoint has the address; fallth' \
	"and what those above it said"
like "$(explain x.localhost)" 'A: NOERROR, 127.0.0.1' "a name of a zone file"
is "$(names 'web.shop.*')" "web.shop.svc.cluster.local. A 10.96.10.1" "a list of names"
[ "$(names | wc -l)" -gt 40 ]
ok "all names"

"$seamark" names --control "$socket" >/dev/full 2>"$workdir/full"
like "$? $(cat "$workdir/full")" '^1 standard output: No space' "a list that cannot be printed fails"

# every listed address is what dig gets
bad=$(names '*.svc.cluster.local' | awk '$2 == "A"' | while read -r name type values; do
	[ "$(ask "$port" "$name" "$type" | tr '\n' ' ')" = \
		"$(tr ' ' '\n' <<<"$values" | sort | tr '\n' ' ')" ] || echo "$name"
done)
is "$bad" "" "all listed addresses are answered"

# what is said follows the cluster
sed -i 's/10\.96\.10\.1$/10.96.10.99/' "$manifests/10-shop.yaml"
has_new() { explain web.shop.svc.cluster.local | grep -q "NOERROR, 10.96.10.99"; }
wait_for 50 has_new
ok "a change is explained when it is answered"

# without a server
is "$("$seamark" explain api.shop.svc.cluster.test AAAA --manifests "$manifests" \
	--zone cluster.test 2>&1 | head -n 1)" \
	"api.shop.svc.cluster.test. AAAA: NOERROR, fd00:96::a02" "a directory of manifests"
is "$("$seamark" names 'db-?.db.*' --manifests "$manifests" | wc -l)" 3 "the names of a directory"
like "$("$seamark" explain web.shop.svc.cluster.local -conf "$corefile" 2>&1)" \
	"block    .:$port \($corefile:5\)" "a Corefile, while its ports are in use"
like "$("$seamark" explain x --manifests "$workdir/none" 2>&1)" "No such file" "no such directory"
like "$("$seamark" explain x -conf "$workdir/none" 2>&1)" "none" "no such Corefile"
like "$("$seamark" explain 2>&1)" "Usage: seamark explain NAME" "no name"
like "$("$seamark" names a b 2>&1)" "Usage: seamark names" "too many patterns"
like "$("$seamark" explain x --zone y 2>&1)" "zone belongs to --manifests" "a zone of nothing"
like "$(explain a..b)" '"a..b" is no domain name' "no name at all"
like "$(explain web --from nobody)" "needs the IP address" "no address"

like "$(explain search.shop.svc.cluster.local)" "no endpoint is ready to be connected to \(1 not" \
	"a name that leads nowhere"

# the socket
spawn "$workdir/second.log" "$seamark" -dns.port "$(free_port)" -control "$socket" -quiet
second=$spawned
wait_for 100 grep -q "WARNING\] no control socket for .*$socket: another server has it, and what they say" \
	"$workdir/second.log"
ok "a second server warns that the socket is not its own" || diag "$(cat "$workdir/second.log")"
kill -0 "$second"
ok "and serves without it" || diag "$(cat "$workdir/second.log")"
stop_daemon "$second"
like "$(explain web.shop.svc.cluster.local)" NOERROR "and leaves that of the first alone"
# the place where seamark explain looks by itself
usual=$workdir/usual.sock
SEAMARK_CONTROL=$usual spawn "$workdir/third.log" "$seamark" -dns.port "$(free_port)"
third=$spawned
wait_for 100 grep -q '^Seamark-' "$workdir/third.log"
SEAMARK_CONTROL=$usual "$seamark" names >/dev/null
ok "the environment names the place for the server and for who asks it"
SEAMARK_CONTROL=$usual spawn "$workdir/fourth.log" "$seamark" -dns.port "$(free_port)"
fourth=$spawned
wait_for 100 grep -q "WARNING\] no control socket for .*$usual: another server has it" \
	"$workdir/fourth.log"
ok "a second server there warns, too" || diag "$(cat "$workdir/fourth.log")"
stop_daemon "$fourth"
stop_daemon "$third"
# many at once, more than are served together; then lines that are none
for i in $(seq 20); do
	explain web.shop.svc.cluster.local >"$workdir/many.$i" &
	clients+=($!)
done
wait "${clients[@]}"
is "$(cat "$workdir"/many.* | grep -c NOERROR)" 20 "twenty questions at once"
if command -v python3 >/dev/null; then
	is "$(python3 - "$socket" <<'PYTHON'
import socket, sys, time
def talk(data, wait=20):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(wait)
    s.connect(sys.argv[1])
    try:
        s.sendall(data)
        got = b""
        while True:
            part = s.recv(65536)
            if not part:
                return got
            got += part
    except (BrokenPipeError, ConnectionResetError):
        return b"cut"
    finally:
        s.close()
idle = [socket.socket(socket.AF_UNIX) for _ in range(12)]
for s in idle:
    s.connect(sys.argv[1])
began = time.time()
print(talk(b"nonsense\n").decode().strip())
print("waited" if time.time() - began > 3 else "at once")
print(talk(b"\n").decode().strip())
print(talk(b"x" * 5000) in (b"", b"cut"))
print(talk(b"names dns-version.*\nexplain x A -\n").decode().strip())
PYTHON
)" 'error: unknown request "nonsense"
waited
error: unknown request ""
True
ok
dns-version.cluster.local. TXT "1.1.0"' "clients that say nothing are cut off; bad lines are refused"
fi
kill -9 "$lab"
wait_gone "$lab" 50
like "$(explain web.shop.svc.cluster.local)" "no server can be asked at $socket" "a dead server"
spawn "$workdir/lab2.log" "$seamark" -conf "$corefile" -control "$socket"
wait_answer "$port" kubernetes.default.svc.cluster.local A
like "$(explain web.shop.svc.cluster.local)" NOERROR "its successor takes the socket over"
stop_daemon "$spawned" 10
[ ! -e "$socket" ]
ok "a server that stops removes it"
is "$(cat "$workdir"/lab*.log | grep -c 'control socket')" 0 "nothing of it is in the log"
done_testing
