#!/bin/sh
# Bare assert() is for tests; the rest has must() and assume().
. "${srcdir:-.}/tests/lint/lib.sh"
if sources src plugins include | xargs grep -nE '(^|[^_a-zA-Z])assert\(|<assert\.h>'; then
	verdict 1 "no_assert: use must(), or assume() for what the lines above prove"
fi
exit 0
