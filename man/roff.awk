# Makes a manual page of a README in the form of those in plugins/: awk -v name=seamark-log
# -v section=7 -v version=0.1.0 -f man/roff.awk plugins/log/README.md >seamark-log.7
# It knows what they use: headings, paragraphs, lists of two levels, blocks in fences, tables, and
# `code`, *words* and **words** in the text. For any awk.

function escape(s) {
	gsub(/\\/, "\\e", s)
	gsub(/-/, "\\-", s)
	return s
}

# Text with its marks; code is taken as it is.
function inline(s,   out, parts, n, i, t) {
	n = split(s, parts, "`")
	for (i = 1; i <= n; i++) {
		t = parts[i]
		if (i % 2 == 0) {
			out = out "\\fB" escape(t) "\\fR"
			continue
		}
		while (match(t, /\[[^]]*\]\([^)]*\)/))
			t = substr(t, 1, RSTART - 1) link_text(substr(t, RSTART, RLENGTH)) \
				substr(t, RSTART + RLENGTH)
		t = marked(marked(escape(t), "\\*\\*[^*]+\\*\\*", 2, "\\fB"), "\\*[^* ][^*]*\\*", 1, "\\fI")
		out = out t
	}
	return out
}

function link_text(s) {
	sub(/^\[/, "", s)
	sub(/\].*/, "", s)
	return s
}

function marked(s, pattern, n, font,   out) {
	while (match(s, pattern)) {
		out = out substr(s, 1, RSTART - 1) font substr(s, RSTART + n, RLENGTH - 2 * n) "\\fR"
		s = substr(s, RSTART + RLENGTH)
	}
	return out s
}

# A line of text must not begin as a request does.
function put(s) {
	if (s ~ /^[.']/)
		s = "\\&" s
	print s
}

function flush_text() {
	if (text == "")
		return
	if (macro != "")
		print macro
	# pages of other plugins are called as they are installed
	while (match(text, /\*[a-z0-9_]+\*\(7\)/))
		text = substr(text, 1, RSTART) "seamark-" substr(text, RSTART + 1)
	put(inline(text))
	text = macro = ""
}

function end_inner() {
	flush_text()
	if (level == 2)
		print ".RE"
	if (level > 0)
		level = level == 2 ? 1 : 0
}

function end_list() {
	flush_text()
	while (level > 0)
		end_inner()
}

# --- tables, for tbl(1)

function table_row(s,   cells, n, i) {
	gsub(/\\\|/, "\001", s)
	sub(/^\|/, "", s)
	sub(/\|[ \t]*$/, "", s)
	n = split(s, cells, "|")
	if (!in_table) {
		end_list()
		print ".PP\n.TS\ntab(@);"
		for (i = 1; i < n; i++)
			printf "l "
		print "lx."
	}
	in_table = 1
	for (i = 1; i <= n; i++) {
		gsub(/^[ \t]+|[ \t]+$/, "", cells[i])
		gsub(/\001/, "|", cells[i])
		if (i < n)
			printf "%s@", inline(cells[i])
	}
	print "T{"
	put(inline(cells[n]))
	print "T}"
}

function end_table() {
	if (in_table)
		print ".TE"
	in_table = 0
}

BEGIN {
	print "'\\\" t"
	printf ".TH %s %s \"\" \"Seamark %s\"\n.nh\n.ad l\n", toupper(name), section, version
}

/^(```|~~~)/ {
	end_table()
	if (in_code) {
		print ".fi\n.RE"
	} else {
		flush_text()
		print ".PP\n.RS 4\n.nf"
	}
	in_code = !in_code
	next
}

in_code { put(escape($0)); next }

/^\|/ {
	if ($0 !~ /^\|[ |:-]+$/)
		table_row($0)
	next
}

{ end_table() }

/^# / { next }

/^## / {
	end_list()
	print ".SH " toupper(substr($0, 4))
	heading = substr($0, 4)
	next
}

/^### / { end_list(); print ".SS " substr($0, 5); next }

/^\* / {
	while (level == 2)
		end_inner()
	flush_text()
	level = 1
	macro = ".IP \\(bu 2"
	text = substr($0, 3)
	next
}

/^  \* / {
	flush_text()
	if (level < 2)
		print ".RS 2"
	level = 2
	macro = ".IP \\(bu 2"
	text = substr($0, 5)
	next
}

/^$/ {
	flush_text()
	is_new = 1
	next
}

{
	line = $0
	# what stands at the margin after a blank line ends a list
	if (is_new && line !~ /^ /) {
		end_list()
		macro = ".PP"
	}
	is_new = 0
	sub(/^ +/, "", line)
	# "*log* - writes ..." under Name, for whatis
	if (heading == "Name")
		sub(/^\*[^*]*\*/, name, line)
	text = text == "" ? line : text " " line
}

END {
	end_table()
	end_list()
}
