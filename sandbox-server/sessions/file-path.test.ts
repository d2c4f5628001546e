import { expect, test } from 'vitest';
import { BallastError } from '../protocol/index.ts';
import { checkFilePath } from './file-path.ts';

test.each(['Dockerfile', '.dockerignore', 'cmd/server/main.go', 'a b/ü.txt', '...', '-rf', '$(id)', 'x..y', '..x'])(
  'takes %j',
  (path) => {
    expect(checkFilePath(path)).toBe(path);
  },
);

test.each([
  '',
  '/etc/passwd',
  '//etc/passwd',
  '..',
  '../x',
  'a/../../x',
  'a/..',
  './a',
  'a//b',
  'a/',
  'a\0b',
  'a\nb',
  'a\u001b[31m',
  'a\u009bb',
  '\uD800',
  'x'.repeat(256),
  'ü'.repeat(128),
  'a/'.repeat(40) + 'a',
  Array.from({ length: 20 }, () => 'y'.repeat(100)).join('/'),
])('refuses %j', (path) => {
  expect(() => checkFilePath(path)).toThrow(BallastError);
  expect(() => checkFilePath(path)).toThrow(expect.objectContaining({ code: 'bad_path' }));
});
