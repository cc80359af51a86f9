# Sourced by run.sh and forward.sh: finding, starting and loading servers, and the table of figures.
# Of its caller it uses $here, $top, $builddir, $dir (removed at the end), $results (where figures are
# collected), $names, $rate, $each, $window, and start_server NAME.
started=()
policy=
workdir=$dir
. "$top/tests/lib/port.sh"

finish() {
	stop_server
	[ -z "${upstream:-}" ] || kill "$upstream" 2>/dev/null
	[ -z "$policy" ] || rm -f "$policy"
	rm -rf "$dir"
}
trap finish EXIT
trap 'exit 1' INT TERM

note() { printf '# %s\n' "$*"; }

find_seamark() {
	local p
	for p in "${SEAMARK:-}" "$builddir/seamark" "$top/seamark" "$top/build/seamark"; do
		[ -n "$p" ] && [ -x "$p" ] && { SEAMARK=$(realpath "$p"); return 0; }
	done
	return 1
}

# A peer that is absent is fetched when we may, else left out.
have_peer() {
	local program=$1 package=$2
	command -v "$program" >/dev/null || [ -x "/usr/sbin/$program" ] && return 0
	[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
	note "installing $package"
	# its own service must not start: we only want the program
	if [ ! -e /usr/sbin/policy-rc.d ]; then
		printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
		chmod +x /usr/sbin/policy-rc.d
		policy=/usr/sbin/policy-rc.d
	fi
	DEBIAN_FRONTEND=noninteractive timeout 120 \
		apt-get install -y -q --no-install-recommends "$package" >/dev/null 2>&1
	[ -z "$policy" ] || rm -f "$policy"
	policy=
	command -v "$program" >/dev/null || [ -x "/usr/sbin/$program" ]
}

build_tools() {
	local cc=${CC:-gcc} t
	for t in echo gen; do
		if [ -x "$builddir/tests/bench/$t" ]; then
			cp "$builddir/tests/bench/$t" "$dir/$t"
		else
			"$cc" -std=c11 -D_GNU_SOURCE -O2 -o "$dir/$t" "$here/$t.c" || return 1
		fi
	done
}

# Processes of the started server: all of its process group, without the shell that waits.
server_pids() {
	ps -o pid= --ppid "$server" 2>/dev/null | tr -d ' ' | while read -r p; do
		echo "$p"
		ps -o pid= --ppid "$p" | tr -d ' '
	done
	echo "$server"
}

launch() {
	taskset -c 1 "$@" >"$dir/server.log" 2>&1 &
	server=$!
	started+=("$server")
}

stop_server() {
	local p
	for p in "${started[@]:-}"; do
		[ -n "$p" ] || continue
		kill "$p" 2>/dev/null
		wait "$p" 2>/dev/null
	done
	started=()
}

field() { sed -n "s/.*\b$1=\([0-9.]*\).*/\1/p" <<<"$2"; }

rss_kb() {
	local p sum=0 v
	for p in $(server_pids); do
		v=$(awk '/^VmRSS/ { print $2 }' "/proc/$p/status" 2>/dev/null)
		sum=$((sum + ${v:-0}))
	done
	echo "$sum"
}

# The server that start_server launched answers the first name.
await_server() {
	local extra=()
	[ "$1" = echo ] && extra=(-I)
	for _ in $(seq 100); do
		taskset -c 0 "$dir/gen" -f "$dir/one" -p "$port" -u 0 -t 0.05 -w 1 -n 1 "${extra[@]}" \
			2>/dev/null | grep -q 'answers=[1-9]' && return 0
		kill -0 "$server" 2>/dev/null || break
		sleep 0.1
	done
	note "$1 does not answer: $(tail -n 3 "$dir/server.log" | tr '\n' ' ')"
	return 1
}

# One server, one round: a line "NAME cpu_us qps lost bad p50 p99 rss" in results.
measure() {
	local name=$1 extra=(-e) pids full fixed rss
	start_server "$name" || { stop_server; return 1; }
	[ "$name" = echo ] && extra+=(-I)
	pids=$(server_pids | sort -un | tr '\n' ',')
	rss=$(rss_kb)
	local load=(taskset -c 0 "$dir/gen" -f "$names" -p "$port")
	full=$("${load[@]}" -t "$each" -w "$window" -P "$pids" "${extra[@]}")
	fixed=$("${load[@]}" -t 1 -r "$rate" "${extra[@]}")
	stop_server
	echo "$name $(field cpu_us "$full") $(field qps "$full") $(field lost "$full")" \
		"$(field bad "$full") $(field p50_us "$fixed") $(field p99_us "$fixed") $rss" \
		>>"$results/results.$round"
	[ "$(field bad "$full")" = 0 ] || note "$name: $(field bad "$full") wrong answers in round $round"
}

summary() {
	awk '
	function median(list, n,   a, i, j, t) {
		split(list, a, " ")
		for (i = 2; i <= n; i++)
			for (j = i; j > 1 && a[j - 1] + 0 > a[j] + 0; j--) { t = a[j]; a[j] = a[j - 1]; a[j - 1] = t }
		return n % 2 ? a[(n + 1) / 2] : (a[n / 2] + a[n / 2 + 1]) / 2
	}
	FNR == 1 { echo_cpu = 0 }
	$2 == "" { next }
	$1 == "echo" { echo_cpu = $2 }
	{
		if (!($1 in n)) order[++names] = $1
		n[$1]++
		cpu[$1] = cpu[$1] " " $2; qps[$1] = qps[$1] " " $3; lost[$1] += $4; bad[$1] += $5
		p50[$1] = p50[$1] " " $6; p99[$1] = p99[$1] " " $7; rss[$1] = rss[$1] " " $8
		if (echo_cpu > 0) { r[$1]++; ratio[$1] = ratio[$1] " " $2 / echo_cpu }
	}
	END {
		printf "%-9s %10s %10s %9s %9s %9s %9s %6s %6s\n", "server", "us/answer", "x echo",
			"answers/s", "p50 us", "p99 us", "RSS kB", "lost", "wrong"
		for (i = 1; i <= names; i++) {
			s = order[i]
			printf "%-9s %10.2f %10s %9.0f %9.0f %9.0f %9.0f %6d %6d\n", s, median(cpu[s], n[s]),
				r[s] ? sprintf("%.2f", median(ratio[s], r[s])) : "-", median(qps[s], n[s]),
				median(p50[s], n[s]), median(p99[s], n[s]), median(rss[s], n[s]), lost[s], bad[s]
		}
	}' "$results"/results.*
}
