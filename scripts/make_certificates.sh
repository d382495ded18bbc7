#!/usr/bin/env bash
# Makes a throw-away certificate authority and one certificate for localhost: make_certificates.sh FOLDER
# For trying things out on one machine; a real bank brings its own certificates.
set -euo pipefail
if [ $# -ne 1 ] || [ "$1" = --help ]; then
  sed -n '2,3s/^# //p' "$0"
  exit 1
fi
mkdir -p "$1"
cd "$1"
umask 077
{
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 7 \
    -subj "/CN=bank throw-away authority" -keyout ca.key -out ca.pem
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
    -subj "/CN=bank" -keyout bank.key -out bank.csr
  openssl x509 -req -in bank.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 7 -out bank.pem \
    -extfile <(printf 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1')
} 2>openssl.log || { cat openssl.log >&2; exit 3; }
