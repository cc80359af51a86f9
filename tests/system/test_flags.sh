#!/bin/bash
# The command line: flags in Go's syntax as CoreDNS has them, where the configuration comes from, and
# what errors say.
. "$(dirname "$0")/lib.sh"

need dig "$seamark"
port=$(free_port)

# run ARGUMENT...: to its end; $out, $err and $status.
run() {
	timeout 10 "$seamark" "$@" >"$workdir/out" 2>"$workdir/err" </dev/null
	status=$?
	out=$(cat "$workdir/out") err=$(cat "$workdir/err")
}

# serve NAME ARGUMENT...: in $workdir/NAME, which may have files already, until it answers.
serve() {
	mkdir -p "$workdir/$1"
	cd "$workdir/$1" || exit 1
	spawn "$workdir/$1/log" "$seamark" "${@:2}"
	cd "$workdir" || exit 1
	wait_answer "$port" example.test A
}

# whoami answers with the client's address in the additional section
is_whoami() { _dig "$port" example.test A +noall +additional | grep -q '127\.0\.0\.1'; }
block() { printf '.:%s {\n\tbind 127.0.0.1\n\t%s\n}\n' "$1" "$2"; }

# --- what prints and ends

run -version
is "$status" 0 "-version ends well"
like "$out" '^Seamark-[0-9]+\.[0-9]+' "and names the version"
run --version=true
like "$out" '^Seamark-' "flags may have two dashes and =true"
run -plugins
is "$status" 0 "-plugins ends well"
for name in kubernetes forward file errors; do
	like "$out" "^$name\$" "-plugins lists $name"
done
run -help
like "$status $out" '^0 Usage: seamark' "-help prints the usage"
run help
like "$status $out" '^0 Usage: seamark' "so does help"
for name in check doctor explain names; do
	for flag in -h -help --help; do
		run "$name" "$flag"
		like "$status $out" "^0 Usage: seamark $name" "$name $flag prints that of $name"
	done
done
for arguments in -version -plugins -help "check --help"; do
	timeout 10 "$seamark" $arguments >/dev/full 2>"$workdir/err"
	like "$? $(cat "$workdir/err")" '^1 standard output: No space' "$arguments fails when it cannot print"
done

# --- what is refused: flags with 2, the rest with 1

# refused STATUS REGEX ARGUMENT...
refused() {
	local want=$1 text=$2
	shift 2
	run "$@"
	is "$status" "$want" "'$*' is refused"
	like "$err" "$text" "... and told why"
}

refused 2 'not defined: -bogus' -bogus
refused 2 'needs an argument: -conf' -conf
refused 2 '"70000" for flag -p: not a number up to 65535' -p 70000
refused 2 '"53x" for flag -dns.port' -dns.port=53x
refused 2 '0 is not a port' -p 0
refused 2 'boolean value "maybe" for -quiet' -quiet=maybe
refused 1 'extra command line arguments: "serve" is no command' serve
refused 1 '"Corefile" is no command \(a file is given with -conf\)' -p "$port" Corefile
refused 1 'no-such-file: No such file or directory' -conf "$workdir/no-such-file"
refused 1 'Is a directory' -conf "$workdir"
refused 1 'it is no regular file' -conf /dev/null
printf '# nothing yet\n' >"$workdir/nothing"
refused 1 "^$workdir/nothing: there is no server block" -conf "$workdir/nothing"
refused 1 "^$workdir/nothing: there is no server block" check "$workdir/nothing"

# --- where the configuration comes from

block "$port" whoami >"$workdir/good"
serve conf -conf "$workdir/good" -quiet
ok "-conf names the Corefile" || diag "$(cat "$workdir/conf/log")"
is "$(cat "$workdir/conf/log")" "" "-quiet prints nothing"
stop_daemon "$spawned"
is $? 0 "SIGTERM ends with 0"

mkdir "$workdir/here"
block "$port" whoami >"$workdir/here/Corefile"
serve here -pidfile "$workdir/pid"
ok "./Corefile is the default" || diag "$(cat "$workdir/here/log")"
like "$(cat "$workdir/here/log")" "^\.:$port on 127\.0\.0\.1" "it prints what it serves"
like "$(cat "$workdir/here/log")" '^Seamark-' "and its version"
is "$(cat "$workdir/pid")" "$spawned" "-pidfile has the process number"
printf '.:%s {\n\tbind fe80::1\n\twhoami\n}\n' "$port" >"$workdir/local"
refused 1 "\[fe80::1\]:$port: .*needs its interface, as in fe80::1%eth0" -conf "$workdir/local"
refused 1 "127.0.0.1:$port: .*in use" -conf "$workdir/here/Corefile" -pidfile "$workdir/pid"
is "$(cat "$workdir/pid")" "$spawned" "a second server leaves the first one's pid file alone"
stop_daemon "$spawned"
[ ! -e "$workdir/pid" ]
ok "the pid file goes with the process"
if mknod "$workdir/null" c 1 3 2>/dev/null; then
	serve here -pidfile "$workdir/null"
	stop_daemon "$spawned"
	[ -c "$workdir/null" ]
	ok "but a device stays"
fi
refused 1 'no-dir/pid: No such file or directory' -conf "$workdir/good" -pidfile "$workdir/no-dir/pid"

for flag in -p -dns.port -dns.port=; do
	mkdir -p "$workdir/empty"
	if [ "$flag" = -dns.port= ]; then
		serve empty "$flag$port"
	else
		serve empty "$flag" "$port"
	fi && is_whoami
	ok "without a Corefile, $flag serves whoami" || diag "$(cat "$workdir/empty/log")"
	stop_daemon "$spawned"
done

# in a subshell: the daemon's standard input is the pipe
block "$port" whoami >"$workdir/stdin.corefile"
spawn "$workdir/stdin.log" bash -c 'exec "$1" -conf stdin <"$2"' - "$seamark" "$workdir/stdin.corefile"
wait_answer "$port" example.test A && is_whoami
ok "-conf stdin reads standard input" || diag "$(cat "$workdir/stdin.log")"
kill -USR1 "$spawned"
wait_for 30 grep -q 'Reloading complete' "$workdir/stdin.log"
ok "which a reload uses again"
stop_daemon "$spawned"
err=$(head -c 1100000 /dev/zero | tr '\0' '#' | timeout 10 "$seamark" -conf stdin 2>&1)
like "$? $err" '^1 stdin: the Corefile is longer than 1 MiB' "too long a Corefile is refused"
err=$(printf '.:%s {\n bogus\n}\n' "$port" | timeout 10 "$seamark" -conf stdin 2>&1)
like "$? $err" "^1 stdin:2 - .*'bogus'" "errors of standard input have a line"

# --- seamark check

run check "$workdir/good"
is "$status $out" "0 $workdir/good: good" "check of a good file"
printf '.:%s {\n\twhoami\n\tforwrad . 192.0.2.1\n}\n' "$port" >"$workdir/bad"
run check "$workdir/bad"
is "$status" 1 "check of a bad file"
like "$err" "^$workdir/bad:3 - .*'forwrad', did you mean 'forward'\?" \
	"names file, line and word, and the closest plugin"
printf '.:%s {\n\tforward\n}\n' "$port" >"$workdir/bad"
run check "$workdir/bad"
like "$status $err" "^1 $workdir/bad:2 - plugin/forward" "check sets up the plugins, too"
printf '.:%s {\n\tkubernetes cluster.local {\n\t\tkubeconfig nowhere\n\t}\n}\n' "$port" >"$workdir/far"
run check "$workdir/far"
like "$status $out" "^0 \\[WARNING\\] plugin/kubernetes: $workdir/far:2: the server would not start here: .*nowhere: No such file" \
	"check warns of a kubeconfig that is not here"
run check
is "$status" 2 "check needs a file"
run check "$workdir/nowhere"
like "$status $err" '^1 .*nowhere: No such file' "which exists"
done_testing
