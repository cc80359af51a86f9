# Every function declared in a header has a comment that ends directly above it. Called by
# prototypes.sh.
FNR == 1 {
	path = FILENAME
	sub(root "/", "", path)
	above = ""
	depth = 0
	pending = ""
}

# Preprocessor lines, with those they go on in, say nothing about what is above or below.
/^#/ || is_macro {
	is_macro = /\\$/
	above = $0
	next
}

{
	is_comment = in_comment || /^[ \t]*\/\*/
	if (is_comment) {
		in_comment = !/\*\//
		above = $0
		next
	}
}

# A declaration in the first column, perhaps over several lines.
depth == 0 && pending == "" && /^[A-Za-z_].*[A-Za-z0-9_]\(/ && !/^typedef/ && !/^(struct|union|enum)[^(]*\{/ {
	pending = $0
	has_comment = above ~ /\*\/[ \t]*$/
	line = FNR
}
pending != "" && pending != $0 { pending = pending " " $0 }
pending != "" && /[;{]/ {
	if (!has_comment && pending !~ /^static inline .*\{/ && pending !~ /=/) {
		name = pending
		sub(/\(.*/, "", name)
		sub(/.*[ *]/, "", name)
		print path ":" line ": " name "() has no comment above it"
		bad = 1
	}
	pending = ""
}

{
	depth += gsub(/\{/, "{") - gsub(/\}/, "}")
	if ($0 ~ /[^ \t]/)
		above = $0
}

END { exit bad }
