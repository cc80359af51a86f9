#!/bin/sh
# Every plugin has a manual page with all its sections, in order, and an example that can be run.
. "${srcdir:-.}/tests/lint/lib.sh"
bad=0
for name in $(sed -n 's/^PLUGIN(\(.*\))$/\1/p' "$root/plugins/plugins.def"); do
	page=$root/plugins/$name/README.md
	if [ ! -f "$page" ]; then
		echo "plugins/$name: has no README.md"
		bad=1
		continue
	fi
	sections=$(grep -E '^## (Name|Description|Syntax|Metrics|Examples|See Also)$' "$page" | sed 's/## //' | tr '\n' ',')
	if [ "$sections" != "Name,Description,Syntax,Metrics,Examples,See Also," ]; then
		echo "plugins/$name/README.md: needs the sections Name, Description, Syntax, Metrics, Examples, See Also; has $sections"
		bad=1
	fi
	grep -q '^```corefile$' "$page" || {
		echo "plugins/$name/README.md: has no \`\`\`corefile example"
		bad=1
	}
	grep -q "^\*$name\* - " "$page" || {
		echo "plugins/$name/README.md: the name line must be: *$name* - what it does"
		bad=1
	}
done
verdict $bad "readmes: see plugins/whoami/README.md"
