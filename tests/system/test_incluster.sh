#!/bin/bash
# The daemon as in a pod: how it finds the API server, inside of a cluster and outside. What the
# Corefiles of distributions make of it is in test_corefiles.sh.
. "$(dirname "$0")/pod.sh"

[ -z "${no_pod:-}" ] || skip_all "$no_pod"
pod_files
start_apisim "$srcdir/tests/data/clusters/shop.yaml"

# A node whose resolv.conf names the cluster's DNS, ourselves: the API server is found all the same.
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

mount -o remount,bind,rw /run && rm -r $account
unset KUBERNETES_SERVICE_HOST KUBERNETES_SERVICE_PORT
outside_pod kubeconfig "kubeconfig $workdir/pki/kubeconfig"
echo wrong-token >"$workdir/pki/token"
outside_pod kubeconfig-context "kubeconfig $workdir/pki/kubeconfig cert"
outside_pod endpoint-tls "endpoint https://127.0.0.1:$api" \
	"tls $workdir/pki/client.crt $workdir/pki/client.key $workdir/pki/ca.crt"
done_testing
