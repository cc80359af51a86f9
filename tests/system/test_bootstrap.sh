#!/bin/bash
# bootstrap.sh on a machine that lacks packages first, and in a tree that was built before: with
# programs in the place of dpkg, configure and make that note what they are asked.
. "$(dirname "$0")/lib.sh"

tree=$workdir/tree
notes=$workdir/notes
mkdir -p "$tree" "$workdir/bin" "$workdir/packages"
cp "$srcdir/bootstrap.sh" "$tree/"
touch "$tree/configure.ac" "$tree/Makefile.am" "$tree/Makefile.in"

# program PATH: standard input becomes a program there
program() {
	{ echo '#!/bin/sh' && cat; } >"$1"
	chmod +x "$1"
}

# a package is there when it has a file in $workdir/packages
program "$workdir/bin/dpkg-query" <<END
for name; do :; done
[ ! -e "$workdir/packages/\$name" ] || echo 'install ok installed'
END
program "$workdir/bin/apt-get" <<END
[ "\$1" = install ] || exit 0
for name; do case \$name in -* | install) ;; *) touch "$workdir/packages/\$name" ;; esac; done
END
program "$workdir/bin/make" <<END
echo "make \$*" >>"$notes"
case "\$*" in
*distclean) rm -f config.status ;;
*check) echo '# PASS: 1' ;;
*build*) cp "$workdir/daemon" build/seamark ;;
esac
END
program "$workdir/daemon" <<END
echo "seamark \$*" >>"$notes"
END
for name in sudo ldconfig; do echo 'exec "$@"' | program "$workdir/bin/$name"; done
: | program "$workdir/bin/ldconfig"
: | program "$workdir/bin/autoreconf"
# like autoconf's: no build beside one in the source tree, and tests only where cmocka is
program "$tree/configure" <<END
echo "configure \$*" >>"$notes"
[ ! -e "$tree/config.status" ] || exit 1
[ -e "$workdir/packages/libcmocka-dev" ] && no= || no='#'
echo "S[\\"HAVE_TESTS_TRUE\\"]=\\"\$no\\"" >config.status
prefix=/usr/local
for a; do case \$a in --prefix=*) prefix=\${a#*=} ;; esac; done
echo "prefix = \$prefix" >Makefile
END

# bootstrap ARGUMENT...: $out and $status; $notes has what was done
bootstrap() {
	: >"$notes"
	out=$(PATH=$workdir/bin:$PATH timeout 20 "$tree/bootstrap.sh" "$@" 2>&1)
	status=$?
}

bootstrap build
is "$status $(grep -c ^configure "$notes")" "0 1" "a first build configures" || diag "$out"
is "$(readlink "$tree/seamark")" build/seamark "and the daemon is ./seamark"
bootstrap build
is "$status $(grep -c ^configure "$notes")" "0 0" "a second one does not"
bootstrap check
is "$status $(tail -n 1 <<<"$out")" "0 1 passed, 0 failed" "check works behind it"
is "$(grep -c ^configure "$notes")" 1 "and configures again, because the packages for tests came later"
rm "$tree/seamark"
bootstrap check
is "$status $(grep -c ^configure "$notes")" "0 0" "but once"
is "$(readlink "$tree/seamark")" build/seamark "and makes ./seamark, too"
for other in "check --sanitize" "check --tsan"; do
	# shellcheck disable=SC2086
	bootstrap $other
	is "$status $(grep -c ^configure "$notes")" "0 1" "$other has a tree of its own" || diag "$out"
done
PREFIX=/opt/seamark bootstrap install
is "$status $(grep '^configure' "$notes")" "0 configure -q --prefix=/opt/seamark" "another PREFIX configures again"
like "$out" 'installing to /opt/seamark$' "and is told"
bootstrap install
like "$out" 'installing to /opt/seamark$' "and stays"
touch "$tree/config.status"
bootstrap build
is "$status $(grep -c distclean "$notes")" "0 0" "a build in the source tree hinders none that is up to date"
touch -d '+1 minute' "$tree/configure"
bootstrap build
is "$status $(grep -c distclean "$notes")" "0 1" "and is removed before another is configured" || diag "$out"
like "$(grep ^configure "$notes")" 'prefix=/opt/seamark' "which has the PREFIX of the last"
bootstrap run
is "$status $(grep ^seamark "$notes")" "0 seamark -conf zones/lab/Corefile -control build/control.sock" \
	"run serves the lab, with a control socket that no other server has"
like "$out" '^  ./seamark explain .* --control build/control.sock$' "and tells how to use it"
for bad in "" "nothing" "check --nothing"; do
	# shellcheck disable=SC2086
	bootstrap $bad
	is "$status" 1 "'$bad' is refused"
done
done_testing
