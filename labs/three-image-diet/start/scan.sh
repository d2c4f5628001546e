#!/bin/bash
# scan.sh IMAGE…: what a scanner does. Takes the list of Debian packages that is in an image, and looks each of them up
# in advisories.tsv. "open": known vulnerabilities that an update of today would mend. "a year": what would be open if the
# image had stayed as it is for the year that the file covers.
set -eu
database=$(dirname "$0")/advisories.tsv

# Lines of "source package, its version", from the paragraphs that dpkg writes.
sources() {
    awk '
        function end() {
            if (package != "") print (source == "" ? package : source), (built == "" ? version : built)
            package = source = version = built = ""
        }
        /^Package:/ { end(); package = $2 }
        /^Source:/ { source = $2; built = $3; gsub(/[()]/, "", built) }
        /^Version:/ { version = $2; sub(/\+b[0-9]+$/, "", version) }
        END { end() }'
}
different() { tr ' ' '\n' <<< "$1" | sort -u | grep -c CVE || true; }

head -n 1 "$database"
printf '%-18s %9s %6s %7s\n' image packages open 'a year'
for image; do
    container=$(docker create "$image")
    list=$(docker export "$container" | tar -x -O --wildcards 'var/lib/dpkg/status' 'var/lib/dpkg/status.d/*' 2> /dev/null || true)
    docker rm "$container" > /dev/null

    declare -A installed=()
    while read -r source version; do installed[$source]=$version; done < <(sources <<< "$list")
    open='' year=''
    while IFS=$'\t' read -r source fixed _ cves; do
        [ -n "${installed[$source]-}" ] || continue
        year+=" $cves"
        if dpkg --compare-versions "${installed[$source]}" lt "$fixed"; then open+=" $cves"; fi
    done < <(grep -v '^#' "$database")
    printf '%-18s %9s %6s %7s\n' "$image" "$(grep -c '^Package:' <<< "$list" || true)" "$(different "$open")" "$(different "$year")"
done
