#!/bin/bash
# The series that dashboards and alerts of CoreDNS ask for are there, with the labels they use.
. "$(dirname "$0")/lib.sh"

command -v dig >/dev/null && command -v curl >/dev/null || skip_all "dig or curl is not installed"
[ -x "$seamark" ] || skip_all "$seamark is not built"
port=$(free_port)
admin=$(free_port)
start_daemon dns <<CONFIG
.:$port {
	bind 127.0.0.1
	errors
	health 127.0.0.1:$(free_port)
	prometheus 127.0.0.1:$admin
	kubernetes cluster.local {
		manifests $srcdir/zones/lab/manifests
	}
	forward . 127.0.0.1:$(free_port)
	cache 30
	reload
	loadbalance
}
CONFIG
wait_answer "$port" web.shop.svc.cluster.local A
ask "$port" none.shop.svc.cluster.local AAAA +dnssec >/dev/null
ask "$port" www.example A +tcp >/dev/null
curl -s "http://127.0.0.1:$admin/metrics" >"$workdir/metrics"

# has SERIES REGEX...: a sample of that name has a label set that fits each of these
has() {
	local series=$1 found
	shift
	found=$(grep "^$series[{ ]" "$workdir/metrics")
	for label; do found=$(grep -E "[{,]$label" <<<"$found"); done
	[ -n "$found" ]
	ok "$series $*"
}

server="server=\"dns://127.0.0.1:$port\"" zone='zone="\."'
has coredns_build_info 'version="'
has coredns_panics_total
has coredns_dns_requests_total "$server" "$zone" 'view=""' 'proto="udp"' 'family="1"' 'type="A"'
has coredns_dns_requests_total 'proto="tcp"' 'type="A"'
has coredns_dns_do_requests_total "$server" "$zone"
has coredns_dns_responses_total "$server" "$zone" 'rcode="NOERROR"' 'plugin="kubernetes"'
has coredns_dns_responses_total 'rcode="NXDOMAIN"'
has coredns_dns_responses_total 'rcode="SERVFAIL"' 'plugin="forward"'
for name in request_duration_seconds request_size_bytes response_size_bytes; do
	has coredns_dns_${name}_bucket "$server" "$zone" 'le="\+Inf"'
	has coredns_dns_${name}_sum "$zone"
	has coredns_dns_${name}_count "$zone"
done
has coredns_plugin_enabled "$server" 'name="cache"'
for type in success denial; do
	has coredns_cache_entries "$server" "type=\"$type\"" 'zones="\."'
	has coredns_cache_hits_total "type=\"$type\""
	has coredns_cache_evictions_total "type=\"$type\""
done
for name in requests misses prefetch served_stale drops; do
	has coredns_cache_${name}_total "$server" 'zones="\."' 'view=""'
done
has coredns_forward_healthcheck_broken_total
has coredns_forward_max_concurrent_rejects_total
has coredns_health_request_duration_seconds_bucket 'le="'
has coredns_health_request_failures_total
has coredns_kubernetes_dns_programming_duration_seconds_bucket 'service_kind="headless_with_selector"'
has coredns_reload_failed_total
has coredns_reload_version_info 'hash="sha512"'
for name in cpu_seconds_total resident_memory_bytes virtual_memory_bytes open_fds max_fds start_time_seconds; do
	has process_$name
done
done_testing
