#!/bin/sh
# Functions and files that ARCHITECTURE.md, HACKING.md and README.md name must exist.
cd "$(dirname "$0")/../.." || exit 2
bad=0

for name in $(grep -oh '`[a-z0-9_]*()`' ARCHITECTURE.md HACKING.md README.md | tr -d '`()' | sort -u); do
	case $name in
	sm_*) where=include/seamark.h ;;
	*) where="src plugins" ;;
	esac
	# shellcheck disable=SC2086
	grep -rqE "(^|[ *(])$name\(" --include='*.[ch]' $where || {
		echo "docs: there is no function $name()"
		bad=1
	}
done
for path in $(grep -ohE '`(src|plugins|tests|docs|zones|examples|include)/[A-Za-z0-9_./-]*`|\]\([a-zA-Z][A-Za-z0-9_./-]*\)' \
	ARCHITECTURE.md HACKING.md README.md | tr -d '`()]' | sort -u); do
	case $path in
	*NAME*) continue ;;
	esac
	[ -e "$path" ] || {
		echo "docs: there is no $path"
		bad=1
	}
done
exit $bad
