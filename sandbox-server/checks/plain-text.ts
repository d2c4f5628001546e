/** Longest text of one field of a result, in characters. */
const maxCharacters = 1200;
/** What is looked at, in UTF-16 units: a program that prints without end costs no more than this. */
const maxInput = 256 * 1024;

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
    .slice(0, maxInput)
    .replaceAll(escapeSequence, '')
    .replaceAll('\r\n', '\n')
    .split('\n')
    .map(lastWritten)
    .join('\n')
    .replaceAll('\t', '    ')
    .replaceAll(unsafeCharacter, (character) => (character === '\n' ? '\n' : ''))
    .trim();
  // A character is one or two units: no more of them are looked at than may be needed.
  const characters = Array.from(clean.slice(0, 2 * limit + 2));
  return characters.length <= limit ? clean : `${characters.slice(0, limit - 1).join('')}…`;
}

/** What a terminal shows of a line in the end. A regular expression would look for the carriage return from each place. */
const lastWritten = (line: string): string => line.slice(line.lastIndexOf('\r') + 1);

/** The last `count` lines that are not empty. */
export function lastLines(text: string, count: number): string {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .slice(-count)
    .join('\n');
}
