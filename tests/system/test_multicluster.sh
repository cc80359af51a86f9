#!/bin/bash
# 1.10: ServiceImports from API servers that have them in the new version, in the old one, or not at
# all (yet): that is no error and keeps nothing from being answered.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/cluster.sh"

group=multicluster.x-k8s.io

world() { # VERSION-OF-THE-IMPORTS
	cat <<END
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: 10.96.0.7, clusterIPs: [10.96.0.7], ports: [{name: http, port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: db-east, namespace: shop, labels: {multicluster.kubernetes.io/service-name: db, multicluster.kubernetes.io/source-cluster: east}}
addressType: IPv4
endpoints:
- {addresses: [10.244.0.1], hostname: db-0, conditions: {ready: true}}
ports: [{name: pg, port: 5432, protocol: TCP}]
END
	[ -z "$1" ] || imports "$1"
}

imports() {
	cat <<END
---
apiVersion: $group/$1
kind: ServiceImport
metadata: {name: far, namespace: shop}
spec: {type: ClusterSetIP, ips: [10.112.0.1], ports: [{name: http, port: 80, protocol: TCP}]}
---
apiVersion: $group/$1
kind: ServiceImport
metadata: {name: db, namespace: shop}
spec: {type: Headless, ports: [{name: pg, port: 5432, protocol: TCP}]}
END
}

# start NAME VERSION: an API server with that version of the resource, and a daemon
start() {
	new_ports
	world "$2" >"$workdir/$1.yaml"
	start_api --resource "$group/${2:-v1beta1}/serviceimports/ServiceImport" "$workdir/$1.yaml"
	[ -n "$2" ] || ctl POST "set?resource=serviceimports&absent=1"
	start_daemon "$1" -workers 1 <<END
.:$port {
	bind 127.0.0.1
	ready 127.0.0.1:$http
	transfer {
		to *
	}
	kubernetes cluster.local clusterset.local in-addr.arpa {
		endpoint http://127.0.0.1:$api
		multicluster clusterset.local
	}
}
END
	wait_for 100 curl -sf -o /dev/null "http://127.0.0.1:$http/ready"
	ok "$1: ready"
}

check() { # NAME
	is "$(ask "$port" far.shop.svc.clusterset.local A)" 10.112.0.1 "$1: an address of the set"
	is "$(ask "$port" db-0.east.db.shop.svc.clusterset.local A)" 10.244.0.1 \
		"$1: an endpoint of another cluster"
	is "$(ask "$port" 1.0.112.10.in-addr.arpa PTR)" far.shop.svc.clusterset.local. "$1: PTR"
	is "$(ask_status "$port" web.shop.svc.clusterset.local A)" NXDOMAIN "$1: no Services there"
	is "$(ask_status "$port" far.shop.svc.cluster.local A)" NXDOMAIN "$1: no imports here"
}

is_gone() {
	[ "$(ask_status "$port" far.shop.svc.clusterset.local A)" = NXDOMAIN ]
}

# 1.15.13: a transfer has the names that are answered, with the cluster of each endpoint
transferred() { # NAME
	dig @127.0.0.1 -p "$port" +time=5 +tries=1 +noall +answer clusterset.local axfr |
		tr -s '\t ' ' ' | sort -u >"$workdir/zone"
	is "$(grep -c ' SOA ' "$workdir/zone")" 1 "$1: a transfer of the zone"
	like "$(cat "$workdir/zone")" \
		'^db-0\.east\.db\.shop\.svc\.clusterset\.local\. 5 IN A 10\.244\.0\.1$' \
		"$1: the cluster is in the names of endpoints"
	like "$(cat "$workdir/zone")" \
		'^_pg\._tcp\.db\.shop\.svc\.clusterset\.local\. 5 IN SRV 0 [0-9]+ 5432 db-0\.east\.db\.' \
		"$1: and in the targets of ports"
	like "$(cat "$workdir/zone")" '^far\.shop\.svc\.clusterset\.local\. 5 IN A 10\.112\.0\.1$' \
		"$1: addresses of the set are there"
	unlike "$(cat "$workdir/zone")" '^web\.' "$1: Services of this cluster are not"
}

for version in v1beta1 v1alpha1; do
	start $version $version
	check $version
	transferred $version
	unlike "$(cat "$workdir/$version.log")" '(WARNING|ERROR)' "$version: no complaints"
	remove far serviceimports
	wait_for 50 is_gone
	ok "$version: changes are followed"
	stop_daemon "$daemon"
	stop_daemon "$api_pid"
done

# The resource is defined while the server runs.
start absent ""
is "$(ask "$port" web.shop.svc.cluster.local A)" 10.96.0.7 "absent: Services are answered"
is "$(ask_status "$port" far.shop.svc.clusterset.local A)" NXDOMAIN "absent: there are no imports"
unlike "$(cat "$workdir/absent.log")" '(WARNING|ERROR)' "absent: no complaints"
like "$(cat "$workdir/absent.log")" 'the API server has no serviceimports; it is asked again' \
	"absent: it is said once"
ctl POST "set?resource=serviceimports&absent=0"
imports v1beta1 | apply
"$await" "$port" far.shop.svc.clusterset.local A 10.112.0.1 30 >/dev/null
ok "absent: found when it is there"
check "then"

# Without the right to read it the names of the set are not denied, those of the cluster are as ever.
stop_daemon "$daemon"
ctl POST "set?resource=serviceimports&forbidden=1"
start_daemon forbidden -workers 1 <"$workdir/absent.corefile"
wait_answer "$port" nope.shop.svc.cluster.local A
is "$(ask_status "$port" nope.shop.svc.cluster.local A)" NXDOMAIN "forbidden: the cluster is known"
is "$(ask_status "$port" far.shop.svc.clusterset.local A)" SERVFAIL "forbidden: the set is not"
like "$(curl -s "http://127.0.0.1:$http/ready")" kubernetes "forbidden: not ready"
like "$(cat "$workdir/forbidden.log")" 'cannot list serviceimports: .*forbidden' "forbidden: it is said"
done_testing
