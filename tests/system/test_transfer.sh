#!/bin/bash
# Zones go to secondaries: dig and kdig read them whole and in part, NSD and Knot take them, are told
# of changes and then hold what we answer; a reader that stops harms nobody.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/cluster.sh"

PATH=$PATH:/usr/sbin
services=${SERVICES:-400}
refusing=$(free_port) nsd_port=$(free_port) knot_port=$(free_port)

# --- the cluster and the server

start_api --ring 20000

# is_quiet: nothing has changed for a while, there and here; a churn on a busy machine ends late.
versions() {
	curl -s "http://127.0.0.1:$control/apisim/state" | grep -o '"rv":[0-9]*'
	serial "$port" cluster.local
	serial "$port" 10.in-addr.arpa
}
is_quiet() {
	local before
	before=$(versions)
	sleep 2
	[ "$(versions)" = "$before" ]
}
churn() { ctl POST "churn?rate=$1&seconds=$2"; }
ctl POST "generate?services=$services&endpoints=25"
ok "a cluster of $services services" || { done_testing; }
apply <<END
apiVersion: v1
kind: Namespace
metadata: {name: shop}
$(service web 10.96.255.7)
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: shop}
spec: {clusterIP: None, clusterIPs: [None], ports: [{name: pg, port: 5432}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: db-1, namespace: shop, labels: {kubernetes.io/service-name: db}}
addressType: IPv4
endpoints:
- {addresses: [10.244.255.1], hostname: db-0, conditions: {ready: true}}
- {addresses: [10.244.255.2], conditions: {ready: true}}
ports: [{name: pg, port: 5432, protocol: TCP}]
---
apiVersion: v1
kind: Service
metadata: {name: out, namespace: shop}
spec: {type: ExternalName, externalName: www.example.net}
END

cat >"$workdir/example.zone" <<'END'
$ORIGIN example.org.
$TTL 300
@ IN SOA ns hostmaster 100 7200 1800 86400 60
@ NS ns
ns A 192.0.2.1
www A 192.0.2.2
www AAAA 2001:db8::2
mail MX 10 www
*.wild TXT "x" "y"
alias CNAME www
sub NS ns.sub
ns.sub A 192.0.2.9
END

start_daemon transfer -workers 1 <<END
cluster.local:$port 10.in-addr.arpa:$port {
	bind 127.0.0.1
	errors
	prometheus 127.0.0.1:$http
	kubernetes {
		endpoint http://127.0.0.1:$api
	}
	transfer {
		to * 127.0.0.1:$nsd_port 127.0.0.1:$knot_port
	}
}
example.org:$port {
	bind 127.0.0.1
	file $workdir/example.zone {
		reload 1s
	}
	transfer {
		to 127.0.0.1:$nsd_port 127.0.0.1:$knot_port
	}
}
example.org:$refusing {
	bind 127.0.0.1
	file $workdir/example.zone
	transfer {
		to 127.0.0.9 10.0.0.0/8
	}
}
END
log=$workdir/transfer.log
is_complete() { grep -q 'state is complete' "$log"; }
wait_for 300 is_complete
ok "the cluster is served" || { diag "$(cat "$log")"; done_testing; }

# --- reading zones

# xfr PORT ZONE TYPE: records as sent, blanks squeezed
xfr() {
	timeout 30 dig @127.0.0.1 -p "$1" +time=20 +tries=1 +noall +answer +onesoa +nocookie "$2" "$3" |
		grep -v '^;' | tr -s '\t ' ' '
}
# zone PORT ZONE: its records, sorted, folded, without the serial
zone() {
	xfr "$1" "$2" AXFR | sed -E 's/^(.* SOA [^ ]+ [^ ]+) [0-9]+ /\1 N /' |
		tr '[:upper:]' '[:lower:]' | sort -u
}
serial() { ask "$1" "$2" SOA +tcp | cut -d' ' -f3; }
status_of() { # PORT ZONE TYPE [DIG-ARGUMENT]: how a transfer that fails is answered
	timeout 10 kdig @127.0.0.1 -p "$1" +retry=0 "${@:4}" "$2" "$3" 2>&1 |
		grep -Eo 'REFUSED|NOTAUTH|SERVFAIL|FORMERR|NOTIMP' | head -1
}

all=$(timeout 30 dig @127.0.0.1 -p "$port" +time=20 cluster.local AXFR)
like "$(grep -E 'IN.SOA' <<<"$all" | wc -l)" '^2$' "1.11: AXFR begins and ends with the SOA record"
xfr "$port" cluster.local AXFR >"$workdir/all"
has() { grep -qxF -- "$1" "$workdir/all"; ok "1.11: $2" || diag "$(grep -i "${1%% *}" "$workdir/all")"; }
has "web.shop.svc.cluster.local. 5 IN A 10.96.255.7" "a cluster address"
has "web.shop.svc.cluster.local. 5 IN SRV 0 100 80 web.shop.svc.cluster.local." "SRV at the service"
has "_http._tcp.web.shop.svc.cluster.local. 5 IN SRV 0 100 80 web.shop.svc.cluster.local." \
	"SRV of a named port, _PORT before _PROTO"
has "db.shop.svc.cluster.local. 5 IN A 10.244.255.1" "an address of a headless service"
has "db-0.db.shop.svc.cluster.local. 5 IN A 10.244.255.1" "an endpoint with a host name"
has "10-244-255-2.db.shop.svc.cluster.local. 5 IN A 10.244.255.2" "an endpoint without"
has "_pg._tcp.db.shop.svc.cluster.local. 5 IN SRV 0 50 5432 db-0.db.shop.svc.cluster.local." \
	"SRV of a headless service"
has "out.shop.svc.cluster.local. 5 IN CNAME www.example.net." "an ExternalName"
has "dns-version.cluster.local. 28800 IN TXT \"1.1.0\"" "dns-version"
has "ns.dns.cluster.local. 5 IN A 127.0.0.1" "the address of the name server"
kdig_count=$(timeout 30 kdig @127.0.0.1 -p "$port" +timeout=20 cluster.local AXFR | grep -c ' IN\|	IN')
is "$kdig_count" "$(($(wc -l <"$workdir/all") + 1))" "1.11: kdig reads as many records as dig"

# What is transferred is what is answered: each record set, asked for (those that UDP cuts by TCP).
sets_match() { # PORT FILE
	awk '$4 != "SOA" { print $1, $4 }' "$2" | sort -u >"$workdir/batch"
	dig @127.0.0.1 -p "$1" +time=5 +tries=2 +tcp +keepopen +noall +answer +norec -f "$workdir/batch" |
		tr -s '\t ' ' ' | sort -u >"$workdir/asked"
	awk '$4 != "SOA"' "$2" | sort -u | diff - "$workdir/asked" >"$workdir/diff"
}
grep -E '\.(shop|default|kube-system)\.svc\.|dns|^cluster' "$workdir/all" >"$workdir/some"
awk 'NR % 97 == 0 && $4 == "A"' "$workdir/all" | cut -d' ' -f1 | sort -u |
	grep -F -x -f - <(cut -d' ' -f1 "$workdir/all") | sort -u >"$workdir/names"
awk 'NR == FNR { want[$1] = 1; next } $1 in want' "$workdir/names" "$workdir/all" >>"$workdir/some"
sort -u -o "$workdir/some" "$workdir/some"
sets_match "$port" "$workdir/some"
ok "1.11: the record sets are those that questions get ($(wc -l <"$workdir/some") records)" ||
	diag "$(head -20 "$workdir/diff")"
xfr "$port" 10.in-addr.arpa AXFR >"$workdir/reverse"
awk 'NR % 53 == 0 || /shop/' "$workdir/reverse" | cut -d' ' -f1 | sort -u |
	awk 'NR == FNR { want[$1] = 1; next } $1 in want' - "$workdir/reverse" >"$workdir/some"
sets_match "$port" "$workdir/some"
ok "1.11: and so are those of the reverse zone ($(wc -l <"$workdir/some") records)" ||
	diag "$(head -20 "$workdir/diff")"

is "$(status_of "$port" cluster.local AXFR +notcp)" REFUSED "1.11: AXFR over UDP is refused"
is "$(ask_answer "$port" cluster.local IXFR=1 +notcp | grep -c SOA)" 1 \
	"1.11: IXFR over UDP gets the SOA record"
is "$(status_of "$port" shop.svc.cluster.local AXFR +tcp)" NOTAUTH "a name in a zone is no zone"
is "$(status_of "$refusing" example.org AXFR +tcp)" REFUSED "an address that 'to' does not name"
now=$(serial "$port" cluster.local)
is "$(xfr "$port" cluster.local "IXFR=$now" | wc -l)" 1 "1.11: IXFR of the current serial: one SOA"
is "$(xfr "$port" cluster.local "IXFR=$((now + 5))" | wc -l)" 1 "1.11: of a newer serial: the same"
is "$(xfr "$port" cluster.local "IXFR=$((now - 5000))" | sort -u | wc -l)" "$(wc -l <"$workdir/all")" \
	"1.11: of a serial that is not known: all"
service more 10.96.255.8 | apply
has_more() { [ "$(ask "$port" more.shop.svc.cluster.local A)" = 10.96.255.8 ]; }
wait_for 50 has_more
timeout 10 dig @127.0.0.1 -p "$port" +noall +answer cluster.local "IXFR=$now" >"$workdir/ixfr"
is "$(wc -l <"$workdir/ixfr")" 7 "1.11: of one before: four SOA records and what changed" ||
	diag "$(cat "$workdir/ixfr")"
# two changes within a second, each seen by a transfer
a=$(xfr "$port" cluster.local AXFR | awk '$4 == "SOA" { print $7; exit }')
service more 10.96.255.9 | apply
is_nine() { [ "$(ask "$port" more.shop.svc.cluster.local A)" = 10.96.255.9 ]; }
wait_for 50 is_nine
b=$(xfr "$port" cluster.local AXFR | awk '$4 == "SOA" { print $7; exit }')
[ "$b" -gt "$a" ]
ok "contents that transfers have seen have serials of their own" || diag "$a, then $b"

# --- secondaries

tell() { diag "$1: $(tail -5 "$workdir/$1.log")"; }
zones="cluster.local 10.in-addr.arpa example.org"
write_nsd_conf() {
	nsd_server "$nsd_port" 'xfrd-reload-timeout: 0'
	for z in $zones; do
		cat <<-EOT
		zone:
		  name: $z
		  zonefile: $workdir/$z.nsd
		  request-xfr: 127.0.0.1@$port NOKEY
		  allow-notify: 127.0.0.1 NOKEY
		  provide-xfr: 127.0.0.1 NOKEY
		EOT
	done
}
write_knot_conf() {
	mkdir -p "$workdir/knot"
	cat <<-EOT
	server:
	    listen: 127.0.0.1@$knot_port
	    rundir: $workdir/knot
	    udp-workers: 1
	    tcp-workers: 1
	    background-workers: 1
	database:
	    storage: $workdir/knot
	remote:
	  - id: seamark
	    address: 127.0.0.1@$port
	acl:
	  - id: all
	    address: 127.0.0.1
	    action: [notify, transfer]
	template:
	  - id: default
	    storage: $workdir/knot
	    master: seamark
	    acl: all
	    zonefile-sync: -1
	    journal-content: all
	log:
	  - target: stdout
	    any: info
	zone:
	EOT
	for z in $zones; do echo "  - domain: $z"; done
}

peers=
if command -v nsd >/dev/null; then
	write_nsd_conf >"$workdir/nsd.conf"
	spawn "$workdir/nsd.log" nsd -d -c "$workdir/nsd.conf"
	peers="nsd"
fi
if command -v knotd >/dev/null; then
	write_knot_conf >"$workdir/knot.conf"
	spawn "$workdir/knot.log" knotd -c "$workdir/knot.conf"
	peers="$peers knot"
fi
peer_port() { [ "$1" = nsd ] && echo "$nsd_port" || echo "$knot_port"; }
is_current() { # PEER ZONE
	local s
	s=$(serial "$(peer_port "$1")" "$2")
	[ -n "$s" ] && [ "$s" = "$(serial "$port" "$2")" ]
}
same_zone() { # PEER ZONE
	zone "$port" "$2" >"$workdir/ours"
	zone "$(peer_port "$1")" "$2" >"$workdir/theirs"
	diff "$workdir/ours" "$workdir/theirs" >"$workdir/diff"
}
check_peers() { # WHEN TENTHS
	local p z
	for p in $peers; do
		for z in $zones; do
			wait_for "$2" is_current "$p" "$z"
			ok "$p has the serial of $z $1" || tell "$p"
			same_zone "$p" "$z"
			ok "$p has our records of $z $1 ($(wc -l <"$workdir/ours"))" ||
				diag "$(head -20 "$workdir/diff")"
		done
	done
}
check_peers "after a transfer" 600

apply <<END
$(service web 10.96.255.17)
$(service late 10.96.255.18)
END
sed -i 's/ 100 7200/ 101 7200/; s/192.0.2.2/192.0.2.3/; s/^mail.*/post A 192.0.2.4/' "$workdir/example.zone"
has_late() { [ "$(ask "$port" late.shop.svc.cluster.local A)" = 10.96.255.18 ] &&
	[ "$(ask "$port" post.example.org A)" = 192.0.2.4 ]; }
wait_for 100 has_late
# the next refresh of the secondaries is two hours away: only NOTIFY can bring it
check_peers "after NOTIFY" 300
for p in $peers; do
	is "$(ask "$(peer_port "$p")" late.shop.svc.cluster.local A)" 10.96.255.18 "$p answers the change"
done

if [ -n "$peers" ]; then
	churn 200 8
	sleep 8
	wait_for 30 is_quiet
	check_peers "after 8 s of 200 changes a second" 300
	like "$(cat "$log")" 'incremental transfer of [0-9]+ records of zone "cluster.local."' \
		"secondaries were served changes"
	like "$(curl -s "http://127.0.0.1:$http/metrics")" \
		'seamark_transfer_notifies_total\{.*result="accepted"\} [1-9]' "and acknowledged NOTIFY"
fi

# --- changes applied to a copy

copy_serial() { awk '$4 == "SOA" { print $7; exit }' "$1"; }
xfr "$port" cluster.local AXFR >"$workdir/copy"
churn 300 3
sleep 3
wait_for 30 is_quiet
timeout 20 dig @127.0.0.1 -p "$port" +noall +answer cluster.local "IXFR=$(copy_serial "$workdir/copy")" |
	tr -s '\t ' ' ' >"$workdir/ixfr"
xfr "$port" cluster.local AXFR | sort >"$workdir/whole"
awk 'NR == FNR { if ($4 != "SOA") has[$0] = 1; next }
	$4 == "SOA" { soa++; last = $0; next }
	soa == 2 { if (!($0 in has)) print "removes what is not there: " $0; delete has[$0] }
	soa == 3 { if ($0 in has) print "adds what is there: " $0; has[$0] = 1 }
	END { print last; for (r in has) print r }' "$workdir/copy" "$workdir/ixfr" |
	sort | diff - "$workdir/whole" >"$workdir/diff"
ok "1.11: a copy with its changes applied is the zone ($(wc -l <"$workdir/ixfr") records)" ||
	diag "$(head -20 "$workdir/diff")"

# --- a reader that stops

count() { # NAME [LABEL], summed over the server blocks
	curl -s "http://127.0.0.1:$http/metrics" | grep "^seamark_transfer_$1{" | grep -F "${2:-}" |
		awk '{ n += $2 } END { print n + 0 }'
}
# with its length; several megabytes are more than the sockets hold for it
query='\0\037\022\064\0\0\0\001\0\0\0\0\0\0\007cluster\005local\0\0\374\0\001'
exec 11<>"/dev/tcp/127.0.0.1/$port"
printf "$(for i in $(seq 40); do printf %s "$query"; done)" >&11 # all at once
are_held() { [ "$(count active)" = 4 ]; }
sleep 1
wait_for 150 are_held
ok "transfers wait for a reader that stops" || diag "$(count active)"
begin=$(date +%s%N)
for i in $(seq 20); do ask "$port" web.shop.svc.cluster.local A; done | sort | uniq -c >"$workdir/asked"
ms=$((($(date +%s%N) - begin) / 1000000))
like "$(cat "$workdir/asked")" '^ *20 10.96.255.17$' "questions are answered beside it"
diag "20 questions: $ms ms"
is "$(timeout 30 kdig @127.0.0.1 -p "$port" +timeout=20 -b 127.0.0.2 cluster.local AXFR | grep -c 'IN.SOA')" 2 \
	"and so is another transfer"
are_gone() { [ "$(count active)" = 0 ] && [ "$(count answers_total 'outcome="broken"')" -ge 4 ]; }
wait_for 600 are_gone
ok "it is disconnected, and no transfer is left over" ||
	diag "$(curl -s "http://127.0.0.1:$http/metrics" | grep transfer)"
exec 11>&-
like "$(curl -s "http://127.0.0.1:$http/metrics")" 'outcome="refused"' "outcomes are counted"
stop_daemon "$daemon"
is "$?" 0 "the server ends cleanly"
done_testing
