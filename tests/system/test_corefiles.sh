#!/bin/bash
# The Corefiles that distributions ship: each parses; each plugin in it that is not part of this
# version is named in one error with file and line; without those directives it is good as it is.
. "$(dirname "$0")/lib.sh"

[ -x "$seamark" ] || skip_all "$seamark is not built"

# directives FILE: "LINE NAME" of each directive of a server block
directives() {
	awk '{ sub(/#.*/, "") }
		depth == 1 && $1 != "}" && NF > 0 { print NR, $1 }
		/\{$/ { depth++ }
		$1 == "}" { depth-- }' "$1"
}

# without FILE: its text without the directives (blocks included) whose lines are standard input
without() {
	awk 'NR == FNR { gone[$1] = 1; next }
		FNR in gone { skip = /\{$/ ? 1 : 0; next }
		skip { if ($1 == "}") skip = 0; next }
		{ print }' - "$1"
}

have=$("$seamark" -plugins)
echo "nameserver 192.0.2.1" >"$workdir/resolv.conf"
echo "192.0.2.2 node.example" >"$workdir/hosts"
cat >"$workdir/kubeconfig" <<'CONFIG'
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://192.0.2.3:6443"}}]
users: [{name: u, user: {token: t}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
CONFIG

# localised FILE: with what is on a node or in a pod found in $workdir
localised() {
	sed -e "s|/etc/resolv.conf|$workdir/resolv.conf|" \
		-e "s|/etc/coredns/NodeHosts|$workdir/hosts|" \
		-e "s|/etc/pki/dns.corp/ca-bundle.crt|$workdir/ca.crt|" \
		-e 's/__PILLAR__[A-Z_]*__/192.0.2.4/' \
		-e "s|^\( *\)pods insecure|&\n\1kubeconfig $workdir/kubeconfig|" "$1"
}
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=test \
	-keyout /dev/null -out "$workdir/ca.crt" 2>/dev/null

for file in "$srcdir"/tests/data/corefiles/*; do
	name=${file##*/}
	missing=$(directives "$file" | while read -r line plugin; do
		grep -qx "$plugin" <<<"$have" || [ "$plugin" = import ] || echo "$line $plugin"
	done)
	said=$("$seamark" check "$file" 2>&1)
	status=$?

	if [ -n "$missing" ]; then
		is "$status" 1 "$name: check says that plugins are missing"
		is "$(sed -n "s|^\(\[ERROR\] \)\{0,1\}$file:\([0-9]*\) - plugin '\(.*\)' is not part of .*|\2 \3|p" \
			<<<"$said" | sort -n)" "$missing" "$name: each is named once, with its line"
		is "$(grep -v "is not part of this version" <<<"$said" |
			grep -v '^\[WARNING\] No files matching import glob')" "" \
			"$name: nothing else is complained about"
	fi

	localised <(without "$file" <<<"$missing") >"$workdir/$name"
	said=$("$seamark" check "$workdir/$name" 2>&1 | grep -v '^\[WARNING\] No files matching import')
	if grep -q 'plain DNS' <<<"$said"; then # openshift: an upstream over TLS
		is "$said" "$workdir/$name:4 - plugin/forward: 'tls://10.1.0.54': only servers that \
speak plain DNS are supported, by UDP and TCP" "$name: an upstream over TLS is named with its line"
		sed -i -e 's| tls://[^ ]*||' -e '/^ *tls/d' "$workdir/$name"
		said=$("$seamark" check "$workdir/$name" 2>&1)
	fi
	is "$said" "$workdir/$name: good" "$name: the rest of it is good"
done
done_testing
