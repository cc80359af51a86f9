#!/bin/bash
# The simulated API server answers as a real one did: bodies octet for octet, and the headers that a
# client may look at, against tests/data/apiserver. Versions that differ by their nature are not
# compared.
. "$(dirname "$0")/lib.sh"

need curl
apisim=$(realpath "$builddir/tests/apisim/apisim")
recorded=$srcdir/tests/data/apiserver
api=$(free_port) control=$(free_port)
streaming='watch=1&sendInitialEvents=true&allowWatchBookmarks=true'

start_api() { # RV, ARGUMENT...
	local rv=$1
	shift
	rm -f "$workdir/ports"
	spawn "$workdir/apisim.log" "$apisim" --port "$api" --control "$control" \
		--ports "$workdir/ports" --token right "$@" --rv "$rv"
	wait_for 100 test -s "$workdir/ports"
}

stop_api() {
	kill "$spawned"
	wait_gone "$spawned" 50
}

get() { # PATH-AND-QUERY [TOKEN [ACCEPT]]: to $workdir/body and $workdir/head
	local seconds=20
	[[ $1 != *sendInitialEvents* ]] || seconds=3 # a watch does not end
	curl -s -m "$seconds" -D "$workdir/head" -o "$workdir/body" -H "Accept: ${3:-application/json}" \
		-H "Authorization: Bearer ${2:-right}" "http://127.0.0.1:$api$1"
}

# Status and the headers that clients look at, in lower case.
headers() {
	tr -d '\r' <"$1" | tr '[:upper:]' '[:lower:]' |
		sed -n 's/^http[^ ]* \([0-9]*\).*/status \1/p
			/^\(cache-control\|content-type\|content-length\|retry-after\|x-content-type-options\):/p' |
		sort
}

same_headers() { # RECORDED DESCRIPTION
	is "$(headers "$workdir/head")" "$(headers "$recorded/$1")" "$2: headers"
}

same() { # RECORDED-BODY DESCRIPTION
	cmp -s "$workdir/body" "$recorded/$1"
	ok "$2: body" || diag "$(cat "$workdir/body")"
	[ ! -e "$recorded/${1%.*}.headers" ] || same_headers "${1%.*}.headers" "$2"
}

post() {
	curl -s -m 5 -o "$workdir/answer" -X POST "http://127.0.0.1:$control/apisim/$1"
}

# Errors, with the versions of the recording.
start_api 317
get /api/v1/services wrong
same err-401.json "401"
get "/api/v1/services?resourceVersion=99999999"
same err-504-large-rv.json "504 for a version from the future"
get "/api/v1/services?$streaming"
same err-invalid-watchlist.json "422 for a streaming list without the match"
get /apis/example.org/v1/things
same err-404.txt "404 for a resource that does not exist"
post "set?resource=services&forbidden=1"
get /api/v1/services
same err-403.json "403"
stop_api
start_api 337
get "/api/v1/services?watch=1&resourceVersion=1"
same err-410-watch.json "410 in a watch"
token=$(sed 's/.*"continue":"\([^"]*\)".*/\1/' "$recorded/page1-services.json")
get "/api/v1/services?limit=2&continue=$token"
same err-410-continue.json "410 between pages"
stop_api

# Lists, pages and watches of the recorded services: all but versions, and what the server adds to
# what it is given.
shape() { # the frame of a list, without its items
	sed -E 's/"items":\[.*\]\}/"items":[]}/; s/"resourceVersion":"[0-9]+"/"resourceVersion":"N"/'
}
names() {
	grep -oE '"name":"[a-z-]+","namespace":"[a-z-]+"' | tr '\n' ' '
}
start_api 289 "$recorded/list-namespaces.json" "$recorded/list-services.json" \
	"$recorded/list-endpointslices.json" "$recorded/list-pods.json"
get /api/v1/services
is "$(shape <"$workdir/body")" "$(shape <"$recorded/list-services.json")" "a list: its frame"
is "$(names <"$workdir/body")" "$(names <"$recorded/list-services.json")" "a list: its order"
get "/api/v1/services?limit=2"
rv=$(sed 's/.*"resourceVersion":"\([0-9]*\)","continue.*/\1/' "$workdir/body")
got=$(shape <"$workdir/body" | sed -E 's/"continue":"[^"]*"/"continue":"T"/')
want=$(shape <"$recorded/page1-services.json" | sed -E 's/"continue":"[^"]*"/"continue":"T"/')
is "$got" "$want" "a page: its frame"
decoded() { sed 's/.*"continue":"\([^"]*\)".*/\1==/' | tr -- '-_' '+/' | base64 -d 2>/dev/null; }
is "$(decoded <"$workdir/body" | sed "s/$rv/RV/")" \
	"$(decoded <"$recorded/page1-services.json" | sed 's/290/RV/')" "a page: what is in its token"
get /api/v1/services right 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1'
is "$(shape <"$workdir/body")" "$(shape <"$recorded/list-services-metadata-only.json")" \
	"a list of metadata: its frame"
bookmark() { grep '"BOOKMARK"' | head -n 1 | sed -E 's/"resourceVersion":"[0-9]+"/"resourceVersion":"N"/'; }
for what in services endpointslices pods; do
	path=/api/v1/$what
	[ "$what" != endpointslices ] || path=/apis/discovery.k8s.io/v1/$what
	get "$path?$streaming&resourceVersionMatch=NotOlderThan"
	is "$(bookmark <"$workdir/body")" "$(bookmark <"$recorded/watch-$what.json")" \
		"a watch of $what: the end of the initial events"
	is "$(sed '/BOOKMARK/q' "$workdir/body" | grep -o '^{"type":"[A-Z]*","object":{"kind":"[A-Za-z]*","apiVersion":"[a-z0-9./]*","metadata":{"name":"[a-z]*' | sort)" \
		"$(sed '/BOOKMARK/q' "$recorded/watch-$what.json" | grep -o '^{"type":"[A-Z]*","object":{"kind":"[A-Za-z]*","apiVersion":"[a-z0-9./]*","metadata":{"name":"[a-z]*' | sort)" \
		"a watch of $what: the initial events"
done
stop_api
done_testing
