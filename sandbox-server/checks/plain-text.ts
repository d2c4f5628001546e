/** Longest text of one field of a result, in characters. */
const maxCharacters = 1200;

// Escape sequences whole (CSI, OSC, and the two-character ones), so that no "[31m" is left behind.
const escapeSequence = new RegExp(
  ['\\[[0-?]*[ -/]*[@-~]', '\\]\\P{Cc}*(?:\\u{7}|\\u{1b}\\\\)?', '[ -/]*[0-~]']
    .map((rest) => `\\u{1b}${rest}`)
    .join('|'),
  'gu',
);
/** Control characters but newline, and the invisible ones that reorder or hide text. */
const unsafeCharacter = /[\p{Cc}\u061C\u200B-\u200F\u2028-\u202E\u2060-\u2069\uFEFF]/gu;

/**
 * Text that came out of a sandbox, made safe to show anywhere as text: escape sequences, control and
 * direction-changing characters removed, tabs as spaces, a carriage return starting its line anew, trimmed to length.
 */
export function plainText(text: string, limit = maxCharacters): string {
  const clean = text
    .replaceAll(escapeSequence, '')
    .replaceAll('\r\n', '\n')
    .replaceAll(/[^\n]*\r/g, '')
    .replaceAll('\t', '    ')
    .replaceAll(unsafeCharacter, (character) => (character === '\n' ? '\n' : ''))
    .trim();
  const characters = Array.from(clean);
  return characters.length <= limit ? clean : `${characters.slice(0, limit - 1).join('')}…`;
}

/** The last `count` lines that are not empty. */
export function lastLines(text: string, count: number): string {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .slice(-count)
    .join('\n');
}
