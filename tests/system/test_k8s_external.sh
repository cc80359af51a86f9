#!/bin/bash
# 1.13: names outside the cluster from a running server: what is handed out, listed and answered is
# the same; changes and reloads are followed, and the serial never goes back.
. "$(dirname "$0")/lib.sh"

need dig "$seamark"

port=$(free_port)
mkdir "$workdir/objects"
write_objects() { # ADDRESS-OF-WEB
	cat >"$workdir/objects/new" <<END
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  type: LoadBalancer
  clusterIP: 10.96.0.1
  externalIPs: [$1]
  ports: [{name: http, port: 80}, {name: dns, port: 53, protocol: UDP}]
status: {loadBalancer: {ingress: [{ip: "2001:db8::1"}]}}
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: shop}
spec: {clusterIP: None, ports: [{name: pg, port: 5432}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: db-1, namespace: shop, labels: {kubernetes.io/service-name: db}}
addressType: IPv4
endpoints: [{addresses: [10.0.1.1], hostname: db-0}, {addresses: [10.0.1.2]}]
ports: [{name: pg, port: 5432, protocol: TCP}]
---
apiVersion: v1
kind: Service
metadata: {name: lb, namespace: shop}
spec: {type: LoadBalancer, clusterIP: 10.96.0.2, ports: [{name: http, port: 80}]}
status: {loadBalancer: {ingress: [{hostname: lb.example.net}]}}
END
	mv "$workdir/objects/new" "$workdir/objects/all.yaml"
}
corefile() { # TTL
	cat <<END
.:$port {
    bind 127.0.0.1
    errors
    kubernetes cluster.local {
        manifests $workdir/objects
    }
    k8s_external example.org 192.0.2.0/24 {
        headless
        ttl $1
    }
    transfer {
        to *
    }
}
END
}
write_objects 192.0.2.1
start_daemon server -control "$workdir/control.sock" < <(corefile 5)
wait_answer "$port" web.shop.example.org A
ok "the server answers" || diag "$(cat "$workdir/server.log")"

serial() { ask "$port" example.org SOA | awk '{ print $3 }'; }
transfer() { _dig "$port" "$1" "$2" +noall +answer +nocookie | tr -s '\t ' ' '; }
not_older() { [ $((($2 - $1) & 0xffffffff)) -lt $((1 << 31)) ]; }

is "$(ask "$port" web.shop.example.org A)" 192.0.2.1 "an external address"
is "$(ask "$port" _http._tcp.web.shop.example.org SRV)" "0 50 80 web.shop.example.org." "a port"
is "$(ask "$port" 1.2.0.192.in-addr.arpa PTR)" \
	"web.shop.example.org." "its reverse name"
is "$(ask "$port" db-0.db.shop.example.org A +tcp)" 10.0.1.1 "an endpoint, over TCP"

# every record that is handed out is an answer
zone=$(transfer example.org AXFR)
like "$zone" '^lb.shop.example.org. 5 IN CNAME lb.example.net.$' "the zone has the alias"
like "$zone" '^_pg._tcp.db.shop.example.org. 5 IN SRV 0 50 5432 db-0.db.shop.example.org.$' \
	"and the ports of endpoints"
bad=$(awk '$4 != "SOA" { print $1, $4 }' <<<"$zone" | sort -u | while read -r name type; do
	[ "$(ask_answer "$port" "$name" "$type" +nocookie)" = \
		"$(awk -v n="$name" -v t="$type" '$1 == n && $4 == t' <<<"$zone" | sort)" ] ||
		echo "$name $type"
done)
is "$bad" "" "every record set that is handed out is answered"
bad=$("$seamark" names '*.example.org' --control "$workdir/control.sock" |
	awk '$2 == "A" { print $1 }' | while read -r name; do
	grep -q "^$name 5 IN A " <<<"$zone" || echo "$name"
done)
is "$bad" "" "every name that is listed is handed out"
like "$(transfer 2.0.192.in-addr.arpa AXFR)" '^1.2.0.192.in-addr.arpa. 5 IN PTR web.shop' \
	"the reverse zone"

# a change
before=$(serial)
write_objects 192.0.2.7
is_moved() { [ "$(ask "$port" web.shop.example.org A)" = 192.0.2.7 ]; }
wait_for 50 is_moved
ok "a change is followed"
after=$(serial)
[ "$after" != "$before" ] && not_older "$before" "$after"
ok "the serial has moved" || diag "$before, then $after"
changes=$(transfer example.org "IXFR=$before")
like "$changes" ' A 192.0.2.7$' "a follower gets the new address"
is "$(tail -1 <<<"$changes" | awk '{ print $4, $7 }')" "SOA $after" "and the new serial"

# a reload
corefile 60 >"$workdir/server.corefile"
kill -USR1 "$daemon"
has_new_ttl() { ask_answer "$port" web.shop.example.org A | grep -q ' 60 IN A 192.0.2.7'; }
wait_for 50 has_new_ttl
ok "a reload changes the TTL" || diag "$(cat "$workdir/server.log")"
not_older "$after" "$(serial)"
ok "and does not set the serial back"
stop_daemon "$daemon"
is $? 0 "it ends well"
done_testing
