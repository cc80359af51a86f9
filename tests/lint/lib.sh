# Sourced by the lint scripts: where the sources are, and the lists of files.
root=$(cd "${srcdir:-$(dirname "$0")/../..}" && pwd) || exit 99
lint=$root/tests/lint

# All C files of our own under the given directories.
sources() {
	(cd "$root" && find "$@" \( -name '*.c' -o -name '*.h' \) -type f | LC_ALL=C sort | sed "s|^|$root/|")
}

# Say what the rule is when it is broken, and pass the code on.
verdict() {
	[ "$1" -eq 0 ] || echo "$2" >&2
	exit "$1"
}
