#!/bin/bash
# The file plugin gives the answers that NSD gives from the same zones: every name in them, its
# parents, a name below it and a wildcard beside it, for many types.
. "$(dirname "$0")/lib.sh"

PATH=$PATH:/usr/sbin
need nsd dig "$seamark"

types="A AAAA NS SOA CNAME MX TXT SRV DS DNAME HTTPS TYPE65400"
zones="example.org signed.example"
cp "$srcdir/tests/data/zones/example.zone" "$workdir/example.org.zone"
cp "$srcdir/tests/data/zones/signed.zone" "$workdir/signed.example.zone"
nsd_port=$(free_port)
port=$(free_port)

write_nsd_conf() {
	nsd_server "$nsd_port"
	for z in $zones; do
		printf 'zone:\n  name: %s\n  zonefile: %s\n' "$z" "$workdir/$z.zone"
	done
}

write_corefile() {
	echo ".:$port {"
	echo "    bind 127.0.0.1"
	for z in $zones; do
		echo "    file $workdir/$z.zone $z"
	done
	echo "}"
}

# Names of a zone, as dig wants them; loops and chains out of the zone are decided differently.
list_names() {
	local z=$1
	awk -v zone="$z." '
		/^\$/ || /^;/ || /^[ \t]/ || /^$/ { next }
		$1 ~ /^(loop|long)/ || seen[$1]++ { next }
		{ n = $1 == "@" ? zone : $1 ~ /\.$/ ? $1 : $1 "." zone; print n
		  print "x." n; print "*." n
		  while (n != zone && sub(/^([^.\\]|\\.)*\./, "", n)) { print n; print "y." n } }
	' "$workdir/$z.zone" | sort -u
}

write_batch() {
	local z n t
	for z in $zones; do
		list_names "$z" | while read -r n; do
			for t in $types; do
				echo "$n $t"
			done
		done
	done
}

# One line a fact: number of the question, then rcode, aa, or a record with its section.
run_batch() {
	dig @127.0.0.1 -p "$1" $2 +norec +tries=2 +time=2 +tcp +keepopen +noall +comments +answer \
		+authority -f "$workdir/batch" | tr -s '\t ' '  ' | awk -v zones="$zones" '
		BEGIN { k = split(zones, z, " "); for (i = 1; i <= k; i++) is_apex[z[i] "."] = 1 }
		/->>HEADER<<-/ { n++; sub(/.*status: /, ""); sub(/,.*/, ""); print n, "0", $0; next }
		/^;; flags:/ { print n, "1", ($0 ~ / aa[ ;]/ ? "aa" : "no aa"); next }
		/^;; ANSWER SECTION/ { s = 2; next }
		/^;; AUTHORITY SECTION/ { s = 3; next }
		/^;/ || /^$/ { next }
		# NSD adds the zone apex NS set to positive answers; we send what was asked for
		s == 3 && is_apex[tolower($1)] && ($4 == "NS" || $4 $5 == "RRSIGNS") { next }
		{ print n, s, tolower($0) }' | sort -k1,1n -k2
}

compare() {
	run_batch "$nsd_port" "$1" >"$workdir/nsd.out"
	run_batch "$port" "$1" >"$workdir/ours.out"
	[ "$(grep -c '^[0-9]* 0 ' "$workdir/ours.out")" = "$questions" ] &&
		diff "$workdir/nsd.out" "$workdir/ours.out" >"$workdir/diff"
	ok "$questions answers are those of NSD ${1:-without EDNS options}" || {
		diag "$(grep '^[<>]' "$workdir/diff" | head -n 40)"
		diag "$(grep '^[<>]' "$workdir/diff" | awk '{ print $2 }' | sort -nu | head -n 20 |
			while read -r n; do sed -n "${n}p" "$workdir/batch"; done)"
	}
}

write_nsd_conf >"$workdir/nsd.conf"
spawn "$workdir/nsd.log" nsd -d -c "$workdir/nsd.conf"
wait_for 50 answers_well "$nsd_port" example.org SOA || skip_all "nsd does not start here"
write_corefile >"$workdir/file.corefile"
spawn "$workdir/file.log" "$seamark" -conf "$workdir/file.corefile"
wait_answer "$port" example.org SOA
ok "the daemon serves the zones" || diag "$(cat "$workdir/file.log")"
write_batch >"$workdir/batch"
questions=$(wc -l <"$workdir/batch")
compare +noedns
# Behind a DNAME, NSD 4.6 leaves out the NSEC record that spans the target.
grep -v '\.old\.signed\.' "$workdir/batch" >"$workdir/rest"
mv "$workdir/rest" "$workdir/batch"
questions=$(wc -l <"$workdir/batch")
compare +dnssec
done_testing
