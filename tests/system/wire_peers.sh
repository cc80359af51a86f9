#!/bin/bash
# wire_peers.sh [nsd|knot] [PROBE-OPTION...]: judge the probe itself by servers whose answers are
# known. A row passes when the peer answers as the table says of it.
. "$(dirname "$0")/lib.sh"

probe=${WIRE:-$builddir/tests/system/wire}
need "$probe"
peer=${1:-nsd}
shift
cp "$srcdir"/tests/data/wire/*.zone "$workdir"
sh "$srcdir/tests/data/wire/big.sh" >>"$workdir/cluster.test.zone"
port=$(free_port)
PATH=$PATH:/usr/sbin

nsd_conf() {
	nsd_server "$port" \
		"ip-address: ::1@$port" \
		'nsid: "ascii_wire-probe"' \
		'answer-cookie: yes' \
		'tcp-count: 1000' \
		'ipv4-edns-size: 1232' \
		'ipv6-edns-size: 1232'
	for z in "$workdir"/*.zone; do
		printf 'zone:\n  name: %s\n  zonefile: %s\n' "$(basename "$z" .zone)" "$z"
	done
}

knot_conf() {
	cat <<-EOT
	server:
	  listen: [ 127.0.0.1@$port, ::1@$port ]
	  rundir: $workdir
	  nsid: wire-probe
	  udp-workers: 1
	  tcp-workers: 8
	  tcp-max-clients: 1000
	database:
	  storage: $workdir
	template:
	  - id: default
	    zonefile-load: whole
	    journal-content: none
	    zonefile-sync: -1
	zone:
	EOT
	for z in "$workdir"/*.zone; do
		printf '  - domain: %s\n    file: %s\n' "$(basename "$z" .zone)" "$z"
	done
}

options=()
case $peer in
nsd)
	command -v nsd >/dev/null || skip_all "no nsd"
	nsd_conf >"$workdir/nsd.conf"
	spawn "$workdir/log" nsd -d -c "$workdir/nsd.conf"
	;;
knot)
	command -v knotd >/dev/null || skip_all "no knotd"
	knot_conf >"$workdir/knot.conf"
	spawn "$workdir/log" knotd -c "$workdir/knot.conf"
	options=(-k)
	;;
*) skip_all "unknown peer $peer" ;;
esac
wait_answer "$port" cluster.test SOA || { cat "$workdir/log"; skip_all "$peer does not answer"; }
"$probe" -p "$port" -P "$peer" "${options[@]}" "$@"
