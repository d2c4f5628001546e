/** Longer ones are no paths of files; nobody is told of them. */
const mostCharacters = 1024;

/** Which of the places in a path, from 0 before its first character, a beginning of the pattern can have come to. */
type Places = Uint8Array;

/**
 * Whether a pattern of a .dockerignore fits a path, or a folder above it: `*` and `?` stay within a folder, `**` spans
 * folders, a backslash takes the next character as it is.
 * Both are a learner's, so this takes time with the product of their lengths and no more: a regular expression made of
 * `*a*a*a*a` takes years.
 */
export function fitsIgnorePattern(pattern: string, path: string): boolean {
  if (pattern.length > mostCharacters || path.length > mostCharacters) return false;
  let places: Places = new Uint8Array(path.length + 1);
  places[0] = 1;
  for (let at = 0; at < pattern.length; at += 1) {
    if (pattern.startsWith('**/', at)) {
      places = afterFolders(places, path);
      at += 2;
    } else if (pattern.startsWith('**', at)) {
      places = afterMany(places, path, () => true);
      at += 1;
    } else if (pattern[at] === '*') {
      places = afterMany(places, path, isName);
    } else if (pattern[at] === '?') {
      places = afterOne(places, path, isName);
    } else {
      if (pattern[at] === '\\') at += 1;
      const wanted = pattern[at];
      places = afterOne(places, path, (character) => character === wanted);
    }
    if (!places.includes(1)) return false;
  }
  return places.some((isThere, at) => isThere === 1 && (at === path.length || path[at] === '/'));
}

const isName = (character: string): boolean => character !== '/';

function afterOne(before: Places, path: string, fits: (character: string) => boolean): Places {
  const after = new Uint8Array(before.length);
  for (let at = 0; at < path.length; at += 1) if (before[at] === 1 && fits(path.charAt(at))) after[at + 1] = 1;
  return after;
}

function afterMany(before: Places, path: string, fits: (character: string) => boolean): Places {
  const after = Uint8Array.from(before);
  for (let at = 0; at < path.length; at += 1) if (after[at] === 1 && fits(path.charAt(at))) after[at + 1] = 1;
  return after;
}

/** Any number of whole folders, none included. */
function afterFolders(before: Places, path: string): Places {
  const after = Uint8Array.from(before);
  let inName = false;
  for (let at = 0; at < path.length; at += 1) {
    if (path[at] === '/') {
      if (inName) after[at + 1] = 1;
      inName = false;
    } else {
      inName ||= after[at] === 1;
    }
  }
  return after;
}
