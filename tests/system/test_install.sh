#!/bin/bash
# What `make install` installs works: the daemon, and the library with its header and pkg-config
# file, from which the example of the documentation is built.
. "$(dirname "$0")/lib.sh"

[ -x "$seamark" ] && [ -e "$builddir/Makefile" ] || skip_all "no build directory"
variable() { sed -n "s/^$1 = //p" "$builddir/Makefile" | head -n 1; }
variable SEAMARK_CFLAGS | grep -q fsanitize=fuzzer && skip_all "a build for fuzzing"

dest=$workdir/root
prefix=$(variable prefix)
cc=$(variable CC)
flags=$(variable SEAMARK_LDFLAGS)

# The make that runs the tests has its own flags and jobs.
env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -s -C "$builddir" install DESTDIR="$dest" \
	>"$workdir/install.log" 2>&1
ok "make install works with DESTDIR" || diag "$(tail -n 20 "$workdir/install.log")"

pc=$(find "$dest" -name seamark.pc)
export PKG_CONFIG_PATH=${pc%/*} PKG_CONFIG_SYSROOT_DIR=$dest
export PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 PKG_CONFIG_ALLOW_SYSTEM_LIBS=1
library=$(find "$dest" -name 'libseamark.so')
export LD_LIBRARY_PATH=${library%/*}

is "$(pkg-config --modversion seamark)" "$("$seamark" -version | grep -Eo '[0-9]+\.[0-9]+\.[0-9]+' |
	head -n 1)" "pkg-config and the daemon say the same version"

# --- the library

symbols=$(nm -D --defined-only "$library" | awk '{ print $3 }' |
	grep -Ev '^(__asan_|__odr_asan|__ubsan_|_init$|_fini$|__bss_start$|_edata$|_end$)')
like "$symbols" '^sm_start$' "the library exports the API"
is "$(grep -v '^sm_' <<<"$symbols")" "" "the library exports nothing else"
declared=$(grep -Eo '\bsm_[a-z_]+\(' "$srcdir/include/seamark.h" | tr -d '(' | sort -u)
declared=$(comm -12 <(echo "$declared") <(sed -n 's/^SM_API .*\b\(sm_[a-z_]*\)(.*/\1/p' \
	"$srcdir/include/seamark.h" | sort -u))
is "$(sort <<<"$symbols")" "$declared" "it exports all that the header declares"
unlike "$(ldd "$library")" 'not found' "it finds the libraries it needs"

echo '#include <seamark.h>' >"$workdir/header.c"
$cc -std=c11 -Wall -Wextra -Wpedantic -Werror -fsyntax-only \
	$(pkg-config --cflags seamark) "$workdir/header.c" 2>"$workdir/header.log"
ok "the header stands alone in C11" || diag "$(cat "$workdir/header.log")"

$cc -std=c11 -Wall -Wextra -Werror "$srcdir/examples/embed.c" \
	$(pkg-config --cflags --libs seamark) $flags -o "$workdir/embed" 2>"$workdir/cc.log"
ok "the example builds with what pkg-config says" || diag "$(cat "$workdir/cc.log")"

# --- the example serves

port=$(free_port)
mkfifo "$workdir/stdin"
exec 3<>"$workdir/stdin" # both ways, so that neither side waits for the other to open it
spawn "$workdir/embed.log" bash -c 'exec "$0" "$1" <"$2" 3<&-' "$workdir/embed" "$port" \
	"$workdir/stdin"
embed=$spawned
wait_for 100 grep -q " on 127.0.0.1$" "$workdir/embed.log"
ok "the example says what it serves" || diag "$(cat "$workdir/embed.log")"
is "$(ask "$port" web.shop.svc.cluster.local A)" 10.0.0.1 "it answers its own service"
is "$(ask "$port" _http._tcp.web.shop.svc.cluster.local SRV +tcp)" \
	"0 100 80 web.shop.svc.cluster.local." "over TCP too"
is "$(ask_status "$port" other.shop.svc.cluster.local A)" NXDOMAIN "and denies another"
echo >&3
exec 3>&-
wait_gone "$embed" 100
ok "it ends on a line of input"
like "$(cat "$workdir/embed.log")" '^[0-9]+ answers$' "and says how much it answered"
unlike "$(cat "$workdir/embed.log")" 'ERROR|runtime error|Sanitizer' "without a complaint"

# --- the daemon

seamark=$dest$(sed "s|^\${exec_prefix}|$prefix|; s|^\${prefix}|$prefix|" <<<"$(variable bindir)")/seamark
port=$(free_port)
start_daemon installed <<CONFIG
.:$port {
	bind 127.0.0.1
	whoami
}
CONFIG
wait_answer "$port" web A
ok "the installed daemon answers" || diag "$(cat "$workdir/installed.log")"
stop_daemon "$daemon"
is $? 0 "and ends well"
[ -e "$dest$prefix/share/seamark/zones/rfc6303.conf" ]
ok "the shipped zones are installed"

# --- manual pages

man=$(dirname "$(dirname "$(find "$dest" -name seamark.8)")")
missing=
for name in $("$seamark" -plugins); do
	[ -s "$man/man7/seamark-$name.7" ] || missing="$missing $name"
done
is "$missing" "" "each plugin has a manual page"
missing=
for flag in $("$seamark" -help | sed -n 's/^  \(-[a-z.-]*\) .*/\1/p'); do
	grep -qF "fB$(sed 's/-/\\-/g' <<<"$flag")" "$man/man8/seamark.8" || missing="$missing $flag"
done
is "$missing" "" "that of the daemon has each flag"
if command -v groff >/dev/null; then
	is "$(cat "$man"/man?/seamark*.? | grep -c '[`]')" 0 "no mark of the READMEs is left in them"
	is "$(for page in "$man"/man?/seamark*.?; do
		groff -t -man -Tutf8 -ww -rLL=100n "$page" 2>&1 >/dev/null | grep -v "can't break line"
	done)" "" "groff finds nothing wrong in them"
fi

# --- the image

# every library that the daemon is linked with comes from a package that the Dockerfile installs
if command -v readelf >/dev/null && command -v dpkg >/dev/null; then
	packages=$(tr -s ' \\\t' '\n' <"$srcdir/deploy/Dockerfile")
	missing=
	for name in $(readelf -d "$seamark" | sed -n 's/.*NEEDED.*\[\(.*\)\].*/\1/p' |
		grep -Ev '^(libc|libm|libgcc_s|lib(a|t|ub)san|ld-linux[^.]*)\.so'); do
		package=$(dpkg -S "*/$name" 2>/dev/null | sed 's/:.*//' | sort -u)
		[ -z "$package" ] || grep -qxF "$package" <<<"$packages" || missing="$missing $package"
	done
	is "$missing" "" "deploy/Dockerfile installs the libraries of the daemon"
fi
is "$(sed -n '/^[^#!]/{ s|/$||; /^\//!s|^|**/|; s|^/||; p; }' "$srcdir/.gitignore" |
	grep -vxFf "$srcdir/.dockerignore")" "" "no file of a build in the tree gets into the image"

env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -s -C "$builddir" uninstall DESTDIR="$dest" \
	>/dev/null 2>&1
is "$(find "$dest" ! -type d)" "" "make uninstall leaves no file"
done_testing
