#!/bin/sh
# certs.sh DIR [PORT]: make a test CA, a server certificate for 127.0.0.1 and localhost, client
# certificates of "seamark" and of "other" (which another CA signed), server certificates that are
# of another name, expired, not valid yet, and renewed, and DIR/kubeconfig with the
# contexts "token" and "cert" that talk to https://127.0.0.1:PORT.
set -eu
dir=$1
port=${2:-6443}
mkdir -p "$dir"
cd "$dir"

make_ca() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 \
		-keyout "$1.key" -out "$1.crt" -subj "/CN=$1" \
		-addext "basicConstraints=critical,CA:TRUE" \
		-addext "keyUsage=critical,keyCertSign,cRLSign" 2>/dev/null
}

# make_cert NAME CA SUBJECT EXTENSIONS
make_cert() {
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-keyout "$1.key" -out "$1.csr" -subj "$3" 2>/dev/null
	printf '%s\n' "$4" >"$1.ext"
	openssl x509 -req -in "$1.csr" -CA "$2.crt" -CAkey "$2.key" -CAcreateserial -days 3650 \
		-extfile "$1.ext" -out "$1.crt" 2>/dev/null
	rm -f "$1.csr" "$1.ext"
}

# make_dated NAME CA FROM UNTIL: as make_cert, for a server and with the days of its validity
make_dated() {
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-keyout "$1.key" -out "$1.csr" -subj "/CN=kube-apiserver" 2>/dev/null
	: >index.txt
	printf '[ca]\ndefault_ca=c\n[c]\ndatabase=index.txt\nnew_certs_dir=.\nrand_serial=yes\npolicy=p\ndefault_md=sha256\nx509_extensions=x\nunique_subject=no\n[p]\ncommonName=supplied\n[x]\nsubjectAltName=IP:127.0.0.1\n' >dated.cnf
	openssl ca -batch -notext -config dated.cnf -cert "$2.crt" -keyfile "$2.key" \
		-startdate "$3" -enddate "$4" -in "$1.csr" -out "$1.crt" 2>/dev/null
	rm -f "$1.csr" index.txt* dated.cnf [0-9A-F]*.pem
}

make_ca ca
make_ca other-ca
make_cert server ca /CN=kube-apiserver "subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:kubernetes.default.svc
extendedKeyUsage=serverAuth"
make_cert wrong-name ca /CN=kube-apiserver "subjectAltName=DNS:elsewhere.example
extendedKeyUsage=serverAuth"
make_cert renewed ca /CN=kube-apiserver "subjectAltName=IP:127.0.0.1,DNS:kubernetes.default.svc
extendedKeyUsage=serverAuth"
make_dated expired ca 20200101000000Z 20200201000000Z
make_dated future ca 20900101000000Z 20910101000000Z
make_cert client ca "/O=system:masters/CN=seamark" "extendedKeyUsage=clientAuth"
make_cert other other-ca "/CN=other" "extendedKeyUsage=clientAuth"
printf 'secret-token\n' >token

b64() {
	base64 -w0 <"$1"
}

cat >kubeconfig <<END
apiVersion: v1
kind: Config
current-context: token
clusters:
- name: sim
  cluster:
    server: https://127.0.0.1:$port
    certificate-authority: ca.crt
- name: sim-data
  cluster:
    server: https://127.0.0.1:$port
    certificate-authority-data: $(b64 ca.crt)
    tls-server-name: kubernetes.default.svc
contexts:
- name: token
  context:
    cluster: sim
    user: token
- name: cert
  context:
    cluster: sim-data
    user: cert
    namespace: default
users:
- name: token
  user:
    tokenFile: token
- name: cert
  user:
    client-certificate-data: $(b64 client.crt)
    client-key-data: $(b64 client.key)
END
