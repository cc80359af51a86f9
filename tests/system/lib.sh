# Helpers of the system tests; sourced by tests/system/*.sh (bash). A test that sources this gets
#   $workdir     a directory of its own, removed at the end (kept with KEEP=1)
#   $seamark     the daemon: $SEAMARK, or the one in the build directory
#   $srcdir      the top of the source tree
# and stops at exit whatever it started, by process id.
set -u

srcdir=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
builddir=$(cd "${top_builddir:-${abs_top_builddir:-.}}" && pwd)
seamark=$(realpath -m "${SEAMARK:-$builddir/seamark}") # tests may change the directory
workdir=$(mktemp -d "${TMPDIR:-/tmp}/seamark-test.XXXXXX")
export SEAMARK_CONTROL=off # two servers cannot have the usual place; a test that needs it names one
tap_count=0
tap_failed=0
pids=()

cleanup() {
	local p
	for p in "${pids[@]:-}"; do
		[ -n "$p" ] && kill "$p" 2>/dev/null
	done
	for p in "${pids[@]:-}"; do
		[ -n "$p" ] && { wait_gone "$p" 50 || kill -9 "$p" 2>/dev/null; }
	done
	[ "${KEEP:-0}" = 1 ] || rm -rf "$workdir"
}
trap cleanup EXIT
trap 'exit 1' INT TERM
trap : PIPE # a server may close a connection that the test still writes to; programs get the default

# --- TAP

# ok DESCRIPTION: result of the last command.
ok() {
	local rc=$?
	tap_count=$((tap_count + 1))
	if [ "$rc" = 0 ]; then
		echo "ok $tap_count - $*"
	else
		tap_failed=$((tap_failed + 1))
		echo "not ok $tap_count - $*"
	fi
	return "$rc"
}

# is GOT WANT DESCRIPTION
is() {
	[ "$1" = "$2" ]
	ok "$3" || diag "got '$1', wanted '$2'"
}

# like GOT REGEX DESCRIPTION
like() {
	grep -Eq -- "$2" <<<"$1"
	ok "$3" || diag "got '$1', wanted /$2/"
}

# unlike GOT REGEX DESCRIPTION
unlike() {
	! grep -Eq -- "$2" <<<"$1"
	ok "$3" || diag "got '$1', which has /$2/"
}

# Lines of comment.
diag() { sed 's/^/# /' <<<"$*"; }

# skip_all REASON: leave without a test (77 is "skipped" for automake).
skip_all() {
	echo "1..0 # SKIP $*"
	exit 77
}

# need WORD...: programs that must be installed, and others by their paths that must be built.
need() {
	local p
	for p; do
		case $p in
		*/*) [ -x "$p" ] || skip_all "$p is not built" ;;
		*) command -v "$p" >/dev/null || skip_all "$p is not installed" ;;
		esac
	done
}

# The plan, and the exit status of the test.
done_testing() {
	echo "1..$tap_count"
	[ "$tap_failed" = 0 ] || exit 1
	exit 0
}

# --- ports and processes

. "$srcdir/tests/lib/port.sh"

# wait_for TENTHS COMMAND...: until it succeeds; 1 when it never did.
wait_for() {
	local n=$1
	shift
	while ! "$@" >/dev/null 2>&1; do
		n=$((n - 1))
		[ "$n" -gt 0 ] || return 1
		sleep 0.1
	done
}

# wait_gone PID TENTHS: until that process has ended.
wait_gone() {
	local n=$2
	while kill -0 "$1" 2>/dev/null && [ "$n" -gt 0 ]; do
		n=$((n - 1))
		sleep 0.1
	done
	! kill -0 "$1" 2>/dev/null
}

# spawn LOG COMMAND...: in the background, stopped at exit; its process id is in $spawned.
spawn() {
	local log=$1
	shift
	"$@" >"$log" 2>&1 &
	spawned=$!
	pids+=("$spawned")
}

# start_daemon NAME [ARGUMENT...]: the Corefile is standard input, kept as $workdir/NAME.corefile,
# the log is $workdir/NAME.log; $daemon is its process id.
start_daemon() {
	local name=$1
	shift
	need "$seamark"
	cat >"$workdir/$name.corefile"
	spawn "$workdir/$name.log" "$seamark" -conf "$workdir/$name.corefile" "$@"
	daemon=$spawned
}

# stop_daemon PID [SECONDS]: SIGTERM, then wait; its exit status (137 when it had to be killed).
stop_daemon() {
	local pid=$1 rest=() p
	kill "$pid" 2>/dev/null
	wait_gone "$pid" $((${2:-5} * 10)) || kill -9 "$pid" 2>/dev/null
	for p in "${pids[@]:-}"; do
		[ "$p" = "$pid" ] || rest+=("$p")
	done
	pids=("${rest[@]:-}")
	wait "$pid" 2>/dev/null
}

# wait_answer PORT NAME TYPE [DIG-ARGUMENT...]: until the server replies NOERROR or NXDOMAIN; gives
# up after 10 s, or when what was started last has ended.
wait_answer() {
	local i
	for i in $(seq 100); do
		answers_well "$@" && return 0
		[ -z "${spawned:-}" ] || kill -0 "$spawned" 2>/dev/null || return 1
		sleep 0.1
	done
	return 1
}

answers_well() {
	local p=$1 n=$2 t=$3
	shift 3
	dig @127.0.0.1 -p "$p" +time=1 +tries=1 +noall +comments "$@" "$n" "$t" 2>/dev/null |
		grep -Eq 'status: (NOERROR|NXDOMAIN)'
}

# --- questions; all take PORT NAME TYPE [DIG-ARGUMENT...] and ask 127.0.0.1 unless told @ADDR

_dig() {
	local p=$1 n=$2 t=$3 server=@127.0.0.1 word
	shift 3
	for word; do
		[ "${word:0:1}" != @ ] || server=$word
	done
	dig -p "$p" +time=6 +tries=1 "$@" "$server" "$n" "$t"
}

# RDATA of the answers, sorted, one a line.
ask() { _dig "$@" +short | sort; }

# RCODE, or "timeout".
ask_status() {
	local s
	s=$(_dig "$@" +noall +comments | sed -n 's/.*status: \([A-Z]*\),.*/\1/p')
	echo "${s:-timeout}"
}

# Flags of the reply such as "qr aa rd".
ask_flags() { _dig "$@" +noall +comments | sed -n 's/^;; flags: \([a-z ]*\);.*/\1/p'; }

# The answer section as dig prints it, blanks squeezed, sorted.
ask_answer() { _dig "$@" +noall +answer | tr -s '\t ' ' ' | sort; }

# The authority section, blanks squeezed.
ask_authority() { _dig "$@" +noall +authority | tr -s '\t ' ' '; }

# Datagrams that the kernel has dropped because nobody read them in time: what is lost so on a machine
# that does not schedule a process for a while, no server can answer.
udp_dropped() { awk '$1 == "Udp:" && $6 ~ /^[0-9]+$/ { print $6 }' /proc/net/snmp; }

# none_lost FILE DROPPED-BEFORE DESCRIPTION: what gen printed there tells of answers, none bad, and of
# no more lost ones than the kernel has dropped meanwhile.
none_lost() {
	local got lost
	got=$(cat "$1")
	lost=$(sed -n 's/.* lost=\([0-9]*\) .*/\1/p' <<<"$got")
	grep -Eq 'answers=[1-9][0-9]* lost=[0-9]+ bad=0 ' <<<"$got" &&
		[ "$lost" -le $(($(udp_dropped) - $2)) ]
	ok "$3" || diag "got '$got', $2 dropped before, $(udp_dropped) now"
}

# --- other servers, and the lab

# nsd_server PORT [LINE...]: how a configuration of NSD begins that stays within $workdir.
nsd_server() {
	cat <<-EOT
	server:
	  server-count: 1
	  ip-address: 127.0.0.1@$1
	  username: ""
	  database: ""
	  pidfile: "$workdir/nsd.pid"
	  zonelistfile: "$workdir/nsd.list"
	  xfrdfile: "$workdir/nsd.xfrd"
	  xfrdir: "$workdir"
	  zonesdir: "$workdir"
	  rrl-ratelimit: 0
	EOT
	shift
	[ $# = 0 ] || printf '  %s\n' "$@"
	printf 'remote-control:\n  control-enable: no\n'
}

# copy_lab FORWARD: zones/ with ports of its own goes to $workdir, its Corefile is $corefile; $port.
# No one outside is asked: FORWARD is what sed does to a line of forward.
copy_lab() {
	port=$(free_port) corefile=$workdir/zones/lab/Corefile
	cp -r "$srcdir/zones" "$workdir/zones"
	chmod -R u+w "$workdir/zones"
	sed -i "s/:1053/:$port/; s/:18080/:$(free_port)/; s/:18181/:$(free_port)/; s/:19153/:$(free_port)/
		/^ *forward/$1; s/^\( *bind\).*/\1 127.0.0.1/" "$corefile"
}
