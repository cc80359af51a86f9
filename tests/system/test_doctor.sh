#!/bin/bash
# seamark doctor: the broken set-ups that people meet, each made in a root directory of its own,
# told apart, and repaired where a file can do that.
. "$(dirname "$0")/lib.sh"

need "$seamark" python3
real=/run/systemd/resolve/resolv.conf

# new_root NAME: an empty root directory, $root
new_root() {
	root=$workdir/$1
	mkdir -p "$root/etc" "$root/run"
}

# put PATH: standard input becomes that file in the root
put() {
	mkdir -p "$root/$(dirname "$1")"
	cat >"$root/$1"
}

# resolved SERVER...: systemd-resolved runs and lists these
resolved() {
	{
		echo "# by systemd-resolved"
		for s in "$@"; do echo "nameserver $s"; done
	} | put $real
	printf 'nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch lan\n' |
		put /run/systemd/resolve/stub-resolv.conf
}

stub_link() { ln -s ../run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"; }

# kubelet [LINE...]: there is a kubelet with these lines in its configuration
kubelet() {
	{
		printf 'kind: KubeletConfiguration\nclusterDNS:\n- 10.96.0.10\n'
		for l in "$@"; do echo "$l"; done
	} | put /var/lib/kubelet/config.yaml
}

# sockets LINE...: /proc/net/udp of the root has "ADDRESS INODE" lines, hexadecimal addresses
sockets() {
	{
		echo '  sl  local_address rem_address   st'
		for l in "$@"; do
			echo "  1: ${l% *}:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 ${l#* } 2"
		done
	} | put /proc/net/udp
}

# process PID NAME [INODE]: a process, perhaps with that socket
process() {
	echo "$2" | put "/proc/$1/comm"
	printf '%s\0' "/usr/bin/$2" | put "/proc/$1/cmdline"
	mkdir -p "$root/proc/$1/fd"
	[ $# -lt 3 ] || ln -s "socket:[$3]" "$root/proc/$1/fd/3"
}

# doctor [ARGUMENT...]: $out, $err and $status; nothing is asked
doctor() {
	timeout 20 "$seamark" doctor --root "$root" --offline "$@" >"$workdir/out" 2>"$workdir/err"
	status=$?
	out=$(cat "$workdir/out") err=$(cat "$workdir/err")
}

# verdict CHECK: of its first line
verdict() { awk -v c="$1 " 'index($0, c) == 1 { print $(split(c, w, " ") + 1); exit }' <<<"$out"; }

# broken WHAT CHECK... : status 1, and just these checks are broken
broken() {
	local what=$1
	shift
	is "$status: $(grep -oE '^[a-z0-9. -]+[a-z0-9] +broken ' <<<"$out" | sed 's/ *broken $//' | sort -u | paste -sd,)" \
		"1: $(printf '%s\n' "$@" | sort -u | paste -sd,)" "$what" || diag "$out"
}

# healthy WHAT
healthy() {
	is "$status $(grep -c ' broken ' <<<"$out")" "0 0" "$1" || diag "$out"
}

# repaired WHAT: --fix links the real list, all is well then, and --undo gives the old file back
repaired() {
	local before after
	before=$(cd "$root/etc" && ls -l resolv.conf | cut -c1,11- | sed 's/.* resolv/resolv/'; cat resolv.conf 2>&1)
	doctor --fix
	is "$status $(readlink "$root/etc/resolv.conf")" "0 ..$real" "$1: repaired" || diag "$out$err"
	like "$err" "now leads to $real" "... and it says what was done"
	doctor --undo
	after=$(cd "$root/etc" && ls -l resolv.conf | cut -c1,11- | sed 's/.* resolv/resolv/'; cat resolv.conf 2>&1)
	is "$after" "$before" "... --undo puts the old file back"
	[ ! -e "$root/etc/resolv.conf.old" ] && [ ! -L "$root/etc/resolv.conf.old" ]
	ok "... and nothing stays behind"
}

# refused WHAT REGEX: --fix changes nothing and says why
refused() {
	local before after
	before=$(ls -la "$root/etc" | tail -n +4; cat "$root/etc/resolv.conf" 2>&1)
	doctor --fix
	like "$status $err" "^1 .*$2" "$1: --fix refuses"
	after=$(ls -la "$root/etc" | tail -n +4; cat "$root/etc/resolv.conf" 2>&1)
	is "$after" "$before" "... and changes nothing"
}

# --- healthy ones

new_root plain
echo "nameserver 192.0.2.1" >"$root/etc/resolv.conf"
doctor
healthy "6.30: a file with a real server is healthy"
doctor --fix
like "$status $err" '^0 .*needs no repair' "and needs no repair"
kubelet
doctor
healthy "6.30: also where a kubelet gives it to pods"

new_root good
resolved 192.0.2.1 2001:db8::1
stub_link
kubelet "resolvConf: $real"
doctor
healthy "6.30: the stub for the host and the real list for pods, as kubeadm sets it up, is healthy"
like "$out" "systemd-resolved +ok .*lists 192.0.2.1, 2001:db8::1" "the list is told"
doctor --fix
like "$status $err" '^0 .*needs no repair' "and needs no repair"

# --- the stub reaches pods

new_root stub
resolved 192.0.2.1
stub_link
doctor
healthy "without a kubelet the stub is no fault of the host"
is "$(verdict loop)" warning "but a warning for containers"
doctor --fix
like "$status $err" '^0 .*needs no repair' "and stays what it is"
kubelet
doctor
broken "6.30: the kubelet hands the stub to pods (c#2087, kubeadm#1162)" kubelet loop
like "$out" "127.0.0.53, which is the stub of systemd-resolved" "the address is named"
like "$out" "remedy: set resolvConf: $real in /var/lib/kubelet/config.yaml" "and the remedy"
repaired "6.30: the kubelet hands the stub to pods"

new_root written
resolved 192.0.2.1
echo "nameserver 127.0.0.53" >"$root/etc/resolv.conf"
kubelet
doctor
broken "6.30: the stub is written into a plain file" kubelet loop
repaired "6.30: the stub in a plain file"

new_root absolute
resolved 192.0.2.1
ln -s /run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"
kubelet
doctor
broken "6.30: an absolute link is followed inside the root" kubelet loop
repaired "6.30: the stub behind an absolute link"

new_root flag
resolved 192.0.2.1
stub_link
kubelet "resolvConf: $real"
echo 'KUBELET_KUBEADM_ARGS="--resolv-conf=/etc/resolv.conf --v=2"' | put /var/lib/kubelet/kubeadm-flags.env
doctor
broken "6.30: a flag of the kubelet wins over its file (c#2795)" kubelet loop
like "$out" 'resolv-conf of /var/lib/kubelet/kubeadm-flags.env' "and is named"
repaired "6.30: a flag wins"
process 77 kubelet
printf '/usr/bin/kubelet\0--resolv-conf\0%s\0' $real | put /proc/77/cmdline
doctor
healthy "6.30: what the running kubelet was told wins over all files"

new_root k3s
resolved 192.0.2.1
stub_link
echo "resolv-conf: /etc/resolv.conf" | put /etc/rancher/k3s/config.yaml
doctor
broken "6.30: k3s is told to use the stub" kubelet loop

# --- other loopback addresses

new_root dnsmasq
printf '# Generated by NetworkManager\nnameserver 127.0.1.1\n' >"$root/etc/resolv.conf"
kubelet
doctor
broken "6.30: NetworkManager's dnsmasq, 127.0.1.1, reaches pods (d#288)" kubelet loop
like "$out" 'the dnsmasq that NetworkManager starts' "and is told from the stub"
refused "6.30: with no other list" 'left without a resolver'
echo "nameserver 192.0.2.9" | put /run/NetworkManager/no-stub-resolv.conf
doctor --fix
is "$status $(readlink "$root/etc/resolv.conf")" "0 ../run/NetworkManager/no-stub-resolv.conf" \
	"6.30: NetworkManager's own list takes its place"

new_root docker
echo "nameserver 127.0.0.11" >"$root/etc/resolv.conf"
kubelet
doctor
broken "6.30: Docker's own DNS in a node that is a container (kind, minikube)" kubelet loop
like "$out" "127.0.0.11, which is Docker's own DNS" "and is told from the stub"

# --- nothing there

new_root empty
: >"$root/etc/resolv.conf"
kubelet
doctor
broken "6.30: an empty file means 127.0.0.1 to programs (c#2391)" resolv.conf kubelet
like "$out" 'names no server: programs then ask 127.0.0.1' "and that is told"
refused "6.30: an empty file and no list" 'left without a resolver'
resolved 192.0.2.1
repaired "6.30: an empty file"

new_root dangling
stub_link
doctor
broken "6.30: the link leads nowhere: systemd-resolved is gone" resolv.conf
like "$out" 'stub-resolv.conf: nothing is there' "and that is told"
refused "6.30: a link that leads nowhere and no list" 'left without a resolver'

new_root nothing
doctor
broken "6.30: there is no resolv.conf" resolv.conf
resolved 192.0.2.1
doctor --fix
is "$status $(readlink "$root/etc/resolv.conf")" "0 ..$real" "6.30: and one is made"
like "$err" 'there was no file before$' "... and no old one is spoken of"
doctor --undo
like "$status $err" '^1 .*nothing to undo' "there is no old one to put back"

new_root nopods
resolved 192.0.2.1
kubelet
doctor
broken "6.30: no resolv.conf, and a kubelet that gives it to pods" resolv.conf kubelet
like "$out" "no pod can start\$" "and what follows is told"
like "$out" "remedy: set resolvConf: $real in /var/lib" "and the list that it can have instead"

new_root directory
mkdir "$root/etc/resolv.conf"
resolved 192.0.2.1
doctor
broken "6.30: a directory stands where a file was to be mounted" resolv.conf
like "$out" 'remedy: remove the directory' "and that is told"
refused "6.30: a directory" 'is a directory: remove it first'

new_root odd
printf 'nameserver 192.0.2.1\nnameserver none\n' >"$root/etc/resolv.conf"
doctor
like "$out" 'lines or words that mean nothing: 1$' "a line that means nothing is a warning"

new_root other
resolved 192.0.2.1
echo "nameserver 192.0.2.1" >"$root/etc/resolv.conf"
echo "nameserver 127.0.0.53" >"$root/etc/pods.conf"
kubelet "resolvConf: /etc/pods.conf"
doctor
broken "6.30: the kubelet hands out a file of its own with the stub" kubelet loop
is "$(grep -c "remedy: set resolvConf: $real" <<<"$out")" 2 "which --fix does not touch: both remedies are the kubelet's"

# --- another user

new_root secret
resolved 192.0.2.1
echo "nameserver 192.0.2.1" >"$root/etc/resolv.conf"
kubelet
chmod 755 "$workdir"
chmod 000 "$root/etc/resolv.conf" "$root/var/lib/kubelet/config.yaml"
if command -v setpriv >/dev/null && [ "$(id -u)" = 0 ]; then
	nobody=$(command -v setpriv)
	# shellcheck disable=SC2209
	out=$("$nobody" --reuid=65534 --clear-groups "$seamark" doctor --root "$root" --offline 2>&1)
	is "$? $(grep -c ' broken ' <<<"$out")" "0 0" "a file that this user may not read proves nothing" || diag "$out"
	like "$out" 'resolv.conf +warning +/etc/resolv.conf cannot be read by this user' "and that is told"
	like "$out" 'kubelet +warning +/var/lib/kubelet/config.yaml cannot be read by this user' "of each file"
	out=$("$nobody" --reuid=65534 --clear-groups "$seamark" doctor --root "$root" --offline --fix 2>&1 >/dev/null)
	like "$? $out" '^1 .*/etc/resolv.conf: Permission denied: run it as root' "--fix refuses to replace it"
fi
chmod 644 "$root/etc/resolv.conf" "$root/var/lib/kubelet/config.yaml"

new_root nolist
resolved
stub_link
kubelet
doctor
broken "6.30: the stub has no server behind it" systemd-resolved kubelet loop
refused "6.30: the stub has no server behind it" 'left without a resolver'

new_root missing
echo "nameserver 192.0.2.1" >"$root/etc/resolv.conf"
kubelet "resolvConf: $real"
doctor
broken "6.30: kubelet's resolvConf is not there, because systemd-resolved does not run" kubelet
like "$out" "No such file or directory: no pod can start" "and what follows is told"
like "$out" "set resolvConf in /var/lib/kubelet/config.yaml to /etc/resolv.conf" "and the remedy"

new_root nopods
echo "nameserver 192.0.2.1" >"$root/etc/resolv.conf"
kubelet 'resolvConf: ""'
doctor
is "$status $(verdict kubelet)" "0 warning" "6.30: an empty resolvConf gives pods no server"

# --- who listens

new_root stopped
resolved 192.0.2.1
stub_link
kubelet "resolvConf: $real"
sockets
doctor
broken "6.30: the stub does not listen" resolv.conf
like "$out" '127.0.0.53, where no program listens' "and that is told"
repaired "6.30: the stub does not listen"
sockets "3500007F 4711"
process 612 systemd-resolve 4711
doctor
healthy "6.30: a stub that listens is healthy"
like "$out" 'port 53 +ok +127.0.0.53:53 UDP is systemd-resolve \(612\)' "port 53 is told, by whom"
sockets "00000000 4712"
process 613 dnsmasq 4712
doctor
like "$out" 'port 53 +warning +0.0.0.0:53 UDP is dnsmasq \(613\)' "6.30: a server on all addresses is told"

# --- loops that a file cannot mend

new_root clusterdns
resolved 10.96.0.10
stub_link
kubelet "resolvConf: $real"
doctor
broken "6.30: systemd-resolved was given the cluster's own DNS" kubelet loop
like "$out" "lists 10.96.0.10, which is the cluster's own DNS" "and that is told"
like "$out" 'Domains=~cluster.local' "and how to do it instead"
echo "nameserver 127.0.0.53" >"$root/etc/resolv.conf.x"
mv "$root/etc/resolv.conf.x" "$root/etc/resolv.conf"
kubelet
refused "6.30: the list leads back" 'left without a resolver'

new_root ourselves
resolved 192.0.2.7
stub_link
sockets "070200C0 4713" "3500007F 4711"
process 900 coredns 4713
process 612 systemd-resolve 4711
doctor
like "$status $out" "lists 192.0.2.7, which is a cluster's DNS server on this host" \
	"6.30: systemd-resolved was given a cluster's DNS server on the same host"

# --- split DNS

new_root vpn
resolved 192.0.2.1
ln -s ../run/systemd/resolve/resolv.conf "$root/etc/resolv.conf"
printf 'OPER_STATE=routable\nDNS=192.0.2.1\nDOMAINS=lan\n' | put /run/systemd/netif/links/2
doctor
like "$out" 'split DNS +ok ' "a search domain of the only link is no split"
resolved 192.0.2.1 10.8.0.1
printf 'SERVERS=10.8.0.1\nDOMAINS=~corp.example\n' | put /run/systemd/resolve/netif/5
doctor
is "$status $(verdict "split DNS")" "0 warning" "a VPN with a domain of its own"
like "$out" 'systemd-resolved sends corp.example. to 10.8.0.1' "is told"
like "$out" 'write forward . systemd-resolved in the Corefile' "with what to write"

# --- search list

new_root search
{
	echo "nameserver 192.0.2.1"
	echo "search $(seq -f 'd%g.example' -s ' ' 30)"
} >"$root/etc/resolv.conf"
kubelet
doctor
broken "a search list that is too long for pods" search
echo "search a.example b.example
options ndots:5
nameserver 192.0.2.1" >"$root/etc/resolv.conf"
doctor
is "$status $(verdict search)" "0 warning" "ndots on the host costs questions"
like "$out" 'ndots:5: a pod asks up to 12 questions' "how many is told"

# --- what --fix and --undo leave alone

new_root twice
resolved 192.0.2.1
stub_link
kubelet
echo kept >"$root/etc/resolv.conf.old"
refused "an old file of an earlier repair" 'from an earlier repair'
doctor --undo
like "$status $err" '^1 .*is not what --fix left there' "--undo takes back only what --fix made"
is "$(cat "$root/etc/resolv.conf.old")" kept "and keeps the old file"

new_root hostile
resolved 192.0.2.1
kubelet
mkdir -p "$workdir/outside"
echo "nameserver 127.0.0.53" >"$workdir/outside/resolv.conf"
rmdir "$root/etc"
ln -s "../../../../../../../..$workdir/outside" "$root/etc"
doctor --fix
is "$(cat "$workdir/outside/resolv.conf")" "nameserver 127.0.0.53" "links in a root do not lead out of it"

# --- asking

up=$builddir/tests/system/upstream
if [ -x "$up" ]; then
	port=$(free_port)
	spawn "$workdir/up.log" "$up" "$port" 192.0.2.1
	wait_for 30 dig @127.0.0.1 -p "$port" +time=1 +tries=1 www.example A
	new_root asking
	resolved 127.0.0.1
	ln -s ../run/systemd/resolve/resolv.conf "$root/etc/resolv.conf"
	timeout 20 "$seamark" doctor --root "$root" --port "$port" >"$workdir/out"
	like "$(cat "$workdir/out")" '127.0.0.1: UDP answers.*, TCP answers' "an upstream that answers over UDP and TCP"
	stop_daemon "$spawned"
	timeout 20 "$seamark" doctor --root "$root" --port "$port" >"$workdir/out"
	like "$? $(cat "$workdir/out")" '^1 .*' "an upstream that does not answer is broken"
	like "$(cat "$workdir/out")" 'upstream +broken +127.0.0.1: UDP Connection refused, TCP Connection refused' "and that is told"
fi

# --- for machines, and what is refused

root=$workdir/stub
doctor --json
is "$(python3 -c 'import json,sys
print(",".join(sorted(f["check"] for f in json.load(sys.stdin) if f["verdict"] == "broken" and f["remedy"])))' <<<"$out")" \
	"kubelet,loop" "--json is an array that says the same"
for bad in --bogus --port "--port=0" "--root" "--root $workdir/nowhere" "--fix --undo"; do
	# shellcheck disable=SC2086
	err=$(timeout 10 "$seamark" doctor $bad 2>&1 >"$workdir/out")
	like "$? $err" '^2 .*' "'$bad' is refused"
done
done_testing
