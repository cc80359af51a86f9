#!/bin/sh
# mklab.sh MANIFESTS DIR: the ClusterIP services of a directory of manifests that are written as
# `kubectl get -o yaml` writes them, as DIR/lab (questions for gen) and DIR/cluster.zone.
set -eu
[ $# -eq 2 ] || { echo "usage: mklab.sh MANIFESTS DIR" >&2; exit 2; }
cat "$1"/*.yaml | awk -v dir="$2" '
function flush_service() {
	if (kind == "Service" && ip ~ /^[0-9]+\./) {
		printf "%s.%s.svc.cluster.local A NOERROR 1 %s\n", name, space, ip > (dir "/lab")
		printf "%s.%s.svc 5 IN A %s\n", name, space, ip > zone
	}
	kind = name = ip = ""
	space = "default"
}
BEGIN {
	zone = dir "/cluster.zone"
	print "$ORIGIN cluster.local." > zone
	print "@ 5 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 1800 86400 5" > zone
	print "@ 5 IN NS ns.dns.cluster.local." > zone
	flush_service()
}
/^---/ { flush_service() }
/^kind:/ { kind = $2 }
/^[a-z]/ { part = $1 }
part == "metadata:" && /^  name:/ { name = $2 }
part == "metadata:" && /^  namespace:/ { space = $2 }
part == "spec:" && /^  clusterIP:/ { ip = $2 }
END { flush_service() }'
