#!/bin/bash
# What stands in deploy/: the Corefile of the Deployment serves, its probes and ports are those that
# the server opens, the account that it runs as has the role, and systemd takes the unit.
. "$(dirname "$0")/lib.sh"

need "$seamark"
deployment=$srcdir/deploy/deployment.yaml

# --- the Deployment

awk '/^  Corefile: \|/ { inside = 1; next } inside && /^ ? ? ?[^ ]/ { exit } inside { print substr($0, 5) }' \
	"$deployment" >"$workdir/Corefile"
is "$("$seamark" check "$workdir/Corefile" 2>&1 | tail -n 1)" "$workdir/Corefile: good" \
	"its Corefile can be set up"
for port in "53, protocol: UDP" "53, protocol: TCP" 9153 8080 8181; do
	grep -q "containerPort: $port" "$deployment"
	ok "port $port is one of the container"
done
is "$(grep -Eo 'httpGet: \{[^}]*' "$deployment" | sed 's/.*{//' | paste -sd';')" \
	"path: /health, port: health;path: /ready, port: ready" "the probes ask health and ready"
grep -Eq '^ENTRYPOINT \["/coredns"\]' "$srcdir/deploy/Dockerfile" && ! grep -q 'command:' "$deployment"
ok "the entry point of the image is what it runs"
account=$(sed -n 's/^ *serviceAccountName: //p' "$deployment")
[ "$(grep -c "^  name: $account\$" "$srcdir/deploy/rbac.yaml")" = 1 ]
ok "rbac.yaml gives its account $account the role"
if python3 -c 'import yaml' 2>/dev/null; then
	python3 - "$srcdir"/deploy/*.yaml <<'END' >"$workdir/kinds" 2>&1
import sys, yaml
for path in sys.argv[1:]:
    for o in yaml.safe_load_all(open(path)):
        print(o["kind"], o["metadata"]["name"])
END
	is "$(sort "$workdir/kinds" | paste -sd,)" \
		"ClusterRole system:seamark,ClusterRoleBinding system:seamark,ConfigMap seamark,Deployment seamark,Service seamark,ServiceAccount seamark" \
		"all objects are YAML"
fi

# --- the unit

unit=$workdir/seamark.service
sed "s|^ExecStart=[^ ]*|ExecStart=$seamark|" "$srcdir/deploy/seamark.service" >"$unit"
if command -v systemd-analyze >/dev/null; then
	is "$(SYSTEMD_LOG_LEVEL=warning timeout 20 systemd-analyze verify "$unit" 2>&1 |
		grep -F "$unit")" "" "systemd finds nothing wrong in the unit"
fi
for kind in Runtime State; do
	grep -q "^${kind}Directory=seamark\$" "$unit"
	ok "the unit has a ${kind,,} directory"
done
done_testing
