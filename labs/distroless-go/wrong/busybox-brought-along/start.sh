#!/bin/sh
# Makes the folder for the count, then starts the service.
mkdir -p /data
/usr/local/bin/visits -greeting "${GREETING:-Welcome}" -file /data/count
