#!/bin/bash
# The daemon gives the octets that the tables of the wire probe say, over every transport.
. "$(dirname "$0")/lib.sh"

probe=${WIRE:-$builddir/tests/system/wire}
need "$probe" "$seamark"

cp "$srcdir"/tests/data/wire/*.zone "$workdir"
sh "$srcdir/tests/data/wire/big.sh" >>"$workdir/cluster.test.zone"
export WIRE_ZONES=$workdir
WIRE_PORT=$(free_port)
WIRE_WILD_PORT=$(free_port)
WIRE_UPSTREAM_PORT=$(free_port)
export WIRE_PORT WIRE_WILD_PORT WIRE_UPSTREAM_PORT

start_daemon wire <"$srcdir/tests/data/wire/Corefile"
if ! wait_answer "$WIRE_PORT" cluster.test SOA; then
	echo "1..1"
	echo "not ok 1 - the daemon answers"
	diag "$(tail -n 20 "$workdir/wire.log")"
	exit 1
fi
transports=udp4,tcp4
grep -q . /proc/net/if_inet6 2>/dev/null && transports=udp4,udp6,tcp4,tcp6

"$probe" -p "$WIRE_PORT" -w "$WIRE_WILD_PORT" -u "$WIRE_UPSTREAM_PORT" \
	-t "$transports" "$@"
status=$?
kill -0 "$daemon" 2>/dev/null || { echo "# the daemon died"; status=1; }
stop_daemon "$daemon"
ended=$?
[ "$ended" = 0 ] || { echo "# the daemon ended with $ended"; status=1; }
[ "$status" = 0 ] || diag "$(tail -n 20 "$workdir/wire.log")"
exit "$status"
