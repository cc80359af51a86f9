#!/bin/bash
# The daemon as in a pod: the service account, the ports and the Corefiles that kubeadm, kind, minikube,
# k3s, EKS and OpenShift install, only without the plugins that this version does not have. Everything
# happens in a mount and a network namespace of its own, so /etc, /run and port 53 are private.
if [ -z "${IN_NAMESPACE:-}" ]; then
	for options in -mn -rmn; do
		unshare $options true 2>/dev/null && IN_NAMESPACE=1 exec unshare $options "$0" "$@"
	done
	echo "1..0 # SKIP no private namespaces here"
	exit 77
fi
. "$(dirname "$0")/lib.sh"

for tool in dig curl openssl ip nsenter; do
	command -v $tool >/dev/null || skip_all "$tool is not installed"
done
[ -x "$seamark" ] || skip_all "$seamark is not built"
apisim=$(realpath "$builddir/tests/apisim/apisim")
api=$(free_port)

# The file system and the network of the pod.
mkdir "$workdir/etc"
cp -a /etc/. "$workdir/etc/" 2>/dev/null
mkdir -p "$workdir/etc/coredns"
"$srcdir/tests/apisim/certs.sh" "$workdir/pki" "$api"
mount --bind "$workdir/etc" /etc && mount -t tmpfs none /run && ip link set lo up ||
	skip_all "cannot set up namespaces"
account=/var/run/secrets/kubernetes.io/serviceaccount
mkdir -p $account && cp "$workdir/pki/ca.crt" "$workdir/pki/token" $account ||
	skip_all "/var/run is not /run"
printf default >$account/namespace
export KUBERNETES_SERVICE_HOST=127.0.0.1 KUBERNETES_SERVICE_PORT=$api

# The resolver of the node, on a host of its own.
cat >"$workdir/node.corefile" <<'END'
.:53 {
	hosts {
		192.0.2.7 www.outside.example
	}
}
END
spawn "$workdir/node.log" unshare -n "$seamark" -conf "$workdir/node.corefile" -workers 1
node=$spawned
wait_for 50 grep -q Seamark "$workdir/node.log"
outside=yes
ip link add pod0 type veth peer name node0 2>/dev/null && ip link set node0 netns "$node" &&
	ip address add 10.255.0.1/24 dev pod0 && ip link set pod0 up &&
	nsenter -t "$node" -n ip address add 10.255.0.2/24 dev node0 &&
	nsenter -t "$node" -n ip link set node0 up || outside=
rm -f /etc/resolv.conf
echo "nameserver 10.255.0.2" >/etc/resolv.conf

cat >"$workdir/world.yaml" <<'END'
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: 10.96.0.7, clusterIPs: [10.96.0.7], ports: [{name: http, port: 80}]}
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
- {addresses: [10.244.0.1], hostname: db-0, conditions: {ready: true}}
ports: [{name: pg, port: 5432, protocol: TCP}]
END
spawn "$workdir/apisim.log" "$apisim" --port "$api" --ports "$workdir/ports" \
	--cert "$workdir/pki/server.crt" --key "$workdir/pki/server.key" --token secret-token \
	--client-ca "$workdir/pki/ca.crt" \
	"$workdir/world.yaml"
wait_for 50 test -s "$workdir/ports" || skip_all "apisim does not start"

# without_unavailable: standard input without the directives that this seamark does not have.
without_unavailable() {
	awk -v have="$("$seamark" -plugins | tr '\n' ' ')" '
		BEGIN { have = " import " have }
		!skip && depth == 1 && $1 !~ /^[#}]/ && index(have, " " $1 " ") == 0 {
			if ($NF == "{") skip = 1
			next
		}
		skip { if ($1 == "}") skip = 0; next }
		{ print }
		$NF == "{" { depth++ }
		$1 == "}" { depth-- }'
}

metric() { # NAME-AND-LABELS
	curl -s http://127.0.0.1:9153/metrics | grep -F "$1" | head -n 1
}

# start_pod WHAT: with the Corefile on standard input, as the Deployment of kubeadm does.
start_pod() {
	without_unavailable >/etc/coredns/Corefile
	spawn "$workdir/$1.log" "$seamark" -conf /etc/coredns/Corefile
	pod=$spawned
	wait_for 100 curl -sf -o /dev/null http://127.0.0.1:8181/ready
	ok "$1: ready" || diag "$(cat "$workdir/$1.log")"
}

# check_pod WHAT PORT
check_pod() {
	is "$(ask "$2" web.shop.svc.cluster.local A)" 10.96.0.7 "$1: a Service"
	is "$(ask "$2" web.shop.svc.cluster.local A +tcp)" 10.96.0.7 "$1: over TCP"
	is "$(ask "$2" web.shop.svc.cluster.local A @::1)" 10.96.0.7 "$1: over IPv6"
	is "$(ask "$2" db-0.db.shop.svc.cluster.local A)" 10.244.0.1 "$1: an endpoint"
	is "$(ask "$2" 1-2-3-4.shop.pod.cluster.local A)" 1.2.3.4 "$1: a pod"
	is "$(ask "$2" 7.0.96.10.in-addr.arpa PTR)" web.shop.svc.cluster.local. "$1: an address"
	is "$(ask_status "$2" nope.shop.svc.cluster.local A)" NXDOMAIN "$1: what does not exist"
	is "$(curl -s http://127.0.0.1:8080/health)" OK "$1: healthy"
	like "$(metric 'coredns_dns_requests_total{family="1",proto="udp"')" \
		"server=\"dns://:$2\",type=\"A\",view=\"\",zone=\".\"} [1-9]" "$1: metrics"
	[ -z "$outside" ] ||
		is "$(ask "$2" www.outside.example A)" 192.0.2.7 "$1: the node's resolver"
	unlike "$(cat "$workdir/$1.log")" '^.(ERROR|WARNING)' "$1: no complaints"
}

stop_pod() { # lameduck would only take time here
	kill -9 "$pod"
	wait "$pod" 2>/dev/null
}

for name in kubeadm kind eks; do
	start_pod $name <"$srcdir/tests/data/corefiles/$name"
	check_pod $name 53
	stop_pod
done

# A node whose resolv.conf names the cluster's DNS, ourselves: the API server is found all the same.
cp /etc/resolv.conf "$workdir/resolv.conf"
printf 'search cluster.local\nnameserver 127.0.0.1\nnameserver ::1\n' >/etc/resolv.conf
start_pod ourselves <<'END'
.:53 {
	errors
	health
	ready
	kubernetes cluster.local in-addr.arpa
	prometheus :9153
}
END
is "$(ask 53 web.shop.svc.cluster.local A)" 10.96.0.7 "K46: ready though resolv.conf names ourselves"
stop_pod
cp "$workdir/resolv.conf" /etc/resolv.conf

start_pod minikube <"$srcdir/tests/data/corefiles/minikube"
check_pod minikube 53
is "$(ask 53 host.minikube.internal A)" 192.168.49.1 "minikube: the host"
like "$(cat "$workdir/minikube.log")" '^\[INFO\] 127.0.0.1:[0-9]+ - [0-9]+ "A IN host.minikube.internal. udp [0-9]+ false 1232" NOERROR qr,aa,rd,ra [0-9]+ 0\.[0-9]+s$' \
	"minikube: queries are logged"
stop_pod

mkdir /etc/coredns/custom
echo "192.168.5.1 node-1" >/etc/coredns/NodeHosts
echo "bufsize 1232" >/etc/coredns/custom/a.override
printf 'corp.example:53 {\n    forward . 10.255.0.2\n}\n' >/etc/coredns/custom/b.server
start_pod k3s <"$srcdir/tests/data/corefiles/k3s"
check_pod k3s 53
is "$(ask 53 node-1 A)" 192.168.5.1 "k3s: a node"
is "$(ask_status 53 x.corp.example A)" SERVFAIL "k3s: a custom server block"
stop_daemon "$pod"
is $? 0 "k3s: a graceful end"

# without the forwarder of the example, whose upstream is reached over TLS
start_pod openshift < <(sed '1,/^}/d' "$srcdir/tests/data/corefiles/openshift")
check_pod openshift 5353
like "$(ask 5353 hostname.bind TXT CH)" '"' "openshift: the name of the host"
stop_pod

# 1.6: the API server named in the Corefile, as outside of a cluster: nothing of the pod's account is
# there. From the second row on the token is wrong, so that the certificate is what counts.
outside_pod() { # WHAT OPTION...
	local what=$1
	shift
	start_pod "$what" < <(
		printf '.:53 {\n\tready\n\tkubernetes cluster.local in-addr.arpa {\n'
		printf '\t\t%s\n' "$@"
		printf '\t}\n}\n')
	is "$(ask 53 web.shop.svc.cluster.local A)" 10.96.0.7 "$what: a Service"
	is "$(ask 53 db-0.db.shop.svc.cluster.local A)" 10.244.0.1 "$what: an endpoint"
	is "$(ask 53 7.0.96.10.in-addr.arpa PTR)" web.shop.svc.cluster.local. "$what: an address"
	is "$(ask_status 53 nope.shop.svc.cluster.local A)" NXDOMAIN "$what: what does not exist"
	unlike "$(cat "$workdir/$what.log")" '^.(ERROR|WARNING)' "$what: no complaints"
	stop_pod
}

rm -r $account
unset KUBERNETES_SERVICE_HOST KUBERNETES_SERVICE_PORT
outside_pod kubeconfig "kubeconfig $workdir/pki/kubeconfig"
echo wrong-token >"$workdir/pki/token"
outside_pod kubeconfig-context "kubeconfig $workdir/pki/kubeconfig cert"
outside_pod endpoint-tls "endpoint https://127.0.0.1:$api" \
	"tls $workdir/pki/client.crt $workdir/pki/client.key $workdir/pki/ca.crt"
done_testing
