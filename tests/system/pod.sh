# A pod for tests, sourced before anything else: the test starts again in a mount and a network
# namespace of its own, where /etc, /run and port 53 are private. It gets all of lib.sh, and
#   $api        the port of apisim, found as in a cluster (service account, KUBERNETES_SERVICE_HOST)
#   $node       the process of the node's resolver, on a host of its own: 10.255.0.2, the default
#               route; $workdir/node.log has a line for each question it got
# Without namespaces $no_pod says why, and nothing is set up.
if [ -z "${IN_NAMESPACE:-}" ]; then
	for options in -mn -rmn; do
		unshare $options true 2>/dev/null && IN_NAMESPACE=1 exec unshare $options "$0" "$@"
	done
	no_pod="no private namespaces here"
fi
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

for tool in dig curl openssl ip nsenter; do
	command -v $tool >/dev/null || skip_all "$tool is not installed"
done
need "$seamark"
apisim=$(realpath "$builddir/tests/apisim/apisim")
account=/var/run/secrets/kubernetes.io/serviceaccount

# pod_files: the file system of the pod, with its service account; /run cannot be written.
pod_files() {
	mkdir "$workdir/etc"
	cp -a /etc/. "$workdir/etc/" 2>/dev/null
	mkdir -p "$workdir/etc/coredns"
	"$srcdir/tests/apisim/certs.sh" "$workdir/pki" "$api"
	mount --bind "$workdir/etc" /etc && mount -t tmpfs none /run && ip link set lo up ||
		skip_all "cannot set up namespaces"
	mkdir -p $account && cp "$workdir/pki/ca.crt" "$workdir/pki/token" $account ||
		skip_all "/var/run is not /run"
	printf default >$account/namespace
	mount -o remount,bind,ro /run || skip_all "cannot make /run read-only" # as the root of the Deployment
	export KUBERNETES_SERVICE_HOST=127.0.0.1 KUBERNETES_SERVICE_PORT=$api
	rm -f /etc/resolv.conf
	echo "nameserver 10.255.0.2" >/etc/resolv.conf
}

# start_node [ADDRESS...]: its resolver, which has these addresses, too; standard input is its Corefile
start_node() {
	local address
	cat >"$workdir/node.corefile"
	spawn "$workdir/node.log" unshare -n "$seamark" -conf "$workdir/node.corefile" -workers 1
	node=$spawned
	wait_for 50 grep -q Seamark "$workdir/node.log"
	ip link add pod0 type veth peer name node0 2>/dev/null && ip link set node0 netns "$node" &&
		ip address add 10.255.0.1/24 dev pod0 && ip link set pod0 up &&
		nsenter -t "$node" -n ip address add 10.255.0.2/24 dev node0 &&
		nsenter -t "$node" -n ip link set node0 up && ip route add default via 10.255.0.2 ||
		return 1
	nsenter -t "$node" -n ip link set lo up
	for address; do
		nsenter -t "$node" -n ip address add "$address/32" dev lo || return 1
	done
}

# start_apisim FILE...: the API server of the pod's cluster, with these objects
start_apisim() {
	spawn "$workdir/apisim.log" "$apisim" --port "$api" --ports "$workdir/ports" \
		--cert "$workdir/pki/server.crt" --key "$workdir/pki/server.key" --token secret-token \
		--client-ca "$workdir/pki/ca.crt" "$@"
	wait_for 50 test -s "$workdir/ports" || skip_all "apisim does not start"
}

metric() { # NAME-AND-LABELS [ADDRESS:PORT]
	curl -s "http://${2:-127.0.0.1:9153}/metrics" | grep -F "$1" | head -n 1
}

# start_pod WHAT [URL]: with the Corefile on standard input, as the Deployment of kubeadm does; it
# is up when URL answers 200.
start_pod() {
	cat >/etc/coredns/Corefile
	spawn "$workdir/$1.log" "$seamark" -conf /etc/coredns/Corefile
	pod=$spawned
	wait_for 100 curl -sf -o /dev/null "${2:-http://127.0.0.1:8181/ready}"
	ok "$1: starts" || diag "$(cat "$workdir/$1.log")"
}

stop_pod() { # lameduck would only take time here
	kill -9 "$pod"
	wait "$pod" 2>/dev/null
}

api=$(free_port)
