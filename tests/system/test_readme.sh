#!/bin/sh
# Every example marked corefile in the READMEs is a configuration that this build accepts: it is parsed
# and set up, without opening a socket.
. "${srcdir:-.}/tests/lint/lib.sh"
daemon=${SEAMARK:-$PWD/seamark}
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT

# The files that examples of TLS name.
mkdir "$work/certs"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=example \
	-keyout "$work/certs/tls.key" -out "$work/certs/tls.crt" 2>/dev/null
cp "$work/certs/tls.crt" "$work/certs/clients.crt"

# Write the examples of a page to $work/LINE, each under the line it begins at.
extract() {
	awk -v work="$work" '
		/^(```|~~~) ?corefile$/ { file = work "/" (NR + 1); next }
		/^(```|~~~)/ { if (file != "") close(file); file = "" }
		file != "" { print > file }' "$1"
}

tried=0
bad=0
for page in "$root"/README.md "$root"/plugins/*/README.md; do
	find "$work" -maxdepth 1 -type f -delete
	extract "$page"
	for example in "$work"/*; do
		[ -f "$example" ] || continue
		tried=$((tried + 1))
		if ! out=$(cd "$work" && "$daemon" check "$example" 2>&1); then
			echo "${page#"$root"/}:$(basename "$example"): $out"
			bad=1
		fi
	done
done
echo "$tried examples tried"
[ "$tried" -gt 0 ] || exit 1
exit $bad
