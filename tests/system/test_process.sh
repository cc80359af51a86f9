#!/bin/bash
# The daemon as a process: what it prints, its exit status, signals, its process-id file, and standard
# files that are closed.
. "$(dirname "$0")/lib.sh"

command -v dig >/dev/null || skip_all "dig is not installed"
[ -x "$seamark" ] || skip_all "$seamark is not built"
port=$(free_port)
cd "$workdir" || exit 1

config() { # ADDRESS
	cat >conf <<END
.:$port {
	bind 127.0.0.1
	hosts {
		$1 a.test
	}
}
END
}

serves() { [ "$(ask "$port" a.test A)" = "$1" ]; }

# run ARGUMENT...: to its end; $out, $errors, $status
run() {
	timeout 5 "$seamark" "$@" >out 2>errors
	status=$?
	out=$(cat out) errors=$(cat errors)
}

# what is printed
run -version
is "$status $(head -n 1 <<<"$out" | sed 's/[0-9.]*$//')" "0 Seamark-" "-version"
run --plugins
is "$status $(grep -c '^kubernetes$' <<<"$out")" "0 1" "--plugins lists one a line"
run -nonsense
is "$status $out" "2 " "an unknown flag is an error"
like "$errors" '^flag provided but not defined: -nonsense$' "that names it"
run extra
is "$status $out" "1 " "so is an argument"
run -conf missing
is "$status $errors" "1 cannot read missing: No such file or directory" "and a missing file"
printf '.:%s {\n  bogus\n}\n' "$port" >bad
run -conf bad
is "$status $out" "1 " "a bad Corefile ends the start"
is "$errors" "bad:2 - Error during parsing: Unknown directive 'bogus'" "with file and line"
run -conf stdin <bad
is "$errors" "stdin:2 - Error during parsing: Unknown directive 'bogus'" "also from a pipe"
config 10.0.0.1
run -conf conf -pidfile /nonexistent/pid
is "$status" 1 "a process-id file that can't be written ends it too"
like "$errors" "-pidfile /nonexistent/pid: No such file" "with its name"

# signals
spawn log "$seamark" -conf conf -pidfile pid
daemon=$spawned
wait_answer "$port" a.test A
is "$(cat pid)" "$daemon" "the process-id file"
is "$(head -n 2 log | sed 's/-[0-9.]*$//')" ".:$port on 127.0.0.1
Seamark" "the first lines say what is served"
run -conf conf -pidfile pid
is "$status $errors" "1 listen 127.0.0.1:$port: bind: Address already in use" "a second one is refused"
is "$(cat pid)" "$daemon" "and leaves the file alone"
config 10.0.0.2
kill -USR1 "$daemon"
wait_for 50 serves 10.0.0.2
ok "SIGUSR1 reads the Corefile again"
config 10.0.0.3
kill -HUP "$daemon"
wait_for 50 serves 10.0.0.3
ok "so does SIGHUP"
cp bad conf
kill -HUP "$daemon"
wait_for 50 grep -q 'reload failed' log
is "$(tail -n 1 log)" "[ERROR] Corefile changed but reload failed: conf:2 - Error during parsing: Unknown directive 'bogus'" \
	"a bad one is told"
serves 10.0.0.3
ok "and the old one serves on"
stop_daemon "$daemon"
is "$? $(ls pid 2>&1 | grep -c cannot)" "0 1" "SIGTERM ends it, and removes the process-id file"

config 10.0.0.1
spawn log "$seamark" -conf conf -quiet
daemon=$spawned
wait_answer "$port" a.test A
is "$(cat log)" "" "-quiet prints nothing"
kill -INT "$daemon"
wait "$daemon"
is "$?" 0 "SIGINT ends it as well"

# standard files
(exec "$seamark" -conf conf <&- >&- 2>&-) &
daemon=$!
pids+=("$daemon")
wait_answer "$port" a.test A
is "$(readlink /proc/$daemon/fd/1)" /dev/null "standard output that is closed is /dev/null"
stop_daemon "$daemon"
is $? 0 "and the end is orderly"

mkfifo pipe
"$seamark" -conf conf >pipe 2>&1 &
daemon=$!
pids+=("$daemon")
head -n 1 <pipe >/dev/null
wait_answer "$port" a.test A
kill -HUP "$daemon"
config 10.0.0.4
kill -HUP "$daemon"
wait_for 50 serves 10.0.0.4
ok "a pipe whose reader is gone stops nothing"
stop_daemon "$daemon"
is $? 0 "nor the orderly end"
done_testing
