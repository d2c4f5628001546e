import { expect, it } from 'vitest';
import { startHint } from './start-hints.ts';

it('finds a cause at either end of a log', () => {
  const noise = 'noise\n'.repeat(50_000);
  expect(startHint(`exec format error\n${noise}`)).toContain('another kind of processor');
  expect(startHint(`${noise}bind: address already in use\n`)).toContain('listen on its port');
  expect(startHint(noise)).toBeUndefined();
});

it('takes no time to speak of with a line of a mebibyte', () => {
  const started = performance.now();
  expect(startHint('stat exec '.repeat(100_000))).toBeUndefined();
  // From each of so many places to the end of the line: minutes, where all of it is looked at.
  expect(performance.now() - started).toBeLessThan(5000);
});
