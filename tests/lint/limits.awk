# Limits of files and functions: lines, parameters, nesting, columns. The code has the brace style
# of the kernel: a function ends with a "}" in the first column. Called by limits.sh.
BEGIN {
	max["function"] = 80
	max["file"] = 800
	max["parameters"] = 5
	max["nesting"] = 4
	max["columns"] = 100
	while ((getline line < exceptions) > 0)
		if (line !~ /^#/ && split(line, word, /[ \t]+/) >= 4 && word[1] in max)
			excused[word[1] " " word[2] " " word[3]] = 1
}

function complain(kind, where, value)
{
	if (value <= max[kind] || ((kind " " path " " where) in excused))
		return
	print path ":" FNR ": " kind " of " where ": " value ", the limit is " max[kind]
	bad = 1
}

# Columns with tabs of eight.
function width(s,    n, i, c)
{
	n = 0
	for (i = 1; i <= length(s); i++) {
		c = substr(s, i, 1)
		n = c == "\t" ? n + 8 - n % 8 : n + 1
	}
	return n
}

# Without strings, characters and comments, which may hold braces.
function plain(s)
{
	gsub(/\\["'\\]/, "", s)
	gsub(/"[^"]*"/, "\"\"", s)
	gsub(/'[^']*'/, "''", s)
	gsub(/\/\*.*\*\//, "", s)
	sub(/\/\*.*/, "", s)
	sub(/^[ \t]*\*.*/, "", s)
	return s
}

# Parameters of a head such as "static int f(int a, void (*g)(int, int))".
function parameters(head,    i, c, depth, n, inside)
{
	depth = 0
	n = 0
	for (i = index(head, "("); i <= length(head); i++) {
		c = substr(head, i, 1)
		if (c == "(")
			depth++
		if (c == ")" && --depth == 0)
			break
		if (c == "," && depth == 1)
			n++
		inside = inside c
	}
	return inside ~ /^\((void)?[ \t]*$/ ? 0 : n + 1
}

function end_file()
{
	if (path != "")
		complain("file", "lines", lines)
}

FNR == 1 {
	end_file()
	path = FILENAME
	sub(root "/", "", path)
	is_inside = 0
	head = ""
	in_comment = 0
}

{
	lines = FNR
	complain("columns", "line", width($0))
	text = plain($0)
	if (in_comment) {
		if ($0 ~ /\*\//)
			in_comment = 0
		next
	}
	if ($0 ~ /\/\*/ && $0 !~ /\*\//)
		in_comment = 1
}

# The head of a function: from a line that begins in the first column to its "{".
!is_inside && text ~ /^[A-Za-z_]/ { head = "" }
!is_inside && text !~ /^#/ { head = head " " text }
!is_inside && text ~ /^\{/ && head ~ /[A-Za-z0-9_]\(/ && head !~ /=/ {
	is_inside = 1
	begin = FNR
	depth = 0
	name = head
	sub(/\(.*/, "", name)
	sub(/.*[ *]/, "", name)
	complain("parameters", name, parameters(head))
	deepest = 0
	next
}
!is_inside && text ~ /[;}]/ { head = "" }

is_inside && text ~ /^\}/ {
	complain("function", name, FNR - begin + 1)
	complain("nesting", name, deepest)
	is_inside = 0
	head = ""
}

# Depth by indentation of code: statements of a function stand at one tab. Labels and continued
# lines are told by what the line before ends with.
is_inside && text ~ /[^ \t]/ {
	match($0, /^\t*/)
	tabs = RLENGTH - 1
	if (is_statement && tabs > deepest)
		deepest = tabs
	is_statement = text ~ /[;{}:]([ \t]|\\)*$/ || text ~ /^[ \t]*(else|do)[ \t]*$/
	if (text ~ /^[ \t]*(if|for|while|list_for_each|vec_for_each)[ \t(].*\)[ \t]*$/)
		is_statement = 1
}

END {
	end_file()
	exit bad
}
