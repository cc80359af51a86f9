#!/bin/bash
# The Corefiles of distributions, as they are installed: each starts the daemon unchanged, with its
# ports and paths, answers, forwards, and complains about nothing. What an installer fills in is
# filled in, and nothing else. tests/scenarios/the_corefile_of_*.scn look closer at the answers.
. "$(dirname "$0")/pod.sh"

if [ -n "${no_pod:-}" ]; then
	for file in "$srcdir"/tests/data/corefiles/*; do
		tap_count=$((tap_count + 1))
		echo "ok $tap_count - ${file##*/} # SKIP $no_pod"
	done
	done_testing
fi

# The node's resolver stands for all servers that are named in the files, over UDP, TCP and TLS, and
# for the DNS of the cluster behind the caches on nodes.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=corp \
	-addext subjectAltName=DNS:dns.corp.example.com -keyout "$workdir/corp.key" \
	-out "$workdir/corp.crt" 2>/dev/null
names='hosts {
		192.0.2.7 www.outside.example
		192.0.2.8 git.corp.example
		192.0.2.9 git.corp.example.com
		10.96.0.7 web.shop.svc.cluster.local
	}'
pod_files
start_node 198.51.100.53 10.1.0.53 10.1.0.54 10.96.0.53 10.233.0.3 10.0.0.10 168.63.129.16 <<END ||
.:53 {
	log
	$names
}
tls://.:853 {
	log
	tls $workdir/corp.crt $workdir/corp.key
	$names
}
END
	skip_all "no links between namespaces here"
start_apisim "$srcdir/tests/data/clusters/shop.yaml"

# install FILE [TEXT=VALUE...]: as an installer writes it
install() {
	local file=$1 script=
	shift
	for fill; do
		script="$script;s|${fill%%=*}|${fill#*=}|g"
	done
	sed "$script" "$srcdir/tests/data/corefiles/$file"
}

# asked NAME: how often the node's resolver was; is_asked NAME N: exactly so often
asked() { grep -c "IN $1\\. " "$workdir/node.log"; }
is_asked() { [ "$(asked "$1")" = "$2" ]; }

# has_settled NAME: its number of questions has stood still; the log comes a moment later, and what a
# busy machine makes late is asked once more
has_settled() {
	local before
	before=$(asked "$1")
	sleep 0.2
	is_asked "$1" "$before"
}

# check_forward WHAT PORT NAME ADDRESS [@SERVER]: NAME is forwarded, and then kept
check_forward() {
	local before once
	before=$(asked "$3")
	is "$(ask "$2" "$3" A ${5:-})" "$4" "$1: $3 is forwarded"
	has_more() { [ "$(asked "$1")" -gt "$before" ]; }
	wait_for 50 has_more "$3"
	wait_for 50 has_settled "$3"
	once=$(asked "$3")
	is "$(ask "$2" "$3" A ${5:-})" "$4" "$1: $3 is there again"
	sleep 0.1
	[ "$once" -gt "$before" ] && is_asked "$3" "$once"
	ok "$1: $3 is kept" || diag "asked $before, then $once, then $(asked "$3") times"
}

# check_quiet WHAT [REGEX]: no warning and no error but those
check_quiet() {
	is "$(grep -E '^.(ERROR|WARNING)' "$workdir/$1.log" | grep -Ev "${2:-^$}")" "" \
		"$1: no complaints"
}

# check_reload WHAT PORT NAME ADDRESS [@SERVER]: the file is read again, and serves
check_reload() {
	$edit
	kill -USR1 "$pod"
	wait_for 100 grep -q 'Reloading complete' "$workdir/$1.log"
	ok "$1: is read again"
	is "$(ask "$2" "$3" A ${5:-})" "$4" "$1: and answers"
}

edit= # what changes the files before that
# edited WHAT NAME ADDRESS: the Corefile, or what it imports, has changed, and now NAME is ADDRESS
edited() {
	is "$(ask 53 "$2" A)" "" "$1: $2 is not there before"
	check_reload "$1" 53 "$2" "$3"
	edit=
	is "$(curl -s http://127.0.0.1:8181/ready)" OK "$1: ready all the time"
}

# check_cluster WHAT PORT [COMPLAINTS]: a Corefile with the names of the cluster
check_cluster() {
	is "$(ask "$2" web.shop.svc.cluster.local A)" 10.96.0.7 "$1: a Service"
	is "$(ask "$2" web.shop.svc.cluster.local A +tcp)" 10.96.0.7 "$1: over TCP"
	is "$(ask "$2" web.shop.svc.cluster.local A @::1)" 10.96.0.7 "$1: over IPv6"
	is "$(ask "$2" _http._tcp.web.shop.svc.cluster.local SRV)" \
		"0 100 80 web.shop.svc.cluster.local." "$1: a port"
	is "$(ask "$2" db-0.db.shop.svc.cluster.local A)" 10.244.0.1 "$1: an endpoint"
	is "$(ask "$2" 1-2-3-4.shop.pod.cluster.local A)" 1.2.3.4 "$1: a pod"
	is "$(ask "$2" 7.0.96.10.in-addr.arpa PTR)" web.shop.svc.cluster.local. "$1: an address"
	is "$(ask_status "$2" nope.shop.svc.cluster.local A)" NXDOMAIN "$1: what does not exist"
	check_forward "$1" "$2" www.outside.example 192.0.2.7
	is "$(ask "$2" 7.2.0.192.in-addr.arpa PTR)" www.outside.example. "$1: an address outside"
	is "$(curl -s http://127.0.0.1:8080/health)" OK "$1: healthy"
	is "$(curl -s http://127.0.0.1:8181/ready)" OK "$1: ready"
	like "$(metric 'coredns_dns_requests_total{family="1",proto="udp"')" \
		"server=\"dns://:$2\",type=\"A\",view=\"\",zone=\".\"} [1-9]" "$1: metrics"
	check_reload "$1" "$2" web.shop.svc.cluster.local 10.96.0.7
	check_quiet "$1" "${3:-}"
}

# logged WHAT NAME: its query log has a line of CoreDNS's form about it
logged() {
	wait_for 50 grep -q "A IN $2\. " "$workdir/$1.log" # it comes a moment later
	like "$(cat "$workdir/$1.log")" "^\[INFO\] 127.0.0.1:[0-9]+ - [0-9]+ \"A IN $2\. udp [0-9]+ \
false 1232\" NOERROR qr,aa,rd,ra [0-9]+ 0\.[0-9]+s\$" "$1: queries are logged"
}

# --- the Corefile alone

for name in kubeadm kubeadm-old kind eks rke2; do
	start_pod $name < <(install $name)
	check_cluster $name 53
	stop_pod
done

start_pod kube-up < <(install kube-up __DNS__DOMAIN__=cluster.local)
check_cluster kube-up 53
stop_pod

# --- minikube: edits of the ConfigMap

for name in minikube minikube-registry-aliases; do
	start_pod $name < <(install $name)
	check_cluster $name 53
	is "$(ask 53 host.minikube.internal A)" 192.168.49.1 "$name: the host"
	logged $name host.minikube.internal
	[ $name = minikube ] || is "$(ask 53 registry.minikube A)" 10.96.0.99 "$name: an alias"
	stop_pod
done

not_there='plugin/errors: 2 [a-z1.]+ A: plugin/forward: server failure$'

# What minikube's start does to the ConfigMap while kubeadm's is served.
start_pod edited-by-minikube < <(install kubeadm)
edit_as_minikube() {
	sed -i -e '/^    forward . \/etc\/resolv.conf.*/i \    hosts {\n       192.168.49.1 host.minikube.internal\n       fallthrough\n    }' \
		-e '/^    errors *$/i \    log' /etc/coredns/Corefile
}
edit=edit_as_minikube
edited edited-by-minikube host.minikube.internal 192.168.49.1
cmp -s /etc/coredns/Corefile "$srcdir/tests/data/corefiles/minikube"
ok "edited-by-minikube: the Corefile is the one that is tested above"
logged edited-by-minikube host.minikube.internal
check_quiet edited-by-minikube "$not_there"
stop_pod

# --- k3s and AKS: files from other ConfigMaps

no_files='No files matching import glob pattern: (/etc/coredns/)?custom/\*\.(override|server)$'
echo "192.168.5.1 node-1" >/etc/coredns/NodeHosts
for name in k3s aks; do
	start_pod $name < <(install $name)
	check_cluster $name 53 "$no_files"
	stop_pod
done

# A ConfigMap that is made later.
add_override() {
	mkdir -p /etc/coredns/custom
	printf 'hosts {\n    10.0.0.1 example1.org\n    fallthrough\n}\n' \
		>/etc/coredns/custom/test.override
}
start_pod edited-in-aks < <(install aks)
edit=add_override
edited edited-in-aks example1.org 10.0.0.1
check_quiet edited-in-aks "$no_files|$not_there"
stop_pod
rm /etc/coredns/custom/test.override

echo "log" >/etc/coredns/custom/log.override
echo "rewrite name exact shop.example.com web.shop.svc.cluster.local" \
	>/etc/coredns/custom/rewrites.override
printf 'corp.example:53 {\n    errors\n    cache 30\n    forward . 198.51.100.53\n}\n' \
	>/etc/coredns/custom/corp.server
for name in k3s aks; do
	start_pod $name-custom < <(install $name)
	check_cluster $name-custom 53
	is "$(ask 53 shop.example.com A)" 10.96.0.7 "$name-custom: an override"
	check_forward $name-custom 53 git.corp.example 192.0.2.8
	logged $name-custom web.shop.svc.cluster.local
	[ $name = aks ] || is "$(ask 53 node-1 A)" 192.168.5.1 "$name-custom: a node"
	[ $name = k3s ] || is "$(ask_status 53 vm.reddog.microsoft.com A)" NXDOMAIN \
		"$name-custom: a name of the search list"
	stop_pod
done

# --- OpenShift, MicroShift, kubespray

mkdir -p /etc/pki/dns.corp
cp "$workdir/corp.crt" /etc/pki/dns.corp/ca-bundle.crt
start_pod openshift < <(install openshift)
check_cluster openshift 5353
check_forward openshift 5353 git.corp.example.com 192.0.2.9
is "$(ask 5353 9.2.0.192.in-addr.arpa PTR)" git.corp.example.com. "openshift: an address outside"
over_tls='coredns_proxy_request_duration_seconds_count{proxy_name="forward",to="10.1.0.54:853",rcode="'
for i in $(seq 20); do # each worker takes them in turn
	ask 5353 "n$i.corp.example.com" A >/dev/null
	[ -z "$(metric "$over_tls")" ] || break
done
like "$(metric "$over_tls")" '[1-9]$' "openshift: the other server is asked over TLS"
is "$(ask 5353 hostname.bind TXT CH)" "\"$(hostname)\"" "openshift: the name of the host"
unlike "$(cat "$workdir/openshift.log")" '"A IN web' "openshift: only errors are logged"
stop_pod

mkdir -p "$workdir/hosts" /tmp/hosts && mount --bind "$workdir/hosts" /tmp/hosts
echo "192.168.6.1 printer.example" >/tmp/hosts/hosts
start_pod microshift < <(install microshift)
check_cluster microshift 5353
is "$(ask 5353 printer.example A)" 192.168.6.1 "microshift: a host of the administrator"
stop_pod
umount /tmp/hosts

echo "192.168.7.1 nas.example" >/etc/coredns/hosts
start_pod kubespray < <(install kubespray)
check_cluster kubespray 53
is "$(ask 53 nas.example A)" 192.168.7.1 "kubespray: a host"
is "$(ask 53 db-pod-1.db.shop.svc.cluster.local A)" 10.244.0.2 "kubespray: an endpoint by its pod"
is "$(ask 53 public.shop.k8s_external.local A)" 203.0.113.8 "kubespray: an external name"
is "$(ask 53 registry.example.com A)" 10.96.0.99 "kubespray: a rewritten name"
stop_pod

# --- caches on nodes, on link-local addresses

for address in 169.254.20.10 10.96.0.10 169.254.25.10 169.254.10.10 169.254.10.11; do
	ip address add $address/32 dev lo
done

# check_cache WHAT ADDRESS HEALTH-URL
check_cache() {
	check_forward "$1" 53 web.shop.svc.cluster.local 10.96.0.7 "@$2"
	check_forward "$1" 53 www.outside.example 192.0.2.7 "@$2"
	is "$(ask 53 7.0.96.10.in-addr.arpa PTR "@$2")" web.shop.svc.cluster.local. "$1: an address"
	is "$(curl -s "$3")" OK "$1: healthy"
	like "$(metric coredns_cache_hits_total{ 127.0.0.1:9253)" ' [1-9]' "$1: metrics"
	check_reload "$1" 53 www.outside.example 192.0.2.7 "@$2"
	check_quiet "$1"
}

start_pod nodelocal http://169.254.20.10:8080/health < <(install nodelocal \
	__PILLAR__DNS__DOMAIN__=cluster.local __PILLAR__LOCAL__DNS__=169.254.20.10 \
	__PILLAR__DNS__SERVER__=10.96.0.10 __PILLAR__CLUSTER__DNS__=10.96.0.53 \
	__PILLAR__UPSTREAM__SERVERS__=/etc/resolv.conf)
check_cache nodelocal 169.254.20.10 http://169.254.20.10:8080/health
is "$(ask 53 www.outside.example A @10.96.0.10)" 192.0.2.7 "nodelocal: the Service's address, too"
stop_pod

start_pod kubespray-nodelocaldns http://169.254.25.10:9254/health \
	< <(install kubespray-nodelocaldns)
check_cache kubespray-nodelocaldns 169.254.25.10 http://169.254.25.10:9254/health
stop_pod

start_pod aks-localdns http://169.254.10.10:8181/ready < <(install aks-localdns)
check_cache aks-localdns 169.254.10.10 http://169.254.10.11:8181/ready
like "$(_dig 53 health-check.localdns.local A @169.254.10.11 +noall +additional)" '127.0.0.1|169.254' \
	"aks-localdns: the client's address"
like "$(_dig 53 www.outside.example A @169.254.10.11 +nsid)" 'NSID: .*localdns-pod' \
	"aks-localdns: which of the two it was"
stop_pod
done_testing
