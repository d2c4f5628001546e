import { expect, it } from 'vitest';
import { hasColors } from './colors.ts';

it.each<[string, boolean, boolean | undefined, NodeJS.ProcessEnv]>([
  ['a terminal', true, true, { TERM: 'xterm' }],
  ['a terminal, where NO_COLOR is set', false, true, { NO_COLOR: '1' }],
  ['a terminal, where NO_COLOR is empty', true, true, { NO_COLOR: '' }],
  ['a terminal without colours', false, true, { TERM: 'dumb' }],
  ['a pipe', false, undefined, {}],
  ['a pipe in CI', false, undefined, { CI: 'true', FORCE_COLOR: '1' }],
])('%s: %s', (_, colors, isTTY, env) => {
  expect(hasColors(isTTY === undefined ? {} : { isTTY }, env)).toBe(colors);
});
