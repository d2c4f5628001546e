#!/bin/bash
# measure.sh IMAGE…: a row of the table for each image. Size in MB (a million bytes), packages that Debian's lists name,
# milliseconds from "docker run" to the first answer, and how many lines of attack.sh work.
set -eu
cd "$(dirname "$0")"
for image; do
    megabytes=$(docker image inspect --format '{{.Size}}' "$image" | awk '{ printf "%.1f", $1 / 1e6 }')

    docker create --name measured "$image" > /dev/null
    packages=$(docker export measured | tar -x -O --wildcards 'var/lib/dpkg/status' 'var/lib/dpkg/status.d/*' 2> /dev/null | grep -c '^Package:' || true)
    docker rm measured > /dev/null

    begin=$(date +%s%3N)
    docker run -d --name measured -p 8080:8080 "$image" > /dev/null
    until curl -s -o /dev/null localhost:8080/healthz; do :; done
    milliseconds=$(($(date +%s%3N) - begin))
    docker rm -f measured > /dev/null

    attacks=$(./attack.sh "$image" | grep -c WORKS || true)
    echo "| ${image#diet:} | $megabytes | $packages | $milliseconds | $attacks |"
done
