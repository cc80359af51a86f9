#!/bin/sh
# Metrics are called coredns_ (compatible), seamark_ (ours) or process_, counters end in _total, and
# each is named in the README of its plugin, or of any plugin when it is the core's.
. "${srcdir:-.}/tests/lint/lib.sh"
bad=0
check() {
	awk -v path="${1#"$root"/}" '
		/struct metric_family/ { inside = 1; text = "" }
		inside { text = text $0 }
		inside && /;/ {
			inside = 0
			while (match(text, /\{?[ \t]*"[a-z0-9_]+",[ \t]*"/)) {
				name = substr(text, RSTART, RLENGTH)
				text = substr(text, RSTART + RLENGTH)
				gsub(/[^a-z0-9_]/, "", name)
				kind = text
				sub(/^[^"]*("[ \t]*"[^"]*)*",[ \t]*/, "", kind)
				print path, name, kind ~ /^METRIC_COUNTER/ ? "counter" : "other"
			}
		}' "$1"
}
names=$(for f in $(sources src plugins | grep '\.c$'); do check "$f"; done)
[ -n "$names" ] || { echo "no metric was found: the script is broken"; exit 1; }
while read -r path name kind; do
	case $name in
	coredns_*|seamark_*|process_*) ;;
	*) echo "$path: $name must start with coredns_, seamark_ or process_"; bad=1 ;;
	esac
	case $kind:$name in
	counter:*_total|other:*) ;;
	*) echo "$path: the counter $name must end in _total"; bad=1 ;;
	esac
	case $path in
	plugins/*)
		page=$root/$(echo "$path" | cut -d/ -f1-2)/README.md
		[ ! -f "$page" ] || grep -q "$name" "$page" || { echo "$page does not name $name"; bad=1; } ;;
	*)
		cat "$root"/plugins/*/README.md | grep -q "$name" ||
			{ echo "no README of a plugin names $name of $path"; bad=1; } ;;
	esac
done <<END
$names
END
verdict $bad "metric_names: dashboards depend on these names"
