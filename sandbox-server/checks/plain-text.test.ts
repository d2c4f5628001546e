import { expect, it } from 'vitest';
import { lastLines, plainText } from './plain-text.ts';

it.each<[string, string, string]>([
  ['colours', '\u001b[1;31merror\u001b[0m: x', 'error: x'],
  ['a window title', '\u001b]0;evil\u0007text', 'text'],
  ['a link', '\u001b]8;;http://x\u001b\\here\u001b]8;;\u001b\\', 'here'],
  ['a charset switch', '\u001b(0lqk', 'lqk'],
  ['lone control characters', 'a\u0000b\u0008c\u007fd\u009be', 'abcde'],
  ['text that runs backwards', 'a\u202Egpj.exe\u2066', 'agpj.exe'],
  ['a progress line that overwrites itself', '10%\r50%\rdone\nnext', 'done\nnext'],
  ['lines of Windows', 'a\r\nb', 'a\nb'],
  ['tabs', 'a\tb', 'a    b'],
])('takes out %s', (_, text, clean) => {
  expect(plainText(text)).toBe(clean);
});

it('keeps newlines and other alphabets, and cuts between characters', () => {
  expect(plainText('Größe\n数\n')).toBe('Größe\n数');
  expect(plainText('😀'.repeat(10), 4)).toBe('😀😀😀…');
});

it('gives the last lines that say something', () => {
  expect(lastLines('a\n\nb\n  \nc\n', 2)).toBe('b\nc');
});

it.each([
  ['one long line', 'x'],
  ['a line that overwrites itself', 'x\r'],
  ['begun escape sequences', '\u001b[0'],
  ['titles without an end', '\u001b]0;'],
  ['nothing but spaces', ' '],
  ['newlines', '\n'],
])('takes time in proportion to what a sandbox prints: %s', (_, unit) => {
  const bestOf = (characters: number): number => {
    const text = unit.repeat(characters / unit.length);
    const times = Array.from({ length: 7 }, () => {
      const started = performance.now();
      plainText(text);
      return performance.now() - started;
    });
    return Math.min(...times);
  };
  const size = 128 * 1024;
  bestOf(size);
  // Quadratic work gives four times; a scheduler that takes the processor away in all of seven runs, hardly so much.
  expect(bestOf(2 * size)).toBeLessThan(3 * bestOf(size) + 1);
  expect(bestOf(8 * size)).toBeLessThan(3 * bestOf(2 * size) + 1);
  expect(plainText('x'.repeat(8 * size), 3)).toBe('xx…');
});
