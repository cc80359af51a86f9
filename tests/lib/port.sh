# Sourced by scripts that start servers; $workdir is a directory of theirs, named PREFIX.XXXXXX.

# A port between 20000 and 30000 that nothing has open over UDP or TCP. The kernel takes ports of
# clients from 32768 on, so those can't take it away before the server binds; nor can this test or
# one that runs beside it, as all note in their directories what they have been given.
free_port() {
	local p
	while :; do
		p=$((20000 + RANDOM % 10000))
		cat /proc/net/udp /proc/net/udp6 /proc/net/tcp /proc/net/tcp6 2>/dev/null |
			grep -qi ":$(printf %04X "$p") " && continue
		grep -qsx "$p" "${workdir%.*}".*/.ports || break
	done
	echo "$p" | tee -a "$workdir/.ports"
}
