#!/bin/bash
# The daemon as a process: signals, and standard files that are closed. Flags are in test_flags.sh.
. "$(dirname "$0")/lib.sh"

need dig "$seamark"
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

printf '.:%s {\n  bogus\n}\n' "$port" >bad
config 10.0.0.1

# signals
spawn log "$seamark" -conf conf
daemon=$spawned
wait_answer "$port" a.test A
wait_for 100 grep -q Seamark log # the workers answer before it is written
is "$(head -n 2 log | sed 's/-[0-9.]*$//')" ".:$port on 127.0.0.1
Seamark" "the first lines say what is served"
config 10.0.0.2
kill -USR1 "$daemon"
wait_for 50 serves 10.0.0.2
ok "SIGUSR1 reads the Corefile again"
config 10.0.0.3
kill -HUP "$daemon"
wait_for 50 serves 10.0.0.3
ok "so does SIGHUP"
kill -USR2 "$daemon"
wait_for 50 grep -q 'SIGUSR2 does nothing' log
ok "SIGUSR2 is told to do nothing"
cp bad conf
kill -HUP "$daemon"
wait_for 50 grep -q 'reload failed' log
is "$(tail -n 1 log)" "[ERROR] Corefile changed but reload failed: conf:2 - Error during parsing: Unknown directive 'bogus'" \
	"a bad one is told"
serves 10.0.0.3
ok "and the old one serves on"
: >conf
kill -HUP "$daemon"
wait_for 50 grep -q 'conf: there is no server block' log
ok "one that was emptied is told"
serves 10.0.0.3
ok "and ends nothing"
stop_daemon "$daemon"
is "$?" 0 "SIGTERM ends it"

config 10.0.0.1
spawn log "$seamark" -conf conf
daemon=$spawned
wait_answer "$port" a.test A
kill -INT "$daemon"
wait "$daemon"
is "$?" 0 "SIGINT ends it as well"

# standard files
(exec "$seamark" -conf conf <&- >&- 2>&-) &
daemon=$! spawned=$!
pids+=("$daemon")
wait_answer "$port" a.test A
is "$(readlink /proc/$daemon/fd/1)" /dev/null "standard output that is closed is /dev/null"
stop_daemon "$daemon"
is $? 0 "and the end is orderly"

mkfifo pipe
"$seamark" -conf conf >pipe 2>&1 &
daemon=$! spawned=$!
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
