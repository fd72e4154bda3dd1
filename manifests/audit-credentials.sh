#!/usr/bin/env bash
# Makes what API server and operator need to trust each other, once: a CA, the receiver's certificate, a token, and the
# kubeconfig for --audit-webhook-config-file. Usage: manifests/audit-credentials.sh FOLDER [ADDRESS]
#
# FOLDER must not exist yet. ADDRESS is the fixed address of the Service riverwatch (manifests/service.yaml).
set -euo pipefail
umask 077
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

folder=${1:?usage: audit-credentials.sh FOLDER [ADDRESS]}
address=${2:-10.96.42.42}
days=825

if [ -e "$folder" ]; then
  echo "audit-credentials.sh: $folder exists already; remove it to make new credentials" >&2
  exit 1
fi
mkdir -p "$folder"
cd "$folder"

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 \
  -keyout ca.key -out ca.crt -subj "/CN=riverwatch audit CA" \
  -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign" 2>/dev/null
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
  -keyout tls.key -out tls.csr -subj "/CN=riverwatch.riverwatch-system.svc" 2>/dev/null
openssl x509 -req -in tls.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days "$days" -out tls.crt -extfile <(cat <<EOF
subjectAltName=DNS:riverwatch.riverwatch-system.svc,DNS:localhost,IP:$address,IP:127.0.0.1
extendedKeyUsage=serverAuth
basicConstraints=CA:FALSE
EOF
) 2>/dev/null
rm -f tls.csr ca.srl

openssl rand -hex 32 > token
case $address in *:*) host="[$address]" ;; *) host=$address ;; esac
cat > audit-webhook.kubeconfig <<EOF
apiVersion: v1
kind: Config
current-context: riverwatch
contexts:
  - name: riverwatch
    context: {cluster: riverwatch, user: kube-apiserver}
clusters:
  - name: riverwatch
    cluster:
      server: https://$host:443/audit
      certificate-authority-data: $(base64 < ca.crt | tr -d '\n')
users:
  - name: kube-apiserver
    user:
      token: $(cat token)
EOF

# For clusters whose audit log is out of reach: its own token, because whoever may read webhook configurations sees it.
openssl rand -hex 32 > admission-token
sed -e "s|/TOKEN$|/$(cat admission-token)|" -e "s|CA_BUNDLE|$(base64 < ca.crt | tr -d '\n')|" \
  "$here/admission-webhook.yaml" > admission-webhook.yaml
echo "made $folder: ca.crt ca.key tls.crt tls.key token audit-webhook.kubeconfig admission-token admission-webhook.yaml"
