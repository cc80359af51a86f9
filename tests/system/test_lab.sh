#!/bin/bash
# The lab that comes with the sources works as zones/README.md says: its cluster from manifests, the
# zones of RFC 6303 behind it, and changes while it runs.
. "$(dirname "$0")/lib.sh"

need dig "$seamark"

copy_lab d
cd /
spawn "$workdir/lab.log" "$seamark" -conf "$corefile"
wait_answer "$port" kubernetes.default.svc.cluster.local A
ok "the lab starts from another directory" || diag "$(cat "$workdir/lab.log")"

# svc NAME TYPE: RDATA on one line.
svc() { ask "$port" "$1.svc.cluster.local" "$2" | tr '\n' ' '; }
reverse() { dig @127.0.0.1 -p "$port" +time=2 +tries=1 +noall +comments +answer +authority -x "$1"; }

is "$(svc web.shop A)" "10.96.10.1 " "a ClusterIP"
is "$(svc api.shop AAAA)" "fd00:96::a02 " "the second address family"
is "$(svc _grpc._tcp.cart.shop SRV)" "0 100 9000 cart.shop.svc.cluster.local. " "a named port"
is "$(svc search.shop A)" "10.96.10.4 " "a ClusterIP without ready endpoints"
is "$(ask_status "$port" jobs.shop.svc.cluster.local A)" NXDOMAIN "headless without ready endpoints"
is "$(svc db.data A)" "10.244.1.51 10.244.1.53 10.244.2.52 " "a headless set"
is "$(svc db-1.db.data A)" "10.244.2.52 " "a pod of the set by its host name"
is "$(svc payments.shop CNAME)" "payments.example.com. " "an ExternalName"
is "$(svc kube-dns.kube-system A)" "10.96.0.10 " "the DNS service"
is "$(ask "$port" 10-244-1-11.shop.pod.cluster.local A)" "10.244.1.11" "a pod by its address"

like "$(reverse 10.96.0.10)" "PTR.kube-dns.kube-system.svc.cluster.local." \
	"the address of a Service leads back to it"
like "$(reverse 10.244.1.51)" "PTR.db-0.db.data.svc.cluster.local." "so does that of an endpoint"
like "$(reverse 10.1.2.3)" "status: NXDOMAIN" "another private address does not exist"
like "$(reverse 10.1.2.3)" "10.in-addr.arpa.*SOA.*nobody.invalid." "an empty zone says so"
like "$(reverse fd00:96::a02)" "PTR.api.shop.svc.cluster.local." "the same for IPv6"
like "$(reverse fd00:1::1)" "d.f.ip6.arpa.*SOA.*nobody.invalid." "and outside of the cluster"
like "$(reverse 127.0.0.1)" "PTR.localhost." "a loopback address is localhost"
is "$(ask "$port" x.localhost A)" 127.0.0.1 "names below localhost are this machine"
is "$(ask_status "$port" x.onion A)" NXDOMAIN "onion names stay here"

cat >"$workdir/zones/lab/manifests/90-new.yaml" <<'YAML'
apiVersion: v1
kind: Service
metadata:
  name: new
  namespace: shop
spec:
  clusterIP: 10.96.99.1
  ports:
    - port: 80
YAML
has_new() { [ "$(svc new.shop A)" = "10.96.99.1 " ]; }
wait_for 50 has_new
ok "a Service appears when its file does"
rm "$workdir/zones/lab/manifests/90-new.yaml"
lost_new() { [ "$(ask_status "$port" new.shop.svc.cluster.local A)" = NXDOMAIN ]; }
wait_for 50 lost_new
ok "and goes with it"
kill -0 "$spawned"
ok "the daemon lives"
done_testing
