#!/bin/bash
# budget.sh IMAGE BASELINE-FILE: fails when the image has grown by more than 5 % over the baseline, in bytes.
set -eu
now=$(docker image inspect --format '{{.Size}}' "$1")
before=$(cat "$2")
echo "$before bytes before, $now now, $(((now - before) * 100 / before)) % more"
[ "$((now * 100))" -le "$((before * 105))" ]
