#!/bin/sh
# mkcluster.sh N DIR: a made-up cluster of N ClusterIP services for the benchmark, as
#   DIR/manifests/*.yaml  Kubernetes manifests, one file a namespace
#   DIR/cluster.zone      the same names as a zone file, for servers that know no Kubernetes
# and question files for gen:
#   DIR/queries   addresses of services         DIR/miss      names that do not exist
#   DIR/srv       SRV records                   DIR/headless  25 endpoints an answer
#   DIR/mix       what a libc with ndots:5 asks
set -eu
[ $# -eq 2 ] || { echo "usage: mkcluster.sh N DIR" >&2; exit 2; }
count=$1 dir=$2
mkdir -p "$dir/manifests"
awk -v count="$count" -v dir="$dir" '
function address(i) { return "10." (96 + int(i / 65536)) "." (int(i / 256) % 256) "." (i % 256) }
function begin_service(yaml, svc, ns) {
	printf "---\napiVersion: v1\nkind: Service\nmetadata:\n" > yaml
	printf "  name: %s\n  namespace: %s\n", svc, ns > yaml
}
# A headless service of n ready endpoints.
function headless(yaml, svc, ns, n, net,   i, ip) {
	begin_service(yaml, svc, ns)
	printf "spec:\n  clusterIP: None\n  clusterIPs: [None]\n  ports:\n" > yaml
	printf "  - name: http\n    port: 80\n    protocol: TCP\n" > yaml
	printf "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata:\n" > yaml
	printf "  name: %s-1\n  namespace: %s\n  labels:\n", svc, ns > yaml
	printf "    kubernetes.io/service-name: %s\n", svc > yaml
	printf "addressType: IPv4\nports:\n- name: http\n  port: 80\n  protocol: TCP\n" > yaml
	printf "endpoints:\n" > yaml
	for (i = 1; i <= n; i++) {
		ip = "10.200." net "." i
		printf "- addresses: [%s]\n  conditions: {ready: true}\n", ip > yaml
		printf "%s.%s.svc 5 IN A %s\n", svc, ns, ip > zone
	}
	printf "%s.%s.svc.cluster.local A NOERROR %d\n", svc, ns, n > (dir "/headless")
}
BEGIN {
	zone = dir "/cluster.zone"
	print "$ORIGIN cluster.local." > zone
	print "@ 5 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 1800 86400 5" > zone
	print "@ 5 IN NS ns.dns.cluster.local." > zone
	print "ns.dns 5 IN A 10.96.0.10" > zone
	print "dns-version 5 IN TXT \"1.1.0\"" > zone
	spaces = count < 100 ? 1 : 100
	for (i = 0; i < count; i++) {
		ns = sprintf("team-%02d", i % spaces)
		svc = sprintf("service-%05d", i)
		ip = address(i + 256)
		yaml = dir "/manifests/" ns ".yaml"
		if (!(ns in seen)) {
			seen[ns] = 1
			printf "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: %s\n", ns > yaml
			headless(yaml, "headless", ns, 25, i % spaces)
		}
		begin_service(yaml, svc, ns)
		printf "spec:\n  type: ClusterIP\n  clusterIP: %s\n  clusterIPs: [%s]\n", ip, ip > yaml
		printf "  ports:\n  - name: http\n    port: 80\n    protocol: TCP\n" > yaml
		printf "%s.%s.svc 5 IN A %s\n", svc, ns, ip > zone
		printf "_http._tcp.%s.%s.svc 5 IN SRV 0 100 80 %s.%s.svc\n", svc, ns, svc, ns > zone
		printf "%s.%s.svc.cluster.local A NOERROR 1 %s\n", svc, ns, ip > (dir "/queries")
		printf "%s.%s.svc.cluster.local.%s.svc.cluster.local A NXDOMAIN\n", svc, ns, ns > (dir "/miss")
		printf "_http._tcp.%s.%s.svc.cluster.local SRV NOERROR 1\n", svc, ns > (dir "/srv")
		printf "%s.%s.svc.cluster.local AAAA NOERROR 0\n", svc, ns > (dir "/mix")
		printf "%s.%s.svc.cluster.local A NOERROR 1 %s\n", svc, ns, ip > (dir "/mix")
		printf "%s.%s.%s.svc.cluster.local A NXDOMAIN\n", svc, ns, ns > (dir "/mix")
		printf "%s.%s.cluster.local A NXDOMAIN\n", svc, ns > (dir "/mix")
	}
}'
