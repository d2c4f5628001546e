#!/bin/bash
# measure.sh IMAGE…: a row of the table for each image. Size in MB (a million bytes), packages that Debian's lists name,
# CVEs that Debian mended in them within a year (scan.sh), milliseconds from "docker run" to the first answer, and how
# many lines of attack.sh work.
set -eu
cd "$(dirname "$0")"
for image; do
    megabytes=$(docker image inspect --format '{{.Size}}' "$image" | awk '{ printf "%.1f", $1 / 1e6 }')

    # The last line of what scan.sh says: image, packages, open, a year.
    read -r _ packages _ cves < <(./scan.sh "$image" | tail -n 1)

    begin=$(date +%s%3N)
    docker run -d --name measured -p 8080:8080 "$image" > /dev/null
    until curl -s -o /dev/null localhost:8080/healthz; do :; done
    milliseconds=$(($(date +%s%3N) - begin))
    docker rm -f measured > /dev/null

    attacks=$(./attack.sh "$image" | grep -c WORKS || true)
    echo "| ${image#diet:} | $megabytes | $packages | $cves | $milliseconds | $attacks |"
done
