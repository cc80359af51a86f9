# Helpers of the tests with a simulated API server; sourced behind lib.sh. $api and $control are its
# ports, $api_pid its process; $port and $http are for the daemon; $await waits for an answer.
apisim=$builddir/tests/apisim/apisim
await=$builddir/tests/system/await
need dig curl "$seamark" "$apisim"
new_ports() { api=$(free_port) control=$(free_port) port=$(free_port) http=$(free_port); }
new_ports

# start_api [ARGUMENT...]: returns when it listens.
start_api() {
	rm -f "$workdir/ports"
	spawn "$workdir/apisim.log" "$apisim" --port "$api" --control "$control" \
		--ports "$workdir/ports" --bookmark-ms 1000 "$@"
	api_pid=$spawned
	wait_for 100 test -s "$workdir/ports"
}

# ctl METHOD PATH [CURL-ARGUMENT...]: of its control port.
ctl() {
	local method=$1 path=$2
	shift 2
	curl -sf -m 60 -o "$workdir/answer" -X "$method" "$@" "http://127.0.0.1:$control/apisim/$path"
}

# The objects on standard input are created or changed.
apply() { ctl POST apply --data-binary @-; }

# remove NAME [RESOURCE]: an object of the namespace shop; a Service.
remove() { ctl DELETE "objects?resource=${2:-services}&namespace=shop&name=$1"; }

# service NAME IP [METADATA]: a Service in the namespace shop, behind what stands before it.
service() {
	printf -- '---\napiVersion: v1\nkind: Service\nmetadata: {name: %s, namespace: shop%s}\nspec: {clusterIP: %s, clusterIPs: [%s], ports: [{name: http, port: 80}]}\n' \
		"$1" "${3:-}" "$2" "$2"
}
