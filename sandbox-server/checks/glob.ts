/**
 * A pattern for paths without a leading slash: `*` and `?` stay within a folder, `**` spans folders, `{a,b}` is a choice.
 * Dots at the start of a name are nothing special: a hidden file is in the image like any other.
 */
export function compileGlob(pattern: string): RegExp {
  let source = '';
  let depth = 0;
  for (let at = 0; at < pattern.length; at += 1) {
    const character = pattern.charAt(at);
    if (pattern.startsWith('**/', at)) {
      source += '(?:[^/]+/)*';
      at += 2;
    } else if (pattern.startsWith('**', at)) {
      source += '.*';
      at += 1;
    } else if (character === '*') {
      source += '[^/]*';
    } else if (character === '?') {
      source += '[^/]';
    } else if (character === '{') {
      source += '(?:';
      depth += 1;
    } else if (character === '}' && depth > 0) {
      source += ')';
      depth -= 1;
    } else if (character === ',' && depth > 0) {
      source += '|';
    } else {
      source += character.replace(/[$()*+.?[\\\]^{|}]/, '\\$&');
    }
  }
  return new RegExp(`^${source}$`, 's');
}
