import { expect, it } from 'vitest';
import { fitsIgnorePattern } from './ignore-pattern.ts';

it.each([
  ['a', 'a', true],
  ['a', 'a/b', true],
  ['a', 'ab', false],
  ['a', 'b/a', false],
  ['*', 'a/b/c', true],
  ['*.md', 'a.md', true],
  ['*.md', 'a/b.md', false],
  ['**/*.md', 'b.md', true],
  ['**/*.md', 'a/c/b.md', true],
  ['**/b', 'ab', false],
  ['a/**', 'a/b/c', true],
  ['a/**', 'b', false],
  ['**', 'anything/at/all', true],
  ['a/**/z', 'a/z', true],
  ['a/**/z', 'a/b/c/z', true],
  ['a/**/z', 'a/bz', false],
  ['?.txt', 'a.txt', true],
  ['?.txt', '/.txt', false],
  ['\\*', '*', true],
  ['\\*', 'a', false],
  ['a[', 'a[', true],
  ['', 'a', false],
])('%j on %j: %s', (pattern, path, fits) => {
  expect(fitsIgnorePattern(pattern, path)).toBe(fits);
});

it.each(['*a', '**a', '?*', '**/'])('takes no time to speak of, however often %j is repeated', (piece) => {
  const pattern = `${piece.repeat(1000 / piece.length)}b`;
  const started = performance.now();
  expect(fitsIgnorePattern(pattern, 'a'.repeat(1000))).toBe(false);
  // A regular expression would take years; this is a million steps.
  expect(performance.now() - started).toBeLessThan(2000);
});
