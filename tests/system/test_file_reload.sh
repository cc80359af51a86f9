#!/bin/bash
# Zone and hosts files are read again while the daemon runs: rewritten, renamed over, and behind the
# symbolic links of a Kubernetes volume; what is broken changes nothing.
. "$(dirname "$0")/lib.sh"

need dig "$seamark"

port=$(free_port)
zone() { printf '@ 60 SOA ns h %s 2 3 4 5\nwww 60 A %s\n' "$1" "$2"; }
mkdir -p "$workdir/volume/..1"
zone 1 192.0.2.1 >"$workdir/plain.zone"
zone 1 192.0.2.1 >"$workdir/volume/..1/linked.zone"
ln -s ..1 "$workdir/volume/..data"
ln -s ..data/linked.zone "$workdir/volume/linked.zone"
echo "192.0.2.1 host.lan" >"$workdir/hosts"
cat >"$workdir/Corefile" <<EOT
.:$port {
    bind 127.0.0.1
    file plain.zone plain.test
    file volume/linked.zone linked.test
    file late.zone late.test {
        reload 1s
    }
    hosts hosts lan
}
EOT
spawn "$workdir/log" "$seamark" -conf "$workdir/Corefile"
wait_answer "$port" plain.test SOA
ok "relative files are found beside the Corefile" || diag "$(cat "$workdir/log")"

answers() { [ "$(ask "$port" "$1" A)" = "$2" ]; }
is "$(ask_status "$port" www.late.test A)" SERVFAIL "a zone without a file fails"

zone 2 192.0.2.2 >"$workdir/plain.zone"
wait_for 100 answers www.plain.test 192.0.2.2
ok "a rewritten file is taken"
zone 3 192.0.2.3 >"$workdir/new" && mv "$workdir/new" "$workdir/plain.zone"
wait_for 100 answers www.plain.test 192.0.2.3
ok "a file renamed over it is taken"
echo "www 60 A not-an-address" >>"$workdir/plain.zone"
wait_for 100 grep -q "plain.zone:3: " "$workdir/log"
ok "a broken one is reported with its line"
is "$(ask "$port" www.plain.test A)" 192.0.2.3 "and changes no answer"
rm "$workdir/plain.zone"
is "$(ask "$port" www.plain.test A)" 192.0.2.3 "nor does a lost one"

mkdir "$workdir/volume/..2"
zone 2 192.0.2.2 >"$workdir/volume/..2/linked.zone"
ln -s ..2 "$workdir/volume/..tmp" && mv -T "$workdir/volume/..tmp" "$workdir/volume/..data"
wait_for 100 answers www.linked.test 192.0.2.2
ok "the swapped link of a volume is followed"

zone 1 192.0.2.9 >"$workdir/late.zone"
wait_for 100 answers www.late.test 192.0.2.9
ok "a file that comes late is taken"

echo "192.0.2.2 host.lan" >"$workdir/hosts"
wait_for 100 answers host.lan 192.0.2.2
ok "a changed hosts file is taken"
rm "$workdir/hosts"
sleep 0.5
is "$(ask "$port" host.lan A)" 192.0.2.2 "a lost one is not"
kill -0 "$spawned"
ok "the daemon lives"
stop_daemon "$spawned"
is "$?" 0 "and ends well"
done_testing
