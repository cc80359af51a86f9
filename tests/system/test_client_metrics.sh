#!/bin/bash
# 1.12: pods of an API server that ask, and the metrics of its client
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/cluster.sh"

start_api
apply <<EOT
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: 10.96.0.1, clusterIPs: [10.96.0.1], ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: shop}
spec: {clusterIP: None, clusterIPs: [None], selector: {app: db}, ports: [{name: pg, port: 5432}]}
---
apiVersion: v1
kind: Pod
metadata: {name: me, namespace: shop}
status: {phase: Running, podIP: 127.0.0.1, podIPs: [{ip: 127.0.0.1}]}
EOT
start_daemon seamark <<EOT
.:$port {
    bind 127.0.0.1
    prometheus 127.0.0.1:$http
    autopath @kubernetes
    kubernetes cluster.local {
        endpoint http://127.0.0.1:$api
        pods verified
    }
}
EOT
wait_answer "$port" web.shop.svc.cluster.local A
ok "the server runs" || diag "$(cat "$workdir/seamark.log")"

scrape() { curl -s "http://127.0.0.1:$http/metrics"; }
has() { grep -qE -- "$1" <<<"$(scrape)"; }
client=coredns_kubernetes_rest_client

wait_for 50 has "^${client}_requests_total\{code=\"200\",method=\"GET\",host=\"127.0.0.1:$api\"\} [1-9]"
ok "requests are counted by status, method and host" || diag "$(scrape | grep "$client")"
has "^${client}_request_duration_seconds_count\{verb=\"GET\",host=\"127.0.0.1:$api\"\} [1-9]"
ok "their time is a histogram"
has "^${client}_rate_limiter_duration_seconds_count\{verb=\"GET\",host=\"127.0.0.1:$api\"\} [1-9]"
ok "so is the time that they wait for a rate limiter, which is none"

is "$(ask "$port" web.shop.shop.svc.cluster.local A)" "$(printf '10.96.0.1\nweb.shop.svc.cluster.local.')" \
	"autopath knows the pods of the API server"
wait_for 50 has '^coredns_autopath_success_total\{server="dns://127.0.0.1:'"$port"'"\} 1$'
ok "and counts its aliases" || diag "$(scrape | grep autopath)"

programming=coredns_kubernetes_dns_programming_duration_seconds
has "^${programming}_count\{service_kind=\"headless_with_selector\"\} 0\$"
ok "no endpoint has changed"
apply <<EOT
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: db-1
  namespace: shop
  labels: {kubernetes.io/service-name: db}
  annotations: {endpoints.kubernetes.io/last-change-trigger-time: "$(date -u +%Y-%m-%dT%H:%M:%SZ)"}
addressType: IPv4
endpoints: [{addresses: [10.244.0.1], conditions: {ready: true}}]
ports: [{name: pg, port: 5432, protocol: TCP}]
EOT
wait_for 50 has "^${programming}_count\{service_kind=\"headless_with_selector\"\} 1\$"
ok "the time from a change to its name is told" || diag "$(scrape | grep "$programming")"
has "^${programming}_bucket\{service_kind=\"headless_with_selector\",le=\"16.384\"\} 1\$"
ok "and it was short" || diag "$(scrape | grep "$programming")"

kill "$api_pid"
wait_for 100 has "^${client}_requests_total\{code=\"<error>\",method=\"GET\",host=\"127.0.0.1:$api\"\} [1-9]"
ok "requests without an answer are counted, too" || diag "$(scrape | grep "$client")"
is "$(ask "$port" web.shop.shop.svc.cluster.local A | head -n 1)" 10.96.0.1 \
	"6.34: autopath goes on without the API server (c#2464)"
done_testing
