# Which layer may include which, and which file may use which library. One line for each rule that
# is broken; called by layers.sh with all source files.
BEGIN {
	allow("base", "base")
	allow("dns", "base dns")
	allow("names", "base dns names")
	allow("conf", "base dns names conf")
	allow("net", "base dns names net")
	allow("core", "base dns names conf net core")
	allow("cluster", "base dns names conf net cluster")
	allow("feed", "base dns names conf net core cluster feed")
	allow("admin", "base dns names conf net core cluster admin")
	allow("plugins", "base dns names conf net core cluster feed admin")
	allow("cli", "base dns names conf net core cluster feed admin cli")

	# library header, and a pattern of the paths that may include it
	library["uv.h"] = "^src/(net|feed|admin)/|^src/core/(worker|control|udp_listener)|^src/cluster/source_"
	library["ldns/"] = "^src/names/(zonefile|xfr)|^plugins/(dnssec|sign|tsig)/"
	library["ares"] = "^src/net/lookup"
	library["yaml.h"] = "^src/cluster/yaml"
	library["curl/"] = "^src/net/http_client"
	library["openssl/"] = "^src/net/tls"
	library["nghttp2/"] = "^src/net/http2"
	library["microhttpd.h"] = "^src/admin/"
	library["urcu"] = "^src/base/rcu"
	library["jansson.h"] = "^$"
	library["cmocka.h"] = "^$"
	while ((getline line < exceptions) > 0)
		if (line !~ /^#/ && split(line, word, /[ \t]+/) >= 4 && word[1] == "layer")
			excused[word[2] " " word[3]] = 1
}

function allow(layer, others,    word, n, i)
{
	n = split(others, word, " ")
	for (i = 1; i <= n; i++)
		may[layer, word[i]] = 1
	known[layer] = 1
}

function complain(what)
{
	print path ":" FNR ": " what
	bad = 1
}

FNR == 1 {
	path = FILENAME
	sub(root "/", "", path)
	split(path, part, "/")
	layer = part[1] == "src" ? part[2] : part[1]
	plugin = part[1] == "plugins" && part[3] != "" ? part[2] : ""
}

/^#[ \t]*include[ \t]*</ {
	header = $0
	gsub(/^#[ \t]*include[ \t]*<|>.*/, "", header)
	for (l in library)
		if (index(header, l) == 1 && path !~ library[l] && !((path " " header) in excused))
			complain("<" header "> may not be used here")
}

/^#[ \t]*include[ \t]*"/ {
	header = $0
	gsub(/^#[ \t]*include[ \t]*"|".*/, "", header)
	if ((path " " header) in excused)
		next
	n = split(header, part, "/")
	target = n > 1 ? part[1] : ""
	if (header == "plugin.h" || header == "plugins.def" || header == "table.h") {
		if (layer in known && layer != "plugins" && layer != "cli")
			complain("\"" header "\" belongs to the plugins")
	} else if (target == "" && header == "seamark.h") {
		if (layer in known && layer != "cli")
			complain("the public header is not for the inside")
	} else if (plugin != "" && target == plugin) {
		next
	} else if (layer == "plugins" && plugin == "" && !(target in known)) {
		complain("\"" header "\": include files as \"layer/file.h\"")
	} else if (layer in known && !((layer, target) in may)) {
		complain("layer " layer " may not include \"" header "\"")
	}
}

END { exit bad }
