#!/bin/sh
# bootstrap.sh: everything from a bare Debian 12 to a running, tested or installed Seamark.
#
#   ./bootstrap.sh deps      install the Debian packages that building needs
#   ./bootstrap.sh build     configure and build in build/; the daemon is ./seamark
#   ./bootstrap.sh run       build and serve the lab cluster on 127.0.0.1:1053
#   ./bootstrap.sh check     build and run the whole test suite
#                            --sanitize: under AddressSanitizer and UBSan; --tsan: threads
#   ./bootstrap.sh bench     CPU per answer beside an echo loop, NSD and Knot; 'bench forward': of
#                            forwarding, beside dnsdist, Unbound and dnsmasq; 'bench cluster': start,
#                            memory and latency of changes with a large cluster
#   ./bootstrap.sh fuzz      each fuzz target for a minute, under AddressSanitizer and UBSan;
#                            'fuzz SECONDS [TARGET...]': for so long, only those
#   ./bootstrap.sh install   build and install (PREFIX, default /usr/local)
#
# Each step does the steps before it, and says what it does.
set -eu
cd "$(dirname "$0")"

say() { printf 'bootstrap: %s\n' "$*"; }
die() { printf 'bootstrap: %s\n' "$*" >&2; exit 1; }

build_packages="autoconf automake libtool make gcc libc6-dev pkg-config libuv1-dev libc-ares-dev
	libldns-dev libyaml-dev libcurl4-openssl-dev libssl-dev libmicrohttpd-dev liburcu-dev
	libpcre2-dev"
run_packages="bind9-dnsutils"
test_packages="libcmocka-dev libjansson-dev openssl curl clang bind9-dnsutils knot-dnsutils ldnsutils
	iproute2 procps python3 python3-yaml"

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null 2>&1; then
		sudo "$@"
	else
		die "need root, or sudo, to run: $*"
	fi
}

# Install what is missing of the packages named; quiet when nothing is.
need() {
	missing=
	for p in "$@"; do
		dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' ||
			missing="$missing $p"
	done
	[ -n "$missing" ] || return 0
	command -v apt-get >/dev/null 2>&1 ||
		die "please install what these Debian packages hold:$missing"
	say "installing$missing"
	as_root apt-get update -qq
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
		$missing >/dev/null
}

deps() {
	need $build_packages
	say "packages for building are there"
}

jobs=$(nproc 2>/dev/null || echo 1)
main=build     # the build tree; those with sanitizers and for fuzzing stand beside it
wants_tests=no # yes once the packages that tests need are there

# is_configured DIR: its build tree is up to date, and made for what is wanted now.
is_configured() {
	[ -e "$1/config.status" ] && [ ! configure -nt "$1/config.status" ] || return 1
	[ "$wants_tests" = no ] || grep -qxF 'S["HAVE_TESTS_TRUE"]=""' "$1/config.status" || return 1
	[ -z "${PREFIX:-}" ] || [ "$PREFIX" = "$(prefix_of "$1")" ]
}

prefix_of() { sed -n 's/^prefix = //p' "$1/Makefile"; }

# configure_in DIR ARGUMENTS...: an up-to-date build tree in DIR
configure_in() {
	dir=$1
	shift
	if [ ! -x configure ] || [ configure.ac -nt configure ] || [ Makefile.am -nt Makefile.in ]; then
		say "generating configure"
		autoreconf -fi >/dev/null 2>&1 || autoreconf -fi || return 1
	fi
	is_configured "$dir" && return 0
	if [ -e config.status ]; then
		say "removing a build from the source tree: configure makes no other beside it"
		make -s distclean >/dev/null || return 1
	fi
	prefix=${PREFIX:-$([ ! -e "$dir/Makefile" ] || prefix_of "$dir")}
	top=$(pwd)
	mkdir -p "$dir"
	say "configuring $dir $*"
	(cd "$dir" && "$top/configure" -q ${prefix:+--prefix="$prefix"} "$@")
}

build() {
	deps
	configure_in $main
	say "building with $jobs jobs"
	make -s -C $main -j"$jobs"
	ln -sfn $main/seamark seamark
	say "the daemon is ./seamark"
}

# What tests need, which a build tree that was made before may lack.
need_tests() {
	need $build_packages $test_packages
	wants_tests=yes
}

run() {
	need $run_packages
	build
	cat <<EOF

Seamark serves the lab cluster on 127.0.0.1:1053 (and [::1]:1053). In another terminal try:

  dig @127.0.0.1 -p 1053 web.shop.svc.cluster.local            # ClusterIP
  dig @127.0.0.1 -p 1053 _http._tcp.web.shop.svc.cluster.local SRV
  dig @127.0.0.1 -p 1053 db.data.svc.cluster.local             # headless, all endpoints
  dig @127.0.0.1 -p 1053 db-0.db.data.svc.cluster.local        # one pod of a StatefulSet
  dig @127.0.0.1 -p 1053 payments.shop.svc.cluster.local       # ExternalName
  dig @127.0.0.1 -p 1053 +tcp api.shop.svc.cluster.local AAAA  # dual stack, over TCP
  dig @127.0.0.1 -p 1053 dns-version.cluster.local TXT
  dig @127.0.0.1 -p 1053 -x 10.96.10.1                         # reverse
  dig @127.0.0.1 -p 1053 www.debian.org                        # relayed to your resolvers

Change a file in zones/lab/ and ask again. Why does a name not resolve?

  ./seamark explain jobs.shop.svc.cluster.local --control $main/control.sock

Control-C stops it.

EOF
	# a socket of its own: no root is needed, and a server of the host keeps the usual one
	exec ./seamark -conf zones/lab/Corefile -control $main/control.sock
}

# The last lines of a suite: totals over all test programs; CI reads the very last one.
totals() {
	awk '/^# PASS:/ { pass += $3 } /^# SKIP:/ { skip += $3 }
		/^# (FAIL|XPASS|ERROR):/ { fail += $3 }
		END { if (skip) printf "%d skipped\n", skip
			printf "%d passed, %d failed\n", pass, fail; exit fail > 0 || pass == 0 }' \
		"$1"
}

check_in() {
	dir=$1
	shift
	need_tests
	configure_in "$dir" "$@" || return 1
	say "building with $jobs jobs"
	make -s -C "$dir" -j"$jobs" || return 1
	[ "$dir" != $main ] || ln -sfn $main/seamark seamark
	say "building and running the tests"
	if ! make -C "$dir" -j"$jobs" check >"$dir/check.log" 2>&1; then
		grep -E '^(FAIL|ERROR|XPASS):|error:|\*\*\*' "$dir/check.log" || tail -n 40 "$dir/check.log"
		[ -e "$dir/test-suite.log" ] && tail -n 200 "$dir/test-suite.log"
	else
		grep -E '^(PASS|SKIP):' "$dir/check.log" || true
	fi
	totals "$dir/check.log"
}

# The same, with a sanitizer: what it finds in any process, also in daemons that tests start, fails.
check_sanitized() {
	dir=$1
	mkdir -p "$dir"
	rm -f "$dir"/report.*
	options="log_path=$(pwd)/$dir/report"
	export ASAN_OPTIONS="$options" UBSAN_OPTIONS="$options:print_stacktrace=1"
	export TSAN_OPTIONS="$options:suppressions=$(pwd)/tests/lib/tsan.supp"
	export SEEN_MS=1000 # changes may take longer to be seen
	rc=0
	check_in "$@" || rc=1
	for report in "$dir"/report.*; do
		[ -e "$report" ] || continue
		say "$report:"
		head -n 60 "$report"
		rc=1
	done
	return "$rc"
}

check() {
	case ${1:-} in
	"") check_in $main ;;
	--sanitize) check_sanitized build-sanitize --enable-sanitize=address,undefined ;;
	--tsan) check_sanitized build-tsan --enable-sanitize=thread ;;
	*) die "check knows --sanitize and --tsan, not $1" ;;
	esac
}

bench() {
	need_tests
	build
	cd $main
	export BUILDDIR="$PWD"
	make -s -j"$jobs" tests/bench/echo tests/bench/gen
	if [ "${1:-}" = cluster ]; then
		make -s -j"$jobs" tests/bench/probe tests/apisim/apisim
		exec ../tests/bench/cluster.sh
	elif [ "${1:-}" = forward ]; then
		exec ../tests/bench/forward.sh
	fi
	exec ../tests/bench/run.sh "$@"
}

fuzz() {
	need_tests
	configure_in build-fuzz CC=clang --enable-fuzz
	say "building the fuzz targets with $jobs jobs"
	make -s -C build-fuzz -j"$jobs" fuzz
	[ $# -gt 0 ] || set -- 60
	cd build-fuzz
	exec ../tests/fuzz/run.sh "$@"
}

install_all() {
	build
	say "installing to $(prefix_of $main)"
	as_root make -s -C $main install
	as_root ldconfig
}

[ $# -gt 0 ] || { sed -n '2,18s/^# \{0,1\}//p' "$0"; exit 1; }
step=$1
shift
case $step in
deps) deps ;;
build) build ;;
run) run ;;
check) check "$@" ;;
bench) bench "$@" ;;
fuzz) fuzz "$@" ;;
install) install_all ;;
-h | --help | help) sed -n '2,17s/^# \{0,1\}//p' "$0" ;;
*) die "no step '$step'; see ./bootstrap.sh help" ;;
esac
