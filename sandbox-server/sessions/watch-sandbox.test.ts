import { expect, test } from 'vitest';
import { changedPath } from './watch-sandbox.ts';

test.each([
  ['"Dockerfile"', 'Dockerfile'],
  ['"a b/\\"q\\".go"', 'a b/"q".go'],
  ['"folder/"', 'folder'],
  ['plain.txt', 'plain.txt'],
])('%s names %j', (line, path) => {
  expect(changedPath(line)).toBe(path);
});

test.each(['"half', '""', '"../up"', '"/etc/passwd"', '"with\\nnewline"', '', '"a" "b"'])(
  '%j names nothing',
  (line) => {
    expect(changedPath(line)).toBeNull();
  },
);
