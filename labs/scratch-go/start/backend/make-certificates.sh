#!/bin/sh
# Makes a certificate authority of your own (lab-ca.crt), and with it a certificate for the host name "backend".
set -eu
cd "$(dirname "$0")"
curve='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30'
openssl req -x509 $curve -subj '/CN=Lab CA' -keyout lab-ca.key -out ../lab-ca.crt 2>/dev/null
openssl req -x509 $curve -CA ../lab-ca.crt -CAkey lab-ca.key -subj '/CN=backend' \
    -addext 'subjectAltName=DNS:backend' -addext 'basicConstraints=critical,CA:FALSE' \
    -keyout server.key -out server.crt 2>/dev/null
rm lab-ca.key
chmod a+r server.key
