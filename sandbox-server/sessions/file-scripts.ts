/*
 * What the files API runs inside the sandbox, as the learner: the kernel keeps it to what the learner may touch.
 * These are constant texts; every path and value comes as an argument. Exit statuses are those of `fileExit`.
 */

/** Exit statuses that the scripts share. */
export const fileExit = { changed: 40, outside: 41, notFound: 44, notFile: 45, incomplete: 46, noSpace: 47 } as const;

/** `resolve ROOT PATH` sets root and target, the latter with all links followed; it must stay below the root. */
const resolve = `
set -u
export LC_ALL=C
resolve() {
  root=$(realpath -e -- "$1") || exit ${fileExit.notFound}
  target=$(realpath -m -- "$root/$2") || exit ${fileExit.outside}
  case "$target" in "$root"/?*) ;; *) exit ${fileExit.outside} ;; esac
}
`;

/** ROOT LIMIT: entries of the folder, each "kind size mtime path" with a NUL after it. */
export const listScript = `${resolve}
root=$(realpath -e -- "$1") || exit ${fileExit.notFound}
find "$root" -mindepth 1 -maxdepth 32 -type d \\( -name .git -o -name node_modules \\) \\
  -printf '%y %s %T@ %P\\0' -prune -o -mindepth 1 -printf '%y %s %T@ %P\\0' 2>/dev/null | head -z -n "$2"
exit 0
`;

/** ROOT PATH LIMIT: the bytes of the file in base 64, one more than the limit when there are more. */
export const readScript = `${resolve}
resolve "$1" "$2"
[ -e "$target" ] || exit ${fileExit.notFound}
[ -f "$target" ] || exit ${fileExit.notFile}
head -c "$(($3 + 1))" -- "$target" | base64 -w 0
`;

/**
 * ROOT PATH SIZE CONDITION: writes standard input to the file, whole or not at all. CONDITION is "any", "new" (there
 * must be no such file) or the SHA-256 that the file must have.
 */
export const writeScript = `${resolve}
resolve "$1" "$2"
if [ -e "$target" ]; then
  [ -f "$target" ] || exit ${fileExit.notFile}
  [ "$4" != new ] || exit ${fileExit.changed}
  if [ "$4" != any ]; then
    [ "$(sha256sum <"$target" | cut -c 1-64)" = "$4" ] || exit ${fileExit.changed}
  fi
else
  case "$4" in any | new) ;; *) exit ${fileExit.changed} ;; esac
fi
folder=$(dirname -- "$target")
mkdir -p -- "$folder" || exit ${fileExit.notFile}
# Beside the lab folder, on the same volume: whoever watches the lab folder sees one change, not two.
staging=$(mktemp -- "$root.XXXXXXXX") || exit ${fileExit.noSpace}
trap 'rm -f -- "$staging"' EXIT
cat >"$staging" || exit ${fileExit.noSpace}
[ "$(stat -c %s -- "$staging")" = "$3" ] || exit ${fileExit.incomplete}
if [ -e "$target" ]; then chmod --reference="$target" -- "$staging"; else chmod 644 -- "$staging"; fi
mv -fT -- "$staging" "$target"
`;

/** ROOT PATH CONDITION: removes a file, or a link itself; folders stay. */
export const removeScript = `${resolve}
root=$(realpath -e -- "$1") || exit ${fileExit.notFound}
folder=$(realpath -m -- "$root/$(dirname -- "$2")") || exit ${fileExit.outside}
case "$folder" in "$root" | "$root"/?*) ;; *) exit ${fileExit.outside} ;; esac
target=$folder/$(basename -- "$2")
[ -e "$target" ] || [ -L "$target" ] || exit ${fileExit.notFound}
[ -L "$target" ] || [ -f "$target" ] || exit ${fileExit.notFile}
if [ "$3" != any ]; then
  [ "$(sha256sum <"$target" | cut -c 1-64)" = "$3" ] || exit ${fileExit.changed}
fi
rm -f -- "$target"
`;
