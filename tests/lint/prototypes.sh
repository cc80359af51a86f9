#!/bin/sh
# Every prototype in a header has a sentence above it, and every header says what it is for.
. "${srcdir:-.}/tests/lint/lib.sh"
headers=$(sources src plugins include | grep '\.h$')
awk -v root="$root" -f "$lint/prototypes.awk" $headers
bad=$?
for h in $headers; do
	case $(head -n 1 "$h") in
	/\**) ;;
	*) echo "${h#"$root"/}: does not open with a comment that says what it is"; bad=1 ;;
	esac
done
verdict $bad "prototypes: write the sentence a caller needs: units, ownership, errors"
