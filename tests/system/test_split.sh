#!/bin/bash
# forward . systemd-resolved: split DNS by the files that systemd keeps for its links, which change
# while the server runs.
. "$(dirname "$0")/lib.sh"

up=$builddir/tests/system/upstream
need "$up"

port=$(free_port)
cached=$(free_port)
a=$(free_port)
b=$(free_port)
spawn "$workdir/a.log" "$up" "$a" 192.0.2.1
spawn "$workdir/b.log" "$up" "$b" 192.0.2.2

run=$workdir/systemd
mkdir -p "$run/resolve" "$run/netif/links"
printf 'nameserver 127.0.0.1:%s\nnameserver 127.0.0.1:%s\n' "$a" "$b" >"$run/resolve/resolv.conf"
printf 'OPER_STATE=routable\nDNS=127.0.0.1:%s\nDOMAINS=lan.example\n' "$a" >"$run/netif/links/2"
printf 'OPER_STATE=routable\nDNS=127.0.0.1:%s\nROUTE_DOMAINS=corp.example\n' "$b" >"$run/netif/links/3"

start_daemon split -control "$workdir/control.sock" <<END
.:$port {
    bind 127.0.0.1
    errors
    forward . systemd-resolved:$run {
        except internal.example
    }
}
.:$cached {
    bind 127.0.0.1
    cache
    forward . systemd-resolved:$run
}
END
wait_answer "$port" first.example A
ok "the daemon forwards"

n=0
# goes NAME IP: questions for fresh names below NAME come to get that answer
goes() {
	local got
	for _ in $(seq 100); do
		n=$((n + 1))
		got=$(ask "$port" "try$n-$RANDOM.$1" A)
		[ "$got" = "$2" ] && return 0
		sleep 0.1
	done
	diag "got '$got', wanted '$2'"
	return 1
}

goes corp.example 192.0.2.2
ok "names of a routing domain go to the server of its link"
goes example 192.0.2.1
ok "other names do not"
is "$(for i in 1 2 3 4 5 6 7 8; do ask "$port" "n$i.example" A; done | sort -u)" 192.0.2.1 \
	"a link with a routing-only domain never gets them"
goes lan.example 192.0.2.1
ok "names of a search domain go to the server of its link"
is "$(ask_status "$port" www.internal.example A)" SERVFAIL "except holds for all of them"
is "$(ask "$port" WWW.Corp.EXAMPLE A)" 192.0.2.2 "letters of either case match"

# a VPN client sets its link up with resolvectl
mkdir -p "$run/resolve/netif"
printf 'SERVERS=127.0.0.1:%s\nDOMAINS=~deep.lan.example\n' "$b" >"$run/resolve/netif/7"
goes deep.lan.example 192.0.2.2
ok "a link that comes later is followed, and the longest domain decides"
goes lan.example 192.0.2.1
ok "names above it go where they went"
like "$(cat "$workdir/split.log")" "upstream servers of deep.lan.example. changed: 127.0.0.1:$b" "which is logged"
like "$("$seamark" explain www.deep.lan.example --control "$workdir/control.sock")" \
	"object +\"forward deep.lan.example.\" to 127.0.0.1:$b" "explain says which domain decides"

# what the cache keeps is given up: the same name is another one in the other network
same() { [ "$(ask "$cached" same.vpn.example A)" = "$1" ]; }
same 192.0.2.1
ok "an answer is kept in the cache"
printf 'SERVERS=127.0.0.1:%s\nDOMAINS=~vpn.example\n' "$b" >"$run/resolve/netif/8"
wait_for 100 same 192.0.2.2
ok "a change of routes takes it from the cache"
rm "$run/resolve/netif/8"
wait_for 100 same 192.0.2.1
ok "and so does the way back"

# rewritten by rename, as systemd does it
printf 'OPER_STATE=routable\nDNS=127.0.0.1:%s\nROUTE_DOMAINS=other.example\n' "$b" >"$run/netif/links/.#3x"
mv "$run/netif/links/.#3x" "$run/netif/links/3"
goes other.example 192.0.2.2
ok "a domain that changes is followed"
goes corp.example 192.0.2.1
ok "and the old one goes where the rest goes"
rm "$run/resolve/netif/7"
goes deep.lan.example 192.0.2.1
ok "a link that vanishes is followed"

# ~. takes everything
printf 'SERVERS=127.0.0.1:%s\nDOMAINS=~.\n' "$b" >"$run/resolve/netif/7"
goes example 192.0.2.2
ok "a domain ~. takes all other names"
goes lan.example 192.0.2.1
ok "but no longer domain's"
rm "$run/resolve/netif/7"
goes example 192.0.2.1
ok "and gives them back"

# many at once: changes never lose a question
lost=0
for i in $(seq 10); do
	printf 'SERVERS=127.0.0.1:%s\nDOMAINS=~m%s.example\n' "$b" "$i" >"$run/resolve/netif/9"
	[ "$(ask_status "$port" "x$i.m$i.example" A)" = NOERROR ] || lost=$((lost + 1))
	sleep 0.1
done
is "$lost" 0 "no question is lost while links change"
printf 'SERVERS=127.0.0.1:%s\nDOMAINS=%s\n' "$b" "$(seq -f '~z%g.example' -s ' ' 30)" >"$run/resolve/netif/9"
goes z30.example 192.0.2.2 && goes z1.example 192.0.2.2
ok "many domains of one link are followed"
printf 'SERVERS=127.0.0.1:%s\nDOMAINS=%s\n' "$b" "$(seq -f '~y%g.example' -s ' ' 30)" >"$run/resolve/netif/9"
goes y30.example 192.0.2.2 && goes y1.example 192.0.2.2 && goes z1.example 192.0.2.1
ok "also when all of them change"
printf 'SERVERS=127.0.0.1:%s\nDOMAINS=%s\n' "$b" "$(seq -f '~w%g.example' -s ' ' 32)" >"$run/resolve/netif/9"
wait_for 100 grep -q 'more than 32 domains with servers of their own' "$workdir/split.log"
ok "too many are told"
printf 'SERVERS=127.0.0.1:%s\nDOMAINS=~z7.example\n' "$b" >"$run/resolve/netif/9"

printf 'OPER_STATE=no-carrier\nDNS=127.0.0.1:%s\n' "$a" >"$run/netif/links/2"
wait_for 100 grep -q 'has no server for names that are in no domain of a link' "$workdir/split.log"
ok "a host without a server for the rest is told"
unanswered() { [ "$(ask_status "$port" "try$RANDOM.example" A)" = SERVFAIL ]; }
wait_for 100 unanswered # the workers hear of it after the log
ok "and such names get SERVFAIL"

kill -USR1 "$daemon"
wait_for 50 grep -q 'Reloading complete' "$workdir/split.log"
goes z7.example 192.0.2.2
ok "a reload keeps all that"
stop_daemon "$daemon"
is "$?" 0 "the daemon ends well"

# --- DNSOverTLS=yes

tls=$builddir/tests/system/tls_upstream
certs=$workdir/certs
if [ -x "$tls" ] && sh "$srcdir/tests/apisim/certs.sh" "$certs" >/dev/null 2>&1; then
	c=$(free_port)
	spawn "$workdir/c.log" "$tls" "$c" "$certs/server.crt" "$certs/server.key" 192.0.2.3
	rm "$run"/resolve/netif/* "$run"/netif/links/*
	printf 'nameserver 127.0.0.1:%s\n' "$a" >"$run/resolve/resolv.conf"
	printf 'OPER_STATE=routable\nDNS=127.0.0.1:%s\n' "$a" >"$run/netif/links/2"
	printf 'SERVERS=127.0.0.1:%s#localhost\nDOMAINS=~corp.example\nDNS_OVER_TLS=yes\n' "$c" >"$run/resolve/netif/7"
	start_daemon tls <<END
.:$port {
    bind 127.0.0.1
    errors
    forward . systemd-resolved:$run {
        tls $certs/ca.crt
    }
}
END
	wait_answer "$port" first.example A
	is "$(ask "$port" www.corp.example A)" 192.0.2.3 "a link with DNSOverTLS=yes is asked over TLS"
	like "$(cat "$workdir/c.log")" "alpn=dot name=localhost" "with the name that stands there"
	is "$(ask "$port" www.example A)" 192.0.2.1 "other links are not"
	printf 'SERVERS=127.0.0.1:%s#localhost\nDOMAINS=~corp.example\nDNS_OVER_TLS=yes\n' "$a" >"$run/resolve/netif/7"
	for _ in $(seq 100); do
		grep -q "upstream servers of corp.example. changed: 127.0.0.1:$a" "$workdir/tls.log" && break
		sleep 0.1
	done
	is "$(ask_status "$port" plain.corp.example A +time=9)" SERVFAIL "a server without TLS gives no answer"
	! grep -q plain.corp.example "$workdir/a.log"
	ok "and gets no question in plain text"
	stop_daemon "$daemon"
	is "$?" 0 "the daemon ends well"
fi

# --- what is refused

for bad in systemd-resolved: systemd-resolved:run 'systemd-resolved systemd-resolved'; do
	printf '.:%s {\n\tforward . %s\n}\n' "$port" "$bad" >"$workdir/bad"
	err=$(timeout 10 "$seamark" check "$workdir/bad" 2>&1)
	like "$? $err" "^1 $workdir/bad:2 - plugin/forward" "'forward . $bad' is refused"
done
printf '.:%s {\n\tforward . systemd-resolved\n}\n' "$port" >"$workdir/good"
timeout 10 "$seamark" check "$workdir/good" >"$workdir/out" 2>&1
ok "the plain word is accepted" || diag "$(cat "$workdir/out")"
done_testing
