#!/bin/sh
# mkcluster.sh N DIR: a made-up cluster of N ClusterIP services for the benchmark, as
#   DIR/manifests/*.yaml  Kubernetes manifests, one file a namespace
#   DIR/cluster.zone      the same names as a zone file, for servers that know no Kubernetes
#   DIR/queries DIR/miss DIR/mix  question files for gen: hits, NXDOMAIN, what ndots:5 makes
set -eu
[ $# -eq 2 ] || { echo "usage: mkcluster.sh N DIR" >&2; exit 2; }
count=$1 dir=$2
mkdir -p "$dir/manifests"
awk -v count="$count" -v dir="$dir" '
function address(i) { return "10." (96 + int(i / 65536)) "." (int(i / 256) % 256) "." (i % 256) }
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
		}
		printf "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: %s\n  namespace: %s\n", svc, ns > yaml
		printf "spec:\n  type: ClusterIP\n  clusterIP: %s\n  clusterIPs: [%s]\n", ip, ip > yaml
		printf "  ports:\n  - name: http\n    port: 80\n    protocol: TCP\n" > yaml
		printf "%s.%s.svc 5 IN A %s\n", svc, ns, ip > zone
		printf "_http._tcp.%s.%s.svc 5 IN SRV 0 100 80 %s.%s.svc\n", svc, ns, svc, ns > zone
		printf "%s.%s.svc.cluster.local A NOERROR 1 %s\n", svc, ns, ip > (dir "/queries")
		printf "%s.%s.svc.cluster.local.%s.svc.cluster.local A NXDOMAIN\n", svc, ns, ns > (dir "/miss")
		printf "%s.%s.svc.cluster.local AAAA NOERROR 0\n", svc, ns > (dir "/mix")
		printf "%s.%s.svc.cluster.local A NOERROR 1 %s\n", svc, ns, ip > (dir "/mix")
		printf "%s.%s.%s.svc.cluster.local A NXDOMAIN\n", svc, ns, ns > (dir "/mix")
		printf "%s.%s.cluster.local A NXDOMAIN\n", svc, ns > (dir "/mix")
	}
}'
