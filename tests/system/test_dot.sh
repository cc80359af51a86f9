#!/bin/bash
# DNS over TLS: kdig and openssl as clients of tls:// blocks, beside plain blocks; certificates that
# are renewed while connections are open; clients that are slow, odd, or many.
. "$(dirname "$0")/lib.sh"

need kdig openssl curl "$seamark"

port=$(free_port) auth=$(free_port) plain=$(free_port) metrics=$(free_port)
certs=$workdir/certs
sh "$srcdir/tests/apisim/certs.sh" "$certs" >/dev/null 2>&1
cp "$certs/server.crt" "$workdir/live.crt"
cp "$certs/server.key" "$workdir/live.key"

cat >"$workdir/hosts" <<END
192.0.2.1 www.example.org
END

corefile() { # IDLE
	cat <<-EOT
	tls://example.org:$port {
	    bind 127.0.0.1
	    tls live.crt live.key
	    timeouts {
	        idle $1
	    }
	    log
	    prometheus 127.0.0.1:$metrics
	    hosts hosts
	}
	tls://.:$auth {
	    bind 127.0.0.1
	    tls live.crt live.key certs/ca.crt {
	        client_auth require_and_verify
	        keylog $workdir/keys
	    }
	    hosts hosts
	}
	example.org:$plain {
	    bind 127.0.0.1
	    tls live.crt live.key
	    hosts hosts
	}
	EOT
}
start_daemon dot -workers 1 <<<"$(corefile 10s)"
log=$workdir/dot.log

dot() { # [KDIG-ARGUMENT...]
	timeout 5 kdig @127.0.0.1 -p "$port" +tls +retry=0 +time=2 "$@" 2>&1
}
sample() { curl -sf "http://127.0.0.1:$metrics/metrics" | grep -v '^#' | grep -F "$1" | cut -d' ' -f2; }
client() { # SECONDS [ARGUMENT...]: openssl as a client that says nothing for so long
	local seconds=$1
	shift
	sleep "$seconds" | timeout 8 openssl s_client -connect "127.0.0.1:$port" "$@" 2>&1
}
answers() { dot www.example.org A +short | grep -qx 192.0.2.1; }
wait_for 50 answers
ok "kdig +tls gets an answer" || { diag "$(cat "$log")"; done_testing; }
like "$(cat "$log")" "^tls://example.org.:$port on 127.0.0.1" "the address is announced with its scheme"
like "$(dot www.example.org A +tls-ca="$certs/ca.crt" +tls-hostname=localhost +short)" '^192.0.2.1$' \
	"1.5: strict clients verify the certificate (RFC 8310)"
unlike "$(dot www.example.org A +tls-ca="$certs/ca.crt" +tls-hostname=elsewhere.example)" '192.0.2.1' \
	"and see when it is of another name"
is "$(ask_status "$port" www.example.org A +notcp)" timeout "UDP is not served there"
unlike "$(ask_status "$port" www.example.org A +tcp)" NOERROR "nor is plain TCP"
is "$(ask "$plain" www.example.org A)" 192.0.2.1 "'tls' in a plain block does nothing"

# --- padding, RFC 8467

like "$(dot www.example.org A)" 'Received 468 B' "1.5: padding: answers of padded questions have 468 octets"
unlike "$(dot www.example.org A +nopadding +noedns)" 'Received 468 B' "and others have not"
is "$(ask_answer "$plain" www.example.org A +tcp +padding=128 | wc -l)" 1 "plain TCP never pads"

# --- the protocol

like "$(client 0 -tls1_1 -cipher ALL:@SECLEVEL=0)" 'alert protocol version' "1.5: TLS 1.1 is refused"
like "$(client 0 -tls1_2)" 'New, TLSv1.2, Cipher is ECDHE' "1.5: TLS 1.2 is spoken"
like "$(client 0 -tls1_3 -alpn dot)" 'ALPN protocol: dot' "1.5: the protocol is 'dot'"
like "$(client 0 -alpn h2)" 'no application protocol' "1.5: another protocol alone is refused"
like "$(client 0 -tls1_2 -sess_out "$workdir/session"; client 0 -tls1_2 -sess_in "$workdir/session")" \
	'^Reused, TLSv1.2' "1.5: sessions are resumed"
unlike "$({ sleep 0.3; echo R; sleep 0.5; } | timeout 5 openssl s_client -tls1_2 -connect "127.0.0.1:$port" 2>&1 |
	sed -n '/^RENEGOTIATING/,$p')" 'verify return' "1.5: renegotiation is refused"
answers
ok "and what comes next is answered"

# Five questions in one record, and more after it; then the end: all are answered.
question() { printf "\\x00\\x21\\x00\\x0$1"'\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x07example\x03org\x00\x00\x01\x00\x01'; }
pipelined=$({ for i in 1 2 3 4 5; do question $i; done; sleep 0.5; question 6; sleep 0.5; } |
	timeout 5 openssl s_client -quiet -connect "127.0.0.1:$port" 2>/dev/null | grep -ao 'example' | wc -l)
is "$pipelined" 6 "1.5: pipelined questions are all answered"

# --- certificates of clients

mutual() { timeout 5 kdig @127.0.0.1 -p "$auth" +tls +retry=0 +time=2 +short www.example.org A "$@" 2>&1; }
unlike "$(mutual)" 192.0.2.1 "a client without certificate is refused"
is "$(mutual +tls-certfile="$certs/client.crt" +tls-keyfile="$certs/client.key")" 192.0.2.1 \
	"one with a certificate of the CA is served"
unlike "$(mutual +tls-certfile="$certs/other.crt" +tls-keyfile="$certs/other.key")" 192.0.2.1 \
	"one with a certificate of another CA is refused"
like "$(cat "$workdir/keys")" '^CLIENT_HANDSHAKE_TRAFFIC_SECRET|^CLIENT_RANDOM' "secrets are logged when asked for"

like "$(cat "$log")" '^\[WARNING\] tls: TLS with 127.0.0.1:[0-9]+ failed: peer did not return a certificate' \
	"the log says why a handshake failed"
[ "$(sample 'seamark_tls_failures_total{reason="certificate"}')" -ge 2 ]
ok "and the metrics count the reasons"

# --- odd and slow clients

exec 5<>"/dev/tcp/127.0.0.1/$port" # says nothing
exec 6<>"/dev/tcp/127.0.0.1/$port" # stops within its first record
printf '\x16\x03\x01\x02\x00\x01' >&6
exec 7<>"/dev/tcp/127.0.0.1/$port" # speaks plain DNS
question 1 >&7
answers
ok "1.5: half a handshake delays nobody"
timeout 2 cat <&7 >/dev/null
ok "1.5: garbage is closed at once"
timeout 5 cat <&5 >/dev/null && timeout 2 cat <&6 >/dev/null
ok "1.5: half a handshake is closed within 3 s"
exec 5<&- 6<&- 7<&-

memory() { awk '/VmRSS/ { print $2 }' "/proc/$daemon/status"; }
descriptors() { ls "/proc/$daemon/fd" | wc -l; }
cycles() { # N: connections, some broken off early, in batches
	local i
	for i in $(seq "$1"); do
		case $((i % 4)) in
		0) (exec 8<>"/dev/tcp/127.0.0.1/$port") ;;
		1) (exec 8<>"/dev/tcp/127.0.0.1/$port" && printf '\x16\x03\x01\x02\x00\x01' >&8) ;;
		*) dot www.example.org A +short >/dev/null ;;
		esac
	done 2>/dev/null
}
cycles 40
before=$(memory) open=$(descriptors)
cycles "${CYCLES:-200}"
after=$(memory)
# a sanitizer keeps freed memory for a while, and finds leaks by itself
grep -qE 'lib(a|t)san' "/proc/$daemon/maps" && after=$before
[ $((after - before)) -lt 1000 ]
ok "connections that come and go leave no memory behind" || diag "from $before to $after kB"
has_few() { [ "$(descriptors)" -le "$open" ]; }
wait_for 50 has_few
ok "and no descriptor" || diag "$open, then $(descriptors)"

# --- renewed certificates

subject() { client 0 -tls1_2 "$@" </dev/null | openssl x509 -noout -serial 2>/dev/null; }
serial_of() { openssl x509 -noout -serial -in "$1"; }
is "$(subject)" "$(serial_of "$certs/server.crt")" "the certificate is that of the file"
{ question 1; sleep 3; question 2; sleep 0.5; } | timeout 8 openssl s_client -quiet -connect "127.0.0.1:$port" \
	2>/dev/null >"$workdir/open" &
open_client=$!
sleep 0.3
cp "$certs/renewed.crt" "$workdir/live.new"
mv "$workdir/live.new" "$workdir/live.crt"
complains() { grep -q 'live.key: key values mismatch; the certificate read before stays in use' "$log"; }
wait_for 100 complains
ok "a certificate without its key is reported, and the old one stays" || diag "$(tail -3 "$log")"
is "$(sample seamark_tls_certificate_current)" 0 "and a metric says so"
answers
ok "answers go on"
cp "$certs/renewed.key" "$workdir/live.new"
mv "$workdir/live.new" "$workdir/live.key"
is_renewed() { [ "$(subject)" = "$(serial_of "$certs/renewed.crt")" ]; }
wait_for 100 is_renewed
ok "new connections get the new certificate" || diag "$(tail -3 "$log")"
wait "$open_client"
is "$(grep -ao 'example' "$workdir/open" | wc -l)" 2 "a connection that was open goes on"
is "$(sample seamark_tls_certificate_current)" 1 "the metric is well again"

# --- reload

{ question 1; sleep 1; question 2; sleep 10; } | timeout 12 openssl s_client -quiet -connect "127.0.0.1:$port" \
	2>/dev/null >"$workdir/open" &
open_client=$!
timeouts() { sample 'seamark_tcp_connections_total{event="timeout"}'; }
before=$(timeouts) begin=$SECONDS
sleep 0.3
corefile 4s >"$workdir/dot.corefile" # more than lies between the questions
kill -USR1 "$daemon"
is_reloaded() { grep -q 'Reloading complete' "$log"; }
wait_for 100 is_reloaded
has_both() { [ "$(grep -ao 'example' "$workdir/open" | wc -l)" = 2 ]; }
wait_for 100 has_both
ok "a reload closes no connection"
has_ended() { [ "$(timeouts)" -gt "${before:-0}" ]; }
wait_for 100 has_ended && [ $((SECONDS - begin)) -le 9 ] # those of before would last 11 s
ok "and its idle time is the new one" || diag "$before, then $(timeouts), after $((SECONDS - begin)) s"
kill "$open_client" 2>/dev/null
wait "$open_client" 2>/dev/null
sed "s/tls live.crt/tls gone.crt/" "$workdir/dot.corefile" >"$workdir/new"
cp "$workdir/new" "$workdir/dot.corefile"
kill -USR1 "$daemon"
says_gone() { grep -q 'dot.corefile:3 - plugin/tls: cannot read the certificate .*gone.crt: No such file' "$log"; }
wait_for 100 says_gone
ok "a certificate that is not there fails the reload, with file and line" || diag "$(tail -3 "$log")"
answers
ok "and what was served is served"

full=$(sample 'seamark_tls_handshakes_total{result="full"}')
resumed=$(sample 'seamark_tls_handshakes_total{result="resumed"}')
failed=$(sample 'seamark_tls_handshakes_total{result="failed"}')
questions=$(sample "proto=\"tcp\",server=\"tls://127.0.0.1:$port\",type=\"A\"")

# --- from TLS to plain DNS and back, times of plain TCP

plain() {
	cat <<-EOT
	example.org:$port {
	    bind 127.0.0.1
	    timeouts {
	        idle 1s
	        maxtcpqueries 2
	    }
	    hosts hosts
	}
	EOT
}
plain >"$workdir/dot.corefile"
kill -USR1 "$daemon"
is_plain() { [ "$(ask "$port" www.example.org A)" = 192.0.2.1 ]; }
wait_for 100 is_plain
ok "an address changes from TLS to plain DNS with a reload" || diag "$(tail -3 "$log")"
is_plain_tcp() { [ "$(ask "$port" www.example.org A +tcp)" = 192.0.2.1 ]; }
wait_for 100 is_plain_tcp
ok "over TCP too"
exec 5<>"/dev/tcp/127.0.0.1/$port"
question 1 >&5
is "$(timeout 4 cat <&5 2>/dev/null | grep -ao example | wc -l)" 1 "an idle TCP connection is closed in the time of 'timeouts'"
exec 5<>"/dev/tcp/127.0.0.1/$port"
for i in 1 2 3 4; do question $i; done >"$workdir/four"
cat "$workdir/four" >&5 # at once: it is closed after the second
is "$(timeout 4 cat <&5 2>/dev/null | grep -ao example | wc -l)" 2 "and after maxtcpqueries"
exec 5<&-
corefile 10s >"$workdir/dot.corefile"
kill -USR1 "$daemon"
wait_for 50 answers
ok "and back to TLS"

# --- metrics and log

like "$full" '^[1-9]' "full handshakes are counted"
like "$resumed" '^[1-9]' "resumed ones"
like "$failed" '^[1-9]' "failed ones"
like "$questions" '^[1-9]' \
	"questions count as TCP, with the label of the server"
like "$(cat "$log")" '"A IN www.example.org. tcp ' "the log says tcp, as CoreDNS does"

# --- what cannot be served

check() { cat >"$workdir/bad" && timeout 5 "$seamark" check "$workdir/bad" 2>&1; }
cp "$certs/renewed.crt" "$workdir/live.crt"
tls_lines="tls $workdir/live.crt $workdir/live.key"
like "$(check <<<"tls://. {
whoami
}")" "bad:1 .*tls:// needs a certificate; add 'tls CERT KEY' to the block" "tls:// needs tls"
like "$(check <<<".:$port {
whoami
}
tls://example.org:$port {
$tls_lines
whoami
}")" ":4 .*is served with TLS and without; give one of them another port" "one address, one protocol"
for scheme in https quic grpc https3; do
	like "$(check <<<"$scheme://. {
$tls_lines
whoami
}")" "bad:1 .*$scheme:// is not part of this version" "$scheme:// is one clear error"
done

stop_daemon "$daemon"
is "$?" 0 "a stop is clean"
done_testing
