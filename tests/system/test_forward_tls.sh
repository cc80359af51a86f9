#!/bin/bash
# Upstream servers over TLS: certificates, names, resumption, padding, connections that end.
. "$(dirname "$0")/lib.sh"

up=$builddir/tests/system/tls_upstream
need "$up" openssl
certs=$workdir/certs
sh "$srcdir/tests/apisim/certs.sh" "$certs" >/dev/null 2>&1 || skip_all "cannot make certificates"

port=$(free_port) a=$(free_port) b=$(free_port) c=$(free_port)
spawn "$workdir/a.log" "$up" "$a" "$certs/server.crt" "$certs/server.key" 192.0.2.1
spawn "$workdir/b.log" "$up" "$b" "$certs/wrong-name.crt" "$certs/wrong-name.key" 192.0.2.2
spawn "$workdir/c.log" "$up" "$c" "$certs/server.crt" "$certs/server.key" 192.0.2.3 "$certs/ca.crt"

# --- OpenShift's form: tls, tls_servername, policy

start_daemon tls <<END
.:$port {
    bind 127.0.0.1
    forward . tls://127.0.0.1:$a {
        tls $certs/ca.crt
        tls_servername localhost
        policy sequential
        expire 4s
    }
}
END
wait_answer "$port" first.example A
is "$(ask "$port" www.example A)" 192.0.2.1 "an upstream answers over TLS"
like "$(cat "$workdir/a.log")" "open resumed=0 alpn=dot name=localhost" "with ALPN and the configured name"
is "$(sed -n 's/^query www.example. //p' "$workdir/a.log" | sort -u)" 128 "queries are padded to 128 octets"
is "$(ask "$port" www.example A +tcp)" 192.0.2.1 "a client's TCP works, too"
for i in $(seq 20); do ask "$port" "n$i.example" A >/dev/null & jobs_pids[i]=$!; done
wait "${jobs_pids[@]}"
[ "$(grep -c '^open' "$workdir/a.log")" -le $(($(nproc) + 1)) ]
ok "questions share the connection of their worker"
is "$(ask "$port" bye.example A)" 192.0.2.1 "a connection that ends under a question is made again"
sleep 6 # all have expired
for i in $(seq 8); do ask "$port" "later$i.example" A >/dev/null; done
like "$(cat "$workdir/a.log")" "open resumed=1" "a new connection resumes the session"
unlike "$(cat "$workdir/tls.log")" "TLS with" "nothing failed"
stop_daemon "$daemon"
is "$?" 0 "the daemon ends well"

# --- names and certificates

# try NAME TO [OPTION...]: the daemon with one upstream of this kind
try() {
	local name=$1 to=$2
	shift 2
	start_daemon "$name" <<END
.:$port {
    bind 127.0.0.1
    errors
    forward . $to {
$(printf '        %s\n' "$@")
    }
}
END
	wait_for 100 grep -q Seamark "$workdir/$name.log"
}

try ip "tls://127.0.0.1:$a" "tls $certs/ca.crt"
is "$(ask "$port" www.example A)" 192.0.2.1 "without a name the certificate is for the address"
stop_daemon "$daemon"
try name "tls://127.0.0.1%localhost:$a" "tls $certs/ca.crt" "tls_servername elsewhere.example"
is "$(ask "$port" www.example A)" 192.0.2.1 "the name of the server itself comes first"
stop_daemon "$daemon"
try address "tls://127.0.0.1:$a" "tls $certs/ca.crt" "tls_servername 127.0.0.1"
is "$(ask "$port" www.example A)" 192.0.2.1 "the name may be an address"
like "$(tail -1 "$workdir/a.log"; grep open "$workdir/a.log" | tail -1)" "name=$" "which is not sent"
stop_daemon "$daemon"
try wrong "tls://127.0.0.1:$b" "tls $certs/ca.crt"
is "$(ask_status "$port" www.example A)" SERVFAIL "a certificate for another name is not accepted"
like "$(cat "$workdir/wrong.log")" "TLS with 127.0.0.1:$b failed: .*mismatch" "and the reason is logged"
like "$(cat "$workdir/wrong.log")" "A: read tcp 127.0.0.1:$b: tls: handshake failed" "by the plugin errors, too"
stop_daemon "$daemon"
is "$(grep -c '^query' "$workdir/b.log")" 0 "no question went there"
try other "tls://127.0.0.1%elsewhere.example:$b" "tls $certs/ca.crt"
is "$(ask "$port" www.example A)" 192.0.2.2 "under its own name it is"
stop_daemon "$daemon"
try system "tls://127.0.0.1:$a"
is "$(ask_status "$port" www.example A)" SERVFAIL "a CA that the system does not know is not accepted"
stop_daemon "$daemon"
try client "tls://127.0.0.1:$c" "tls $certs/client.crt $certs/client.key $certs/ca.crt"
is "$(ask "$port" www.example A)" 192.0.2.3 "our own certificate is shown to a server that asks"
stop_daemon "$daemon"
try backup "tls://127.0.0.1:$b tls://127.0.0.1:$a" "tls $certs/ca.crt" "policy sequential"
is "$(ask "$port" www.example A)" 192.0.2.1 "the next server answers when TLS with the first fails"
stop_daemon "$daemon"

done_testing
